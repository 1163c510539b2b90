"""The data directory, and the database that --database-url names."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from ..errors import ConfigurationError

_log = logging.getLogger(__name__)

_SQLITE = ("sqlite", "sqlite+pysqlite")
_POSTGRESQL = ("postgresql", "postgresql+psycopg", "postgres")


def make_data_dir(path: Path) -> Path:
    """Create the directory if it is absent, close it to all other users, and return its absolute path.

    Raises ConfigurationError where it belongs to another user, is not a directory, or cannot be written to.
    """
    path = path.absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
        if status.st_uid != os.geteuid():
            raise _refusal(path, "belongs to another user")
        if stat.S_IMODE(status.st_mode) & 0o077:
            path.chmod(0o700)
            _log.warning("the data directory %s was open to others: closed it (mode 0700)", path)
    except FileExistsError as exc:
        raise _refusal(path, "is not a directory") from exc
    except OSError as exc:
        raise _refusal(path, (exc.strerror or type(exc).__name__).lower()) from exc
    if not os.access(path, os.W_OK | os.X_OK, effective_ids=True):
        raise _refusal(path, "cannot be written to")
    return path


def is_postgresql(url: str) -> bool:
    return url.partition("://")[0] in _POSTGRESQL


def resolve_sqlite_url(url: str, data_dir: Path) -> Path:
    """The absolute path of the file that the URL names; a relative path starts at the data directory.

    Raises ConfigurationError, which never repeats the URL: there may be a password in it.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _url_refusal("is not a database URL") from None
    if parsed.drivername not in _SQLITE:
        raise _url_refusal("is neither sqlite:///... nor postgresql://...")
    if parsed.host or parsed.username or parsed.password or parsed.port:
        raise _url_refusal("names a host; a path begins after three slashes: sqlite:///kms.db")
    if parsed.query:
        raise _url_refusal("takes no parameters")
    database = parsed.database
    # An in-memory database forgets every key at the end, and each connection has its own.
    if not database or database == ":memory:" or database.startswith("file:"):
        raise _url_refusal("must name a file: sqlite:///kms.db")
    return data_dir.absolute() / database


def _refusal(path: Path, fault: str) -> ConfigurationError:
    return ConfigurationError(f"{path}: {fault}", "data_dir")


def _url_refusal(fault: str) -> ConfigurationError:
    return ConfigurationError(fault, "database_url")
