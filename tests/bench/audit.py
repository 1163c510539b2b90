"""What the audit costs: the same server with it, with it but for its index, and without, at 16 connections.

``python -m tests.bench.audit [--rounds N] [--seconds S] [--database-url URL] [OPERATION…]``. The goal: create at most
10 % slower, get at most 3 %.

Short slices of requests are measured in pairs, one without the audit and one with it, each as often the first: a change
of the machine's speed that lasts longer hits both alike. What writing and indexing the records of a few pairs computes
afterwards is counted with them. A row has the median of the pairs, and between which values that lies with 95 % confidence;
the first row compares the server without the audit with itself.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests import postgres
from tests.bench import certificates
from tests.bench.audit_server import CONTROL, MODES
from tests.bench.figures import Interval, median_interval
from tests.bench.load import Connection, cpu_seconds, measure
from tests.bench.ours import CONNECTIONS, Operation, Ours, close, operations_of, our_server
from tests.issuer import Issuer

OPERATIONS = ("get", "create", "encrypt")
#: Whose turn it is: 0 without the audit, 1 with it. About as long as records wait for others to be written with.
_ORDER = (0, 1, 1, 0, 1, 0, 0, 1) * 2


class Cost(NamedTuple):
    """Microseconds a request, of a slice.

    server: its CPU. later: the part of that which came behind the requests. database: CPU of PostgreSQL. wall: of the
    clock, until the last request was answered.
    """

    server: float
    later: float
    database: float
    wall: float
    requests: int


class Pair(NamedTuple):
    """Two slices, one right behind the other."""

    bare: Cost
    with_it: Cost


@dataclass(frozen=True)
class Bench:
    """control: sends a line to the server, and waits for its answer. database_cpu_s: so far."""

    ours: Ours
    control: Callable[[str], None]
    database_cpu_s: Callable[[], float]
    seconds: float

    def measure_pairs(self, open_: list[Connection], operation: Operation, mode: str) -> list[Pair]:
        """Some pairs, whose records are written and indexed together."""
        slices: list[list[Cost]] = [[], []]
        self.control(MODES[0])
        self._measure_slice(open_, operation)  # behind a pause, it takes longer
        for side in _ORDER:
            self.control(mode if side else MODES[0])
            slices[side].append(self._measure_slice(open_, operation))
        self.control(mode)
        server, database = cpu_seconds(self.ours.pid), self.database_cpu_s()
        self.control("settle")
        requests = sum(one.requests for one in slices[1])
        later = (cpu_seconds(self.ours.pid) - server) / requests * 1e6
        database_later = (self.database_cpu_s() - database) / requests * 1e6
        self.control("clear")
        return [
            Pair(
                bare,
                with_it._replace(
                    server=with_it.server + later,
                    later=later,
                    database=with_it.database + database_later,
                ),
            )
            for bare, with_it in zip(*slices, strict=True)
        ]

    def _measure_slice(self, open_: list[Connection], operation: Operation) -> Cost:
        database = self.database_cpu_s()
        measured = measure(open_, operation, pid=self.ours.pid, seconds=self.seconds)
        database_us = (self.database_cpu_s() - database) / measured.count * 1e6
        wall_us = measured.took_s / measured.count * 1e6
        return Cost(measured.cpu_us, 0.0, database_us, wall_us, measured.count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("operations", nargs="*", default=OPERATIONS, metavar="OPERATION")
    parser.add_argument("--rounds", type=int, default=15, help="eight pairs each")
    parser.add_argument("--seconds", type=float, default=0.04, help="of a slice")
    parser.add_argument(
        "--database-url",
        help="`postgresql`: one of the benchmark's own; else as the server's option",
    )
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with _open_bench(options.database_url, options.seconds) as bench:
        available = operations_of(bench.ours)
        for name in options.operations:
            _compare(bench, name, available[name], options.rounds)


@contextlib.contextmanager
def _open_bench(url: str | None, seconds: float) -> Iterator[Bench]:
    database_cpu_s: Callable[[], float] = float
    if url == "postgresql":
        cluster = postgres.cluster()
        url = cluster.new_database()
        database_cpu_s = lambda: cpu_seconds(cluster.pid)  # noqa: E731
    with tempfile.TemporaryDirectory() as name, Issuer("RS256") as issuer:
        directory = Path(name)
        files = certificates.make(directory)
        # Without the walk that compares objects with their records: it would refuse what was changed without one.
        more = ("--scrub-interval", "0", *(("--database-url", url) if url else ()))
        server = our_server(issuer, files, directory, 0, *more, program="tests.bench.audit_server")
        with server as ours, _connect(directory / CONTROL) as control:
            yield Bench(ours, control, database_cpu_s, seconds)


@contextlib.contextmanager
def _connect(path: Path) -> Iterator[Callable[[str], None]]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))

        def control(line: str) -> None:
            connection.sendall(line.encode() + b"\n")
            if connection.recv(100) != b"done\n":
                raise RuntimeError("the server has ended")

        yield control


def _compare(bench: Bench, name: str, operation: Operation, rounds: int) -> None:
    open_ = bench.ours.connect(CONNECTIONS)
    for mode in MODES:
        bench.measure_pairs(open_, operation, mode)  # does not count
    pairs: dict[str, list[Pair]] = {mode: [] for mode in MODES}
    for _ in range(rounds):
        for mode in MODES:  # the rows share what the machine does
            pairs[mode] += bench.measure_pairs(open_, operation, mode)
    close(open_)
    print(f"\n{name}; {rounds * len(_ORDER) // 2} pairs, load {os.getloadavg()[0]:.1f}")
    print(f"  {'':<9}{'CPU of the server':>26}{'wall':>26}{'CPU of PostgreSQL':>26}")
    for mode in MODES:
        print(_format_row(mode, pairs[mode]), flush=True)


def _format_row(mode: str, pairs: list[Pair]) -> str:
    def more(of: str) -> str:
        both = [(getattr(pair.bare, of), getattr(pair.with_it, of)) for pair in pairs]
        ratios = [with_it / bare for bare, with_it in both if bare]
        return _format_percent(median_interval(ratios)) if ratios else ""

    def median(costs: Iterable[Cost], of: str) -> float:
        return statistics.median(getattr(cost, of) for cost in costs)

    bare, with_it = zip(*pairs, strict=True)
    return (
        f"  {mode:<9}{more('server'):>26}{more('wall'):>26}{more('database'):>26}"
        f"  {median(bare, 'server'):.0f} → {median(with_it, 'server'):.0f} µs, of which"
        f" {median(with_it, 'later'):.1f} later;"
        f" PostgreSQL {median(bare, 'database'):.0f} → {median(with_it, 'database'):.0f}"
    )


def _format_percent(ratio: Interval) -> str:
    middle, low, high = ((value - 1) * 100 for value in ratio)
    return f"{middle:+.1f} % ({low:+.1f} to {high:+.1f})"


if __name__ == "__main__":
    sys.exit(main())
