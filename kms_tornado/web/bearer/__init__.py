"""The token layer as applications embed it: it loads no KMIP and no database."""
