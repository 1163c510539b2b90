"""`kms-tornado audit tail`: the newest records of the audit, and with --follow those that come."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

from ...audit.chain import ChainHead
from ...errors import Unavailable
from ...store.interface.audit import AuditStore
from ..opening import open_database
from ..running import CommandContext
from .line_output import write_lines

_POLL_S = 0.5


async def run(context: CommandContext) -> int:
    """Prints the records as they are stored, in the order in which they were committed."""
    number, is_followed = context.arguments["lines"], context.arguments["follow"]
    async with open_database(context) as (store, _):
        heads = await store.audit.heads()
        write_lines(await _read_last(store.audit, number, heads))
        if is_followed:
            await _follow(store.audit, {chain: head.seq for chain, head in heads.items()})
    return 0


async def _read_last(store: AuditStore, number: int, heads: Mapping[int, ChainHead]) -> list[bytes]:
    """The last records up to the heads. Those behind them, and what others wrote in later, are for `_follow`."""
    lines: list[bytes] = []
    before: int | None = None
    while len(lines) < number:
        before, segments = await store.read_newest_segments(before)
        if not segments:
            break
        for segment in segments:
            head = heads.get(segment.chain)
            if head is not None and segment.last <= head.seq:
                lines += reversed(segment.lines)
    return lines[:number][::-1]


async def _follow(store: AuditStore, told: dict[int, int]) -> None:
    """told: chain → its last record that was told. Ends by a signal, or where nobody reads any more."""
    is_away = False
    while True:
        await asyncio.sleep(_POLL_S)
        try:
            for chain, head in (await store.heads()).items():
                await _write_new(store, chain, told, head.seq)
        except Unavailable as exc:
            if not is_away:
                why = f"{exc}: {exc.detail}" if exc.detail else str(exc)
                print(why, file=sys.stderr, flush=True)
            is_away = True
            continue
        if is_away:
            print("the database is back", file=sys.stderr, flush=True)
        is_away = False


async def _write_new(store: AuditStore, chain: int, told: dict[int, int], last: int) -> None:
    # The commits of a head and of its segments are one, so that they are there.
    while told.get(chain, 0) < last:
        segments = await store.read_segments(chain, told.get(chain, 0))
        mine = [segment for segment in segments if segment.chain == chain]
        if not mine:
            told[chain] = last  # something else moved the head: `audit verify` tells
        for segment in mine:
            write_lines(segment.lines)
            told[chain] = segment.last
