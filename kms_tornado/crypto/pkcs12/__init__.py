"""PKCS#12 files (RFC 7292), read in all the forms in which programs write them."""
