"""Tokens in a file of the user: ~/.kms_tornado/tokens.json, and the lock beside it."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ... import strict_json
from ...errors import ConfigurationError
from ..private_files import (
    check_private,
    read_regular_file,
    reason_of,
    write_private_file,
)
from .tokens import Tokens, format_tokens, parse_tokens

#: A refresh takes one request to the issuer; who waits for longer waits for a process that hangs.
LOCK_TIMEOUT_S = 60.0
_LOCK_POLL_S = 0.05

#: The lock of the operating system is one for all threads of a process; this one is between them.
_threads = threading.RLock()


class FileTokenStore:
    """The tokens of one account among those of others, in one file of mode 0600."""

    def __init__(self, account: str, directory: Path) -> None:
        self._account = account
        self._path = directory / "tokens.json"
        self._lock = FileLock(directory / "tokens.lock")

    @property
    def place(self) -> str:
        return str(self._path)

    def load(self) -> Tokens | None:
        """The tokens. Raises ConfigurationError where others may read the file."""
        return parse_tokens(self._read().get(self._account))

    def save(self, tokens: Tokens) -> None:
        with self.locked():
            self._write({**self._read(), self._account: format_tokens(tokens)})

    def forget(self) -> None:
        if self._account not in self._read():
            return
        with self.locked():
            others = self._read()
            others.pop(self._account, None)
            if others:
                self._write(others)
            else:
                self._path.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._lock:
            yield

    def _read(self) -> dict[str, Any]:
        """The accounts and their tokens; none where the file is absent or damaged, which a login repairs."""
        try:
            data, status = read_regular_file(self._path)
        except FileNotFoundError:
            return {}
        check_private(self._path, status)
        try:
            accounts = strict_json.loads(data, max_depth=3)
        except ValueError:
            return {}
        return accounts if isinstance(accounts, dict) else {}

    def _write(self, accounts: dict[str, Any]) -> None:
        write_private_file(self._path, json.dumps(accounts, indent=2).encode() + b"\n")


class FileLock:
    """A lock with one holder among all processes and threads of the user. If the holder dies, the lock is released.

    Reentrant: the same thread may take it again.
    """

    def __init__(self, path: Path, *, timeout_s: float = LOCK_TIMEOUT_S) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._depth = 0
        self._descriptor = -1

    def __enter__(self) -> None:
        deadline = time.monotonic() + self._timeout_s
        if not _threads.acquire(timeout=self._timeout_s):
            raise self._too_long()
        try:
            if self._depth == 0:
                self._descriptor = self._acquire(deadline)
            self._depth += 1
        except BaseException:
            _threads.release()
            raise

    def __exit__(self, *exc: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            os.close(self._descriptor)
        _threads.release()

    def _acquire(self, deadline: float) -> int:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise ConfigurationError(f"{self._path} cannot be opened: {reason_of(exc)}") from exc
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return descriptor
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise self._too_long() from None
                    time.sleep(_LOCK_POLL_S)
        except BaseException:
            os.close(descriptor)
            raise

    def _too_long(self) -> ConfigurationError:
        return ConfigurationError(
            f"another kmsctl has held {self._path} for {self._timeout_s:.0f} s: end it and try again"
        )
