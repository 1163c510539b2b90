"""The client's half of the product: a library for KMIP servers, and the command line `kmsctl`."""
