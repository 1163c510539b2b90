"""Scrubber: walks all objects again and again beside serving, and compares each with its last record.

One process of all that have the database open does so, under a lease. It reads the records once, goes on with those
that come, and keeps in memory what they leave of each object. A walk takes as long as it may, so that it costs next
to nothing; how far it is outlives a restart. What is found is refused by the rows' own codes
(`objects`), so no other process has to know of it; each looks every few seconds what was found, for
/ready and the metrics alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from typing import NamedTuple

from ...audit.record import SERVER
from ...audit.verification import ChainVerifier
from ...errors import Unavailable
from ...store.interface.object_checks import AUDIT, Finding, ScrubState
from ...store.interface.object_store import ObjectStore
from ...wording import format_count
from .objects import AuditSetBack, Checked, ObjectVerification, RecordReader

_log = logging.getLogger(__name__)

# Seconds after a start before known faults are reported, and then before the first look: a start has better things to
# do.
_TOLD_S = 1.0
_FIRST_S = 60.0
# Seconds between two looks at the lease, at known faults, and at new records.
_LOOK_S = 10.0
#: How long the process that scrubs may be silent before another one takes its place.
LEASE_S = 60
# The share of a processor: the scrub rests four times as long as it works.
_RESTS = 4
# How many known faults one look checks again.
_MOST_TRIED = 5
_MOST_TOLD = 10
# From this many objects on, a walk logs at each tenth how far it is.
_MANY = 10_000
# Seconds for the end.
_LEAVE_S = 1.0


class ScrubStatus(NamedTuple):
    """findings: by identifier; AUDIT for the audit itself. ended: when a whole walk ended last, by any process.

    ended: in seconds since the Unix epoch; 0: never.
    """

    findings: Mapping[str, Finding]
    ended: int


class _LeaseLost(Exception):  # an expected outcome, not a fault
    """Another process scrubs."""


class Scrubber:
    """For one event loop. interval_s: how long a walk takes; 0: none is made here."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        interval_s: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._interval_s = interval_s
        self._sleep = sleep
        self._clock = clock
        self._monotonic = monotonic
        self._task: asyncio.Task[None] | None = None
        self._status = ScrubStatus({}, 0)
        self._state = ScrubState()
        self._looked = 0.0
        self._is_holding = False
        #: None until the records are read, and after another process has taken over.
        self._reader: RecordReader | None = None
        self._objects: ObjectVerification | None = None

    def start(self) -> None:
        # What is found is of no request, so that lines of the log name none.
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name="kms-scrub", context=Context()
        )

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._is_holding:
            try:
                async with asyncio.timeout(_LEAVE_S):
                    await self._store.checks.leave_scrub(self._state)
            except (TimeoutError, Unavailable):  # another one takes over in a minute
                pass

    def status(self) -> ScrubStatus:
        return self._status

    async def _run(self) -> None:
        await self._sleep(_TOLD_S)
        await self._tell_known()
        await self._sleep(min(_FIRST_S, self._interval_s or _FIRST_S))
        while True:
            try:
                await self._read_status()
                if self._interval_s:
                    await self._hold(None)
                    await self._scrub()
            except _LeaseLost:
                self._reader = self._objects = None
            except AuditSetBack:  # otherwise all that changed since would be taken for older
                await self._begin_anew()
            except Unavailable:  # the store says so
                pass
            except Exception:  # the edge of the task
                _log.exception("unexpected error while objects were compared with their records")
                self._reader = self._objects = None
            await self._sleep(_LOOK_S)

    async def _begin_anew(self) -> None:
        """Tell what is wrong with the records, and read all of them again before anything is judged by them."""
        objects, self._reader, self._objects = self._objects, None, None
        try:
            if objects is not None:
                await self._tell_audit(objects)
        except Unavailable:
            pass

    async def _tell_known(self) -> None:
        """At the start, what was found before and is not mended."""
        try:
            await self._read_status()
        except Unavailable:
            return
        if objects := self._status.findings.keys() - {AUDIT}:
            _log.warning(
                "%s refused, not being as their last records left them: see kms-tornado verify",
                format_count(len(objects), "object is", "objects are"),
            )

    async def _scrub(self) -> None:
        """Walk until the lease is lost. Raises _LeaseLost, AuditSetBack and Unavailable."""
        if self._reader is None or self._objects is None:
            reader = RecordReader(self._store, ChainVerifier({}))
            objects = ObjectVerification(self._store, reader, SERVER)
            await reader.catch_up(self._rest)
            reader.settle()
            self._reader, self._objects = reader, objects
            await self._look()
        while True:
            if self._state.ended > self._state.began:
                waits_s = self._state.began + self._interval_s - self._clock()
                await self._wait(min(waits_s, self._interval_s))  # the clock may have been set back
                self._state = ScrubState(0, 0, self._state.ended)
            if not self._state.began:
                self._state = self._state._replace(began=int(self._clock()))
            await self._walk(self._objects)
            # A walk of a moment, too, ends after it began.
            ended = max(int(self._clock()), self._state.began + 1)
            self._state = ScrubState(0, self._state.began, ended)
            await self._look()

    async def _walk(self, objects: ObjectVerification) -> None:
        """Check all objects that were not checked yet in this walk."""
        total = await self._store.checks.count()
        share_s = self._interval_s / max(total, 1)
        done = 0
        while True:
            began = self._monotonic()
            checked = await objects.check_page(self._state.after)
            self._tell(checked)
            if not checked.rows:
                break
            self._state = self._state._replace(after=checked.last)
            if total >= _MANY and (done + checked.rows) * 10 // total > done * 10 // total:
                _log.info(
                    "%d of %d objects were compared with their records", done + checked.rows, total
                )
            done += checked.rows
            worked_s = self._monotonic() - began
            await self._wait(max(share_s * checked.rows, worked_s * _RESTS))
        began = self._monotonic()
        async for checked in objects.check_gone():
            self._tell(checked)
            await self._rest(self._monotonic() - began)
            began = self._monotonic()

    async def _wait(self, seconds: float) -> None:
        """Return after so long; look meanwhile."""
        ends = self._monotonic() + seconds
        # A millisecond less is no other time, and may be what is left of a sum of fractions.
        while (left := ends - self._monotonic()) > 0.001:
            await self._sleep(min(left, _LOOK_S))
            await self._look_if_due()

    async def _rest(self, worked_s: float) -> None:
        await self._sleep(worked_s * _RESTS)
        if self._monotonic() - self._looked >= _LOOK_S:
            self._looked = self._monotonic()
            await self._hold(self._state)

    async def _look_if_due(self) -> None:
        if self._monotonic() - self._looked >= _LOOK_S:
            await self._look()

    async def _look(self) -> None:
        """Keep the lease, read the records that came, and try again what was found before."""
        self._looked = self._monotonic()
        await self._hold(self._state)
        reader, objects = self._reader, self._objects
        assert reader is not None, "the records were read"
        assert objects is not None, "the records were read"
        await reader.catch_up(self._rest)
        await objects.begin()
        await self._tell_audit(objects)
        for uid in [*objects.refused][:_MOST_TRIED]:
            if uid != AUDIT:
                self._tell(await objects.check_one(uid))
        await self._read_status()

    async def _tell_audit(self, objects: ObjectVerification) -> None:
        # Cleared by a command alone: the next reading might find nothing, as what was changed is gone.
        for fault in await objects.tell_audit(may_clear=False):
            _log.error("the audit was changed by something else than this server: %s", fault.text)

    async def _hold(self, state: ScrubState | None) -> None:
        """Raises _LeaseLost."""
        held = await self._store.checks.hold_scrub(state, within_s=LEASE_S)
        self._is_holding = held is not None
        if held is None:
            raise _LeaseLost
        if state is None:
            self._state = held

    async def _read_status(self) -> None:
        checks = self._store.checks
        ended = self._state.ended if self._is_holding else (await checks.scrub_state()).ended
        self._status = ScrubStatus(await checks.list_findings(), ended)

    def _tell(self, checked: Checked) -> None:
        for fault in checked.found[:_MOST_TOLD]:
            _log.error(
                "the object %s is not as its last record left it: %s; %s",
                fault.uid,
                fault.text,
                "it stays in use, as records are gone" if fault.is_told_only else "it is refused",
            )
        if len(checked.found) > _MOST_TOLD:
            more = len(checked.found) - _MOST_TOLD
            _log.error("and so %s", format_count(more, "more object is", "more objects are"))
        for uid in checked.cleared:
            _log.warning("the object %s is as its last record left it, and used again", uid)
