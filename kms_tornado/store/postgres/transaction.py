"""A transaction on one of psycopg's connections, whose commands are sent together, in one round trip.

The kind of its error decides what the writer does next: `LockedOut`, `Disturbed`, `ConnectionLost`, Unavailable where
the database is silent, full or broken, and any other error of the driver, for which a statement itself is to blame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..interface.faults import make_unavailable
from . import engine as connections
from .engine import Reply, reply_within
from .errors import Meaning, judge_error, load_driver_error, read_sqlstate, translate_error
from .exchange import Answer, Command, Exchange

if TYPE_CHECKING:
    import psycopg

COMMIT: Command = ("COMMIT", None)

# A far longer series of statements might take longer than PostgreSQL may be silent.
_MAX_AT_ONCE = 512

# Lock not available, and the statement timeout, which counts the time spent waiting for locks.
_LOCKED_STATES = ("55P03", "57014")


class Interrupted(Exception):
    """Something other than the statements ended the transaction. reason: the driver's error."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__()
        self.reason = reason


class LockedOut(Interrupted):
    """Something else held a lock for too long. Nothing was done."""


class Disturbed(Interrupted):
    """Another transaction got in the way (deadlock, serialization). Nothing was done; another try may succeed."""


class ConnectionLost(Interrupted):
    """The connection is closed, or cannot be used any more.

    may_be_done: COMMIT had been sent, so the transaction may or may not be committed.
    """

    def __init__(self, reason: BaseException, *, may_be_done: bool) -> None:
        super().__init__(reason)
        self.may_be_done = may_be_done


class Pipeline:
    """One connection during one transaction.

    was_commit_sent: whether the transaction may be committed.
    answers: the answers to the commands that were sent last.
    failed: the text of the command among them that PostgreSQL refused, if it refused one; those before it are answered.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], reply: Reply) -> None:
        self._exchange = Exchange(connection)
        self._reply = reply
        self.was_commit_sent = False
        self.answers: list[Answer] = []
        self.failed: str | None = None

    async def send(self, commands: Sequence[Command]) -> None:
        """Send the commands, and wait for the answers to all of them."""
        self.answers, self.failed = [], None
        for start in range(0, len(commands), _MAX_AT_ONCE):
            part = commands[start : start + _MAX_AT_ONCE]
            self._reply.restart()
            self.was_commit_sent = self.was_commit_sent or part[-1] is COMMIT
            try:
                await self._exchange.run(part, self.answers)
            except load_driver_error() as exc:
                if read_sqlstate(exc) is not None:
                    self.failed = commands[len(self.answers)][0]
                raise


def make_beginning(lock_timeout_ms: int) -> list[Command]:
    """The commands that begin a transaction."""
    return [
        (f"BEGIN ISOLATION LEVEL {connections.WRITE_ISOLATION}", None),
        (f"SET LOCAL lock_timeout = {lock_timeout_ms}", None),
    ]


def check_committed(pipeline: Pipeline) -> None:
    """Called when COMMIT was answered. Raises Unavailable where the transaction was rolled back instead."""
    if pipeline.answers[-1].tag != "COMMIT":
        raise make_unavailable("the database rolled the transaction back instead of committing it")


@contextmanager
def pipelined(connection: psycopg.AsyncConnection[Any]) -> Iterator[Pipeline]:
    """Runs the block over a pipeline.

    Raises the errors that this module defines, and whatever else the block raises.
    """
    with reply_within(connection, connections.REPLY_TIMEOUT_S) as reply:
        pipeline = Pipeline(connection, reply)
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
    """The error to raise for one of the driver's: of the kind that tells the writer what to do, or the same."""
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
