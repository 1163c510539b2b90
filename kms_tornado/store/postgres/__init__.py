"""The store in PostgreSQL, for many servers."""
