"""`kms-tornado rewrap`: every object is sealed under the newest master key."""

from __future__ import annotations

from ..service.rewrapping import rewrap
from .opening import open_database
from .progress import Progress
from .running import CommandContext


async def run(context: CommandContext) -> int:
    """Exit code 0: all is sealed under the newest key; 1: something is not, which is told."""
    async with open_database(context) as (store, ring):
        newest = ring.newest.key_id
        counts = await store.count_envelopes()
        total = sum(number for key_id, number in counts.items() if key_id != newest)
        with Progress("objects", total) as progress:
            result = await rewrap(store, ring, report=progress.update)
    print(f"{result.written} objects were sealed anew under the master key {newest.hex()}")
    for uid, why in sorted(result.failures.items()):
        print(f"{uid} was left as it is: {why}")
    for key_id, number in sorted(result.left.items()):
        print(f"{number} objects are sealed under the master key {key_id.hex()}")
    if set(result.left) <= {ring_key.key_id for ring_key in ring.keys} and not result.failures:
        if result.left:
            print("a server still seals under another key: send SIGHUP to all, and run this again")
        else:
            print(
                "no object needs another master key; copies of the database that were made before do"
            )
    return 1 if result.left else 0
