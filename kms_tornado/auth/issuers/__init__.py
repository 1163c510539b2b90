"""Whose tokens are trusted: the issuers, and their keys over their lives."""
