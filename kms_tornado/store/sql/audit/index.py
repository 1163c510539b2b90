"""AuditIndex: finds the audit's records of an object or a principal without a scan, and counts the uses of keys.

How the index works
===================

It is made of the segments that are on disk, some time after them, so that no request waits for it:

    step        one transaction that takes some segments behind the *position* of the index, and moves that
    position    chain → its last record that is indexed. A chain has no holes, so that nothing is left out
    page        the records of some steps; its row says which segments have them, and when they were made
    entry       a key (an object, its owner, or a principal, `audit.indexing`) and a page that has records about it
    uses        identifier → how often the object was used, and when last
    made        identifier → when it became an object's: whose that is reads nothing older of others

The position, and what is known of the page that is not full yet, stand in one row of `server_state`, which each
step replaces where it still is as it was read: else another process was faster, and the step does nothing. So
each record is counted exactly once, whoever is killed. Which process takes steps is agreed on in that row, too,
but for the sake of economy alone.

The owner's key of an entry is that of the owner at the time of the step. The step with the record of a transfer gives
the new owner's key to all pages that the old owner's has: too many of them perhaps, which costs a look at them.

Everything here can be made again: where the row is missing, or of another version of this format, the next step
empties the tables and begins with the first record.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import bindparam, delete, insert, select, update

from ....audit.indexing import Indexed, index_records, owner_key, read_times
from ....errors import ConfigurationError
from ...interface.audit_records import IndexStep
from ...interface.compute import Compute
from ...interface.faults import make_unavailable
from ..backend import Backend
from ..constants import write_constant
from ..statements import NO_VALUES, Runner, Statement, prepare
from ..stored_values import stored_bytes, stored_text
from ..tables.ownership import prepare_owners
from ..tables.schema import (
    audit_chains,
    audit_index,
    audit_made,
    audit_pages,
    audit_segments,
    audit_uses,
    server_state,
)
from .index_state import STATE_NAME, IndexState, parse_state
from .segments import HAS_NUMBERS

#: The user for whom long reads are done, since users take turns: the server itself.
_NOBODY = ""

#: Records of a step, which holds up other transactions for a few milliseconds. One segment more may fit in.
_MOST_RECORDS = 1_000
_MOST_BYTES = 512 * 1024
#: Segments that are read at a time, of up to 256 KiB each.
_SEGMENTS = 64
#: A page is full from then on: what one look at it has to read.
_FULL_PAGE = 1_000
#: Of a segment that something else changed, so that every look at its page tells.
_ANY_TIME = 0, (1 << 63) - 1
#: Seconds without a step after which another process may take one.
_STALE_S = 10

_V, _S = server_state.c, audit_segments.c
_select_state = select(_V.value).where(_V.name == STATE_NAME)
_state_statement = Statement(_select_state)
_insert_state = Statement(insert(server_state), server_state.columns.keys())
_delete_state = Statement(delete(server_state).where(_V.name == bindparam("of_name")))
_move = Statement(
    update(server_state).where(_V.name == bindparam("of_name"), _V.value == bindparam("was")),
    ("value",),
)
_select_heads = select(audit_chains.c.chain, audit_chains.c.seq)
_select_segments = (
    select(_S.first, _S.last, _S.lines)
    .where(_S.chain == bindparam("of_chain"), _S.first > bindparam("after"), HAS_NUMBERS)
    .order_by(_S.first)
    .limit(write_constant(_SEGMENTS))
)
_E = audit_index.c
_copy_entries = Statement(
    insert(audit_index).from_select(
        ["key", "page"],
        select(bindparam("new_key", type_=_E.key.type), _E.page)
        .where(_E.key == bindparam("old_key"))
        .except_(select(_E.key, _E.page).where(_E.key == bindparam("new_key", type_=_E.key.type))),
    )
)
_emptied = [
    Statement(delete(table)) for table in (audit_pages, audit_index, audit_uses, audit_made)
]

_ON_PAGE = (
    "ON CONFLICT (page) DO UPDATE SET ranges = excluded.ranges, records = excluded.records,"
    " since = excluded.since, until = excluded.until, ceiling = excluded.ceiling"
)
_ON_ENTRY = "ON CONFLICT DO NOTHING"
_ON_USES = (
    "ON CONFLICT (uid) DO UPDATE SET uses = audit_uses.uses + excluded.uses, last_used ="
    " CASE WHEN excluded.last_used > audit_uses.last_used THEN excluded.last_used ELSE audit_uses.last_used END"
)
_ON_MADE = (
    "ON CONFLICT (uid) DO UPDATE SET made = excluded.made WHERE excluded.made < audit_made.made"
)


class _Segment(NamedTuple):
    chain: int
    first: int
    last: int
    since: int
    until: int
    lines: bytes


class AuditIndex:
    """Keeps the index of one database and searches it. Used from one event loop."""

    def __init__(self, backend: Backend, compute: Compute) -> None:
        self._backend = backend
        self._compute = compute
        #: This process.
        self._holder = secrets.token_hex(8)
        self._state = prepare(_select_state, backend.dialect)
        self._heads = prepare(_select_heads, backend.dialect)
        self._segments = prepare(_select_segments, backend.dialect)

    async def take_step(self, now: int, *, is_urgent: bool = False) -> IndexStep:
        """Index some records, if there are any and no other process does so.

        now: seconds since the Unix epoch. is_urgent: index them even if another process does. Raises Unavailable.
        """
        rows = await self._backend.read(self._state)
        was = stored_bytes(rows[0][0]) if rows else b""
        if (state := parse_state(was)) is None:
            await self._begin()
            return IndexStep(behind=_count_behind(await self._read_heads(), {}))
        heads = await self._read_heads()
        behind = _count_behind(heads, state.positions)
        # A time in the future is one of before the clock was set back: its process may be gone.
        is_anothers = state.holder != self._holder and abs(now - state.seen) < _STALE_S
        if not behind or (is_anothers and not is_urgent):
            return IndexStep(behind=behind, is_anothers=is_anothers)
        segments = await self._read_segments(state, heads)
        if not segments:
            return IndexStep(behind=behind)
        indexed: Indexed = await self._compute(
            partial(index_records, [segment.lines for segment in segments]), principal=_NOBODY
        )
        keys = indexed.keys | {owner_key(owner) for owner in await self._find_owners(indexed.uids)}
        after = self._advance(state, segments, now)
        job = partial(_write_step, was=was, after=after, keys=keys, indexed=indexed)
        if not await self._backend.submit(job):
            return IndexStep(behind=behind, is_anothers=True)
        records = sum(segment.last - segment.first + 1 for segment in segments)
        entries = len(keys) + len(indexed.uses) + len(indexed.made)
        return IndexStep(records, entries, max(0, behind - records))

    async def _find_owners(self, uids: Collection[str]) -> set[str]:
        if not uids:
            return set()
        statement, values = prepare_owners(uids, self._backend.dialect)
        rows = await self._backend.search(statement, values, principal=_NOBODY)
        return {stored_text(owner) for (owner,) in rows}

    async def forget_index(self) -> int:
        """Have the index made again from the beginning, in steps.

        Returns how many records there are. Raises Unavailable.
        """
        await self._begin(is_forced=True)
        return _count_behind(await self._read_heads(), {})

    async def _begin(self, *, is_forced: bool = False) -> None:
        try:
            await self._backend.run_exclusively(partial(_begin, is_forced=is_forced))
        except ConfigurationError as exc:
            raise make_unavailable(exc.text) from exc

    async def _read_heads(self) -> Mapping[int, int]:
        """Chain → its last record."""
        rows = await self._backend.read(self._heads)
        return {chain: seq for chain, seq in rows if isinstance(seq, int)}  # nothing else wrote it

    async def _read_segments(
        self, state: IndexState, heads: Mapping[int, int]
    ) -> Sequence[_Segment]:
        """Segments that follow the position. Each step begins with another chain, so that none has to wait for long."""
        chains = [chain for chain in sorted(heads) if heads[chain] > state.positions.get(chain, 0)]
        if chains:
            turn = state.step % len(chains)
            chains = chains[turn:] + chains[:turn]
        segments: list[_Segment] = []
        records = size = 0
        for chain in chains:
            values = {"of_chain": chain, "after": state.positions.get(chain, 0)}
            rows = await self._backend.search(self._segments, values, principal=_NOBODY)
            for first, last, stored in rows:
                if records >= _MOST_RECORDS or size >= _MOST_BYTES:
                    return segments
                lines = stored_bytes(stored)
                since, until = read_times(lines) or _ANY_TIME
                segment = _Segment(chain, first, last, since, until, lines)
                segments.append(segment)
                records += segment.last - segment.first + 1
                size += len(segment.lines)
        return segments

    def _advance(self, state: IndexState, segments: Sequence[_Segment], now: int) -> IndexState:
        """The state after the segments."""
        positions, page = dict(state.positions), state.page
        ranges, records, since, until = dict(state.ranges), state.records, state.since, state.until
        if not page or records >= _FULL_PAGE:
            page, ranges, records = page + 1, {}, 0
            since, until = segments[0].since, segments[0].until
        for chain, first, last, oldest, newest, _ in segments:
            positions[chain] = last
            ranges[chain] = (ranges.get(chain, (first, last))[0], last)
            records += last - first + 1
            since, until = min(since, oldest), max(until, newest)
        return IndexState(
            state.step + 1, self._holder, now, positions, page, ranges, records, since, until,
            max(state.ceiling, until),
        )  # fmt: skip


def _count_behind(heads: Mapping[int, int], positions: Mapping[int, int]) -> int:
    """How many records are not indexed yet."""
    return sum(max(0, seq - positions.get(chain, 0)) for chain, seq in heads.items())


def _begin(runner: Runner, *, is_forced: bool) -> None:
    """Empty the tables, unless another process was faster."""
    rows = runner.select(_state_statement, NO_VALUES)
    if rows and parse_state(stored_bytes(rows[0][0])) is not None and not is_forced:
        return
    runner.change(_delete_state, {"of_name": STATE_NAME})
    for statement in _emptied:
        runner.change(statement, NO_VALUES)
    runner.change(_insert_state, {"name": STATE_NAME, "value": IndexState().format()})


def _write_step(
    runner: Runner, was: bytes, after: IndexState, keys: Collection[int], indexed: Indexed
) -> bool:
    """Write a step; False where another process was faster.

    was: the row's value as it was read.
    keys: of `indexed`, and of owners.
    """
    values = {"of_name": STATE_NAME, "was": was, "value": after.format()}
    if not runner.change_counted(_move, values):
        return False
    page = {
        "page": after.page, "ranges": json.dumps(after.ranges), "records": after.records,
        "since": after.since, "until": after.until, "ceiling": after.ceiling,
    }  # fmt: skip
    runner.add_rows(audit_pages, [page], _ON_PAGE)
    # In their order, so that neighbours of the table are written together.
    if entries := [{"key": key, "page": after.page} for key in sorted(keys)]:
        runner.add_rows(audit_index, entries, _ON_ENTRY)
    if counted := [
        {"uid": uid, "uses": count, "last_used": last}
        for uid, (count, last) in sorted(indexed.uses.items())
    ]:
        runner.add_rows(audit_uses, counted, _ON_USES)
    if made := [{"uid": uid, "made": at} for uid, at in sorted(indexed.made.items())]:
        runner.add_rows(audit_made, made, _ON_MADE)
    for old, new in sorted(indexed.transfers):
        runner.change(_copy_entries, {"old_key": owner_key(old), "new_key": owner_key(new)})
    return True
