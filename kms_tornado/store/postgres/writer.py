"""The tasks that write to PostgreSQL; jobs that wait share a transaction (`sql.commits` explains why).

There are no savepoints, which would cost two round trips each: if one of the jobs fails, all are rolled
back, and each is run again in a transaction of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ...errors import InvalidField, KMSError, Unavailable
from ..base import Conflict, Refused, make_unavailable
from ..sql.commits import Commit, Job, join_commits
from ..sql.statements import Runner, SQLAlchemyRunner
from . import engine as connections
from .engine import (
    is_bad_value,
    is_disconnected,
    may_succeed_again,
    reply_within,
    translate_error,
)

_log = logging.getLogger(__name__)

#: Concurrent transactions: while one is written to disk, the next runs its jobs.
WRITERS = 2
#: One for each writer, and two for rehearsals.
CONNECTIONS = WRITERS + 2
# Most jobs in one transaction: beyond this, their changes cost more than the commit that they share.
_MAX_TOGETHER = 64
# How often a job is tried in a transaction of its own while other transactions get in its way.
_ATTEMPTS = 5


@dataclass(slots=True, eq=False)
class _Waiting:
    job: Job
    future: asyncio.Future[Any]


class PostgresWriter:
    """Runs jobs in transactions. Started and stopped once, in one event loop."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._queue: asyncio.Queue[_Waiting | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._run(), name=f"kms-store-writer-{number}")
            for number in range(WRITERS)
        ]

    async def stop(self) -> None:
        """Wait until all jobs that were submitted are done."""
        for _ in self._tasks:
            self._queue.put_nowait(None)
        await asyncio.gather(*self._tasks)

    def submit(self, job: Job) -> asyncio.Future[Any]:
        """As `Backend.submit`."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Waiting(job, future))
        return future

    async def rehearse(self, job: Job) -> Any:
        """As `Backend.rehearse`."""
        return await self._run_alone(job, undoes=True)

    async def _run(self) -> None:
        while (first := await self._queue.get()) is not None:
            batch = [first]
            while len(batch) < _MAX_TOGETHER and not self._queue.empty():
                waiting = self._queue.get_nowait()
                if waiting is None:
                    self._queue.put_nowait(None)  # ends the loop after this batch
                    break
                batch.append(waiting)
            await self._write(batch)

    async def _write(self, batch: Sequence[_Waiting]) -> None:
        if len(batch) > 1 and await self._run_together(batch):
            return
        for waiting in batch:
            try:
                _resolve_future(waiting.future, result=await self._run_alone(waiting.job))
            except (KMSError, Conflict, Refused) as exc:
                _resolve_future(waiting.future, error=exc)
            except (
                Exception
            ) as exc:  # the edge of the task: otherwise the caller would wait for ever
                _log.exception("unexpected error in the database writer")
                _resolve_future(waiting.future, error=translate_error(exc))

    async def _run_together(self, batch: Sequence[_Waiting]) -> bool:
        """Run all jobs in one transaction; False if one of them failed, so that none was done."""
        try:
            results = await self._transaction(_join([waiting.job for waiting in batch]))
        except _CommitUnanswered as exc:  # the jobs may be done, and must not be done again
            for waiting in batch:
                _resolve_future(waiting.future, error=translate_error(exc.reason))
            return True
        except Unavailable as exc:  # alone, each would wait as long, one after another
            for waiting in batch:
                _resolve_future(waiting.future, error=exc)
            return True
        except Exception:
            return False  # running each alone shows which of them it was
        for waiting, result in zip_longest(batch, results):  # joined commits have no results
            _resolve_future(waiting.future, result=result)
        return True

    async def _run_alone(self, job: Job, *, undoes: bool = False) -> Any:
        for _ in range(_ATTEMPTS):
            try:
                (result,) = await self._transaction([job], undoes=undoes)
                return result
            except _CommitUnanswered as exc:
                raise translate_error(exc.reason) from None
            except (SQLAlchemyError, UnicodeEncodeError, OverflowError) as exc:
                if is_bad_value(exc):
                    # No `from`: SQLAlchemy's exception holds the row.
                    raise InvalidField("a value cannot be stored") from None
                is_in_the_way = may_succeed_again(exc) or isinstance(exc, IntegrityError)
                if not is_in_the_way and not is_disconnected(exc):
                    raise translate_error(exc) from None
                last = exc
        if is_disconnected(last):
            raise translate_error(last) from None
        raise Conflict

    async def _transaction(self, jobs: Sequence[Job], *, undoes: bool = False) -> list[Any]:
        """Run the jobs in one transaction, and return their results.

        Raises what a job raises, with nothing done, and _CommitUnanswered where the connection was lost
        during COMMIT.
        """
        async with aclosing(await self._connect()) as connection:
            raw = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            with reply_within(driver, connections.REPLY_TIMEOUT_S) as reply:
                try:
                    return await _run_transaction(connection, jobs, undoes=undoes)
                except SQLAlchemyError:
                    if reply.was_late:
                        raise make_unavailable(
                            f"no answer within {connections.REPLY_TIMEOUT_S:.3g} s"
                        ) from None
                    raise

    async def _connect(self) -> AsyncConnection:
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
        if is_disconnected(exc):
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


def _resolve_future(
    future: asyncio.Future[Any], *, result: Any = None, error: BaseException | None = None
) -> None:
    if future.done():  # cancelled
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
