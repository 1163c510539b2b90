"""The lock by which one process at a time prepares a database in a directory."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# 30 s: another process may be running migrations.
_START_TIMEOUT_S = 30.0


@contextmanager
def lock_directory(directory: Path) -> Iterator[None]:
    """Let only one process at a time prepare a database in this directory.

    SQLite's own lock is not enough: if two processes turn on the write-ahead log at once, one fails without waiting. A
    lock on the directory itself leaves no file behind and ends with the process. Raises OSError where another process
    holds the lock for _START_TIMEOUT_S.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        if not _is_in_place(descriptor, directory):
            # Another start had made it, and was refused meanwhile: the next try finds none, or another one.
            raise OSError(errno.EAGAIN, "its directory was removed meanwhile")
        yield
    finally:
        os.close(descriptor)


def _is_in_place(descriptor: int, directory: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(directory))
    except FileNotFoundError:
        return False
