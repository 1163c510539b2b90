"""stdin, stdout and stderr, if whoever started a program has closed one of them (``>&-``), or one cannot be written."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: The streams by their descriptors, and how /dev/null is opened in their place: reading from a closed stdin and
#: writing to a closed stdout stay errors, and what would be told on stderr is told to nobody.
_STREAMS: Final = (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))  # fmt: skip


def fill_missing_streams() -> None:
    """Open something in the place of each closed stream.

    Otherwise the next file to be opened would get the stream's number, and everything that is printed would go into
    that file. Python's object for the stream would be None, which no code expects.
    """
    for number, (name, mode, flags) in enumerate(_STREAMS):
        if getattr(sys, name) is not None:
            continue
        descriptor = os.open(os.devnull, flags)
        if descriptor != number:  # somebody has opened a file meanwhile
            os.dup2(descriptor, number)
            os.close(descriptor)
        setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


class _Stdout(io.FileIO):
    failure: OSError | None = None

    def write(self, octets: ReadableBuffer, /) -> int:
        """Raises OSError, which names stdout: it would be taken for an error of some file or connection.

        It is raised once; the flush at the end, which would fail as well, is not to tell it again.
        """
        if self.failure is not None:
            return memoryview(octets).nbytes
        try:
            return super().write(octets)
        except OSError as exc:
            exc.strerror = f"stdout cannot be written: {exc.strerror}"
            self.failure = exc
            raise


def name_stdout() -> None:
    """Have errors of stdout name it. What a test has put in its place stays there."""
    stdout = sys.stdout
    if not isinstance(stdout, io.TextIOWrapper) or not _is_the_process_own(stdout):
        return
    stdout.flush()
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Stdout(stdout.fileno(), "wb", closefd=False)),
        encoding=stdout.encoding,
        errors=stdout.errors,
        line_buffering=stdout.line_buffering or stdout.write_through,
    )


def find_stdout_failure() -> OSError | None:
    """Why stdout cannot be written, if it was tried; known where `name_stdout` was called."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.failure if isinstance(raw, _Stdout) else None


def _is_the_process_own(stdout: io.TextIOWrapper) -> bool:
    try:
        return stdout.fileno() == 1
    except io.UnsupportedOperation:
        return False
