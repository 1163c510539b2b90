"""A transaction on a connection of psycopg's own, pipelined: commands are sent together, in one round trip.

Its errors come in kinds, which decide what the writer does next: `LockedOut`, `Disturbed`,
`ConnectionLost`, Unavailable where the database is silent, full or broken, and any other error of the driver,
for which a statement itself is to blame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..interface.faults import make_unavailable
from . import engine as connections
from .engine import Reply, reply_within
from .errors import Meaning, judge_error, load_driver_error, read_sqlstate, translate_error

if TYPE_CHECKING:
    import psycopg

#: A text, and its values.
Command = tuple[str, Sequence[Any] | None]

COMMIT: Command = ("COMMIT", None)

# A far longer series of statements might take longer than PostgreSQL may be silent.
_MAX_AT_ONCE = 512
# Commands after which the other requests of the process get a turn.
_TURN = 16

# Lock not available, and the statement timeout, which counts the time spent waiting for locks.
_LOCKED_STATES = ("55P03", "57014")


class Interrupted(Exception):
    """Something else than the statements ended the transaction. reason: the driver's error."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__()
        self.reason = reason


class LockedOut(Interrupted):
    """Something else held a lock for too long. Nothing was done."""


class Disturbed(Interrupted):
    """Another transaction got in the way (deadlock, serialization). Nothing was done; again it may succeed."""


class ConnectionLost(Interrupted):
    """The connection is closed, or of no more use.

    may_be_done: COMMIT had been sent, so the transaction may be done or not.
    """

    def __init__(self, reason: BaseException, *, may_be_done: bool) -> None:
        super().__init__(reason)
        self.may_be_done = may_be_done


class Pipeline:
    """One connection during one transaction. was_commit_sent: whether the transaction may be done.

    prepares: whether statements are prepared. psycopg takes one for prepared whose preparation a failed command
    before it prevented, until the transaction is rolled back; so none are where a transaction goes on after an error.

    cursors: of the commands that were sent last. After an error, `pgresult` is None for the command that
    failed and those behind it, which may be missing.
    """

    def __init__(
        self, connection: psycopg.AsyncConnection[Any], reply: Reply, *, prepares: bool
    ) -> None:
        self._connection = connection
        self._reply = reply
        self._prepare = None if prepares else False
        self.was_commit_sent = False
        self.cursors: list[psycopg.AsyncCursor[Any]] = []

    async def send(self, commands: Sequence[Command]) -> None:
        """Send the commands, and wait for the answers to all of them."""
        self.cursors = []
        for start in range(0, len(commands), _MAX_AT_ONCE):
            self._reply.restart()
            await self._send_part(commands[start : start + _MAX_AT_ONCE])

    async def _send_part(self, commands: Sequence[Command]) -> None:
        error: Exception | None = None
        try:
            async with self._connection.pipeline():
                try:
                    await self._execute(commands)
                except Exception as exc:  # the pipeline would write to the log what follows from it
                    error = exc
        except Exception as exc:
            error = error or exc
        if error is not None:
            raise error

    async def _execute(self, commands: Sequence[Command]) -> None:
        for number, command in enumerate(commands, 1):
            if number % _TURN == 0:
                await asyncio.sleep(0)  # psycopg waits for nothing here
            self.was_commit_sent = self.was_commit_sent or command is COMMIT
            cursor = self._connection.cursor()
            self.cursors.append(cursor)
            await cursor.execute(*command, prepare=self._prepare)


def make_beginning(lock_timeout_ms: int) -> list[Command]:
    """The commands that begin a transaction."""
    return [
        (f"BEGIN ISOLATION LEVEL {connections.WRITE_ISOLATION}", None),
        (f"SET LOCAL lock_timeout = {lock_timeout_ms}", None),
    ]


def check_committed(pipeline: Pipeline) -> None:
    """Called when COMMIT was answered. Raises Unavailable where it rolled back instead."""
    if pipeline.cursors[-1].statusmessage != "COMMIT":
        raise make_unavailable("the database rolled the transaction back instead of committing it")


def find_failed(pipeline: Pipeline, commands: Sequence[Command]) -> str | None:
    """The text of the command that failed, of those that were sent last."""
    for (text, _), cursor in zip(commands, pipeline.cursors, strict=False):
        if cursor.pgresult is None:
            return text
    return None


@contextmanager
def pipelined(
    connection: psycopg.AsyncConnection[Any], *, prepares: bool = False
) -> Iterator[Pipeline]:
    """Raises the errors that this module names, and what else the block raises."""
    with reply_within(connection, connections.REPLY_TIMEOUT_S) as reply:
        pipeline = Pipeline(connection, reply, prepares=prepares)
        try:
            yield pipeline
        except (load_driver_error(), OSError) as exc:
            if reply.was_late:
                detail = f"no answer within {connections.REPLY_TIMEOUT_S:.3g} s"
                raise make_unavailable(detail, "timeout") from None
            raise _sort(exc, connection, pipeline) from None


def _sort(
    exc: BaseException, connection: psycopg.AsyncConnection[Any], pipeline: Pipeline
) -> BaseException:
    """The error that says what to do about one of the driver's, or the same."""
    if connection.closed:
        return ConnectionLost(exc, may_be_done=pipeline.was_commit_sent)
    meaning = judge_error(exc)
    if meaning is Meaning.RECONNECT:  # PostgreSQL has answered that the transaction failed
        return ConnectionLost(exc, may_be_done=False)
    if meaning is Meaning.TRY_AGAIN:
        return Disturbed(exc)
    if read_sqlstate(exc) in _LOCKED_STATES:
        return LockedOut(exc)
    return translate_error(exc) if meaning is Meaning.UNAVAILABLE else exc
