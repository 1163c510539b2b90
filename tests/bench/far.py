"""Creates a second while PostgreSQL is far away: ``python -m tests.bench.far [--seconds 8]``.

A real PostgreSQL behind a proxy that delays what passes, a server with all cores, and 16 connections that
send one Create after the other: all of one owner, or each of its own. The delays are round trips.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import postgres
from tests.issuer import Issuer
from tests.kmip_items import attributes, name, structure
from tests.kms import KMS, User
from tests.store.postgres.proxy import proxied

CONNECTIONS = 16
ROUND_TRIPS_MS = (0, 20, 200)
CREATE = json.dumps(
    structure("Create", name("ObjectType", "SymmetricKey"), attributes(bits=256, mask=0x0C))
).encode()


@contextmanager
def delaying(url: str, directory: Path, round_trip_s: float) -> Iterator[str]:
    """The database's URL by way of a proxy in a thread."""
    ready, done = threading.Event(), threading.Event()
    urls: list[str] = []

    async def serve() -> None:
        async with proxied(url, directory, delay_s=round_trip_s / 2) as (through, _):
            urls.append(through)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield urls[0]
    finally:
        done.set()
        thread.join()


def count_creates(users: list[User], seconds: float) -> tuple[int, float]:
    """(creates, the longest of them in seconds). All connections begin at the same time."""
    barrier = threading.Barrier(len(users))
    durations: list[float] = []

    def create(user: User) -> None:
        user.exchange("POST", user.path, CREATE)  # the connection, and the owner's first object
        barrier.wait()
        end = time.monotonic() + seconds
        while (began := time.monotonic()) < end:
            answer = user.exchange("POST", user.path, CREATE)
            assert answer.status == 200, answer
            durations.append(time.monotonic() - began)

    threads = [threading.Thread(target=create, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(durations), max(durations)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    seconds = parser.parse_args().seconds
    print(f"{CONNECTIONS} connections; the machine's load is {os.getloadavg()[0]:.1f}")
    print("round trip   owners   creates a second   longest")
    for round_trip_ms in ROUND_TRIPS_MS:
        with (
            tempfile.TemporaryDirectory() as place,
            Issuer("ES256") as issuer,
            delaying(postgres.empty_database(), Path(place), round_trip_ms / 1000) as url,
            KMS(Path(place), issuer, options=["--database-url", url]) as kms,
        ):
            for owners in (1, CONNECTIONS):
                users = [kms.user(f"owner-{number % owners}") for number in range(CONNECTIONS)]
                creates, longest = count_creates(users, seconds)
                print(
                    f"{round_trip_ms:7} ms {owners:8} {creates / seconds:18.1f} {longest:8.2f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
