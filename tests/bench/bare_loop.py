"""A server of nothing but an event loop, TLS, and a computation of a given length for each request.

``python -m tests.bench.bare_loop DIRECTORY MICROSECONDS``, with the files of `certificates` in the directory; prints its port.
No request of it waits for anything but the requests before it, and the machine: what its latency is at some load, no server
that computes as long can have less of. On a machine that does other work, that is most of what is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

#: Microseconds that TLS and the loop take for a request without any computation.
OWN_US = 75

_BODY = b"x" * 2500  # as long as the answer to an encrypt of 1 KiB
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


def compute(rounds: int) -> int:
    total = 0
    for number in range(rounds):
        total += number * number
    return total


def count_rounds(us: float) -> int:
    """So many rounds of `compute` take as long, where nothing interrupts them."""

    def time_once() -> float:
        began = time.perf_counter()
        compute(1000)
        return time.perf_counter() - began

    return int(1000 * us * 1e-6 / min(time_once() for _ in range(200)))


class _Connection(asyncio.Protocol):
    rounds = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if separator and len(body) >= length:
            self._received = b""
            compute(self.rounds)
            self._transport.write(_ANSWER)


async def serve(directory: Path, us: float) -> None:
    _Connection.rounds = count_rounds(us)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(directory / "sc.pem", directory / "sk.pem")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


@contextlib.contextmanager
def running(directory: Path, us: float) -> Iterator[int]:
    """Its port."""
    command = [sys.executable, "-m", "tests.bench.bare_loop", str(directory), str(us)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(Path(sys.argv[1]), float(sys.argv[2])))
