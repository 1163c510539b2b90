"""What the audit costs: the same server with it and without, in turn, at 16 connections.

``python -m tests.bench.audit [--pairs N] [--seconds S] [--database-url URL]``. The goal: create at most 10 %
slower, get at most 3 %.
"""

from __future__ import annotations

import argparse
import os
import signal
import ssl
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import certificates
from tests.bench.load import Measurement, measure
from tests.bench.ours import Ours, close, operations_of
from tests.issuer import Issuer
from tests.server import ServerProcess, trusting

_PAUSE_S = 0.7  # until the records of the round before are on disk


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--database-url", default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Issuer("RS256") as issuer:
        directory = Path(name)
        files = certificates.make(directory)
        tls = ssl.create_default_context(cafile=str(files.ca))
        argv = trusting(
            issuer,
            *("--tls-cert-file", str(files.server_cert), "--tls-key-file", str(files.server_key)),
            *("--data-dir", str(directory), "--log-level", "info"),
            *(("--database-url", options.database_url) if options.database_url else ()),
        )
        wrapper = ["taskset", "--cpu-list", "0", sys.executable, "-m", "tests.bench.audit_server"]
        with ServerProcess(*argv, cwd=directory, tls=tls, wrapper=wrapper) as server:
            token = issuer.token(aud="kms", exp=int(time.time()) + 36_000)
            ours = Ours(server.port, server.process.pid, token, tls)
            _compare(ours, options.pairs, options.seconds)


def _compare(ours: Ours, pairs: int, seconds: float) -> None:
    os.sched_setaffinity(0, {1})
    for name, operation in operations_of(ours).items():
        if name not in ("get", "create", "encrypt"):
            continue
        open_ = ours.connect(16)
        measured: list[tuple[Measurement, Measurement]] = []
        measure(open_, operation, pid=ours.pid, seconds=seconds)
        for _ in range(pairs):
            audited = measure(open_, operation, pid=ours.pid, seconds=seconds)
            time.sleep(_PAUSE_S)
            os.kill(ours.pid, signal.SIGUSR2)
            time.sleep(0.1)
            bare = measure(open_, operation, pid=ours.pid, seconds=seconds)
            os.kill(ours.pid, signal.SIGUSR2)
            time.sleep(0.1)
            measured.append((audited, bare))
        close(open_)
        cpu = statistics.median(a.cpu_us / b.cpu_us for a, b in measured)
        rate = statistics.median(b.per_second / a.per_second for a, b in measured)
        p99 = [
            statistics.median(one.percentile_ms(99) for one in side)
            for side in zip(*measured, strict=True)
        ]
        us = [statistics.median(one.cpu_us for one in side) for side in zip(*measured, strict=True)]
        print(
            f"  {name:<8} {us[0]:6.0f} µs CPU audited, {us[1]:6.0f} bare: {(cpu - 1) * 100:+5.1f} % CPU,"
            f" {(rate - 1) * 100:+5.1f} % time   p99 {p99[0]:.2f} and {p99[1]:.2f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
