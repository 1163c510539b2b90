"""How much one user's load costs another: ``python -m tests.bench.fairness [--json FILE]``.

For each load the latency of another user's Get of a key of 1 KiB, idle and meanwhile, and how long that
user's first heavy job takes (an RSA-2048 key pair), idle and meanwhile. Idle and loaded rounds take turns;
a figure is the median over the rounds, the ratio that over the pairs. The load is in a process of its
own (`fairness_load`), with a lower priority than the measuring client, so that on a machine with few cores
it is the server that makes the client wait and not the load's own computing. The column "noise" is
by how much the idle p99 of the rounds differ, largest to smallest: where it is 3, a ratio of 3 means little.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.fairness_load import Connections
from tests.bench.fairness_loads import LOADS, key_pair
from tests.bench.fairness_server import Client, Stage, serve
from tests.kmip_items import attributes, key_object, name, structure, uid
from tests.kms import ROOT

PAUSE_S = 0.01  # between two requests of the measuring client


@contextlib.contextmanager
def loading(stage: Stage, load: list[Connections], answers: list[Any]) -> Iterator[None]:
    """answers: gets {status: how often the load had it as an answer}, at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.fairness_load", str(stage.port), str(stage.ca)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    entries = [
        {"count": part.count, "requests": [request.decode("latin-1") for request in part.requests]}
        for part in load
    ]
    process.stdin.write(json.dumps(entries))
    process.stdin.close()
    assert process.stdout.readline() == "running\n"
    time.sleep(2)  # until its handshakes are over and its queues are full
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        answers.append(json.loads(process.stdout.readline()))
        process.wait(30)
        process.stdout.close()


@dataclass(frozen=True)
class Round:
    """Milliseconds. refused: how often the measured user was told to come later."""

    p50: float
    p99: float
    heavy: float
    refused: int


def measure_round(stage: Stage, requests: Sequence[bytes], seconds: float) -> Round:
    """The latency of Get, and then how long a heavy job takes."""
    get, heavy = requests
    client = stage.client("measured")
    client.ask(get)
    latencies, refused = [], 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        latency, tries = time_of(client, get)
        latencies.append(latency)
        refused += tries
        time.sleep(PAUSE_S)
    cuts = statistics.quantiles(latencies, n=100)
    heavy_ms, tries = time_of(client, heavy)
    return Round(cuts[49], cuts[98], heavy_ms, refused + tries)


def time_of(client: Client, request: bytes) -> tuple[float, int]:
    """Milliseconds from the first try to the answer, and how many tries were refused."""
    began, refused = time.perf_counter(), 0
    while (answer := client.ask(request))[0] in {429, 503}:
        refused += 1
        time.sleep(PAUSE_S)
    assert answer[0] == 200, answer
    return 1000 * (time.perf_counter() - began), refused


def measure(
    label: str, tree: Path, options: Sequence[str], *, rounds: int, seconds: float
) -> dict[str, Any]:
    with serve(tree, options) as stage:
        client = stage.client("measured")
        secret = key_object(os.urandom(1024), algorithm="HMACSHA512")
        register = [name("ObjectType", "SymmetricKey"), attributes(algorithm=None), secret]
        key = client.make(structure("Register", *register))
        requests = client.post(structure("Get", uid(key))), client.post(key_pair(2048))
        load = LOADS[label](stage)
        idle: list[Round] = []
        loaded: list[Round] = []
        answers: list[Any] = []
        for _ in range(rounds):
            stage.await_quiet()
            idle.append(measure_round(stage, requests, seconds))
            with loading(stage, load, answers):
                loaded.append(measure_round(stage, requests, seconds))
    return summarise(idle, loaded) | {"answers to the load": answers[-1]}


def summarise(idle: list[Round], loaded: list[Round]) -> dict[str, Any]:
    ratios = [one.p99 / other.p99 for one, other in zip(loaded, idle, strict=True)]
    return {
        "idle_p50_ms": statistics.median(one.p50 for one in idle),
        "idle_p99_ms": statistics.median(one.p99 for one in idle),
        "loaded_p50_ms": statistics.median(one.p50 for one in loaded),
        "loaded_p99_ms": statistics.median(one.p99 for one in loaded),
        "ratio": statistics.median(ratios),
        "noise": max(one.p99 for one in idle) / min(one.p99 for one in idle),
        "idle_heavy_s": statistics.median(one.heavy for one in idle) / 1000,
        "loaded_heavy_s": statistics.median(one.heavy for one in loaded) / 1000,
        "refused": sum(one.refused for one in loaded),
        "rounds": [asdict(one) for one in loaded],
    }


HEADINGS = (
    f"{'load':22}{'idle p50':>9}{'p99':>7}{'loaded p50':>12}{'p99':>8}{'ratio':>7}{'noise':>7}"
    f"{'heavy job':>12}{'loaded':>9}{'refused':>9}  answers to the load"
)


def format_row(label: str, row: dict[str, Any]) -> str:
    return (
        f"{label:22}{row['idle_p50_ms']:9.2f}{row['idle_p99_ms']:7.2f}"
        f"{row['loaded_p50_ms']:12.2f}{row['loaded_p99_ms']:8.2f}{row['ratio']:7.2f}"
        f"{row['noise']:7.2f}{row['idle_heavy_s']:10.2f} s{row['loaded_heavy_s']:7.2f} s"
        f"{row['refused']:9}  {row['answers to the load']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=[*LOADS], help="this load (repeatable)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a round")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument(
        "--tree", type=Path, default=ROOT, help="measure the server of another source tree"
    )
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL of its own")
    parser.add_argument("options", nargs="*", help="further options of the server, after --")
    arguments = parser.parse_args()
    results = {}
    print(f"milliseconds; load averages {os.getloadavg()}\n{HEADINGS}", flush=True)
    for label in arguments.only or LOADS:
        options = list(arguments.options)
        if arguments.postgres:
            from tests import postgres

            options += ["--database-url", postgres.cluster().new_database()]
        row = measure(
            label, arguments.tree, options, rounds=arguments.rounds, seconds=arguments.seconds
        )
        results[label] = row
        print(format_row(label, row), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
