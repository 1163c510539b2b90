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
    """Reads; every fault is a FileError that names the source.

    size: in bytes, as it was opened; None where nobody can know, as with a pipe.
    """

    def __init__(self, name: str, stream: Readable, status: os.stat_result | None = None) -> None:
        self.name = name
        self._stream = stream
        self._status = status
        self._read = 0
        is_file = status is not None and stat.S_ISREG(status.st_mode)
        self.size = status.st_size if is_file and status is not None else None

    def readinto(self, buffer: memoryview) -> int:
        try:
            count = self._stream.readinto(buffer) or 0
        except OSError as exc:
            raise FileError(f"{self.name} cannot be read: {exc.strerror}") from exc
        self._read += count
        if self.size and self._read > self.size:  # a log that grows would never end
            raise self._changed()
        return count

    def is_file(self, path: Path) -> bool:
        """Whether the path leads to the very file that is read here."""
        try:
            other = path.stat()
        except OSError:
            return False
        return self._status is not None and os.path.samestat(self._status, other)

    def check_unchanged(self, path: Path) -> None:
        """Raises FileError where a file was written to while it was read: nobody ever had what was read.

        Files that claim to be empty, as those below /proc do, are believed.
        """
        status = path.stat()
        if (
            self.size
            and self._status is not None
            and (
                self._read != self.size
                or (status.st_size, status.st_mtime_ns) != (self.size, self._status.st_mtime_ns)
            )
        ):
            raise self._changed()

    def _changed(self) -> FileError:
        return FileError(
            f"{self.name} changed while it was read: try again when nothing writes to it"
        )


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """The file, read without a buffer between. Raises FileError."""
    try:
        # A pipe without a writer must not hang here: the kernel waits in readinto, where Ctrl-C works.
        stream = open(path, "rb", buffering=0)  # noqa: SIM115
    except OSError as exc:
        raise FileError(f"{path} cannot be read: {exc.strerror}") from exc
    with stream:
        yield Source(str(path), stream, os.fstat(stream.fileno()))
