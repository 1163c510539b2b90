"""kms_tornado: a key management server on Tornado, and its bearer token layer for any application."""

__version__ = "0.1.0"
