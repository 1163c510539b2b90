"""The tasks that write to PostgreSQL; jobs that wait share a transaction (`sql.commits` explains why).

There are two queues, each with tasks of its own: jobs that only add objects, and jobs that change objects
that are there. The latter wait for the locks of their rows, and another server or an administrator may
hold one for as long as the lock timeout: nobody's new key has to wait for that.

There are no savepoints, which would cost two round trips each: if one of the jobs fails by itself, all are
rolled back, and each is run again in a transaction of its own. If a lock or the connection fails them, they
fail together: one after another, each would wait as long again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ...errors import InvalidField, KMSError, Unavailable
from ..base import NOT_OPEN, Conflict, Refused, make_unavailable
from ..sql.commits import Commit, GroupCommit, Job, join_commits
from ..sql.statements import Runner, SQLAlchemyRunner
from . import engine as connections
from .connector import Connector
from .engine import cut_off, reply_within
from .errors import Meaning, judge_error, translate_error
from .queue import JobQueue, Waiting

if TYPE_CHECKING:
    import psycopg

_log = logging.getLogger(__name__)

#: Concurrent transactions of each queue: while one is written to disk, the next runs its jobs.
WRITERS = 2
#: One for each writer, and two for rehearsals.
CONNECTIONS = 2 * WRITERS + 2
# Most jobs in one transaction: beyond this, their changes cost more than the commit that they share.
_MAX_TOGETHER = 64
# How often a transaction is tried while others get in its way.
_ATTEMPTS = 5
# How often it is tried while connections are lost: the second one is new.
_CONNECTIONS_TRIED = 2
# How long a job waits for its transaction: twice the time that a lock may take from those before it.
_MAX_AGE_S = 10.0
# How long tasks whose connections were cut take to say so to their callers.
_GIVING_UP_S = 1.0


class PostgresWriter:
    """Runs jobs in transactions. Started and stopped once, in one event loop."""

    def __init__(self, engine: AsyncEngine, connector: Connector) -> None:
        self._engine = engine
        self._connector = connector
        self._additions = JobQueue(max_age_s=_MAX_AGE_S)
        self._changes = JobQueue(max_age_s=_MAX_AGE_S)
        self._tasks: list[asyncio.Task[None]] = []
        #: Connections on which a transaction is under way.
        self._in_use: set[psycopg.AsyncConnection[Any]] = set()
        self._gives_up = False

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._run(queue), name=f"kms-store-writer-{name}-{number}")
            for name, queue in (("additions", self._additions), ("changes", self._changes))
            for number in range(WRITERS)
        ]

    async def stop(self, *, within_s: float) -> None:
        """Wait until all jobs that were submitted are done; what is not done in time fails."""
        for queue in (self._additions, self._changes):
            queue.close()
        if not self._tasks:
            return
        _, unfinished = await asyncio.wait(self._tasks, timeout=within_s)
        if not unfinished:
            return
        for queue in (self._additions, self._changes):
            queue.fail_all(make_unavailable(NOT_OPEN))
        self._gives_up = True
        for driver in self._in_use:
            cut_off(driver)
        _log.warning("writes to the database were given up: they took longer than the stop may")
        _, unfinished = await asyncio.wait(unfinished, timeout=_GIVING_UP_S)
        for task in unfinished:
            task.cancel()

    def submit(self, job: Job) -> asyncio.Future[Any]:
        """As `Backend.submit`."""
        only_adds = isinstance(job, (Commit, GroupCommit)) and job.only_adds
        return (self._additions if only_adds else self._changes).put(job)

    async def rehearse(self, job: Job) -> Any:
        """As `Backend.rehearse`."""
        return await self._run_alone(job, undoes=True)

    async def _run(self, queue: JobQueue) -> None:
        while batch := await queue.take(_MAX_TOGETHER):
            try:
                await self._write(batch)
            except Unavailable as exc:
                for waiting in batch:  # those that are done already stay as they are
                    waiting.resolve(error=exc)

    async def _write(self, batch: Sequence[Waiting]) -> None:
        """Raises Unavailable where a lock or the connection failed, for all whose future is not done."""
        if len(batch) > 1 and await self._run_together(batch):
            return
        for waiting in batch:
            try:
                waiting.resolve(result=await self._run_alone(waiting.job))
            except Unavailable:
                raise
            except (KMSError, Conflict, Refused) as exc:
                waiting.resolve(error=exc)
            except (
                Exception
            ) as exc:  # the edge of the task: otherwise the caller would wait for ever
                _log.exception("unexpected error in the database writer")
                waiting.resolve(error=translate_error(exc))

    async def _run_together(self, batch: Sequence[Waiting]) -> bool:
        """Run all jobs in one transaction; False if one of them failed, so that none was done."""
        try:
            results = await self._repeat(_join([waiting.job for waiting in batch]))
        except Unavailable:
            raise
        except Exception:
            return False  # running each alone shows which of them it was
        for waiting, result in zip_longest(batch, results):  # joined commits have no results
            waiting.resolve(result=result)
        return True

    async def _run_alone(self, job: Job, *, undoes: bool = False) -> Any:
        for _ in range(_ATTEMPTS):
            try:
                (result,) = await self._repeat([job], undoes=undoes)
                return result
            except IntegrityError:  # what it read before has changed meanwhile
                continue
        raise Conflict

    async def _repeat(self, jobs: Sequence[Job], *, undoes: bool = False) -> list[Any]:
        """`_transaction`, again while others get in its way.

        Raises what a job raises, InvalidField, Conflict, IntegrityError, and Unavailable.
        """
        lost = 0
        for _ in range(_ATTEMPTS):
            try:
                return await self._transaction(jobs, undoes=undoes)
            except _CommitUnanswered as exc:  # the jobs may be done, and must not be done again
                raise translate_error(exc.reason) from None
            except IntegrityError:
                raise
            except (SQLAlchemyError, UnicodeEncodeError, OverflowError) as exc:
                meaning = judge_error(exc)
                if meaning is Meaning.BAD_VALUE:
                    # No `from`: SQLAlchemy's exception holds the row.
                    raise InvalidField("a value cannot be stored") from None
                lost += meaning is Meaning.RECONNECT
                may_repeat = meaning in (Meaning.RECONNECT, Meaning.TRY_AGAIN)
                if not may_repeat or lost == _CONNECTIONS_TRIED:
                    raise translate_error(exc) from None
        raise Conflict

    async def _transaction(self, jobs: Sequence[Job], *, undoes: bool = False) -> list[Any]:
        """Run the jobs in one transaction, and return their results.

        Raises what a job raises, with nothing done, and _CommitUnanswered where the connection was lost
        during COMMIT.
        """
        async with aclosing(await self._connect()) as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            if not self._connector.is_current(driver):
                await connection.invalidate()
                driver = (await connection.get_raw_connection()).driver_connection
            self._in_use.add(driver)
            try:
                with reply_within(driver, connections.REPLY_TIMEOUT_S) as reply:
                    for name in ("before_cursor_execute", "commit"):  # many statements take long
                        event.listen(connection.sync_connection, name, lambda *_: reply.restart())
                    results = await _run_transaction(connection, jobs, undoes=undoes)
                self._connector.check_replicated(driver)
                return results
            except SQLAlchemyError as exc:
                if reply.was_late:
                    detail = f"no answer within {connections.REPLY_TIMEOUT_S:.3g} s"
                    raise make_unavailable(detail) from None
                if (
                    judge_error(exc) is Meaning.RECONNECT
                ):  # by a failover, too, which leaves it open
                    await connection.invalidate()
                raise
            finally:
                self._in_use.discard(driver)

    async def _connect(self) -> AsyncConnection:
        if self._gives_up:
            raise make_unavailable(NOT_OPEN)
        try:
            async with asyncio.timeout(connections.OPEN_TIMEOUT_S):
                return await self._engine.connect()
        except (SQLAlchemyError, OSError) as exc:  # TimeoutError is an OSError
            raise translate_error(exc) from None


async def _run_transaction(
    connection: AsyncConnection, jobs: Sequence[Job], *, undoes: bool
) -> list[Any]:
    transaction = await connection.begin()
    try:
        results = await connection.run_sync(lambda sync: _run_jobs(jobs, SQLAlchemyRunner(sync)))
    except BaseException:
        await _roll_back(transaction)
        raise
    if undoes:
        await _roll_back(transaction)
        return results
    try:
        await transaction.commit()
    except SQLAlchemyError as exc:
        if judge_error(exc) in (Meaning.RECONNECT, Meaning.UNAVAILABLE):
            raise _CommitUnanswered(exc) from exc
        raise
    return results


def _run_jobs(jobs: Sequence[Job], runner: Runner) -> list[Any]:
    return [job(runner) for job in jobs]


def _join(jobs: Sequence[Job]) -> Sequence[Job]:
    """The jobs joined into one, if all of them only add objects: that saves round trips."""
    commits = [job for job in jobs if isinstance(job, Commit) and job.only_adds]
    return [join_commits(commits)] if len(commits) == len(jobs) else jobs


class _CommitUnanswered(Exception):
    """The connection was lost during COMMIT: the transaction may be done or not."""

    def __init__(self, reason: SQLAlchemyError) -> None:
        super().__init__()
        self.reason = reason


async def _roll_back(transaction: Any) -> None:
    try:
        await transaction.rollback()
    except SQLAlchemyError:  # the connection was lost, which rolls back as well
        pass
