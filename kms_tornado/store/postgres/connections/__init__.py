"""Connections to PostgreSQL: which host they lead to, how they are opened and kept, and whether they still work."""
