"""Two versions of the program beside one another: ``python -m tests.bench.compare OLD NEW [--database-url URL]``.

OLD and NEW are checkouts, or revisions of this one's repository. Rounds of both take turns, and a second server of OLD runs
beside them: what it differs by from the first is noise. Rows that moved by more than that are named at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.bench import certificates
from tests.bench.figures import Ratio, Row, has_moved
from tests.bench.harness import Side, add_arguments, report
from tests.bench.ours import operations_of, our_server
from tests.issuer import Issuer
from tests.kms import ROOT

OPERATIONS = (
    "create", "get", "encrypt", "decrypt", "sign", "locate", "batch create", "batch get", "batch encrypt",
)  # fmt: skip


@contextlib.contextmanager
def checkout(name: str, place: Path) -> Iterator[Path]:
    """The directory of that name, or the revision as a worktree at the place, removed at the end."""
    if (Path(name) / "kms_tornado").is_dir():
        yield Path(name).resolve()
        return
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(place), name], check=True)
    try:
        yield place
    finally:
        subprocess.run([*git, "remove", "--force", str(place)], check=True)


@contextlib.contextmanager
def _open_sides(
    issuer: Issuer,
    files: certificates.TLSFiles,
    trees: dict[str, Path],
    operations: list[str],
    core: int,
    seconds: float,
    more: tuple[str, ...],
) -> Iterator[dict[str, Side]]:
    """{"OLD get": …, "NEW get": …, "null get": …}: those of one operation follow one another."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        by_version = {}
        for version, tree in trees.items():
            ours = stack.enter_context(
                our_server(issuer, files, directory / version, core, *more, tree=tree)
            )
            available = operations_of(ours)
            by_version[version] = stack.enter_context(
                ours.sides({name: available[name] for name in operations}, seconds)
            )
        yield {
            f"{version} {name}": by_version[version][name]
            for name in operations
            for version in by_version
        }


def find_moved(rows: list[Row]) -> list[str]:
    """Lines about the rows that moved. rows: of each operation that of NEW, then that of the null test."""
    lines = []
    for measured, null in zip(rows[::2], rows[1::2], strict=True):
        if has_moved(measured.by_cpu, null.by_cpu):
            word = "faster" if measured.by_cpu.middle > 1 else "SLOWER"
            percent = abs(measured.by_cpu.middle - 1) * 100
            lines.append(f"{measured.title}: {percent:.1f} % {word} by CPU")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old")
    parser.add_argument("new")
    add_arguments(parser)
    parser.add_argument("--only", action="append", choices=OPERATIONS, help="repeatable")
    parser.add_argument("--database-url", help="another database than SQLite, for all of them")
    options = parser.parse_args()
    more = ("--database-url", options.database_url) if options.database_url else ()
    operations = options.only or list(OPERATIONS)
    cores = sorted(os.sched_getaffinity(0))
    with (
        tempfile.TemporaryDirectory() as text_directory,
        Issuer("RS256") as issuer,
        checkout(options.old, Path(text_directory, "old")) as old,
        checkout(options.new, Path(text_directory, "new")) as new,
    ):
        os.sched_setaffinity(0, {cores[-1]})
        files = certificates.make(Path(text_directory))
        trees = {"OLD": old, "NEW": new, "null": old}
        ratios = [
            Ratio(f"{name}{title}", f"{side} {name}", f"OLD {name}")
            for name in operations
            for side, title in (("NEW", ""), ("null", " (null test)"))
        ]
        open_sides = partial(
            _open_sides, issuer, files, trees, operations, cores[0], options.seconds, more
        )
        rows = report(f"{options.new} beside {options.old}", ratios, open_sides, options)
    moved = find_moved(rows)
    print("\nmoved by more than noise:", *(moved or ["nothing"]), sep="\n  ")


if __name__ == "__main__":
    main()
