"""LogTarget: whole lines at the end of a file or on stdout, which several processes may write to at once."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STDOUT = 1


class LogTarget:
    """A file or stdout to which lines are appended. For one thread; every method may block, and raises OSError.

    path: `-` is stdout.
    may_make: whether a missing file is created, with mode 0600.
    """

    def __init__(self, path: Path, *, may_make: bool = True) -> None:
        self.name = "stdout" if str(path) == "-" else str(path)
        self._path = None if str(path) == "-" else path
        self._may_make = may_make
        self._descriptor: int | None = None
        self._is_regular = False
        #: Whether a line may stand there without its end, which the next one is not to continue.
        self._is_torn = False

    def open(self) -> None:
        """Open the file, again if it is open: after a rotation, its name belongs to another file.

        A file with other contents, such as a key or a database, is refused.
        """
        self.close()
        descriptor = os.dup(_STDOUT) if self._path is None else self._open_file(self._path)
        self._descriptor = descriptor
        self._is_regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._is_torn = False
        if self._path is not None and self._is_regular:
            with self._locking(descriptor):
                begin, end = _read_ends(self._path)
            if begin not in (b"", b"{", b"\n"):
                self.close()
                raise OSError(errno.EINVAL, "is there, and no log of the audit")
            self._is_torn = end not in (b"", b"\n")

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def write(self, lines: bytes) -> None:
        """Write lines with their line ends; in a file, either all of them or none.

        A file that was renamed is written to until it is opened again; a file that was removed is created again.
        """
        descriptor = self._descriptor
        if descriptor is None or (self._path is not None and not os.fstat(descriptor).st_nlink):
            self.open()
            descriptor = self._descriptor
            assert descriptor is not None
        with self._locking(descriptor):
            self._write_all(descriptor, b"\n" + lines if self._is_torn else lines)
        self._is_torn = False

    def _open_file(self, path: Path) -> int:
        # Non-blocking: opening a named pipe would otherwise wait for a reader.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        if self._may_make:
            flags |= os.O_CREAT
        descriptor = os.open(path, flags, 0o600)
        os.set_blocking(descriptor, True)
        return descriptor

    def _write_all(self, descriptor: int, content: bytes) -> None:
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            if len(rest) < len(content) and not self._take_back(
                descriptor, len(content) - len(rest)
            ):
                self._is_torn = True
            raise

    def _take_back(self, descriptor: int, length: int) -> bool:
        """Remove what was written last, for example half a line before the disk was full."""
        if not self._is_regular:
            return False
        end = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            if os.fstat(descriptor).st_size != end:
                return False
            os.ftruncate(descriptor, end - length)
        except OSError:
            return False
        return True

    @contextmanager
    def _locking(self, descriptor: int) -> Iterator[None]:
        """Keep other processes from writing: on a pipe, more than a page could be mixed with their lines."""
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX)
        except OSError:  # a file system without locks: O_APPEND does for whole writes
            yield
            return
        try:
            yield
        finally:
            fcntl.lockf(descriptor, fcntl.LOCK_UN)


def _read_ends(path: Path) -> tuple[bytes, bytes]:
    """The first and the last byte of the file; nothing where it is empty, or where this process may only write it."""
    try:
        reader = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return b"", b""
    try:
        return os.pread(reader, 1, 0), os.pread(reader, 1, max(os.fstat(reader).st_size - 1, 0))
    finally:
        os.close(reader)
