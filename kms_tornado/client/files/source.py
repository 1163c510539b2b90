"""Where bytes come from: a file that must not change meanwhile, or a stream such as stdin."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import FileError
from .sealing import Readable


class Source:
    """Reads bytes. Every fault is a FileError that names the source.

    descriptor: None where the stream has none.
    size: in bytes, when it was opened; None where it cannot be known, as with a pipe.
    """

    def __init__(self, name: str, stream: Readable, descriptor: int | None = None) -> None:
        self.name = name
        self._stream = stream
        self._descriptor = descriptor
        self._status = None if descriptor is None else os.fstat(descriptor)
        self._read = 0
        is_file = self._status is not None and stat.S_ISREG(self._status.st_mode)
        self.size = self._status.st_size if is_file and self._status is not None else None

    def readinto(self, buffer: memoryview) -> int:
        try:
            count = self._stream.readinto(buffer) or 0
        except OSError as exc:
            raise FileError(f"{self.name} cannot be read: {exc.strerror}") from exc
        self._read += count
        if self.size and self._read > self.size:  # a log that grows would never end
            raise self._changed_error()
        return count

    def is_same_file(self, path: Path) -> bool:
        """Whether the path leads to the file that is read here."""
        try:
            other = path.stat()
        except OSError:
            return False
        return self._status is not None and os.path.samestat(self._status, other)

    def check_unchanged(self) -> None:
        """Raises FileError where the file was written to meanwhile: nobody ever had the contents that were read.

        A file that claims to be empty, as those below /proc do, is trusted.
        """
        if not self.size or self._descriptor is None or self._status is None:
            return
        now = os.fstat(self._descriptor)
        if (self._read, now.st_size, now.st_mtime_ns) != (
            self.size,
            self.size,
            self._status.st_mtime_ns,
        ):
            raise self._changed_error()

    def _changed_error(self) -> FileError:
        return FileError(
            f"{self.name} changed while it was read: try again when nothing writes to it"
        )


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """The file, read without a buffer between. Raises FileError."""
    try:
        stream = open(path, "rb", buffering=0)  # noqa: SIM115
    except OSError as exc:
        raise FileError(f"{path} cannot be read: {exc.strerror}") from exc
    with stream:
        yield Source(str(path), stream, stream.fileno())
