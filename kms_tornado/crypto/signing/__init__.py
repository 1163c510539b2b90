"""Signatures for clients: made and verified, all data at once or part by part."""
