"""The store's SQLite backend: one file, with one writer and concurrent readers."""
