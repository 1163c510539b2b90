"""Where the time of a request goes: ``python -m tests.bench.stages [--database-url URL] [--write]``.

Microseconds of CPU of the server for each operation, by stage, at 16 connections over TLS; of a message of 100, for
each of its operations. `stage_table` has which code counts for which stage.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests import postgres
from tests.bench import certificates
from tests.bench.load import cpu_seconds
from tests.bench.ours import TOGETHER, operations_of, our_server
from tests.bench.stage_table import STAGES
from tests.issuer import Issuer
from tests.kms import ROOT

#: The page that has the tables.
PAGE = ROOT / "docs/performance.md"
#: Locate is first: the tests' PostgreSQL has no statistics of tables that grew, and searches those that creates have filled by bad plans.
OPERATIONS = ("locate", "create", "get", "encrypt", "batch create", "batch get", "batch encrypt")
_ROUND_S = 1.0
#: {operation: {stage: {function: microseconds}}}
Table = dict[str, dict[str, dict[str, float]]]


def measure_stages(database_url: str | None, operations: Sequence[str], seconds: float) -> Table:
    """seconds: that the server computes for each operation."""
    table: Table = {}
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as text_directory, Issuer("RS256") as issuer:
        os.sched_setaffinity(0, {cores[-1]})
        directory = Path(text_directory)
        found = directory / "stages.json"
        os.environ["BENCH_STAGES"] = str(found)
        with our_server(
            issuer, certificates.make(directory), directory / "server", cores[0],
            *(("--database-url", database_url) if database_url else ()),
            program="tests.bench.stage_server",
        ) as ours:  # fmt: skip
            del os.environ["BENCH_STAGES"]
            available = operations_of(ours)
            wanted = {name: available[name] for name in operations}
            with ours.sides(wanted, _ROUND_S) as sides:
                for name, side in sides.items():
                    side()
                    os.kill(ours.pid, signal.SIGUSR2)
                    messages, until = 0, cpu_seconds(ours.pid) + seconds
                    while cpu_seconds(ours.pid) < until:
                        messages += side().count
                    count = messages * (TOGETHER if "batch" in name else 1)
                    os.kill(ours.pid, signal.SIGUSR2)
                    while not found.exists():
                        time.sleep(0.01)
                    used = json.loads(found.read_text())
                    found.unlink()
                    table[name] = {
                        stage: {
                            function: seconds / count * 1e6
                            for function, seconds in used.get(stage, {}).items()
                        }
                        for stage in STAGES
                    }
    return table


def format_table(table: Table) -> str:
    """In Markdown: a column for each operation, a line for each stage."""
    sums = [
        {stage: sum(functions.values()) for stage, functions in stages.items()}
        for stages in table.values()
    ]
    lines = ["| stage | " + " | ".join(table) + " |", "|---|" + "---:|" * len(table)]
    for stage in STAGES:
        lines.append(f"| {stage} | " + " | ".join(f"{used[stage]:.0f}" for used in sums) + " |")
    totals = (f"{sum(used.values()):.0f}" for used in sums)
    lines.append("| all | " + " | ".join(totals) + " |")
    return "\n".join(lines)


def write_page(page: str, database: str, text: str) -> str:
    """The page with the text in place of the table of that database."""
    begin, end = f"<!-- stages: {database} -->\n", "<!-- end of stages -->"
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"the page has no {begin.strip()}")
    return f"{before}{begin}{text}\n{end}{after}"


def print_functions(table: Table, number: int) -> None:
    """The functions that took most, of each operation and stage."""
    for operation, stages in table.items():
        for stage, functions in stages.items():
            most = sorted(functions.items(), key=lambda item: -item[1])[:number]
            for function, microseconds in most:
                print(f"{operation:14} {stage:7} {microseconds:6.1f}  {function}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--database-url",
        help="`postgresql`: one of the benchmark's own; else as the server's option",
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="of CPU for each operation")
    parser.add_argument("--only", action="append", choices=OPERATIONS, help="repeatable")
    parser.add_argument("--functions", type=int, default=0, help="print so many of each stage, too")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true", help="put the table into the page, too")
    options = parser.parse_args()
    url = options.database_url
    if url == "postgresql":
        url = postgres.cluster().new_database()
    table = measure_stages(url, options.only or OPERATIONS, options.seconds)
    print(format_table(table))
    print_functions(table, options.functions)
    if options.write:
        database = "PostgreSQL" if url else "SQLite"
        PAGE.write_text(write_page(PAGE.read_text(), database, format_table(table)))
    if options.json:
        options.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
