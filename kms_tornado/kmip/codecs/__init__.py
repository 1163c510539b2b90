"""TTLV as octets and as JSON: bytes to the canonical tree, and back."""
