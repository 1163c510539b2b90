"""What the other end of a connection has read already: a test that stops a server in the middle of a request waits for it.

    sock.sendall(half)
    until_read(sock)

Linux alone says it, in /proc/net/tcp.
"""

from __future__ import annotations

import socket
from pathlib import Path

from .server import eventually

_ESTABLISHED = "01"


def until_read(sock: socket.socket) -> None:
    """Return once a process on this machine has read whatever was sent over the connection of IPv4."""
    ours, theirs = sock.getsockname()[1], sock.getpeername()[1]
    eventually(lambda: _count_waiting(ours, theirs) == 0 == _count_waiting(theirs, ours))


def _count_waiting(port: int, peer_port: int) -> int | None:
    """Bytes that this end has sent, or received, and nobody has got yet; None where the end is not there."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, queues, *_ = line.split()
        if state == _ESTABLISHED and (_port(local), _port(remote)) == (port, peer_port):
            sent, received = (int(size, 16) for size in queues.split(":"))
            return sent + received
    return None


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
