"""Whether SQLite can write to a database file, found out in advance.

SQLite opens a file that it may not write to for reading, without an error, and fails at the first change.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

#: What SQLite keeps beside the file: the write-ahead log, and its index in shared memory.
SUFFIXES = ("", "-wal", "-shm")


def find_write_fault(database: Path) -> str | None:
    """Which file of the database, or its directory, cannot be written to, and why; None where all can.

    database: an absolute path. A missing file is not a fault.
    """
    for path in (database.parent, *(Path(f"{database}{suffix}") for suffix in SUFFIXES)):
        try:
            fault = _describe_fault(path)
        except FileNotFoundError:
            continue
        if fault is not None:
            return fault if path == database else f"{path.name or path} {fault}"
    return None


def _describe_fault(path: Path) -> str | None:
    status = path.stat()
    needed = os.W_OK | os.X_OK if stat.S_ISDIR(status.st_mode) else os.R_OK | os.W_OK
    if os.access(path, needed, effective_ids=True):
        return None
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return "is on a read-only file system"
    us = os.geteuid()
    if us == 0 or (status.st_uid == us and status.st_mode & stat.S_IWUSR):
        # Not by its mode: chattr +i, or a rule of SELinux or AppArmor.
        return "cannot be written to, though its mode lets us: lsattr shows whether it is immutable"
    return (
        f"cannot be written to by this server's user (uid {us}): "
        f"it belongs to uid {status.st_uid} and has mode {stat.S_IMODE(status.st_mode):04o}"
    )
