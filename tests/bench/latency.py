"""How long one encrypt takes at half load: ``python -m tests.bench.latency [--starts N] [--turns N] [--seconds S] [--json FILE]``.

Requests begin at fixed times, half as many a second as the server can answer, on 16 connections; one that finds its connection
busy waits, and the wait counts. Alone, beside another user's RSA-4096 creations, and beside another user who walks 100,000 objects by pages of
Locate. The server has all cores, as it would; the other users are processes of their own. The first row is the floor of this
machine at this moment: a bare event loop that computes as long for each of as many requests (`bare_loop`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import selectors
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench import bare_loop, certificates
from tests.bench.figures import Spread, spread
from tests.bench.load import Connection, measure
from tests.bench.ours import CONNECTIONS, Operation, Ours, create_pair, operations_of, our_server
from tests.bench.population import populate, settings_for
from tests.issuer import Issuer
from tests.kmip_items import number, structure

OBJECTS = 100_000
_WALKER, _MAKER = "owner-0", "maker"
_PAGE = 1000
_FLOOR, _ALONE = "a bare loop that computes as long", "alone"
#: Asks one request after another, for as long as it is left to.
_ASK_FOR_EVER = """
import json, ssl, sys
from tests.bench.load import Connection
port, ca, *requests = json.load(sys.stdin)
connection = Connection(port, ssl.create_default_context(cafile=ca))
while True:
    for request in requests:
        connection.ask(request.encode())
"""


def measure_paced(
    connections: Sequence[Connection], next_request: Operation, *, per_second: float, seconds: float
) -> list[float]:
    """Seconds from when each request was due to its answer, sorted."""
    due = iter_due(per_second, seconds)
    free, begun_at = list(connections), {}
    latencies: list[float] = []
    selector = selectors.DefaultSelector()
    for place, connection in enumerate(connections):
        selector.register(connection.socket, selectors.EVENT_READ, place)
    began = time.perf_counter()
    moment = next(due, None)
    while moment is not None or begun_at:
        while moment is not None and free and time.perf_counter() - began >= moment:
            connection = free.pop()
            begun_at[connection] = began + moment
            connection.send(next_request())
            moment = next(due, None)
        wait_s = None if moment is None or not free else began + moment - time.perf_counter()
        for key, _ in selector.select(wait_s if wait_s is None else max(wait_s, 0)):
            connection = connections[key.data]
            if connection.answer() is None:
                continue
            if not connection.is_success():
                raise RuntimeError(connection.received[:400])
            latencies.append(time.perf_counter() - begun_at.pop(connection))
            free.append(connection)
    selector.close()
    return sorted(latencies)


def iter_due(per_second: float, seconds: float) -> Iterator[float]:
    """Seconds after the begin at which each request is due."""
    return (place / per_second for place in range(int(per_second * seconds)))


def p99_ms(latencies: Sequence[float]) -> float:
    return statistics.quantiles(latencies, n=100)[98] * 1e3


@contextlib.contextmanager
def beside(ours: Ours, ca: Path, requests: Sequence[bytes]) -> Iterator[None]:
    """Another program asks these in turn."""
    process = subprocess.Popen(
        [sys.executable, "-c", _ASK_FOR_EVER], stdin=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    try:
        assert process.stdin is not None
        json.dump([ours.port, str(ca), *(request.decode() for request in requests)], process.stdin)
        process.stdin.close()
        time.sleep(0.5)
        yield
    finally:
        process.kill()
        process.wait()


def _loads(ours: Ours, issuer: Issuer) -> dict[str, list[bytes]]:
    """{name: what the other user asks}."""

    def of(user: str) -> Ours:
        token = issuer.token(sub=user, aud="kms", exp=int(time.time()) + 36_000)
        return Ours(ours.port, ours.pid, token, ours.tls)

    walker, maker = of(_WALKER), of(_MAKER)
    pages = [
        structure("Locate", number("MaximumItems", _PAGE), number("OffsetItems", offset))
        for offset in range(0, OBJECTS, _PAGE)
    ]
    return {
        _ALONE: [],
        "beside RSA-4096 creations": [maker.request(create_pair(4096))],
        "beside a walk of 100,000 objects": [walker.request(page) for page in pages],
    }


def measure_start(directory: Path, turns: int, seconds: float) -> dict[str, list[float]]:
    """{load: p99 in milliseconds of each turn} of one start of the server."""
    with contextlib.ExitStack() as stack:
        issuer = stack.enter_context(Issuer("RS256"))
        files = certificates.make(directory)
        cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        ours = stack.enter_context(our_server(issuer, files, directory / "server", cores))
        encrypt = operations_of(ours)["encrypt"]
        open_ = ours.connect(CONNECTIONS)
        peak = measure(open_, encrypt, pid=ours.pid, seconds=seconds)
        computing_us = max(0, peak.cpu_us - bare_loop.OWN_US)
        port = stack.enter_context(bare_loop.running(directory, computing_us))
        bare = [Connection(port, ours.tls) for _ in range(CONNECTIONS)]
        found: dict[str, list[float]] = {}

        def measure_p99(name: str, connections: Sequence[Connection]) -> None:
            latencies = measure_paced(
                connections, encrypt, per_second=peak.per_second / 2, seconds=seconds
            )
            found.setdefault(name, []).append(p99_ms(latencies))

        loads = _loads(ours, issuer)
        for _ in range(turns):
            measure_p99(_FLOOR, bare)
            for name, requests in loads.items():
                with beside(ours, files.ca, requests) if requests else contextlib.nullcontext():
                    measure_p99(name, open_)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "server").mkdir()
        populate(settings_for(directory / "server"), OBJECTS, 1)
        starts = [
            measure_start(directory, options.turns, options.seconds) for _ in range(options.starts)
        ]
    rows: dict[str, Spread] = {}
    print(f"p99 of encrypt at half load, milliseconds; load {os.getloadavg()[0]:.1f}")
    for load in starts[0]:
        rows[load] = spread([start[load] for start in starts])
        ratio = spread(
            [
                [one / idle for one, idle in zip(start[load], start[_ALONE], strict=True)]
                for start in starts
            ]
        )
        print(f"  {load:<36} {rows[load]!s:>30}   ÷ alone {ratio}")
    print(
        "goals: alone at most 5 ms on a machine that does nothing else; beside others at most 2 times as long"
    )
    if options.json:
        options.json.write_text(json.dumps({load: row._asdict() for load, row in rows.items()}))


if __name__ == "__main__":
    main()
