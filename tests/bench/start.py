"""What a person feels of the size of it: ``python -m tests.bench.start [--starts N] [--json FILE]``.

Seconds until a server listens, of CPU until the token layer is imported and until ``kmsctl --help`` has ended, MiB of an idle server, and
KiB that each idle TLS connection takes. The median over
the starts, with the lowest and the highest; the memory is that of one server.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench import certificates
from tests.bench.figures import Spread, spread
from tests.bench.load import measure, resident_mib
from tests.bench.ours import operations_of, our_server
from tests.issuer import Issuer
from tests.server import NO_AUTH, ServerProcess, environment

_CONNECTIONS = 1000
_GETS = 20_000
LIBRARIES = "import cryptography.x509, jose.jwk, sqlalchemy, tornado.httpserver, tornado.web"
TOKEN_LAYER = "from kms_tornado import BearerAuth, BearerAuthMixin, BearerRequestHandler, requires"


@dataclass(frozen=True)
class Figure:
    """goal: at most this."""

    title: str
    unit: str
    measured: Spread
    goal: float | None = None

    def __str__(self) -> str:
        low, high = (f"{value:.2f}" for value in self.measured[1:])
        text = f"{self.title:<44} {self.measured.middle:8.2f} {self.unit:<5} ({low} to {high})"
        if self.goal is None:
            return text
        return f"{text}   at most {self.goal:g}: {'met' if self.measured.middle <= self.goal else 'MISSED'}"


def cpu_of(argv: Sequence[str]) -> float:
    """Seconds of CPU of a command, Python's own start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def load_libraries() -> float:
    """Seconds from the start of a process to its end."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", LIBRARIES], check=True)
    return time.monotonic() - began


def start_server(*argv: str) -> float:
    """Seconds to the line that names the URL, in a new data directory."""
    with (
        tempfile.TemporaryDirectory() as directory,
        ServerProcess(*argv, cwd=Path(directory), cold=True) as server,
    ):
        return server.started_in_s


def measure_memory() -> tuple[float, float, float]:
    """(MiB of an idle server, KiB of each idle connection, MiB that 100,000 gets add)."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        issuer = stack.enter_context(Issuer("RS256"))
        files = certificates.make(directory)
        core = min(os.sched_getaffinity(0))
        ours = stack.enter_context(our_server(issuer, files, directory / "server", core))
        get = operations_of(ours)["get"]
        open_ = ours.connect(16)
        for connection in open_:
            connection.ask(get())
        idle = resident_mib(ours.pid)
        more = ours.connect(_CONNECTIONS)
        time.sleep(0.5)
        each = (resident_mib(ours.pid) - idle) * 1024 / _CONNECTIONS
        for connection in more:
            connection.socket.close()
        measure(open_, get, pid=ours.pid, seconds=2)
        before, left = resident_mib(ours.pid), _GETS
        while left > 0:
            left -= measure(open_, get, pid=ours.pid, seconds=2).count
        return idle, each, resident_mib(ours.pid) - before


def _figures(starts: int) -> Iterator[Figure]:
    def repeat(function: Callable[[], float]) -> Spread:
        return spread([[function()] for _ in range(starts)])

    python, kmsctl = sys.executable, str(Path(sys.executable).with_name("kmsctl"))
    token_layer, nothing = [python, "-c", TOKEN_LAYER], [python, "-c", "pass"]
    yield Figure("server listens", "s", repeat(lambda: start_server(*NO_AUTH)))
    yield Figure("--dev listens", "s", repeat(lambda: start_server("--dev")), 1.0)
    yield Figure("its libraries alone", "s", repeat(load_libraries))
    yield Figure("token layer imported", "s CPU", repeat(lambda: cpu_of(token_layer)), 0.25)
    yield Figure("kmsctl --help", "s CPU", repeat(lambda: cpu_of([kmsctl, "--help"])), 0.25)
    yield Figure("Python alone", "s CPU", repeat(lambda: cpu_of(nothing)))
    idle, each, grown = measure_memory()
    yield Figure("idle server", "MiB", spread([[idle]]), 80)
    yield Figure("each idle TLS connection", "KiB", spread([[each]]), 10)
    yield Figure(f"{_GETS:,} gets add", "MiB", spread([[grown]]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = []
    for figure in _figures(options.starts):
        print(figure, flush=True)
        figures.append(figure)
    print(f"load {os.getloadavg()[0]:.1f}")
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))


if __name__ == "__main__":
    main()
