"""The thread that writes to SQLite; jobs that wait share a commit (`sql.commits` explains why).

Adjacent jobs that only add objects are joined, so that one statement adds the rows of all of them. Every
other job has a savepoint of its own, so that a job which fails is undone alone.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from sqlalchemy import exc as errors

from ...audit.chain import Segment
from ...errors import InvalidField, Unavailable
from ..interface.faults import make_fault
from ..sql.audit.chains import AuditChains, Lease
from ..sql.commits import Commit, Job, join_commits
from ..sql.statements import DATABASE_ERRORS, DriverRunner, Runner
from .database_file import SQLiteFile
from .errors import translate_error

_log = logging.getLogger(__name__)

# Most jobs in one commit: beyond this, their changes cost more than the commit that they share.
_MAX_TOGETHER = 256

# Errors that a single job causes; its savepoint undoes it. Any other error of the database fails them all.
_JOB_ERRORS = (
    *(errors.DataError, sqlite3.DataError),
    *(errors.IntegrityError, sqlite3.IntegrityError),
    *(errors.InterfaceError, sqlite3.InterfaceError),
    *(errors.NotSupportedError, sqlite3.NotSupportedError),
    *(errors.ProgrammingError, sqlite3.ProgrammingError),
)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A job, the future for which its caller waits, and once it has run, its result or error."""

    job: Job
    erases: bool
    undoes: bool
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class SQLiteWriter:
    """Runs jobs in transactions. Started and stopped once, in one event loop."""

    def __init__(self, file: SQLiteFile, chains: AuditChains) -> None:
        self._file = file
        self._chains = chains
        #: The chain to which this thread appends; None where it has none yet, or whose head is in doubt.
        self._lease: Lease | None = None
        self._loop = asyncio.get_running_loop()
        #: Jobs that were submitted in this iteration of the event loop.
        self._gathered: list[_Waiting] = []
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._runner: DriverRunner | None = None
        #: Whether sealed key material was deleted since the write-ahead log was last truncated.
        self._erased = False
        #: Whether the last job was taken.
        self._is_stopping = False
        # A daemon, so that a process that never stops its store can still end.
        self._thread = Thread(target=self._run, name="kms-store-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def stop(self, *, within_s: float) -> None:
        """Wait until all submitted jobs are done, but no longer than this. The thread ends with the process."""
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join, within_s)
        if self._thread.is_alive():
            _log.warning("writes to the database were given up: they took longer than the stop may")

    def submit(
        self, job: Job, *, erases: bool = False, undoes: bool = False
    ) -> asyncio.Future[Any]:
        """As `Backend.submit`. undoes: undo the job's changes and return its result, as `Backend.rehearse` does."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(_Waiting(job, erases, undoes, future))
        return future

    def _hand_over(self) -> None:
        """Called at the end of an iteration of the event loop: all jobs of the iteration share a commit.

        Otherwise the first of them would wake the thread, which would commit it alone while the others
        wait for the next commit: twice as many commits, each of which costs more than its changes.
        """
        gathered, self._gathered = self._gathered, []
        for waiting in gathered:
            self._queue.put(waiting)

    # --- in the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_stopping:
            if batch := self._take():
                self._write(batch)
                self._wake_callers(batch)
            if self._erased and self._queue.empty():
                # If it fails, it is tried again after the next commit.
                self._erased = not self._file.truncate_log()
        self._release_chain()
        self._drop_connection()

    def _take(self) -> list[_Waiting]:
        """Wait for a job; all jobs that are then waiting. None at the end."""
        batch: list[_Waiting] = []
        self._take_more(batch)
        return batch

    def _take_more(self, batch: list[_Waiting]) -> None:
        """Add the jobs that are waiting to the batch. If it is empty, wait for one."""
        try:
            while len(batch) < _MAX_TOGETHER and not self._is_stopping:
                waiting = self._queue.get(block=not batch)
                if waiting is None:
                    self._is_stopping = True
                else:
                    batch.append(waiting)
        except Empty:
            pass

    def _write(self, batch: list[_Waiting]) -> None:
        added: Sequence[Segment] = ()
        try:
            self._file.check_in_place()
            runner = self._runner
            if runner is None:
                runner = self._runner = DriverRunner(self._file.open_writer())
            runner.command("BEGIN IMMEDIATE")
            self._take_more(batch)  # another process may have had the lock for milliseconds
            runner.noted.clear()
            _run_all(runner, batch)
            lease = self._lease
            if runner.noted:
                lease, added = self._chains.append(runner, lease, runner.noted)
            runner.command("COMMIT")
            self._file.check_in_place()  # otherwise the commit went to a deleted file
            self._lease = lease
        except Unavailable as exc:
            self._fail(batch, exc, added)
        except DATABASE_ERRORS as exc:
            self._fail(batch, translate_error(exc), added)
        except Exception:  # the edge of the thread: otherwise the callers would wait for ever
            _log.exception("unexpected error in the database writer")
            self._drop_connection()
            for waiting in batch:
                waiting.error = make_fault()
        else:
            if added:
                self._chains.on_recorded(added, True)
            self._erased = self._erased or any(
                waiting.erases and waiting.error is None for waiting in batch
            )

    def _fail(
        self, batch: list[_Waiting], error: Unavailable, added: Sequence[Segment] = ()
    ) -> None:
        """Fail all jobs. Closing the connection rolls back their changes, unless these were committed.

        added: what was added to a chain, if they were.
        """
        self._drop_connection()
        self._lease = None
        if added:
            self._chains.on_recorded(added, False)
        for waiting in batch:
            waiting.error = error

    def _wake_callers(self, batch: list[_Waiting]) -> None:
        """Resolve the futures, with one call into the event loop."""
        try:
            self._loop.call_soon_threadsafe(_resolve_futures, batch)
        except RuntimeError:  # the loop is closed, so nobody waits any more
            pass

    def _release_chain(self) -> None:
        """Give up the chain at the end, so that the next process continues it."""
        if self._runner is None or self._lease is None:
            return
        try:
            self._chains.release(self._runner, [self._lease.session])
        except DATABASE_ERRORS:  # it is free in a minute
            pass

    def _drop_connection(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            try:
                runner.close()
            except errors.SQLAlchemyError:  # the connection was broken already
                pass


def _run_all(runner: Runner, batch: list[_Waiting]) -> None:
    for only_adds, group in groupby(batch, key=_only_adds):
        neighbours = list(group)
        if only_adds and len(neighbours) > 1 and _run_joined(runner, neighbours):
            continue
        for waiting in neighbours:
            waiting.result, waiting.error = _run_job(runner, waiting.job, waiting.undoes)


def _only_adds(waiting: _Waiting) -> bool:
    return isinstance(waiting.job, Commit) and waiting.job.only_adds


def _run_joined(runner: Runner, batch: list[_Waiting]) -> bool:
    """Run the jobs as one; False where that failed, and nothing was done, so that each must run alone."""
    commits = [waiting.job for waiting in batch if isinstance(waiting.job, Commit)]
    _, error = _run_job(runner, join_commits(commits))
    return error is None


def _run_job(runner: Runner, job: Job, undoes: bool = False) -> tuple[Any, BaseException | None]:
    """Run the job in a savepoint; (its result, its error). After an error, its changes are undone.

    Raises errors of the database that are not the job's own.
    """
    result: Any = None
    error: BaseException | None = None
    runner.command("SAVEPOINT one_job")
    try:
        result = job(runner)
    except (*_JOB_ERRORS, UnicodeEncodeError, OverflowError):
        # The new error has no cause, because the driver's exception holds the row.
        error = InvalidField("a value cannot be stored")
    except DATABASE_ERRORS:
        raise
    except Exception as exc:  # Conflict, ObjectAlreadyExists, a fault in the job: for its caller
        error = exc
    if undoes or error is not None:
        runner.command("ROLLBACK TO one_job")
    runner.command("RELEASE one_job")
    return result, error


def _resolve_futures(batch: list[_Waiting]) -> None:
    for waiting in batch:
        if waiting.future.done():  # cancelled
            continue
        if waiting.error is None:
            waiting.future.set_result(waiting.result)
        else:
            waiting.future.set_exception(waiting.error)
