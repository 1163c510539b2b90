"""The thread that writes to SQLite, with one commit for all who wait (why: `sql.commits`).

Jobs that only add objects are run together, by the same few statements. The others have a savepoint
each, so that the conflict of one is undone alone.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from dataclasses import dataclass
from itertools import groupby
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from sqlalchemy import exc as errors

from ...errors import InvalidField, Unavailable
from ..sql.commits import Commit, Job, join_commits
from ..sql.statements import DATABASE_ERRORS, DriverRunner, Runner
from .database_file import SQLiteFile, translate_error

_log = logging.getLogger(__name__)

# Jobs in one commit: with more, their changes cost more than the commit that they share.
_MAX_TOGETHER = 256

# Faults of a single job, whose savepoint undoes it. Any other fault of the database ends all of them.
_OF_ONE_CHANGE = (
    *(errors.DataError, sqlite3.DataError),
    *(errors.IntegrityError, sqlite3.IntegrityError),
    *(errors.InterfaceError, sqlite3.InterfaceError),
    *(errors.NotSupportedError, sqlite3.NotSupportedError),
    *(errors.ProgrammingError, sqlite3.ProgrammingError),
)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A job, the future of its caller, and then its result or error."""

    job: Job
    erases: bool
    undoes: bool
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class SQLiteWriter:
    """Started and stopped once, in one event loop."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file
        self._loop = asyncio.get_running_loop()
        #: Jobs that were submitted in this turn of the event loop.
        self._gathered: list[_Waiting] = []
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._runner: DriverRunner | None = None
        #: Sealed material went away since the log was emptied last.
        self._erased = False
        # A daemon, so that a process that never stops its store can still end.
        self._thread = Thread(target=self._run, name="kms-store-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """Wait until all that was submitted is written."""
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def submit(
        self, job: Job, *, erases: bool = False, undoes: bool = False
    ) -> asyncio.Future[Any]:
        """As `Backend.submit`. undoes: the job's changes are undone, only its result counts."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(_Waiting(job, erases, undoes, future))
        return future

    def _hand_over(self) -> None:
        """Called at the end of a turn of the event loop: all jobs of one turn share a commit.

        Else the first of them would wake the thread, which would go ahead with it alone while the
        others wait for the next commit: twice as many commits, each of which costs more than the
        changes in it.
        """
        gathered, self._gathered = self._gathered, []
        for waiting in gathered:
            self._queue.put(waiting)

    # --- in the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        stopping = False
        while not stopping:
            batch, stopping = self._take()
            if batch:
                self._write(batch)
                self._tell(batch)
            if self._erased and self._queue.empty():
                self._erased = not self._file.empty_the_log()  # if not now, after the next commit
        self._drop_connection()

    def _take(self) -> tuple[list[_Waiting], bool]:
        """(jobs that wait now, whether they are the last)."""
        batch: list[_Waiting] = []
        try:
            while len(batch) < _MAX_TOGETHER:
                waiting = self._queue.get(block=not batch)
                if waiting is None:
                    return batch, True
                batch.append(waiting)
        except Empty:
            pass
        return batch, False

    def _write(self, batch: list[_Waiting]) -> None:
        try:
            self._file.check_in_place()
            runner = self._runner
            if runner is None:
                runner = self._runner = DriverRunner(self._file.open_writer())
            runner.command("BEGIN IMMEDIATE")
            _run_all(runner, batch)
            runner.command("COMMIT")
            self._file.check_in_place()  # if not, the commit went to a file without a name
        except Unavailable as exc:
            self._fail(batch, exc.detail)
        except DATABASE_ERRORS as exc:
            self._fail(batch, translate_error(exc).detail)
        except Exception as exc:  # the thread's edge: nobody would ever wake the callers
            _log.exception("the writer of the database met a fault of its own")
            self._fail(batch, type(exc).__name__)
        else:
            self._erased = self._erased or any(
                waiting.erases and waiting.error is None for waiting in batch
            )

    def _fail(self, batch: list[_Waiting], detail: str) -> None:
        """None of the jobs is done. Closing the connection rolls back whatever was begun."""
        self._drop_connection()
        for waiting in batch:
            waiting.error = Unavailable("the database is out of reach", detail=detail)

    def _tell(self, batch: list[_Waiting]) -> None:
        """Wake the callers, with one call into their event loop."""
        try:
            self._loop.call_soon_threadsafe(_wake, batch)
        except RuntimeError:  # the loop is closed, nobody waits any more
            pass

    def _drop_connection(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            try:
                runner.close()
            except errors.SQLAlchemyError:  # it was broken before
                pass


def _run_all(runner: Runner, batch: list[_Waiting]) -> None:
    for only_adds, group in groupby(batch, key=_only_adds):
        neighbours = list(group)
        if only_adds and len(neighbours) > 1 and _run_joined(runner, neighbours):
            continue
        for waiting in neighbours:
            waiting.result, waiting.error = _attempt(runner, waiting.job, waiting.undoes)


def _only_adds(waiting: _Waiting) -> bool:
    return isinstance(waiting.job, Commit) and waiting.job.only_adds


def _run_joined(runner: Runner, batch: list[_Waiting]) -> bool:
    """False where one of them failed, so that none was done: run one by one, they show which."""
    commits = [waiting.job for waiting in batch if isinstance(waiting.job, Commit)]
    _, error = _attempt(runner, join_commits(commits))
    return error is None


def _attempt(runner: Runner, job: Job, undoes: bool = False) -> tuple[Any, BaseException | None]:
    """(result, error of the job's own); after an error nothing of the job is left."""
    result: Any = None
    error: BaseException | None = None
    runner.command("SAVEPOINT one_job")
    try:
        result = job(runner)
    except (*_OF_ONE_CHANGE, UnicodeEncodeError, OverflowError):
        # An error without a cause: that exception holds the row.
        error = InvalidField("a value cannot be stored")
    except DATABASE_ERRORS:
        raise
    except Exception as exc:  # Conflict, ObjectAlreadyExists, a fault in the job: for its caller
        error = exc
    if undoes or error is not None:
        runner.command("ROLLBACK TO one_job")
    runner.command("RELEASE one_job")
    return result, error


def _wake(batch: list[_Waiting]) -> None:
    for waiting in batch:
        if waiting.future.done():  # cancelled
            continue
        if waiting.error is None:
            waiting.future.set_result(waiting.result)
        else:
            waiting.future.set_exception(waiting.error)
