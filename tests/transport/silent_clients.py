"""Clients that say nothing, and whether others are served meanwhile."""

from __future__ import annotations

import contextlib
import socket


@contextlib.contextmanager
def silent(port, count, host="127.0.0.1", data=b""):
    """So many connections that say nothing more than the data."""
    with contextlib.ExitStack() as stack:
        socks = []
        for _ in range(count):
            sock = stack.enter_context(socket.create_connection((host, port), timeout=10))
            if data:
                with contextlib.suppress(ConnectionError):
                    sock.sendall(data)
            socks.append(sock)
        yield socks


def is_answered(server):
    with contextlib.suppress(OSError):
        return server.client.get("/health").status == 200
    return False
