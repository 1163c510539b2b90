"""Requests per second of a protected echo route, beside an unprotected one of the same process.

The server runs in a process of its own; the client is a handful of keep-alive connections in this one,
speaking raw HTTP so that it costs little. Both routes are sent the same token header: reading a
1 kB header costs Tornado about a tenth by itself (PERF.md).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import selectors
import socket
import statistics
import time
from collections.abc import Callable, Sequence

from tests.bench import servers
from tests.bench.verify import token
from tests.keys import jwk

CONNECTIONS = 8
ROUND_S = 0.7
ROUNDS = 5
BODY = json.dumps({"tag": "Echo", "type": "Structure", "value": ["x" * 20] * 25}).encode()


# --- the client -----------------------------------------------------------------------------------


def request(path: str, text: str) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {text}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    return head.encode() + BODY


def rate(port: int, next_request: Callable[[], bytes]) -> float:
    """Requests per second over CONNECTIONS, each sending when it has its answer."""
    selector = selectors.DefaultSelector()
    received: dict[socket.socket, bytes] = {}
    for _ in range(CONNECTIONS):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ)
        received[sock] = b""
        sock.sendall(next_request())
    count = 0
    start = time.perf_counter()
    end = start + ROUND_S
    while time.perf_counter() < end:
        for key, _ in selector.select():
            sock = key.fileobj
            data = received[sock] + sock.recv(65536)
            if not is_whole(data):
                received[sock] = data
                continue
            if not data.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(data[:200])
            received[sock] = b""
            count += 1
            sock.sendall(next_request())
    took = time.perf_counter() - start
    for sock in received:
        sock.close()
    return count / took


def is_whole(data: bytes) -> bool:
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return False
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return len(body) >= int(length)


def wait_for(port: int, process: multiprocessing.process.BaseProcess) -> bool:
    """Whether the server came up; one whose library is missing ends at once."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if not process.is_alive():
                return False
            time.sleep(0.05)
        else:
            return True
    return False


def taking_turns(requests: Sequence[bytes]) -> Callable[[], bytes]:
    state = iter(range(10**12))
    return lambda: requests[next(state) % len(requests)]


SERVERS = (
    servers.serve_tornado,
    servers.serve_fast_tornado,
    servers.serve_aiohttp,
    servers.serve_granian,
    servers.serve_fastapi,
)


def main() -> None:
    keys = [jwk("RS256")]
    one = token("RS256")
    thousand = [token("RS256", number) for number in range(1000)]
    fresh = iter([token("RS256", 10_000 + number) for number in range(25_000)])
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    context = multiprocessing.get_context("spawn")
    ports: dict[str, int] = {}
    processes = []
    for number, serve in enumerate(SERVERS):
        port = 18471 + number
        process = context.Process(target=serve, args=(port, keys, cores[0]), daemon=True)
        process.start()
        if wait_for(port, process):
            processes.append(process)
            ports[serve.__name__] = port
        else:
            print(f"{serve.__name__}: not installed, left out")
    same, cycle = request("/closed", one), taking_turns([request("/closed", t) for t in thousand])
    open_, jose = request("/open", one), request("/jose", one)
    candidates: dict[str, tuple[int, Callable[[], bytes]]] = {
        "no token check (header sent)": (ports["serve_tornado"], lambda: open_),
        "protected, one token": (ports["serve_tornado"], lambda: same),
        "protected, 1,000 tokens in turn": (ports["serve_tornado"], cycle),
        "protected, every token new": (
            ports["serve_tornado"],
            lambda: request("/closed", next(fresh)),
        ),
        "tornado + jose.jwt.decode": (ports["serve_tornado"], lambda: jose),
    }
    for name, title in (
        ("serve_fast_tornado", "protected, one token, fast extra"),
        ("serve_aiohttp", "aiohttp + PyJWT"),
        ("serve_granian", "granian + PyJWT"),
        ("serve_fastapi", "FastAPI + uvicorn + PyJWT"),
    ):
        if name in ports:
            candidates[title] = (ports[name], lambda: same)
    ratios: dict[str, list[float]] = {name: [] for name in candidates}
    rates: dict[str, list[float]] = {name: [] for name in candidates}
    floor = "no token check (header sent)"
    for _ in range(ROUNDS):
        for name, (port, next_request) in candidates.items():
            base = rate(ports["serve_tornado"], candidates[floor][1])
            measured = rate(port, next_request)
            ratios[name].append(measured / base)
            rates[name].append(measured)
    print(f"\nPOST echo of {len(BODY)} bytes, {CONNECTIONS} connections, token of {len(one)} bytes")
    for name in candidates:
        print(
            f"  {name:<36} {statistics.median(rates[name]):7.0f} req/s   "
            f"{statistics.median(ratios[name]):5.2f} x"
        )
    for process in processes:
        process.terminate()


if __name__ == "__main__":
    main()
