"""What the audit costs: the same server with it, with it but for its index, and without, in turn, at 16 connections.

``python -m tests.bench.audit [--rounds N] [--seconds S] [--database-url URL]``. The goal: create at most 10 %
slower, get at most 3 %.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import ssl
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests import postgres
from tests.bench import certificates
from tests.bench.audit_server import MODES
from tests.bench.load import Connection, Measurement, cpu_seconds, measure
from tests.bench.ours import CONNECTIONS, Operation, Ours, close, operations_of
from tests.issuer import Issuer
from tests.server import ServerProcess, trusting

_PAUSE_S = 0.8  # until the records of the round before are on disk


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument(
        "--database-url",
        help="`postgresql`: one of the benchmark's own; else as the server's option",
    )
    options = parser.parse_args()
    url = options.database_url
    if url == "postgresql":
        url = postgres.cluster().new_database()
    with tempfile.TemporaryDirectory() as name, Issuer("RS256") as issuer:
        directory = Path(name)
        files = certificates.make(directory)
        tls = ssl.create_default_context(cafile=str(files.ca))
        argv = trusting(
            issuer,
            *("--tls-cert-file", str(files.server_cert), "--tls-key-file", str(files.server_key)),
            *("--data-dir", str(directory), "--log-level", "info"),
            *(("--database-url", url) if url else ()),
        )
        wrapper = ["taskset", "--cpu-list", "0", sys.executable, "-m", "tests.bench.audit_server"]
        with ServerProcess(*argv, cwd=directory, tls=tls, wrapper=wrapper) as server:
            token = issuer.token(aud="kms", exp=int(time.time()) + 36_000)
            ours = Ours(server.port, server.process.pid, token, tls)
            _compare(ours, options.rounds, options.seconds)


def _compare(ours: Ours, rounds: int, seconds: float) -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    available = operations_of(ours)
    for name in ("get", "create", "encrypt"):
        open_ = ours.connect(CONNECTIONS)
        measure(open_, available[name], pid=ours.pid, seconds=seconds)
        measured: dict[str, list[Measurement]] = {mode: [] for mode in MODES}
        for _ in range(rounds):
            for mode in MODES:
                measured[mode].append(_measure_whole(ours, open_, available[name], seconds))
                os.kill(ours.pid, signal.SIGUSR2)
                time.sleep(0.1)
        close(open_)
        bare = statistics.median(one.cpu_us for one in measured["bare"])
        print(f"  {name:<8} {bare:6.0f} µs of CPU", end="")
        for mode in MODES[1::-1]:
            pairs = [*zip(measured[mode], measured["bare"], strict=True)]
            cpu = statistics.median(one.cpu_us / other.cpu_us for one, other in pairs)
            rate = statistics.median(other.per_second / one.per_second for one, other in pairs)
            print(
                f"; {mode} {(cpu - 1) * 100:+5.1f} % CPU, {(rate - 1) * 100:+5.1f} % time", end=""
            )
        print(f"; load {os.getloadavg()[0]:.1f}", flush=True)


def _measure_whole(
    ours: Ours, open_: list[Connection], operation: Operation, seconds: float
) -> Measurement:
    """A round, with what its last records cost until they are on disk."""
    before = cpu_seconds(ours.pid)
    measured = measure(open_, operation, pid=ours.pid, seconds=seconds)
    time.sleep(_PAUSE_S)
    return dataclasses.replace(measured, cpu_s=cpu_seconds(ours.pid) - before)


if __name__ == "__main__":
    main()
