"""A program of examples/ that runs."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

from tornado.testing import bind_unused_port

from .server import ROOT, eventually
from .support import Client


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def example(name: str, issuer_uri: str, **environment: str) -> Iterator[Client]:
    """A client of the program with that name, once it listens."""
    sock, port = bind_unused_port()
    sock.close()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / name)],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "ISSUER": issuer_uri,
            "AUDIENCE": "orders",
            "PORT": str(port),
            **environment,
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: accepts(port), timeout_s=60)
        yield Client(port)
    finally:
        process.terminate()
        process.wait(10)
