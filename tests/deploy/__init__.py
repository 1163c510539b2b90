"""How it is put into operation: the files of conf/, tried with the programs that read them."""
