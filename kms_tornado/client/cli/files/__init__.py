"""`kmsctl encrypt` and `decrypt`: files in the project's format and in ckms's."""
