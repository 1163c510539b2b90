"""Connections to PostgreSQL: to which host, made, kept, and asked how it is."""
