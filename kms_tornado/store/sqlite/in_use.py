"""Whether another process, in whichever container, has an SQLite database open, as long as its file exists.

If the file was deleted, nothing is left to lock; `serving_mark` then tells, within the same container.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

_PATIENCE_S = 0.2  # a connection that is being closed


def is_in_use(path: Path) -> bool:
    """Whether any connection is open. Changes nothing.

    In the locking mode EXCLUSIVE, the first read of a database with a write-ahead log waits until it has the log to
    itself, which never happens while another connection is open, however idle.
    """
    with contextlib.closing(
        sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=_PATIENCE_S)
    ) as connection:
        try:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                return True
            raise
    return False
