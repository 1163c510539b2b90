"""A new master key in the file of the old one, in steps. Each step is safely on disk before the next one begins.

    old              before
    old, next:new    the new key is kept for good, and opens; nothing is sealed under it
    new, old         the new key seals

So a process that is killed between two steps leaves a file that every server can use, and the next run goes on.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import ConfigurationError
from ..private_file import describe_error, replace_private_file
from .sources import NEXT, make_key_line, make_refusal, read_key_file


class KeyFileEdit:
    """A key file while no other process rotates its keys. path: where it is, with links resolved."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add_next(self) -> bytes:
        """Add a new key that does not seal yet, unless there is one already; its identifier.

        Raises ConfigurationError.
        """
        if not any(line.is_next for line in read_key_file(self._path)):
            self._write([*self._read_lines(), NEXT.encode() + make_key_line().rstrip()])
        return next(line.key.key_id for line in read_key_file(self._path) if line.is_next)

    def promote_next(self) -> None:
        """Let that key seal. Raises ConfigurationError."""
        lines = self._read_lines()
        mark = NEXT.encode()
        first = [line.removeprefix(mark) for line in lines if line.startswith(mark)]
        self._write([*first, *(line for line in lines if not line.startswith(mark))])

    def holds(self, key_id: bytes) -> bool:
        """Whether the key is in the file, and is not the next one. Raises ConfigurationError."""
        return any(
            line.key.key_id == key_id and not line.is_next for line in read_key_file(self._path)
        )

    def retire(self, key_id: bytes) -> Path:
        """Move the key's line into another key file; that file. Raises ConfigurationError.

        It is added there before it is removed here, so that a process that is killed in between leaves it in both.
        """
        keys, lines = read_key_file(self._path), self._read_lines()
        retired = self.retired_path
        before = retired.read_bytes().splitlines() if retired.exists() else []
        gone = [line for key, line in zip(keys, lines, strict=True) if key.key.key_id == key_id]
        self._write([*before, *(line for line in gone if line not in before)], retired)
        self._write([line for line in lines if line not in gone])
        return retired

    def reinstate(self, key_id: bytes) -> None:
        """Put the key back, behind the others, so that it opens again."""
        keys, lines = read_key_file(self.retired_path), self.retired_path.read_bytes().splitlines()
        back = [line for key, line in zip(keys, lines, strict=True) if key.key.key_id == key_id]
        self._write([*self._read_lines(), *back])

    @property
    def retired_path(self) -> Path:
        return self._path.with_name(f"{self._path.name}.retired")

    def _read_lines(self) -> list[bytes]:
        return self._path.read_bytes().splitlines()

    def _write(self, lines: list[bytes], path: Path | None = None) -> None:
        """Write a key file. path: of another file, which gets the same owner and mode."""
        content = b"".join(line + b"\n" for line in lines)
        path = path or self._path
        try:
            replace_private_file(path, content, access=self._path.stat())
        except OSError as exc:
            text = f"cannot be replaced: {describe_error(exc)}"
            raise make_refusal(path, text) from exc


@contextmanager
def edit_key_file(path: Path) -> Iterator[KeyFileEdit]:
    """The key file, locked. Raises ConfigurationError where it cannot be used, or another process rotates its keys."""
    path = Path(os.path.realpath(path))
    read_key_file(path)  # says what is wrong with it
    descriptor = _lock(path)
    try:
        yield KeyFileEdit(path)
    finally:
        os.close(descriptor)


def _lock(path: Path) -> int:
    """A descriptor of the current file, with a lock. Whoever held the lock before has replaced the file."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as exc:
            raise make_refusal(path, describe_error(exc)) from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except OSError as exc:
            os.close(descriptor)
            raise ConfigurationError(
                f"master key file {path}: another process is changing it", "master_key_file"
            ) from exc
        os.close(descriptor)
