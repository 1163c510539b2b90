"""The store's PostgreSQL backend, for any number of servers."""
