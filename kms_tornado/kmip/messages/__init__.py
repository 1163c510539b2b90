"""KMIP messages: from a body to requests, and from responses to a body."""
