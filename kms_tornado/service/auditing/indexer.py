"""AuditIndexer: keeps the index of the audit a few seconds behind the records, for a small share of a core."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import NamedTuple

from ...errors import Unavailable
from ...store.interface.audit_records import AuditRecords, IndexStep

_log = logging.getLogger(__name__)

_EVERY_S = 2.0
_AFTER_FAULT_S = 60.0
# Rests after a step, so that the index takes at most one core's two-hundredth: a record takes it 4 µs, and an
# entry 8. So it keeps up with 1,250 uses of a few keys a second, or 400 new keys.
_REST_OF_RECORD_S = 0.0008
_REST_OF_ENTRY_S = 0.0016
# Where the process has little else to do, and the machine no more than it can, it rests for a tenth of that.
_IDLE_SHARE = 0.5
_IDLE_REST = 0.1
#: Steps that a reader waits for at most, of a thousand records each.
_MOST_STEPS = 4


class IndexStatus(NamedTuple):
    """How far the index is behind.

    behind: the number of records that are not indexed yet.
    lag_s: for how long there have been such records; None where another process indexes.
    """

    behind: int
    lag_s: float | None


class AuditIndexer:
    """Indexes the audit's records, in one event loop, from `start` to `stop`."""

    def __init__(self, records: AuditRecords) -> None:
        self._records = records
        self._keeper: asyncio.Task[None] | None = None
        self._catching_up: asyncio.Task[None] | None = None
        self._behind = 0
        self._is_anothers = False
        self._caught_up = time.monotonic()
        #: When the process's time was looked at last, and how much it was.
        self._looked = time.monotonic(), time.process_time()

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep(), name="kms-audit-indexer")

    async def stop(self) -> None:
        tasks = [task for task in (self._keeper, self._catching_up) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def status(self) -> IndexStatus:
        if self._is_anothers:
            return IndexStatus(self._behind, None)
        lag_s = time.monotonic() - self._caught_up if self._behind else 0.0
        return IndexStatus(self._behind, lag_s)

    async def catch_up(self) -> None:
        """Have the records that are on disk indexed now, if there are no more than a few thousand; else do nothing."""
        if self._catching_up is None or self._catching_up.done():
            self._catching_up = asyncio.create_task(self._catch_up(), name="kms-audit-catch-up")
        await asyncio.shield(self._catching_up)

    async def _catch_up(self) -> None:
        try:
            for _ in range(_MOST_STEPS):
                if not (await self._take_step(is_urgent=True)).behind:
                    return
        except Unavailable:  # what is indexed can be read all the same
            pass
        except Exception:  # the edge of the task
            _log.exception("unexpected error in the index of the audit")

    async def _keep(self) -> None:
        pause = _EVERY_S
        while True:
            await asyncio.sleep(pause)
            pause = _EVERY_S
            try:
                step = await self._take_step()
                rest = self._choose_rest(step)
                pause = rest if step.records and step.behind else max(rest, _EVERY_S)
            except Unavailable:  # the trail finds out, too, and says so
                pass
            except Exception:  # the edge of the task
                _log.exception("unexpected error in the index of the audit")
                pause = _AFTER_FAULT_S

    async def _take_step(self, *, is_urgent: bool = False) -> IndexStep:
        step = await self._records.take_step(int(time.time()), is_urgent=is_urgent)
        self._behind, self._is_anothers = step.behind, step.is_anothers
        if step.is_anothers or not step.behind:
            self._caught_up = time.monotonic()
        return step

    def _choose_rest(self, step: IndexStep) -> float:
        rest = step.records * _REST_OF_RECORD_S + step.entries * _REST_OF_ENTRY_S
        (before, used), self._looked = self._looked, (time.monotonic(), time.process_time())
        now, used_now = self._looked
        # A process that gets no turns has little time, too.
        is_idle = used_now - used < _IDLE_SHARE * (now - before) and not _is_overloaded()
        return rest * _IDLE_REST if is_idle else rest


def _is_overloaded() -> bool:
    return os.getloadavg()[0] > (os.cpu_count() or 1)  # both are of the machine
