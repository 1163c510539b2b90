"""Chooses the store's backend by --database-url."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import ConfigurationError
from .data_dir import is_postgresql, resolve_sqlite_url
from .interface.compute import Compute, compute_on_any_thread
from .interface.object_store import ObjectStore
from .sql.store import SQLStore
from .sqlite.backend import SQLiteBackend
from .sqlite.in_use import is_in_use
from .sqlite.unused import remove_unused


def open_store(
    url: str,
    data_dir: Path,
    *,
    may_make: bool = True,
    may_upgrade: bool = True,
    compute: Compute = compute_on_any_thread,
) -> ObjectStore:
    """The store that the URL names, not started yet.

    may_make: whether its start creates a database where there is none.
    may_upgrade: whether its start changes a database of an older version.
    compute: runs functions that take milliseconds.
    Raises ConfigurationError for a URL that names no usable database, or whose driver is not installed.
    """
    if not is_postgresql(url):
        path = resolve_sqlite_url(url, data_dir)
        return SQLStore(
            SQLiteBackend(path, may_make=may_make, may_upgrade=may_upgrade, compute=compute),
            compute=compute,
        )
    try:
        from .postgres.backend import PostgresBackend  # imported here: it needs an extra

        return SQLStore(
            PostgresBackend(url, may_make=may_make, may_upgrade=may_upgrade), compute=compute
        )
    except ImportError as exc:
        raise ConfigurationError(
            "PostgreSQL needs an extra: pip install 'kms-tornado[postgresql]'", "database_url"
        ) from exc


@contextmanager
def leaving_nothing_unused(url: str, data_dir: Path) -> Iterator[None]:
    """If the block fails, remove the database and the directories that it made, unless something was kept in them.

    PostgreSQL's tables stay: a database of that kind is there before the first start.
    """
    data_dir = data_dir.absolute()
    new_directories = [path for path in (data_dir, *data_dir.parents) if not os.path.lexists(path)]
    database = None if is_postgresql(url) else resolve_sqlite_url(url, data_dir)
    if database is not None and os.path.lexists(database):
        database = None
    try:
        yield
    except BaseException:
        if database is not None:
            remove_unused(database, new_directories)
        with suppress(OSError):  # one is not empty
            for directory in new_directories:
                directory.rmdir()
        raise


async def is_database_in_use(url: str, data_dir: Path) -> bool:
    """Whether another process has the database open, as far as the database can tell. Raises Unavailable."""
    if is_postgresql(url):
        from .postgres.connections.in_use import (
            has_other_sessions,  # imported here: it needs an extra
        )

        return await has_other_sessions(url)
    path = resolve_sqlite_url(url, data_dir)
    return await asyncio.to_thread(is_in_use, path)


def describe_database(url: str, data_dir: Path) -> str:
    """The URL of a store that was opened, for the log: without password and parameters."""
    if not is_postgresql(url):
        return f"sqlite:///{resolve_sqlite_url(url, data_dir)}"
    from .postgres.connections.address import parse_address  # imported here: it needs an extra

    return parse_address(url).name
