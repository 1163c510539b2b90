"""One thread that writes, with one commit for all who wait.

A commit on disk costs far more than the changes in it. While one is on its way others queue up, and
the next one takes them all. Those that only add objects are added by the same few statements; the
others have a savepoint each, so that one conflict is one caller's.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from sqlalchemy import exc as errors

from ...errors import InvalidField, Unavailable
from ..sql.changes import Commit, joined
from ..sql.statements import DATABASE_ERRORS, DriverRunner, Runner
from .database_file import SQLiteFile, unavailable

_log = logging.getLogger(__name__)

Job = Callable[[Runner], Any]

# 256 in one commit: beyond, the changes cost more than the commit that they share.
_MOST_TOGETHER = 256

# The fault of one change, whose savepoint undoes it. Any other fault of the database ends them all.
_OF_ONE_CHANGE = (
    *(errors.DataError, sqlite3.DataError),
    *(errors.IntegrityError, sqlite3.IntegrityError),
    *(errors.InterfaceError, sqlite3.InterfaceError),
    *(errors.NotSupportedError, sqlite3.NotSupportedError),
    *(errors.ProgrammingError, sqlite3.ProgrammingError),
)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A job, who waits for it, and then what became of it."""

    job: Job
    erases: bool
    undoes: bool
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Started and stopped once, in one event loop."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file
        self._loop = asyncio.get_running_loop()
        #: What was submitted in this turn of the event loop.
        self._gathered: list[_Waiting] = []
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._runner: DriverRunner | None = None
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
        """Run the job in a transaction; the future is done when that is on disk.

        undoes: what the job changes is taken back, only its result counts.
        erases: sealed material goes away with it and should soon be gone from the log too. A caller
        who stops waiting does not stop the job.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(_Waiting(job, erases, undoes, future))
        return future

    def _hand_over(self) -> None:
        """At the end of a turn, so that all whose requests were read in it share a commit.

        The first of them would wake the thread, which goes ahead alone while the others wait for the
        next commit: twice as many commits, each of which costs more than the changes in it.
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
        """(those who wait now, whether they are the last)."""
        batch: list[_Waiting] = []
        try:
            while len(batch) < _MOST_TOGETHER:
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
            self._file.check_in_place()  # gone in between: it was written to a file without a name
        except Unavailable as exc:
            self._fail(batch, exc.detail)
        except DATABASE_ERRORS as exc:
            self._fail(batch, unavailable(exc).detail)
        except Exception as exc:  # the thread's edge: nobody would ever wake the callers
            _log.exception("the writer of the database met a fault of its own")
            self._fail(batch, type(exc).__name__)
        else:
            self._erased = self._erased or any(
                waiting.erases and waiting.error is None for waiting in batch
            )

    def _fail(self, batch: list[_Waiting], detail: str) -> None:
        """Nobody's change counts. Closing the connection rolls back whatever was begun."""
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
                runner.connection.close()
            except errors.SQLAlchemyError:  # it was broken before
                pass


def _run_all(runner: Runner, batch: list[_Waiting]) -> None:
    for only_adds, group in groupby(batch, key=_only_adds):
        together = list(group)
        if only_adds and len(together) > 1 and _run_together(runner, together):
            continue
        for waiting in together:
            waiting.result, waiting.error = _attempt(runner, waiting.job, waiting.undoes)


def _only_adds(waiting: _Waiting) -> bool:
    return isinstance(waiting.job, Commit) and waiting.job.only_adds


def _run_together(runner: Runner, batch: list[_Waiting]) -> bool:
    """False where one of them failed, so that none was done: whose fault it is shows one by one."""
    commits = [waiting.job for waiting in batch if isinstance(waiting.job, Commit)]
    _, error = _attempt(runner, joined(commits))
    return error is None


def _attempt(runner: Runner, job: Job, undoes: bool = False) -> tuple[Any, BaseException | None]:
    """(what it returned, what was its own fault); after a fault nothing of it is left."""
    result: Any = None
    error: BaseException | None = None
    runner.command("SAVEPOINT one_job")
    try:
        result = job(runner)
    except (*_OF_ONE_CHANGE, UnicodeEncodeError, OverflowError):
        # Without that exception: it holds the row.
        error = InvalidField("a value cannot be stored")
    except DATABASE_ERRORS:
        raise
    except Exception as exc:  # Conflict, ObjectAlreadyExists, or a fault in the job: its caller's
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
