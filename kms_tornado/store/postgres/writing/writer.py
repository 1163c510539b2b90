"""The tasks that write to PostgreSQL; jobs that wait share a transaction (`sql.commits` explains why).

There are two queues, each with tasks of its own: jobs that only add objects (`additions`), and jobs that
change objects that are there. The latter wait for the locks of their rows, and another server or an
administrator may hold one for as long as the lock timeout. Nobody else has to wait for that: a transaction
of many jobs waits for a lock for half a second at most. Then the jobs that want a locked row, which
PostgreSQL tells, are *set apart*: other tasks run them, all that want the same row together, and if the
lock timeout ends their transaction, they fail together.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from ....errors import Unavailable
from ...interface.faults import NOT_OPEN, make_fault, make_unavailable
from ...sql.audit.chains import AuditChains
from ...sql.commits import Job
from .. import engine as connections
from ..audit_leases import ChainLeases
from ..connections.connector import Connector
from ..connections.write_connections import WriteConnections
from ..errors import translate_error
from ..transaction import LockedOut
from .additions import AdditionWriter
from .batches import BatchWriter, adds_alone, find_keys
from .queue import JobQueue, Keys, Waiting, collect_keys
from .transactions import TransactionRunner

_log = logging.getLogger(__name__)

#: Concurrent transactions of jobs that add, and of jobs that change: while one is on its way, the next begins.
ADDERS = 4
CHANGERS = 2
# Concurrent transactions of each kind for jobs that are set apart, and for searches that see uncommitted changes.
_APART = 2
_REHEARSALS = 2
#: Connections for writing.
CONNECTIONS = ADDERS + CHANGERS + 2 * _APART + _REHEARSALS

# Most jobs in one transaction: beyond this, their changes cost more than the commit that they share.
_MAX_TOGETHER = 64
# How long a transaction of many jobs waits for a lock. Another server's transaction holds one while it
# waits for the database, some tenths of a second at most.
_PATIENCE_MS = 500
# How long a job waits for its transaction: twice the time that a lock may take from those before it.
_MAX_AGE_S = 10.0
# How long tasks whose connections were cut take to say so to their callers.
_GIVING_UP_S = 1.0

_FREE_OBJECTS = "SELECT uid FROM objects WHERE uid = ANY(%t::text[]) FOR UPDATE SKIP LOCKED"
_FREE_OWNERS = "SELECT owner FROM owners WHERE owner = ANY(%t::text[]) FOR UPDATE SKIP LOCKED"


class _Write(Protocol):
    """A method of `BatchWriter` that runs jobs."""

    async def __call__(self, batch: list[Waiting], *, lock_timeout_ms: int) -> Keys: ...


class PostgresWriter:
    """Runs jobs in transactions. Started and stopped once, in one event loop."""

    def __init__(self, connector: Connector, chains: AuditChains) -> None:
        self._connections = WriteConnections(connector, size=CONNECTIONS)
        self._leases = ChainLeases(chains)
        self._transactions = TransactionRunner(self._connections, self._leases)
        self._adder = AdditionWriter(self._connections, self._transactions)
        self._additions = JobQueue(max_age_s=_MAX_AGE_S)
        join = partial(self._additions.join, most=_MAX_TOGETHER)
        self._batches = BatchWriter(self._transactions, self._adder, join)
        self._changes = JobQueue(max_age_s=_MAX_AGE_S)
        self._rehearsals = asyncio.Semaphore(_REHEARSALS)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        kinds = (
            ("additions", self._additions, self._batches.add, ADDERS),
            ("changes", self._changes, self._batches.change, CHANGERS),
        )
        self._tasks = [
            asyncio.create_task(
                self._run(queue, write, apart=number >= together),
                name=f"kms-store-writer-{name}-{number}",
            )
            for name, queue, write, together in kinds
            for number in range(together + _APART)
        ]

    async def stop(self, *, within_s: float) -> None:
        """Wait until all submitted jobs are done. Jobs that are not done in time fail."""
        for queue in (self._additions, self._changes):
            queue.close()
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=within_s)
            if unfinished:
                await self._give_up(unfinished)
            else:
                await self._release_chains()
        await self._connections.close()

    async def _release_chains(self) -> None:
        """Give up the chains, so that the next process continues them."""
        if not self._leases.has_idle:
            return
        try:
            async with asyncio.timeout(_GIVING_UP_S):
                await self._transactions.run_alone(
                    self._leases.release, lock_timeout_ms=connections.LOCK_TIMEOUT_MS
                )
        except (TimeoutError, Unavailable, LockedOut):  # they are free in a minute
            pass

    async def _give_up(self, unfinished: set[asyncio.Task[None]]) -> None:
        for queue in (self._additions, self._changes):
            queue.fail_all(make_unavailable(NOT_OPEN))
        self._connections.cut_all()
        _log.warning("writes to the database were given up: they took longer than the stop may")
        _, unfinished = await asyncio.wait(unfinished, timeout=_GIVING_UP_S)
        for task in unfinished:
            task.cancel()

    def submit(self, job: Job) -> asyncio.Future[Any]:
        """As `Backend.submit`."""
        queue = self._additions if adds_alone(job) else self._changes
        return queue.put(job, find_keys(job))

    async def rehearse(self, job: Job) -> Any:
        """As `Backend.rehearse`."""
        async with self._rehearsals:
            try:
                return await self._transactions.run_alone(
                    job, lock_timeout_ms=connections.LOCK_TIMEOUT_MS, undoes=True
                )
            except LockedOut as exc:
                raise translate_error(exc.reason) from None

    async def _run(self, queue: JobQueue, write: _Write, *, apart: bool) -> None:
        while batch := await queue.take(
            _MAX_TOGETHER, apart=apart, company_s=self._adder.company_s
        ):
            try:
                troubled = await write(batch, lock_timeout_ms=_choose_timeout(apart))
                queue.set_apart(troubled)
                if apart:
                    queue.join_again(collect_keys(batch) - troubled)
            except LockedOut as exc:
                if apart:
                    _fail(batch, translate_error(exc.reason))
                else:
                    await self._set_apart(queue, batch, exc)
            except Unavailable as exc:
                _fail(batch, exc)
            except Exception:  # the edge of the task: otherwise the callers would wait for ever
                _log.exception("unexpected error in the database writer")
                for waiting in batch:
                    waiting.resolve(error=make_fault())
            finally:
                queue.finish(batch)

    async def _set_apart(self, queue: JobQueue, batch: Sequence[Waiting], exc: LockedOut) -> None:
        """Have the jobs that want a locked row wait apart, and let the others begin again without them."""
        keys = collect_keys(batch)
        text = _FREE_OWNERS if queue is self._additions else _FREE_OBJECTS
        free = await self._transactions.find_free(text, keys)
        # If no row is locked any more, or something else than a row, each key's jobs run by themselves.
        queue.set_apart(keys - free or keys)
        _fail([waiting for waiting in batch if not waiting.keys], translate_error(exc.reason))
        queue.put_back(batch)


def _choose_timeout(apart: bool) -> int:
    longest = connections.LOCK_TIMEOUT_MS
    return longest if apart else min(longest, _PATIENCE_MS)


def _fail(batch: Sequence[Waiting], error: Unavailable) -> None:
    for waiting in batch:  # those that are done already stay as they are
        waiting.resolve(error=error)
