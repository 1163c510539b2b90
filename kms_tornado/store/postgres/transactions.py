"""Jobs in transactions that are tried again where that is safe."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from typing import TypeVar

from sqlalchemy.exc import IntegrityError

from ...errors import InvalidField, Unavailable
from ..base import Conflict
from ..sql.statements import Runner
from .errors import Meaning, judge_error, load_driver_error, translate_error
from .runner import run_job
from .transaction import ConnectionLost, Disturbed, Interrupted, pipelined
from .write_connections import WriteConnections

Result = TypeVar("Result")

#: How often a transaction is tried while others get in its way.
ATTEMPTS = 5
#: How often it is tried while connections are lost: the second one is new.
CONNECTIONS_TRIED = 2
# How long to stay out of the way of others at most before the second attempt, twice as long before each
# further one.
_PAUSE_S = 0.02


async def pause(attempt: int) -> None:
    """Stay out of the way of others for a while. attempt: the number of the one that they disturbed, from 0."""
    await asyncio.sleep(random.uniform(0, _PAUSE_S * 2**attempt))  # noqa: S311


class TransactionRunner:
    """Runs each job in a transaction, and again while others get in its way. For one event loop.

    All methods raise what the job raises, LockedOut, InvalidField for a value that cannot be stored, and
    Unavailable, also where the connection was lost during COMMIT: the job may then be done, and is not run
    again.
    """

    def __init__(self, connections: WriteConnections) -> None:
        self._connections = connections
        self._errors = (load_driver_error(), UnicodeEncodeError, OverflowError)

    async def run_alone(
        self, job: Callable[[Runner], Result], *, lock_timeout_ms: int, undoes: bool = False
    ) -> Result:
        """undoes: return the job's result, and roll back. Raises Conflict, too."""
        for attempt in range(ATTEMPTS):
            try:
                return await self.run(job, lock_timeout_ms=lock_timeout_ms, undoes=undoes)
            except IntegrityError:  # what it read before has changed meanwhile
                await pause(attempt)
        raise Conflict

    async def run(
        self, job: Callable[[Runner], Result], *, lock_timeout_ms: int, undoes: bool = False
    ) -> Result:
        """As `run_alone`, for a job made of several. Raises IntegrityError, too, for a constraint."""
        lost = attempt = 0
        while True:
            try:
                async with self._connections.use() as connection:
                    with pipelined(connection) as pipeline:
                        return await run_job(
                            pipeline, job, lock_timeout_ms=lock_timeout_ms, undoes=undoes
                        )
            except ConnectionLost as exc:
                lost += 1
                if exc.may_be_done or lost == CONNECTIONS_TRIED:
                    raise translate_error(exc.reason) from None
            except Disturbed as exc:
                attempt += 1
                if attempt == ATTEMPTS:
                    raise translate_error(exc.reason) from None
                await pause(attempt)
            except self._errors as exc:
                if (
                    judge_error(exc) is Meaning.BAD_VALUE
                ):  # no `from`: the error may quote the value
                    raise InvalidField("a value cannot be stored") from None
                raise translate_error(exc) from None

    async def find_free(self, text: str, keys: Collection[str]) -> frozenset[str]:
        """Those of the keys whose rows are there and not locked; none where that is not known.

        text: selects the keys of such rows.
        """
        try:
            async with self._connections.use() as connection:
                with pipelined(connection) as pipeline:
                    await pipeline.send([(text, (list(keys),))])
                    return frozenset(key for (key,) in await pipeline.cursors[0].fetchall())
        except (Unavailable, Interrupted, *self._errors):
            return frozenset()
