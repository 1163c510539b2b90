"""`kms-tornado audit tail`: the newest records of the audit, and with --follow those that come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

from ...audit.chain import NOTHING, ChainHead, hash_line
from ...errors import Unavailable
from ...store.interface.audit import AuditStore
from ...store.interface.object_checks import StoredSegment
from ..opening import open_database
from ..output import tell
from ..running import CommandContext
from .line_output import write_lines

_POLL_S = 0.5
#: Segments of a chain: what a database that is set back may lose without records being printed twice.
_MOST_REMEMBERED = 1000


async def run(context: CommandContext) -> int:
    """Print the records as they are stored, in the order in which they were committed.

    Exit code 0: they are printed; 1: they are, but something other than a server wrote some of them.
    """
    number, is_followed = context.arguments["lines"], context.arguments["follow"]
    async with open_database(context) as (store, _):
        heads = await store.audit.heads()
        lines, faults = await _read_last(store.audit, number, heads)
        for fault in faults:
            tell(fault)
        with suppress(BrokenPipeError):  # as with `| head`
            write_lines(lines)
            if is_followed:
                await _follow(store.audit, heads)
    return 1 if faults else 0


async def _read_last(
    store: AuditStore, number: int, heads: Mapping[int, ChainHead]
) -> tuple[list[bytes], list[str]]:
    """The last records up to the heads, and what is wrong with their rows.

    `_follow` prints those after the heads, and those that others add meanwhile.
    """
    lines: list[bytes] = []
    faults: list[str] = []
    before: int | None = None
    while len(lines) < number:
        before, segments = await store.read_newest_segments(before)
        if not segments:
            break
        for segment in segments:
            if len(lines) >= number:
                break
            head = heads.get(segment.chain)
            if head is not None and segment.last <= head.seq:
                lines += reversed(segment.lines)
            elif segment.chain:
                continue
            if not segment.is_ours:
                faults.append(segment.fault)
    return lines[:number][::-1], faults


async def _follow(store: AuditStore, heads: Mapping[int, ChainHead]) -> None:
    """Print the records after the heads, until a signal comes or nobody reads any more."""
    is_away = False
    chains = {chain: _FollowedChain(store, head) for chain, head in heads.items()}
    while True:
        await asyncio.sleep(_POLL_S)
        try:
            for chain, head in (await store.heads()).items():
                if chain not in chains:
                    chains[chain] = _FollowedChain(store, ChainHead(chain, 0, NOTHING))
                await chains[chain].write_new(head)
        except Unavailable as exc:
            if not is_away:
                why = f"{exc}: {exc.detail}" if exc.detail else str(exc)
                tell(why)
            is_away = True
            continue
        if is_away:
            tell("the database is back")
        is_away = False


class _FollowedChain:
    """One chain, of which each record is printed once, and those of another history if the database was set back.

    head: the last record that was printed, or before which the chain is not followed. Its hash is "" where any record may
    come next.
    """

    def __init__(self, store: AuditStore, head: ChainHead) -> None:
        self._store = store
        self._head = head
        self._begin = head.seq
        #: (first record, last one) of the segments that were printed last.
        self._printed: deque[tuple[int, ChainHead]] = deque(maxlen=_MOST_REMEMBERED)

    async def write_new(self, head: ChainHead) -> None:
        """Print what is there up to the head of the chain. Raises Unavailable."""
        if head.seq < self._head.seq or (head.seq == self._head.seq and not self._is_at(head)):
            await self._go_back(head.seq)
        # A head and its segments are committed together, so that they are there.
        while self._head.seq < head.seq:
            segments = await self._read(self._head.seq)
            if not segments or not self._goes_on(segments[0]):
                if not self._head.hash:  # something else moved the head: `audit verify` tells
                    self._head = head
                    return
                await self._go_back(head.seq)
                continue
            for segment in segments:
                write_lines(segment.lines)
                self._head = _end(segment)
                self._printed.append((segment.first, self._head))

    def _is_at(self, head: ChainHead) -> bool:
        return "" in (head.hash, self._head.hash) or head == self._head

    def _goes_on(self, segment: StoredSegment) -> bool:
        """Whether the segment follows the last record that was printed."""
        _, seq, text = self._head
        names_it = f'"prev":"{text}"'.encode() in segment.lines[0]
        return not text or (segment.first == seq + 1 and names_it)

    async def _go_back(self, last: int) -> None:
        """To the last record that is printed and still there. last: of the chain as it is now."""
        known = self._head.seq
        while self._printed:
            first, head = self._printed.pop()
            segments = await self._read(first - 1)
            if segments and _end(segments[0]) == head:
                break
        else:
            head = ChainHead(self._head.chain, min(self._begin, last), "")
        self._head = head._replace(hash="")
        tell(
            f"chain {head.chain} was set back, or changed by something else than a server: it had record "
            f"{head.chain}/{known}; what it has behind {head.chain}/{head.seq} follows; run kms-tornado audit verify"
        )

    async def _read(self, after: int) -> list[StoredSegment]:
        chain = self._head.chain
        segments = await self._store.read_segments(chain, after)
        return [segment for segment in segments if segment.chain == chain]


def _end(segment: StoredSegment) -> ChainHead:
    return ChainHead(segment.chain, segment.last, hash_line(segment.lines[-1]))
