"""Encrypted files: the container, its streams, and Cosmian's format."""
