"""Jobs in transactions that are tried again where that is safe."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from typing import TypeVar

from sqlalchemy.exc import IntegrityError

from ....errors import InvalidField, Unavailable
from ...interface.changes import Conflict
from ...interface.faults import make_unavailable
from ...sql.audit.chains import ChainTaken
from ...sql.statements import Runner
from ..audit_leases import ChainInUse, ChainLeases
from ..connections.write_connections import WriteConnections
from ..errors import Meaning, judge_error, load_driver_error, translate_error
from ..runner import run_job
from ..transaction import ConnectionLost, Disturbed, Interrupted, LockedOut, pipelined

Result = TypeVar("Result")

#: How often a transaction is tried while others get in its way.
ATTEMPTS = 5
#: How often it is tried while connections are lost: the second one is new.
CONNECTIONS_TRIED = 2
# How long to stay out of the way of others at most before the second attempt, twice as long before each
# further one.
_PAUSE_S = 0.02
# It waits for no lock.
_LOOKING_MS = 1000


async def pause(attempt: int) -> None:
    """Keep out of the way of other transactions for a while. attempt: the number of the attempt that failed, from 0."""
    await asyncio.sleep(random.uniform(0, _PAUSE_S * 2**attempt))  # noqa: S311


class TransactionRunner:
    """Runs each job in a transaction, and repeats it while others get in its way. For one event loop.

    All methods raise what the job raises, LockedOut, InvalidField for a value that cannot be stored, and Unavailable.
    If the connection was lost during COMMIT, the audit's chain shows whether the job was done. If it does not, because
    nothing was to be recorded or the database does not answer, the job may have been done, and is not repeated.
    """

    def __init__(self, connections: WriteConnections, leases: ChainLeases) -> None:
        """leases: the chains to which transactions append what their jobs note."""
        self._connections = connections
        self.leases = leases
        self._errors = (load_driver_error(), UnicodeEncodeError, OverflowError)

    async def run_alone(
        self, job: Callable[[Runner], Result], *, lock_timeout_ms: int, undoes: bool = False
    ) -> Result:
        """Run one job. undoes: return the job's result, and roll back. Raises Conflict, too."""
        for attempt in range(ATTEMPTS):
            try:
                return await self.run(job, lock_timeout_ms=lock_timeout_ms, undoes=undoes)
            except IntegrityError:  # what it read before has changed meanwhile
                await pause(attempt)
        raise Conflict

    async def run(
        self, job: Callable[[Runner], Result], *, lock_timeout_ms: int, undoes: bool = False
    ) -> Result:
        """As `run_alone`, for a job that consists of several. Raises IntegrityError, too, for a constraint."""
        lost = attempt = 0
        while True:
            try:
                with self.leases.use() as chain:
                    return await self._try(
                        job, chain, lock_timeout_ms=lock_timeout_ms, undoes=undoes
                    )
            except ChainTaken as exc:
                attempt += 1
                if attempt == ATTEMPTS:
                    raise make_unavailable("the audit's chain cannot be continued") from None
                await self.look_at_chain(exc)
            except ConnectionLost as exc:
                lost += 1
                was_done = await self._settle(chain) if exc.may_be_done else False
                if was_done:
                    result: Result = chain.result
                    return result
                if was_done is None or lost == CONNECTIONS_TRIED:
                    raise translate_error(exc.reason) from None
            except Disturbed as exc:
                attempt += 1
                if attempt == ATTEMPTS:
                    raise translate_error(exc.reason) from None
                await pause(attempt)
            except self._errors as exc:
                # No `from`: the error may quote the value.
                if judge_error(exc) is Meaning.BAD_VALUE:
                    raise InvalidField("a value cannot be stored") from None
                raise translate_error(exc) from None

    async def _try(
        self,
        job: Callable[[Runner], Result],
        chain: ChainInUse,
        *,
        lock_timeout_ms: int,
        undoes: bool,
    ) -> Result:
        async with self._connections.use() as connection:
            with pipelined(connection) as pipeline:
                return await run_job(
                    pipeline, job, chain, lock_timeout_ms=lock_timeout_ms, undoes=undoes
                )

    async def _settle(self, chain: ChainInUse) -> bool | None:
        """Whether a transaction was committed whose connection was lost during COMMIT; None where that is not known."""
        try:
            return await self.run_alone(chain.settle, lock_timeout_ms=_LOOKING_MS)
        except (Conflict, LockedOut, Unavailable):
            return None

    async def claim_chain(self, *, lock_timeout_ms: int) -> None:
        """Claim a chain in advance, for a transaction that has no time to claim one itself."""
        if not self.leases.has_idle:
            lease = await self.run_alone(self.leases.claim, lock_timeout_ms=lock_timeout_ms)
            self.leases.keep(lease)

    async def look_at_chain(self, taken: ChainTaken) -> None:
        """Report it if something other than a process of this server has moved the chain's head."""
        lease = taken.lease
        if lease is not None:
            await self.run_alone(
                lambda runner: self.leases.look(runner, lease), lock_timeout_ms=_LOOKING_MS
            )

    async def find_free(self, text: str, keys: Collection[str]) -> frozenset[str]:
        """Those of the keys whose rows exist and are not locked; none where that is not known.

        text: a statement that selects the keys of such rows.
        """
        try:
            async with self._connections.use() as connection:
                with pipelined(connection) as pipeline:
                    await pipeline.send([(text, (list(keys),))])
                    return frozenset(key for (key,) in pipeline.answers[0].rows)
        except (Unavailable, Interrupted, *self._errors):
            return frozenset()
