"""DatabaseHealth: whether the database serves, since when, and one line in the log for each change of that.

Requests notice an outage: the backend tells each failure. One failure is not yet an outage (a row may be
locked, a search take too long), so the database is looked at, which decides. While it is idle, it is
looked at every few seconds, and during an outage every second, so that the log says that it is back without a
request. Nothing is asked or counted where a request succeeds.

    state       reads   writes    a request is
    up          good    good      served
    read-only   good    fail      served if it only reads: a full disk, a locked file
    down        fail    fail      answered 503
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass

from ..errors import KMSError, Unavailable

log = logging.getLogger("kms_tornado.store")

UP, READ_ONLY, DOWN = "up", "read-only", "down"
STATES = (UP, READ_ONLY, DOWN)

# A database that nobody uses is looked at as often as a load balancer would.
_IDLE_INTERVAL_S = 5.0
_OUTAGE_INTERVAL_S = 1.0
# How long a caller waits for the look: a ping ends within two seconds. In the state read-only the look tries a write,
# which may wait for a lock, although everything that a load balancer needs is known.
_CHECK_TIMEOUT_S = {UP: 1.8, READ_ONLY: 0.2, DOWN: 1.8}
# Failures that are no outage may come with every request: a line for each would fill the disk.
_LEAST_TIME_BETWEEN_LINES_S = 5.0

#: Causes by which a failed write shows that no write succeeds. After others one is tried.
_CAUSES_OF_ALL_WRITES = frozenset({"disk full", "locked", "read-only"})


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """The state of a database.

    state: one of STATES, reached at `since` (seconds since the Unix epoch), `age_s` seconds ago.
    cause: why it is not "up", in a few fixed words that anybody may read.
    outages: how often the state has changed from "up" to another one.
    """

    state: str
    since: float
    age_s: float
    cause: str | None
    outages: int


@dataclass(frozen=True, slots=True)
class PoolLoad:
    """The connections for reading. limit: how many there may be. waiting: how many reads wait for one."""

    limit: int
    in_use: int
    idle: int
    waiting: int


@dataclass(frozen=True, slots=True)
class DatabaseLoad:
    """The statements that are waiting or running. pool: None where the database has no connection pool."""

    reads: int
    searches: int
    writes: int
    pool: PoolLoad | None


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Unavailable
    wrote: bool


class DatabaseHealth:
    """Watches one database. For one event loop.

    ping, probe_writes: try a read and a write, and raise Unavailable where it fails.
    """

    def __init__(
        self,
        ping: Callable[[], Awaitable[None]],
        probe_writes: Callable[[], Awaitable[None]],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._ping = ping
        self._probe_writes = probe_writes
        self._clock = clock
        self._wall_clock = wall_clock
        self._state = UP
        self._since, self._changed_at = wall_clock(), clock()
        self._cause: str | None = None
        self._outages = 0
        self._outage_began_at = 0.0
        self._logged_at: float | None = None
        #: The last failure that no look has judged yet.
        self._failure: _Failure | None = None
        self._wake = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._look: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._watch = asyncio.create_task(self._keep_watching(), name="kms-store-health")

    async def stop(self) -> None:
        tasks = [task for task in (self._watch, self._look) if task is not None]
        self._watch = self._look = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def status(self) -> DatabaseStatus:
        age_s = self._clock() - self._changed_at
        return DatabaseStatus(self._state, self._since, age_s, self._cause, self._outages)

    async def check(self) -> DatabaseStatus:
        """Try the database now, for two seconds at most; the state after that."""
        if self._watch is not None:
            await asyncio.wait({self._look_now()}, timeout=_CHECK_TIMEOUT_S[self._state])
        return self.status()

    def note_failure(self, error: Unavailable, *, wrote: bool) -> None:
        """Note that a statement failed, which may be the beginning of an outage. wrote: whether it was a write."""
        is_known = self._state == DOWN or (wrote and self._state == READ_ONLY)
        if self._watch is None or is_known or self._failure is not None:
            return
        self._failure = _Failure(error, wrote)
        self._wake.set()

    # --- looking --------------------------------------------------------------------------------

    async def _keep_watching(self) -> None:
        while True:
            interval_s = _IDLE_INTERVAL_S if self._state == UP else _OUTAGE_INTERVAL_S
            with suppress(TimeoutError):
                async with asyncio.timeout(interval_s):
                    await self._wake.wait()
            self._wake.clear()
            await asyncio.wait({self._look_now()})
            if self._failure is not None:  # it came during the look
                self._wake.set()

    def _look_now(self) -> asyncio.Task[None]:
        """The check that is running, or a new one."""
        if self._look is None or self._look.done():
            # In a context of its own, as its lines in the log are about no request.
            self._look = asyncio.create_task(
                self._look_once(), name="kms-store-look", context=Context()
            )
        return self._look

    async def _look_once(self) -> None:
        try:
            await self._decide()
        except Exception:  # the edge of a task that must go on
            log.exception("unexpected error while the database was looked at")

    async def _decide(self) -> None:
        failure, self._failure = self._failure, None
        try:
            await self._ping()
        except Unavailable as exc:
            self._enter(DOWN, exc if failure is None else failure.error)
            return
        is_suspect = self._state != UP
        if failure is not None and failure.wrote:
            if failure.error.cause in _CAUSES_OF_ALL_WRITES:
                self._enter(READ_ONLY, failure.error)
                return
            is_suspect = True
        if is_suspect:
            try:
                await self._probe_writes()
            except Unavailable as exc:
                self._enter(READ_ONLY, exc)
                return
            except KMSError as exc:  # another transaction got in its way: so it serves
                log.debug("the probe of the database failed: %s", exc)
        if self._state != UP:
            self._enter(UP, None)
        elif failure is not None:
            self._log_failure(failure)

    # --- what the log says ----------------------------------------------------------------------

    def _enter(self, state: str, reason: Unavailable | None) -> None:
        if state == self._state:
            return
        former, now = self._state, self._clock()
        if former == UP:
            self._outages += 1
            self._outage_began_at = now
        self._state, self._since, self._changed_at = state, self._wall_clock(), now
        self._cause = None if reason is None else reason.cause
        detail = "" if reason is None else reason.detail
        if state == DOWN:
            log.error("the database is out of reach: %s; requests are answered 503", detail)
        elif state == READ_ONLY:
            log.error(
                "the database takes no writes: %s; changes are answered 503, reads are served",
                detail,
            )
        else:
            log.warning(
                "the database %s after %.1f s",
                "is back" if former == DOWN else "takes writes again",
                now - self._outage_began_at,
            )

    def _log_failure(self, failure: _Failure) -> None:
        now = self._clock()
        if self._logged_at is not None and now - self._logged_at < _LEAST_TIME_BETWEEN_LINES_S:
            return
        self._logged_at = now
        log.warning(
            "a %s was answered 503, though the database serves: %s",
            "change" if failure.wrote else "read",
            failure.error.detail,
        )
