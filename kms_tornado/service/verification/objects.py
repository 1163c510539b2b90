"""Comparing every stored object with the audit's records, beside servers that change both.

Shared by the scrub, `kms-tornado verify` and `kms-tornado audit verify`. Whoever of them finds something wrong with an
object has it refused from then on; and whoever finds it as it should be again has it used again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...audit.chain import ChainHead, hash_line
from ...audit.paths import UNTOLD
from ...audit.record import Origin
from ...audit.verification import ChainVerifier
from ...store.interface.object_checks import (
    AUDIT,
    Acceptance,
    Fault,
    ReadSoFar,
    StoredMoment,
    StoredRow,
    StoredSegment,
)
from ...store.interface.object_store import ObjectStore

#: Hexadecimal digits of a code that records tell.
_CODE = 32
#: Lines that are compared at a time, which takes some ten milliseconds on a thread.
_LINES = 500
#: Identifiers of objects in one statement.
_UIDS = 100

#: A function that rests after work that took this many seconds.
Rest = Callable[[float], Awaitable[None]]


async def never_rest(worked_s: float) -> None:
    """For a command, for which somebody waits."""


class AuditSetBack(Exception):
    """The database has other records than those that were read, which say nothing of its objects any more."""


class RecordReader:
    """Reads the records of all chains, and goes on where it was. faults: of the records, in whole sentences."""

    def __init__(self, store: ObjectStore, chains: ChainVerifier) -> None:
        self._store = store
        self.chains = chains
        self.faults: list[str] = []
        #: chain → first record of the last segment that was read.
        self._firsts: dict[int, int] = {}
        #: Chains whose last segment was edited, as is known.
        self._edited: set[int] = set()
        #: chain → its head, which names an earlier record than the last one; None if its row is gone.
        self._moved: dict[int, ChainHead | None] = {}
        #: How many faults there were once all records were read; None before `settle`.
        self._settled: int | None = None

    def so_far(self) -> ReadSoFar:
        return ReadSoFar(self._firsts, self.chains.ends)

    def settle(self) -> None:
        """All records are read. From now on a new fault is an AuditSetBack: they are others than those that were read."""
        self.faults += self.chains.finish()
        self._settled = len(self.faults)

    async def catch_up(self, rest: Rest = never_rest) -> None:
        """Read those that are there by now. Raises Unavailable, and AuditSetBack."""
        known = {0: 0, **self._firsts}
        for begun, after in sorted(known.items()):
            chain, first = begun, after
            while segments := await self._store.audit.read_segments(chain, first):
                mine = []
                for segment in segments:
                    if segment.chain != begun and segment.chain in known:
                        break  # the rest of that one has its own turn
                    mine.append(segment)
                    chain, first = segment.chain, segment.first
                await self._feed_slowly(mine, rest)
                if len(mine) < len(segments):
                    break

    async def _feed_slowly(self, segments: Sequence[StoredSegment], rest: Rest) -> None:
        part: list[StoredSegment] = []
        for place, segment in enumerate(segments, 1):
            part.append(segment)
            if place == len(segments) or sum(len(one.lines) for one in part) >= _LINES:
                began = time.monotonic()
                await asyncio.to_thread(self.feed, part)
                part = []
                await rest(time.monotonic() - began)

    def feed(self, segments: Sequence[StoredSegment]) -> None:
        """segments: the next ones of each chain. Raises AuditSetBack."""
        for segment in segments:
            if segment.is_ours:
                self._edited.discard(segment.chain)
            else:
                self._edited.add(segment.chain)
                self.faults.append(segment.fault)
            self.faults += self.chains.feed(segment.chain, segment.lines)
            self._firsts[segment.chain] = segment.first
        if self._settled is not None:
            # Objects are judged by what was read so far, so that no doubt waits for the next record.
            self.faults += self.chains.settle()
            if len(self.faults) > self._settled:
                raise AuditSetBack

    def compare_heads(self, moment: StoredMoment) -> None:
        """After the moment's segments were fed, each chain must end with its head. Raises AuditSetBack."""
        for chain, head in sorted(moment.heads.items()):
            end = self.chains.ends.get(chain)
            if end is None or end.seq < head.seq:
                last = 0 if end is None else end.seq
                self._note(
                    f"chain {chain} is cut: its head is record {chain}/{head.seq}, and the last one that is there "
                    f"is {chain}/{last}"
                )
        for chain, end in sorted(self.chains.ends.items()):
            stored_head = moment.heads.get(chain)
            head_seq = 0 if stored_head is None else stored_head.seq
            if head_seq < end.seq:
                if chain in self._moved and self._moved[chain] == stored_head:
                    continue
                self._note_moved(end, stored_head)
                raise AuditSetBack
            # Set back, it may have gone on to the very number up to which it was read.
            is_other = (
                stored_head is not None
                and stored_head.seq == end.seq
                and stored_head.hash != end.hash
            )
            if is_other and chain not in self._edited:
                self._note(
                    f"record {chain}/{end.seq} was edited: its hash is not the one that the head of its chain names"
                )
                if self._settled is not None:
                    raise AuditSetBack

    async def find_moved_heads(self) -> None:
        """Tell of heads that name an earlier record than the last one that is there, which something else moved.

        All records are there, so that objects can be compared with them. Called once all were read; raises Unavailable.
        """
        heads = await self._store.audit.heads()
        for chain, end in sorted(self.chains.ends.items()):
            head = heads.get(chain)
            if head is not None and head.seq >= end.seq:
                continue
            again = await self._store.audit.read_segments(chain, self._firsts[chain] - 1)
            last = again and ChainHead(again[0].chain, again[0].last, hash_line(again[0].lines[-1]))
            if last == end:
                self._moved[chain] = head
                self._note_moved(end, head)

    def _note_moved(self, end: ChainHead, head: ChainHead | None) -> None:
        self._note(
            f"the head of chain {end.chain} was set back to record {end.chain}/{0 if head is None else head.seq}: there "
            f"were more, up to {end.chain}/{end.seq}"
        )

    def _note(self, fault: str) -> None:
        if fault not in self.faults:
            self.faults.append(fault)


