"""ServingMark: shows other processes of this host that a database file is in use, even if it was deleted.

A lock file would be deleted together with the database. So the mark is the name of a socket in the abstract namespace,
which has no file, and which the kernel removes when the process ends (unix(7)). Only Linux has that namespace, and each
container has its own.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from pathlib import Path

_SOCKETS = Path("/proc/net/unix")


class ServingMark:
    """Marks a database as served for as long as it is open. path: of the database."""

    def __init__(self, path: Path) -> None:
        self._socket: socket.socket | None = None
        try:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.bind(f"\0{_prefix(path)}{secrets.token_hex(8)}")
        except OSError:  # nobody is kept from serving by that
            self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def is_served(path: Path) -> bool:
    """Whether a process of this host has the database open."""
    try:
        sockets = _SOCKETS.read_text(errors="replace")
    except OSError:
        return False
    return f"@{_prefix(path)}" in sockets


def _prefix(path: Path) -> str:
    place = os.fsencode(os.path.realpath(path))
    return f"kms_tornado/{hashlib.sha256(place).hexdigest()[:32]}/"
