"""TTLV as octets and as JSON: from bytes to the canonical tree, and back."""
