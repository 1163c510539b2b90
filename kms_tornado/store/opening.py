"""Which store --database-url means."""

from __future__ import annotations

from pathlib import Path

from .base import ObjectStore
from .data_dir import is_sqlite, resolve_database_url
from .sqlite.store import SQLiteStore


def open_store(url: str, data_dir: Path) -> ObjectStore:
    """Not started. Raises ConfigurationError."""
    resolved = resolve_database_url(url, data_dir)
    if is_sqlite(resolved):
        return SQLiteStore(Path(str(resolved.database)))
    from .postgres.store import PostgresStore  # imported here: it takes an extra

    return PostgresStore(resolved)
