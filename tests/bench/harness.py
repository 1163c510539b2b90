"""Runs what is compared in turn, on servers that are started anew several times, and prints the rows.

A bench has *sides*, each of which measures one round when it is called, and *ratios* of two of them. In each turn every side
has one round, in an order that goes round. Servers that have just been started differ from one another for good, so all
are started anew for each part of the turns.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tests.bench.figures import Cost, Ratio, Row, Starts, measure_row, to_json
from tests.bench.load import Measurement

Side = Callable[[], Measurement]
#: Starts all servers, and stops them at the end.
OpenSides = Callable[[], AbstractContextManager[Mapping[str, Side]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How often and how long; the same for every bench."""
    parser.add_argument("--starts", type=int, default=3, help="how often the servers are started")
    parser.add_argument("--turns", type=int, default=7, help="after each start")
    parser.add_argument("--seconds", type=float, default=0.7, help="of a round")
    parser.add_argument("--json", type=Path, help="write the rows to this file, too")


def run(open_sides: OpenSides, *, starts: int, turns: int) -> Starts:
    """What each side cost in each turn of each start, after a round of each that does not count."""
    return [_run_once(open_sides, turns) for _ in range(starts)]


def _run_once(open_sides: OpenSides, turns: int) -> dict[str, list[Cost]]:
    with open_sides() as sides:
        names = list(sides)
        for name in names:
            sides[name]()
        costs: dict[str, list[Cost]] = {name: [] for name in names}
        for turn in range(turns):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                measured = sides[name]()
                costs[name].append(Cost(measured.cpu_us, 1e6 / measured.per_second))
        return costs


def print_rows(rows: Sequence[Row]) -> None:
    """A line each: how many times as fast, lowest and highest start, microseconds of CPU, goal."""
    width = max(len(row.title) for row in rows)
    print(f"{'times as fast':<{width}}  {'by CPU':>22}  {'by wall':>22}   µs of CPU     goal")
    for row in rows:
        goal = "" if row.goal is None else f"≥ {row.goal:g} {'met' if row.is_met else 'MISSED'}"
        print(
            f"{row.title:<{width}}  {row.by_cpu!s:>22}  {row.by_wall!s:>22}"
            f"  {row.cpu_us:5.0f} :{row.other_cpu_us:5.0f}  {goal}",
            flush=True,
        )


def report(
    title: str, ratios: Iterable[Ratio], open_sides: OpenSides, options: argparse.Namespace
) -> list[Row]:
    """Run it, print its rows and write them as JSON, as the options have it."""
    starts = run(open_sides, starts=options.starts, turns=options.turns)
    rows = [measure_row(ratio, starts) for ratio in ratios]
    print(
        f"\n{title}; {options.starts} starts, {options.turns} turns, load {os.getloadavg()[0]:.1f}"
    )
    print_rows(rows)
    if options.json:
        written = json.loads(options.json.read_text()) if options.json.exists() else {}
        written[title] = [to_json(row) for row in rows]
        options.json.write_text(json.dumps(written, indent=1))
    return rows
