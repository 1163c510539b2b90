"""Whose tokens are trusted: the issuers, and their keys from the first fetch on."""
