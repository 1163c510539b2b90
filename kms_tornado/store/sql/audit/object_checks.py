"""SQLObjectChecks: the objects together with the audit's records, for the code that compares the two.

Rows and records are read in one transaction on one snapshot, so that an object which is changed all the time fits its
records as well as any other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from ....audit.chain import ChainHead
from ....audit.record import Origin
from ...interface.object_checks import (
    Acceptance,
    Fault,
    Finding,
    ReadSoFar,
    ScrubState,
    StoredMoment,
    StoredRow,
)
from ..backend import Backend
from ..statements import NO_VALUES, Rows, Runner, prepare
from ..stored_values import stored_text
from ..tables.findings import accept, clear, parse_findings, refuse, select_findings
from ..tables.index_check import IndexCheck, rebuild_index
from ..tables.row_macs import AlteredRow, RowAuthenticator, split_refused
from ..tables.rows import MAC, ROW_TO_CHECK, UID, check_whole_row
from ..tables.schema import audit_chains, audit_segments, objects
from ..upkeep.rewrap import choose_last
from ..upkeep.scrub_lease import ScrubLease, select_scrub
from ..upkeep.storage_classes import find_odd_values
from .chains import read_heads
from .index_verification import find_index_fault
from .segments import HAS_NUMBERS, SEGMENT_ROW, parse_segment

#: Objects of a page, which are checked in a few milliseconds.
PAGE = 100

_C, _S = audit_chains.c, audit_segments.c
_count = select(func.count()).select_from(objects)
_select_heads = select(_C.chain, _C.seq, _C.head).where(_C.seq > 0)
_serial = objects.c.serial
_select_uids = (
    select(objects.c.uid)
    .where(_serial > bindparam("after"), _serial <= bindparam("last"))
    .order_by(_serial)
)
_whole_row = (*ROW_TO_CHECK, objects.c.sealed, _serial)


class SQLObjectChecks:
    """The `ObjectChecks` of one database."""

    def __init__(
        self,
        backend: Backend,
        authenticator: RowAuthenticator,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._backend = backend
        self._authenticator = authenticator
        self._clock = clock
        self._lease = ScrubLease(authenticator, clock)
        self._index_check = IndexCheck(backend.dialect, authenticator)
        self._uids = prepare(_select_uids, backend.dialect)
        self._count = prepare(_count, backend.dialect)
        self._scrub = prepare(select_scrub, backend.dialect)
        self._findings = prepare(select_findings, backend.dialect)

    # --- reading --------------------------------------------------------------------------------

    async def read_page(self, read: ReadSoFar, after: int) -> StoredMoment:
        def select_rows(connection: Connection) -> Rows:
            lengths = connection.execute(
                select(_serial, func.coalesce(func.length(objects.c.sealed), 0))
                .where(_serial > after)
                .order_by(_serial)
                .limit(PAGE)
            ).all()
            if not lengths:
                return ()
            is_in_page = (_serial > after) & (_serial <= choose_last(lengths))
            return connection.execute(select(*_whole_row).where(is_in_page).order_by(_serial)).all()

        return await self._read(read, select_rows, self._judge, after)

    async def read_one(self, read: ReadSoFar, uid: str) -> StoredMoment:
        return await self._read(
            read, _run(select(*_whole_row).where(objects.c.uid == uid)), self._judge
        )

    async def read_present(self, read: ReadSoFar, uids: Sequence[str]) -> StoredMoment:
        statement = select(objects.c.uid, objects.c.mac, _serial).where(objects.c.uid.in_(uids))
        return await self._read(read, _run(statement), _tell_code)

    async def _read(
        self,
        read: ReadSoFar,
        select_rows: Callable[[Connection], Rows],
        judge: Callable[[Sequence[Any]], StoredRow],
        after: int = 0,
    ) -> StoredMoment:
        heads, segments, rows = await self._backend.run_on_snapshot(
            partial(_read_moment, read, select_rows)
        )

        def make() -> StoredMoment:
            return StoredMoment(
                heads,
                [parse_segment(segment, self._authenticator) for segment in segments],
                [judge(row) for row in rows],
                rows[-1][-1] if rows else after,
            )

        return await asyncio.to_thread(make)

    def _judge(self, row: Sequence[Any]) -> StoredRow:
        """The row, with the reason why this server cannot have written it, if there is one. row: of _whole_row."""
        *checked, sealed, _ = row
        code, is_refused = split_refused(row[MAC])
        checked[MAC] = code
        return StoredRow(stored_text(row[UID]), code, self._find_fault(checked, sealed), is_refused)

    def _find_fault(self, row: Sequence[Any], sealed: Any) -> str | None:
        try:
            check_whole_row(row, sealed, self._authenticator)
        except AlteredRow as exc:
            return exc.detail
        return None

    async def find_unfit(self, after: int, last: int) -> Mapping[str, str]:
        """As `ObjectChecks.find_unfit`."""
        unfit: dict[str, str] = {}
        values = {"after": after, "last": last}
        uids = await self._backend.search(self._uids, values, principal="")
        for statement, bound in self._index_check.prepare([uid for (uid,) in uids]):
            rows = await self._backend.search(statement, bound, principal="")
            unfit |= await asyncio.to_thread(self._index_check.find_unfit, rows)
        return unfit

    async def find_odd_values(self) -> Sequence[str]:
        odd: Sequence[str] = await self._backend.run_on_snapshot(find_odd_values)
        return odd

    async def find_index_fault(self) -> str | None:
        fault: str | None = await self._backend.run_on_snapshot(find_index_fault)
        return fault

    async def count(self) -> int:
        rows = await self._backend.search(self._count, NO_VALUES, principal="")
        return int(rows[0][0])

    # --- what was found -------------------------------------------------------------------------

    async def list_findings(self) -> Mapping[str, Finding]:
        return parse_findings(await self._backend.search(self._findings, NO_VALUES, principal=""))

    async def refuse(self, faults: Sequence[Fault], origin: Origin) -> Sequence[Fault]:
        if not faults:
            return ()
        job = partial(
            refuse, faults=faults, origin=origin, now=int(self._clock()),
            authenticator=self._authenticator,
        )  # fmt: skip
        refused: Sequence[Fault] = await self._backend.submit(job)
        return refused

    async def clear(self, rows: Sequence[StoredRow], origin: Origin) -> Sequence[str]:
        if not rows:
            return ()
        cleared: Sequence[str] = await self._backend.submit(
            partial(self._clear, rows=rows, origin=origin)
        )
        return cleared

    async def accept(self, acceptance: Acceptance, origin: Origin) -> bool:
        job = partial(self._accept, acceptance=acceptance, origin=origin)
        is_accepted: bool = await self._backend.submit(job)
        return is_accepted

    def _clear(self, runner: Runner, rows: Sequence[StoredRow], origin: Origin) -> Sequence[str]:
        cleared = clear(runner, rows, origin)
        for uid in cleared:
            rebuild_index(runner, self._authenticator, uid)
        return cleared

    def _accept(self, runner: Runner, acceptance: Acceptance, origin: Origin) -> bool:
        is_accepted = accept(runner, acceptance, origin)
        if is_accepted:
            rebuild_index(runner, self._authenticator, acceptance.uid)
        return is_accepted

    # --- the scrub ------------------------------------------------------------------------------

    async def hold_scrub(self, state: ScrubState | None, *, within_s: int) -> ScrubState | None:
        # Without a transaction where another process has it, as most find all the time.
        if self._lease.is_taken(await self._backend.read(self._scrub), within_s):
            return None
        held: ScrubState | None = await self._backend.submit(
            partial(self._lease.hold, state=state, within_s=within_s)
        )
        return held

    async def leave_scrub(self, state: ScrubState) -> None:
        await self._backend.submit(partial(self._lease.leave, state=state))

    async def scrub_state(self) -> ScrubState:
        return self._lease.parse_state(await self._backend.read(self._scrub))


def _run(statement: Select[Any]) -> Callable[[Connection], Rows]:
    return lambda connection: connection.execute(statement).all()


def _read_moment(
    read: ReadSoFar, select_rows: Callable[[Connection], Rows], connection: Connection
) -> tuple[Mapping[int, ChainHead], Sequence[Any], Rows]:
    """(heads, segments that were not read, rows)"""
    heads = read_heads(connection.execute(_select_heads).all())
    segments: list[Any] = []
    for chain, head in sorted(heads.items()):
        if read.ends.get(chain) != head:
            behind = (_S.chain == chain) & (_S.first > read.firsts.get(chain, 0))
            statement = select(*SEGMENT_ROW).where(behind, HAS_NUMBERS).order_by(_S.first)
            segments += connection.execute(statement).all()
    return heads, segments, select_rows(connection)


def _tell_code(row: Sequence[Any]) -> StoredRow:
    """The row without its contents, which are not checked. row: identifier, MAC, serial."""
    code, is_refused = split_refused(row[1])
    return StoredRow(stored_text(row[0]), code, None, is_refused)
