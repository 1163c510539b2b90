"""A protected echo route beside an unprotected one of the same process, and other Python stacks.

Each server runs in a process of its own; the client is a handful of keep-alive connections in this
one, speaking raw HTTP so that it costs little. All routes are sent the same token header: reading a
1 kB header costs Tornado about a tenth by itself (docs/performance.md).

By CPU is what the server's process computed, by wall what the client saw. Blocks of requests to the
route and to the unprotected one take turns, and of both the lower quartile counts: on a busy machine
the clock says little, and even the CPU time of the same requests wanders by some percent.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import socket
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from tests.bench import servers
from tests.bench.verify import token
from tests.keys import jwk

CONNECTIONS = 8
# Python tunes its code to the types that come, so what follows another kind of request starts slower.
WARM_UP = 80  # requests before the clocks are read, a multiple of CONNECTIONS
BLOCK = 160  # requests between two looks at the clocks, as well
PAIRS = 25  # of blocks in turn, in one round
BODY = json.dumps({"tag": "Echo", "type": "Structure", "value": ["x" * 20] * 25}).encode()


class Cost(NamedTuple):
    """Microseconds a request."""

    cpu: float
    wall: float


class Server:
    """One of `servers` in a process of its own."""

    def __init__(
        self, serve: Callable[..., None], port: int, keys: servers.Keys, core: int
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=serve, args=(port, keys, core), daemon=True)
        self._process.start()
        self._port = port

    def is_up(self) -> bool:
        """Wait for it; one whose library is missing ends at once."""
        while self._process.is_alive():
            with contextlib.suppress(OSError):
                self._connect(0).close()
                return True
            time.sleep(0.05)
        return False

    @contextlib.contextmanager
    def load(self, requests: Iterator[bytes], port: int = 0) -> Iterator[Callable[[], Cost]]:
        """What asks one block of requests, CONNECTIONS at a time, and says what they cost.

        port: counted from the server's first.
        """
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(self._connect(port)) for _ in range(CONNECTIONS)]

            def block() -> Cost:
                for _ in range(WARM_UP // CONNECTIONS):
                    exchange(sockets, requests)
                cpu, wall = self._cpu_ns(), time.perf_counter_ns()
                for _ in range(BLOCK // CONNECTIONS):
                    exchange(sockets, requests)
                wall = time.perf_counter_ns() - wall
                return Cost((self._cpu_ns() - cpu) / BLOCK / 1000, wall / BLOCK / 1000)

            yield block

    def _connect(self, port: int) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port + port), 30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _cpu_ns(self) -> int:
        """What all threads of the process have computed (Linux)."""
        threads = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)

    def stop(self) -> None:
        self._process.terminate()
        self._process.join()


def request(text: str) -> bytes:
    head = (
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {text}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    return head.encode() + BODY


def get_request(text: str) -> bytes:
    return f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {text}\r\n\r\n".encode()


def exchange(sockets: Sequence[socket.socket], requests: Iterator[bytes]) -> None:
    for sock in sockets:
        sock.sendall(next(requests))
    for sock in sockets:
        read_answer(sock)


def read_answer(sock: socket.socket) -> None:
    data = b""
    while not is_whole(data):
        received = sock.recv(65536)
        if not received:
            raise RuntimeError("the server closed the connection")
        data += received
    if not data.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(data[:200])


def is_whole(data: bytes) -> bool:
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        return False
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return len(body) >= int(length)


class Candidate(NamedTuple):
    """port: counted from the first of the server, by which serve_tornado tells its handlers."""

    title: str
    server: str
    port: int
    requests: Sequence[bytes]


def candidates(rounds: int) -> list[Candidate]:
    same = request(token("RS256"))
    in_turn = [request(token("RS256", number)) for number in range(1000)]
    count = rounds * PAIRS * (WARM_UP + BLOCK)
    new = [request(token("RS256", 10_000 + n)) for n in range(count)]
    newer = [
        request(token("RS256", 10_000 + count + n)) for n in range(count)
    ]  # than what was remembered
    one, one_get = [same], [get_request(token("RS256"))]
    return [
        Candidate("no token check (header sent)", "serve_tornado", 0, one),
        Candidate("a dict of headers, nothing else", "serve_tornado", 2, one),
        Candidate("protected, one token", "serve_tornado", 1, one),
        Candidate("protected, 1,000 tokens in turn", "serve_tornado", 1, in_turn),
        Candidate("protected, every token new", "serve_tornado", 1, new),
        Candidate("fast route, one token", "serve_tornado", 5, one),
        Candidate("fast route, GET, one token", "serve_tornado", 5, one_get),
        Candidate("fast route, 1,000 tokens in turn", "serve_tornado", 5, in_turn),
        Candidate("fast route, every token new", "serve_tornado", 5, newer),
        Candidate("the signature check, nothing else", "serve_tornado", 3, one),
        Candidate("jose.jwt.decode", "serve_tornado", 4, one),
        Candidate("protected, one token, fast extra", "serve_fast_tornado", 1, one),
        Candidate("fast route, one token, fast extra", "serve_fast_tornado", 5, one),
        Candidate("aiohttp + PyJWT", "serve_aiohttp", 0, one),
        Candidate("granian + PyJWT", "serve_granian", 0, one),
        Candidate("FastAPI + uvicorn + PyJWT", "serve_fastapi", 0, one),
    ]


@contextlib.contextmanager
def running(names: Sequence[str]) -> Iterator[dict[str, Server]]:
    """Those of the named servers whose libraries are installed, on one core; we are on another."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    keys = [jwk("RS256")]
    up: dict[str, Server] = {}
    try:
        for number, name in enumerate(names):
            server = Server(getattr(servers, name), 18471 + 10 * number, keys, cores[0])
            if server.is_up():
                up[name] = server
            else:
                print(f"{name}: does not start (is its library installed?), left out")
        yield up
    finally:
        for server in up.values():
            server.stop()


