"""Among a million objects as among a thousand: ``python -m tests.bench.growth [--objects N] [--database-url postgresql] [--keep DIR]``.

Two databases on the same kind of server: a thousand objects of one owner, and a million of a thousand owners (`population`). What one owner
does takes turns between the two. A page of what all objects match is measured on a third, whose million objects have one owner. Then the
seconds of a start, of a walk that checks every object, and of sealing all of them under a new master key.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests import postgres
from tests.bench import certificates
from tests.bench.figures import Ratio
from tests.bench.harness import Side, add_arguments, report
from tests.bench.ours import CREATE, POOL, Operation, Ours, our_server
from tests.bench.population import owner_of, populate, settings_for, tag_of, uid_of
from tests.issuer import Issuer
from tests.kmip_items import attributes, name, number, structure, tagged, text, uid
from tests.server import ServerProcess, environment

FEW = 1000
_GOAL = round(1 / 1.3, 2)
OPERATIONS = ("get", "create", "locate by Name", "locate by tag", "a page of all")


def operations_of(ours: Ours, objects: int, owners: int) -> dict[str, Operation]:
    """Of the first owner."""
    own = range(0, objects, owners)[:POOL]
    return {
        "get": ours.in_turn([structure("Get", uid(uid_of(n))) for n in own]),
        "create": ours.in_turn([CREATE]),
        "locate by Name": ours.in_turn([_locate(_named(f"name-{n}")) for n in own]),
        "locate by tag": ours.in_turn([_locate(tagged(tag_of(n, owners))) for n in own]),
        "a page of all": ours.in_turn(
            [structure("Locate", number("MaximumItems", 10), attributes())]
        ),
    }


def _locate(*sought: dict[str, object]) -> dict[str, object]:
    return structure("Locate", structure("Attributes", *sought))


def _named(value: str) -> dict[str, object]:
    return structure("Name", text("NameValue", value), name("NameType", 1))


class Place:
    """A data directory with its database. url: empty for SQLite."""

    def __init__(self, directory: Path, objects: int, owners: int, url: str) -> None:
        self.directory, self.objects, self.owners, self.url = directory, objects, owners, url

    @property
    def options(self) -> tuple[str, ...]:
        return ("--database-url", self.url) if self.url else ()

    def fill(self) -> None:
        """Unless it is filled already."""
        if not (self.directory / "master.key").exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            took_s = populate(settings_for(self.directory, self.url), self.objects, self.owners)
            print(f"{self.objects:,} objects of {self.owners:,} owners written in {took_s:.0f} s")

    def command(self, *argv: str) -> float:
        """Seconds of one of the server's commands."""
        began = time.perf_counter()
        command = [sys.executable, "-m", "kms_tornado", *argv, "--data-dir", str(self.directory)]
        subprocess.run(
            [*command, *self.options, "--insecure-no-auth"], check=True, env=environment()
        )
        return time.perf_counter() - began

    def start(self) -> float:
        """Seconds until a server listens."""
        argv = ("--insecure-no-auth", "--data-dir", str(self.directory), *self.options)
        with ServerProcess(*argv, cwd=self.directory, cold=True) as server:
            took_s = server.started_in_s
            server.stop(timeout_s=60)
        return took_s


@contextlib.contextmanager
def open_sides(
    issuer: Issuer,
    files: certificates.TLSFiles,
    core: int,
    seconds: float,
    places: dict[str, Place],
) -> Iterator[dict[str, Side]]:
    sides: dict[str, Side] = {}
    with contextlib.ExitStack() as stack:
        for label, place in places.items():
            ours = stack.enter_context(
                our_server(
                    issuer, files, place.directory, core, *place.options,
                    "--scrub-interval", "0", user=owner_of(0, 1),
                )
            )  # fmt: skip
            operations = operations_of(ours, place.objects, place.owners)
            for name_, side in stack.enter_context(ours.sides(operations, seconds)).items():
                sides[f"{label} {name_}"] = side
        yield {
            f"{label} {operation}": sides[f"{label} {operation}"]
            for operation in OPERATIONS
            for label in places
            if label != "one" or operation == "a page of all"  # one has as many as anybody may own
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--database-url", choices=["postgresql"], help="one of the benchmark's own")
    parser.add_argument(
        "--keep", type=Path, help="SQLite: a directory whose databases are used again"
    )
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as text_directory, Issuer("RS256") as issuer:
        base = options.keep or Path(text_directory)
        files = certificates.make(Path(text_directory))

        def place(label: str, objects: int, owners: int) -> Place:
            url = postgres.cluster().new_database() if options.database_url else ""
            made = Place(base / label, objects, owners, url)
            made.fill()
            return made

        many = place("many", options.objects, max(options.objects // FEW, 1))
        places = {
            "few": place("few", FEW, 1),
            "many": many,
            "one": place("one", options.objects, 1),
        }
        print(f"first start, which takes the objects into the audit: {many.start():.0f} s")
        print(f"next start: {many.start():.1f} s; among {FEW}: {places['few'].start():.1f} s")
        os.sched_setaffinity(0, {cores[-1]})
        ratios = [
            Ratio(f"{operation} among many", f"many {operation}", f"few {operation}", _GOAL)
            for operation in OPERATIONS
        ]
        ratios.append(
            Ratio("a page of all of one owner's", "one a page of all", "few a page of all")
        )
        opened = partial(open_sides, issuer, files, cores[0], options.seconds, places)
        report(f"{options.objects:,} objects beside {FEW:,}", ratios, opened, options)
        print(f"verify: {many.command('verify'):.0f} s")
        many.command("rotate-master-key")
        print(f"rewrap: {many.command('rewrap'):.0f} s")


if __name__ == "__main__":
    main()
