"""Reads a small file that somebody else writes, without waiting for a writer of what is no file."""

from __future__ import annotations

import errno
import os
import stat


def read_regular_file(path: str, max_bytes: int) -> bytes:
    """The content. Raises OSError, also for what is no regular file, and for a longer one; ValueError for no path."""
    with open(path, "rb", opener=_open_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"larger than {max_bytes} bytes")
    return content


def _open_without_waiting(path: str, flags: int) -> int:
    """For `open`, which closes the file where it turns out to be a directory; a named pipe would wait for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)
