"""How fast the server is beside itself: ``python -m tests.bench.goals [--only TEXT]``.

Get and Encrypt beside an echo of the same size behind the same token check; a create beside a get; messages of 100 operations
beside as many messages; PostgreSQL beside SQLite; two workers beside one. 16 connections over TLS, with the
extra `fast`, an audit of everything, each create on disk before its answer. The clients have a core to themselves, all
processes of the server the other.

Two workers have these 16 connections together, eight each, of which fewer requests share a statement or a commit; in rows of their own
they have 16 each, which is what a worker's load is elsewhere.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests import postgres
from tests.bench import certificates
from tests.bench.figures import Ratio
from tests.bench.harness import Side, add_arguments, report
from tests.bench.load import Measurement
from tests.bench.ours import CONNECTIONS, TOGETHER, cores_apart, operations_of, our_server
from tests.issuer import Issuer

_TOLERANCE = round(1 / 1.1, 3)  # of at most 1.1 times the CPU

RATIOS = (
    Ratio("get ÷ get again (null test)", "get", "get again"),
    Ratio("get ÷ get of a server alike (null test)", "get", "other get"),
    Ratio("create ÷ create of a server alike (null test)", "create", "other create"),
    Ratio("get ÷ echo", "get", "echo get", 0.75),
    Ratio("encrypt 1 KiB ÷ echo", "encrypt", "echo encrypt", 0.75),
    Ratio("create ÷ get", "create", "get", 0.65),
    Ratio("100 gets in a message ÷ alone", "batch get", "get", 3),
    Ratio("100 encrypts in a message ÷ alone", "batch encrypt", "encrypt", 3),
    Ratio("100 creates in a message ÷ alone", "batch create", "create", 2.5),
    Ratio("get on PostgreSQL ÷ SQLite", "pg get", "get", 0.7),
    Ratio("create on PostgreSQL ÷ SQLite", "pg create", "create", 0.8),
    Ratio("get by two workers ÷ one", "two get", "get", _TOLERANCE),
    Ratio("create by two workers ÷ one", "two create", "create", _TOLERANCE),
    Ratio("get by two workers ÷ one, PostgreSQL", "pg two get", "pg get", _TOLERANCE),
    Ratio("create by two workers ÷ one, PostgreSQL", "pg two create", "pg create", _TOLERANCE),
    Ratio("get by two workers of 16 ÷ one", "twice get", "get", _TOLERANCE),
    Ratio("create by two workers of 16 ÷ one", "twice create", "create", _TOLERANCE),
    Ratio("get by two workers of 16 ÷ one, PostgreSQL", "pg twice get", "pg get", _TOLERANCE),
    Ratio(
        "create by two workers of 16 ÷ one, PostgreSQL", "pg twice create", "pg create", _TOLERANCE
    ),
)


class _Server(NamedTuple):
    is_on_postgresql: bool = False
    workers: int = 1
    connections: int = CONNECTIONS


#: {what the names of its sides begin with: the server}
_SERVERS = {
    "": _Server(),
    "other ": _Server(),
    "pg ": _Server(is_on_postgresql=True),
    "two ": _Server(workers=2),
    "pg two ": _Server(is_on_postgresql=True, workers=2),
    "twice ": _Server(workers=2, connections=2 * CONNECTIONS),
    "pg twice ": _Server(is_on_postgresql=True, workers=2, connections=2 * CONNECTIONS),
}


@contextlib.contextmanager
def open_sides(
    issuer: Issuer, files: certificates.TLSFiles, core: int, seconds: float, wanted: Sequence[Ratio]
) -> Iterator[dict[str, Side]]:
    """All servers that the rows need."""
    names = {name for ratio in wanted for name in (ratio.of, ratio.to)}
    sides: dict[str, Side] = {}
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for prefix, server in _SERVERS.items():
            own = {name for name in names if _server_of(name) == prefix}
            if not own:
                continue
            more = ["--workers", str(server.workers)] if server.workers > 1 else []
            if server.is_on_postgresql:
                more += ["--database-url", postgres.cluster().new_database()]
            ours = stack.enter_context(
                our_server(
                    issuer, files, directory / f"{len(sides)}", core, *more,
                    program="tests.bench.echo_server",
                )
            )  # fmt: skip
            operations = {
                prefix + name: operation
                for name, operation in operations_of(ours).items()
                if prefix + name in own
            }
            opened = stack.enter_context(ours.sides(operations, seconds, server.connections))
            for name, side in opened.items():
                sides[name] = _count_operations(side) if "batch" in name else side
        yield sides


def _server_of(name: str) -> str:
    return max((prefix for prefix in _SERVERS if name.startswith(prefix)), key=len)


def _count_operations(side: Side) -> Callable[[], Measurement]:
    """Counts operations, not messages."""

    def measure() -> Measurement:
        measured = side()
        return replace(measured, count=measured.count * TOGETHER)

    return measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--only", default="", help="rows whose title contains this")
    options = parser.parse_args()
    wanted = [ratio for ratio in RATIOS if options.only in ratio.title]
    with cores_apart() as (issuer, files, core):
        open_wanted = partial(open_sides, issuer, files, core, options.seconds, wanted)
        report("beside itself", wanted, open_wanted, options)


if __name__ == "__main__":
    main()
