"""What an error of SQLite means: for the client, for the log, and for whoever decides whether to try again."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import SQLAlchemyError

from ...errors import Unavailable
from ..interface.faults import DAMAGED, make_unavailable

# SQLite's codes for what may pass: a lock that is held, a full disk, one that does not answer or is away.
_PASSING_CODES = frozenset(
    {
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL),
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM),
    }
)

#: What strangers read of SQLite's codes; see `store.health`.
_CAUSES = {
    sqlite3.SQLITE_FULL: "disk full",
    sqlite3.SQLITE_IOERR: "disk error",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_PROTOCOL: "locked",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_CANTOPEN: "file",
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
}

#: What the operator is to do about it.
_ADVICE = {
    sqlite3.SQLITE_CORRUPT: "; the file is damaged: stop all servers, move it away, and restore a backup",
    sqlite3.SQLITE_NOTADB: "; it is another file, or damaged: name the right one, or move it away and restore a backup",
}


def translate_error(exc: SQLAlchemyError | sqlite3.Error) -> Unavailable:
    """Unavailable for the client; the log gets SQLite's own message, which contains no values."""
    cause = _CAUSES.get(_find_code(exc) or 0, "out of reach")
    return make_unavailable(describe_error(exc), cause)


def describe_error(exc: SQLAlchemyError | sqlite3.Error) -> str:
    """SQLite's own message, and what to do where nothing else helps. SQLAlchemy's contains statement and parameters."""
    origin = getattr(exc, "orig", exc)
    if isinstance(origin, sqlite3.Error):
        code = _find_code(exc) or 0
        text = "the disk is full" if code == sqlite3.SQLITE_FULL else origin
        return f"{text} ({getattr(origin, 'sqlite_errorname', 'sqlite')}){_ADVICE.get(code, '')}"
    return type(exc).__name__


def may_pass(exc: SQLAlchemyError | sqlite3.Error) -> bool:
    """Whether time may mend it, and not a person alone."""
    return _find_code(exc) in _PASSING_CODES


def _find_code(exc: SQLAlchemyError | sqlite3.Error) -> int | None:
    """SQLite's result code without its extension; None for an error that is not SQLite's."""
    code: int | None = getattr(getattr(exc, "orig", exc), "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_IOERR_SHMSIZE:  # no room for the -shm file, whatever SQLite calls it
        return sqlite3.SQLITE_FULL
    return None if code is None else code & 0xFF
