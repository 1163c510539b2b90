"""The language of KMIP 2.1: bytes to values and back, no rules."""
