"""`kms-tornado owners`: lists the users who own objects, and how many each of them has."""

from __future__ import annotations

from ..wording import make_printable
from .opening import open_database
from .output import say
from .running import CommandContext


async def run(context: CommandContext) -> int:
    """Print a line for each user who owns an object, in any state."""
    async with open_database(context) as (store, _):
        counts = await store.count_owned()
    for name, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        say(f"{number}\t{make_printable(name)}")
    return 0