@dataclass(slots=True)
class Checked:
    """A page of objects. rows: how many there are; last: serial of the last one. faults: all that is wrong with them.

    found: those of the faults that were not known before. cleared: objects that are as they should be again.
    """

    rows: int
    last: int
    faults: Sequence[Fault] = ()
    found: Sequence[Fault] = ()
    cleared: Sequence[str] = ()


class ObjectVerification:
    """Every method raises Unavailable, and AuditSetBack. origin: of the records of what is found."""

    def __init__(self, store: ObjectStore, reader: RecordReader, origin: Origin) -> None:
        self._store = store
        self._reader = reader
        self._origin = origin
        #: What was found before, and is not as it should be again, as far as known.
        self.refused: set[str] = set()

    async def begin(self) -> None:
        """Learn what was found before, whoever did."""
        self.refused = set(await self._store.checks.list_findings())

    async def check_page(self, after: int) -> Checked:
        """Check some objects behind a serial; no rows: there are no more."""
        return await self._check(await self._store.checks.read_page(self._reader.so_far(), after))

    async def find_unfit(self, after: int, last: int) -> Mapping[str, str]:
        """As `ObjectChecks.find_unfit`: nothing is refused for it but the searches that find such an object."""
        return await self._store.checks.find_unfit(after, last)

    async def check_one(self, uid: str) -> Checked:
        """Check an object, or that it is rightly gone."""
        moment = await self._store.checks.read_one(self._reader.so_far(), uid)
        return await self._check(moment, [uid])

    async def check_gone(self) -> AsyncIterator[Checked]:
        """Check that no object is gone of whose removal no record tells; a page of them at a time."""
        uids = await asyncio.to_thread(self._reader.chains.paths.list_uids)
        for start in range(0, len(uids), _UIDS):
            part = uids[start : start + _UIDS]
            moment = await self._store.checks.read_present(self._reader.so_far(), part)
            missing = [*set(part).difference(row.uid for row in moment.rows)]
            yield await self._check(replace(moment, rows=()), missing)

    async def tell_audit(self, *, may_clear: bool) -> Sequence[Fault]:
        """Record what is wrong with the records themselves; returns what was not known before.

        may_clear: whether all of them were read just now, so that nothing is wrong where nothing was found.
        """
        faults = self._reader.faults
        if faults:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            fault = Fault(AUDIT, faults[0] + more, is_told_only=True)
            return await self._refuse([fault])
        if may_clear and AUDIT in self.refused:
            await self._store.checks.clear([StoredRow(AUDIT, b"", None, False)], self._origin)
            self.refused.discard(AUDIT)
        return ()

    async def accept(self, uid: str) -> bool:
        """Take the object as it is; False where it was changed meanwhile, or something else wrote its row."""
        moment = await self._store.checks.read_one(self._reader.so_far(), uid)
        await asyncio.to_thread(self._reader.feed, moment.segments)
        row = moment.rows[0] if moment.rows else None
        if row is not None and row.fault is not None:
            return False
        code = None if row is None else row.code
        missing = [*self._reader.chains.paths.find_missing(uid, _tell(code))]
        return await self._store.checks.accept(Acceptance(uid, code, missing), self._origin)

    async def _check(self, moment: StoredMoment, absent: Sequence[str] = ()) -> Checked:
        """absent: objects that are gone where the moment has no row of them."""
        await asyncio.to_thread(self._reader.feed, moment.segments)
        self._reader.compare_heads(moment)
        faults, sound = [], []
        there = {row.uid for row in moment.rows}
        gone = [StoredRow(uid, b"", None, False) for uid in absent if uid not in there]
        for row in (*moment.rows, *gone):
            fault = self._find_fault(row)
            if fault is not None:
                faults.append(fault)
            elif row.is_refused or row.uid in self.refused:
                sound.append(row)
        cleared = await self._store.checks.clear(sound, self._origin)
        self.refused.difference_update(row.uid for row in sound)
        new_faults = await self._refuse(faults)
        return Checked(len(moment.rows), moment.last, faults, new_faults, cleared)

    def _find_fault(self, row: StoredRow) -> Fault | None:
        """row: without a code where there is none."""
        if row.fault is not None:
            text = f"something else than this server wrote its row ({row.fault})"
            return Fault(row.uid, text)
        text_or_none = self._reader.chains.paths.find_fault(row.uid, _tell(row.code or None))
        if text_or_none is None:
            return None
        if text_or_none == UNTOLD and self._reader.faults:
            # Its record may be among those that are gone. So may those of all others, none of which is older for it.
            return Fault(row.uid, text_or_none, is_told_only=True)
        if not row.code:
            return Fault(row.uid, text_or_none, is_gone=True)
        return Fault(row.uid, text_or_none, None if row.is_refused else row.code)

    async def _refuse(self, faults: Sequence[Fault]) -> Sequence[Fault]:
        new = [fault for fault in faults if fault.uid not in self.refused or fault.code is not None]
        refused = await self._store.checks.refuse(new, self._origin)
        self.refused.update(fault.uid for fault in new)
        return refused


def _tell(code: bytes | None) -> str | None:
    """As records tell it."""
    return None if code is None else code.hex()[:_CODE]
