"""Reads a small file that somebody else writes, and never waits at a named pipe."""

from __future__ import annotations

import errno
import os
import stat


def read_regular_file(path: str, max_bytes: int) -> bytes:
    """The contents of the file.

    Raises OSError, also where it is not a regular file or is too long, and ValueError where the path is not one.
    """
    with open(path, "rb", opener=_open_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"larger than {max_bytes} bytes")
    return content


def _open_without_waiting(path: str, flags: int) -> int:
    """An opener for `open`, which closes the file where it turns out to be a directory.

    Opening a pipe would wait for its writer.
    """
    return os.open(path, flags | os.O_NONBLOCK)
