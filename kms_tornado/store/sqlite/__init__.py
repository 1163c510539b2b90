"""The store in one SQLite file: one writer, readers beside it."""