Pairs = list[tuple[Cost, Cost]]


def compare(base: Callable[[], Cost], own: Callable[[], Cost]) -> Pairs:
    """Blocks in turn, so that what else the machine does hits both alike."""
    return [(base(), own()) for _ in range(PAIRS)]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3, help=f"of {PAIRS} pairs of blocks each")
    parser.add_argument("--only", default="", help="candidates whose title contains this")
    options = parser.parse_args(argv)
    selected = [
        candidate for candidate in candidates(options.rounds) if options.only in candidate.title
    ]
    costs: dict[str, Pairs] = {}
    with running(
        list(dict.fromkeys(["serve_tornado", *(candidate.server for candidate in selected)]))
    ) as up:
        own = {candidate.title: cycle(candidate.requests) for candidate in selected}
        base = {candidate.title: cycle(candidate.requests) for candidate in selected}
        for _ in range(options.rounds):
            for candidate in selected:
                if candidate.server in up:
                    with (
                        up["serve_tornado"].load(base[candidate.title]) as base_block,
                        up[candidate.server].load(
                            own[candidate.title], candidate.port
                        ) as own_block,
                    ):
                        costs.setdefault(candidate.title, []).extend(compare(base_block, own_block))
    print(f"\nPOST echo of {len(BODY)} bytes, {CONNECTIONS} connections")
    print(f"{'':38}{'CPU µs':>8}{'by CPU':>9}{'by wall':>9}{'added µs':>10}")
    for title, pairs in costs.items():
        print_line(title, pairs)


def print_line(title: str, pairs: Pairs) -> None:
    base, own = (
        Cost(*map(lower_quartile, zip(*costs, strict=True))) for costs in zip(*pairs, strict=True)
    )
    print(
        f"{title:<38}{own.cpu:8.1f}{base.cpu / own.cpu:9.3f}{base.wall / own.wall:9.3f}"
        f"{own.cpu - base.cpu:10.1f}"
    )


def lower_quartile(values: Iterable[float]) -> float:
    """What stands for all blocks: whatever disturbs a block only ever adds to it."""
    return statistics.quantiles(values, n=4)[0]


if __name__ == "__main__":
    main()
