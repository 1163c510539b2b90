"""AuditTrail: all records except those of changes. They wait in memory for half a second and share a transaction.

What cannot be recorded is not done. While the database takes no records, the trail is *failing*: `check` refuses every
operation with 503, and the records of operations that were answered before stay in memory until they can be written.
Refusals are then only counted, not kept one by one; so are those beyond a hundred a second. Nobody can fill memory or
disk by being refused.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import NamedTuple

from ...audit.record import REFUSED, Draft, Origin, make_draft
from ...errors import AuditUnavailable, Unavailable
from ...wording import format_count

_log = logging.getLogger(__name__)

# How long records wait for others. With the commit, they are on disk within a second.
_WAIT_S = 0.5
_RETRY_S = 1.0
#: Records that wait at most: about 16 MiB. Beyond them operations are refused until some are written.
_MOST_PENDING = 32_768
#: The most records in one transaction, which holds up others for a few milliseconds.
_MOST_TOGETHER = 2_000
#: How many refusals of one second get a record each, and how many kinds of further ones are distinguished.
_SINGLE_REFUSALS = 100
_MOST_KINDS = 1_024


# What is written is of many requests, so that lines of the log name none of them.
_NO_REQUEST = Context()


class AuditStatus(NamedTuple):
    """The state of the trail.

    cause: why nothing can be recorded, in fixed words; None while recording works.
    since: since when, in seconds since the Unix epoch.
    pending: how many records wait in memory. oldest_s: how long the oldest of them has waited.
    records: how many were written.
    failures: how often writing failed.
    """

    cause: str | None
    since: float
    pending: int
    records: int
    oldest_s: float = 0.0
    failures: int = 0


class AuditTrail:
    """Collects records and writes them together. For one event loop.

    append: writes drafts to the database, durable on return; raises Unavailable.
    """

    def __init__(self, append: Callable[[Sequence[Draft]], Awaitable[None]]) -> None:
        self._append = append
        self._loop = asyncio.get_running_loop()
        self._pending: list[Draft] = []
        #: (operation, reason, protocol, address) → how many refusals of this kind were counted.
        self._counted: dict[tuple[str, str, str, str | None], int] = {}
        self._second, self._refusals = 0, 0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._cause: str | None = None
        self._since = time.time()
        self._records = self._failures = 0
        self._is_refusing = False

    def check(self) -> None:
        """Refuse an operation that could not be recorded. Raises AuditUnavailable."""
        if self._is_refusing:
            raise AuditUnavailable(
                "nothing can be recorded in the audit",
                detail=self._cause or "too many records wait",
                cause=self._cause or "too many records wait",
            )

    def add(self, draft: Draft) -> None:
        """Have the draft recorded within a second."""
        self._pending.append(draft)
        if len(self._pending) >= _MOST_PENDING:
            self._is_refusing = True
        if self._timer is None and self._task is None:
            self._begin_later(_WAIT_S)

    def add_refusal(self, origin: Origin, operation: str, reason: str) -> None:
        """Have a refused request recorded. If there are many refusals, several may share a record."""
        second = int(time.time())
        if second != self._second:
            self._second, self._refusals = second, 0
        self._refusals += 1
        if self._refusals <= _SINGLE_REFUSALS and not self._is_refusing:
            self.add(make_draft(origin, operation, result=REFUSED, reason=reason))
            return
        kind = (operation, reason, origin.protocol, origin.remote_ip)
        if kind not in self._counted and len(self._counted) >= _MOST_KINDS:
            kind = (operation, reason, origin.protocol, None)
        self._counted[kind] = self._counted.get(kind, 0) + 1
        if self._timer is None and self._task is None:
            self._begin_later(_WAIT_S)

    def status(self) -> AuditStatus:
        cause = self._cause or ("too many records wait" if self._is_refusing else None)
        oldest_s = time.time() - self._pending[0].time_ms / 1000 if self._pending else 0.0
        return AuditStatus(
            cause,
            self._since,
            len(self._pending),
            self._records,
            max(0.0, oldest_s),
            self._failures,
        )

    async def flush(self) -> None:
        """Return once everything that was added is on disk, or cannot be written now."""
        while self._pending or self._counted:
            if self._task is None:
                self._begin()
            task = self._task
            if task is not None:
                await asyncio.shield(task)
            if self._cause is not None:
                return

    async def stop(self) -> None:
        """Write what is pending. What cannot be written is lost, and the log says so."""
        await self.flush()
        if self._timer is not None:
            self._timer.cancel()
        if self._pending:
            _log.error(
                "%s lost",
                format_count(
                    len(self._pending),
                    "record of the audit could not be written and is",
                    "records of the audit could not be written and are",
                ),
            )

    def _begin_later(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._begin, context=_NO_REQUEST)

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is None:
            self._task = self._loop.create_task(self._write_all(), name="kms-audit-trail")

    async def _write_all(self) -> None:
        """Write what is pending now.

        Records that arrive meanwhile wait half a second, unless they are enough by themselves.
        """
        begun = self._loop.time()
        try:
            while self._pending or self._counted:
                self._pending += self._render_counted()
                drafts = self._pending[:_MOST_TOGETHER]
                await self._append(drafts)
                del self._pending[: len(drafts)]
                self._records += len(drafts)
                if len(self._pending) < _MOST_TOGETHER:
                    break
            self._recover()
        except Unavailable as exc:
            self._fail(exc)
        except Exception as exc:  # the edge of the task: the audit must not stop unnoticed
            _log.exception("unexpected error in the audit")
            self._fail(Unavailable("", detail=type(exc).__name__, cause="internal error"))
        finally:
            self._task = None
            if self._cause is not None:
                self._begin_later(_RETRY_S)
            elif self._pending or self._counted:
                self._begin_later(max(0.0, begun + _WAIT_S - self._loop.time()))

    def _render_counted(self) -> list[Draft]:
        counted, self._counted = self._counted, {}
        return [
            make_draft(
                Origin(None, None, remote_ip, None, protocol), operation,
                result=REFUSED, reason=reason, count=count,
            )
            for (operation, reason, protocol, remote_ip), count in counted.items()
        ]  # fmt: skip

    def _fail(self, exc: Unavailable) -> None:
        if self._cause is None:
            self._since = time.time()
            # Of an outage of the database the store has said why, as an ERROR.
            _log.log(
                logging.WARNING if exc.is_told_once else logging.ERROR,
                "the audit cannot be written (%s): requests are refused until it can",
                exc.detail,
            )
        self._failures += 1
        self._cause = exc.cause or "cannot be written"
        self._is_refusing = True

    def _recover(self) -> None:
        if self._cause is not None:
            self._since = time.time()
            _log.warning("the audit is written again")
        self._cause, self._is_refusing = None, False
