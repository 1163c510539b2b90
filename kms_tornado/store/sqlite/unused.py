"""A database that a refused start has made: it goes away again, so that a later start, or a restore, finds none."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from .directory_lock import lock_directory
from .file_access import SUFFIXES
from .serving_mark import is_served

#: A server that has a master key for the database has written it down there, before it makes any object.
_IS_USED = "SELECT EXISTS (SELECT 1 FROM server_state) OR EXISTS (SELECT 1 FROM objects)"


def remove_unused(path: Path, directories: Sequence[Path] = ()) -> None:
    """Remove the database if no server has used it and none has it open; nothing happens where that cannot be seen.

    directories: that go with it where they are empty then, the innermost one first. Who waits for the lock meanwhile,
    to make a database of its own there, is told.
    """
    with contextlib.suppress(OSError, sqlite3.Error), lock_directory(path.parent):
        if is_served(path) or _is_used(path):
            return
        for suffix in SUFFIXES:
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        for directory in directories:
            directory.rmdir()


def _is_used(path: Path) -> bool:
    if path.stat().st_size == 0:  # its tables were undone, or never made
        return False
    address = f"file:{quote(os.fsencode(path))}?mode=rw"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
        [is_used] = connection.execute(_IS_USED).fetchone()
        return bool(is_used)
