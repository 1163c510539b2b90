"""A server of nothing but TLS: what a connection costs the process at least, whatever is done on it.

``python -m tests.bench.tls_floor DIRECTORY CORE``, with the files of `certificates` in the directory; prints its port.
One connection after the other, with the KMIP port's own context and no event loop: it reads something, answers, and closes.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from kms_tornado.kmip_server.tls import make_context
from kms_tornado.settings.kmip import KMIPSettings

#: As long as the answer to a Get, and with a Result Status in it that says Success.
ANSWER = bytes.fromhex("42007f05000000040000000000000000") * 20


def serve(directory: Path, core: int) -> None:
    os.sched_setaffinity(0, {core})
    settings = KMIPSettings(kmip_clients_ca_cert_file=directory / "ca.pem")
    context = make_context(directory / "sc.pem", directory / "sk.pem", settings)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        while True:
            raw, _ = listening.accept()
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as one:
                one.recv(65536)
                one.sendall(ANSWER)
                one.unwrap()


@contextlib.contextmanager
def running(directory: Path, core: int) -> Iterator[tuple[int, int]]:
    """Its process ID and its port."""
    command = [sys.executable, "-m", "tests.bench.tls_floor", str(directory), str(core)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.kill()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
