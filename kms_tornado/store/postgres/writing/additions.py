"""Adding objects in one round trip: all statements of the transaction are sent together, COMMIT included.

That needs everything to be known beforehand. What has to be read, the count of each owner's units, is
*remembered*, and the transaction fails by itself where the database has another number, because another
server has added objects of the same owner. It is then done again, in two round trips, of which the first reads the
number and locks its row. So are the next ones of an owner to whom several servers add: to fail would cost more.
Objects of that owner that come while another server has the row join the transaction that waits for it.

As COMMIT is sent with the rest, nobody knows whether a transaction was done whose connection was lost. Its
objects tell: they are looked for on another connection, and added again if they are not there. If the first
transaction is still being done, the second waits for it at the unique identifier.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....errors import KMSError
from ...interface.faults import make_unavailable
from ...sql.additions import Addition, is_long_addition, make_addition
from ...sql.audit.chains import ChainTaken
from ...sql.commits import Commit, GroupCommit
from ...sql.tables.owners import add_up, count_mac, is_of_units
from ..audit_leases import APPEND, ChainInUse
from ..connections.write_connections import WriteConnections
from ..errors import Meaning, judge_error, load_driver_error, translate_error
from ..exchange import Command
from ..transaction import (
    COMMIT,
    ConnectionLost,
    Disturbed,
    LockedOut,
    Pipeline,
    check_committed,
    make_beginning,
    pipelined,
)
from .add_statements import (
    COUNT_TEXTS,
    FIND_OBJECTS,
    add_objects,
    begin_counts,
    change_counts,
    lock_counts,
)
from .transactions import ATTEMPTS, CONNECTIONS_TRIED, TransactionRunner, pause

if TYPE_CHECKING:
    import psycopg

# After how many additions in which nobody else has changed an owner's number it is counted on again.
_CALM = 8
# A transaction that takes longer goes to a database that is far away.
_FAR_S = 0.02
_LONGEST_COMPANY_S = 0.025
# Owners whose numbers are remembered: those who have added objects last.
_MAX_REMEMBERED = 10_000


class NotAdded(Exception):
    """The objects could not be added in this way, and nothing was done. Adding each of them alone shows the reason."""


Commits = Sequence[Commit | GroupCommit]
#: Takes commits that came meanwhile, to owners of this addition.
TakeMore = Callable[[Addition], Commits]


@dataclass(slots=True)
class PreparedAddition:
    """An addition that is ready to be sent. commands: those that add its rows, without those that count them.

    take_more: where others may join it.
    """

    addition: Addition
    commands: Sequence[Command]
    take_more: TakeMore | None = None

    async def grow(self) -> None:
        """Let commits that came meanwhile join. Raises NotAdded where one of them cannot be prepared."""
        if self.take_more is None or not (commits := self.take_more(self.addition)):
            return
        try:
            later = await prepare_addition(commits)
        except Exception as exc:  # a fault, or no code: adding each alone shows whose
            raise NotAdded from exc
        self.addition = self.addition.join(later.addition)
        self.commands = [*self.commands, *later.commands]


async def prepare_addition(commits: Commits, take_more: TakeMore | None = None) -> PreparedAddition:
    """The addition that the commits make. commits: as for `make_addition`."""

    def prepare() -> PreparedAddition:
        addition = make_addition(commits)
        return PreparedAddition(addition, add_objects(addition), take_more)

    return await asyncio.to_thread(prepare) if is_long_addition(commits) else prepare()


class AdditionWriter:
    """Adds objects. For one event loop."""

    def __init__(self, connections: WriteConnections, transactions: TransactionRunner) -> None:
        """transactions: runs what cannot be done in one round trip."""
        self._connections = connections
        self._transactions = transactions
        self._leases = transactions.leases
        #: Owner → number of units, once everything that was sent is done.
        self._counts: dict[str, int] = {}
        #: Owner to whom other servers add, too → how many additions until the number is counted on again.
        self._shared: dict[str, int] = {}
        self._driver_error = load_driver_error()
        #: How long the last transaction took.
        self._last_s = 0.0

    @property
    def company_s(self) -> float:
        """How long new objects should wait for others, to be added together with them.

        A client that was just answered sends its next request in a moment. If the next transaction did not wait for it,
        the request would wait for two round trips instead of one. If round trips are short, nothing is gained by
        waiting.
        """
        return min(self._last_s / 10, _LONGEST_COMPANY_S) if self._last_s > _FAR_S else 0.0

    async def add(self, prepared: PreparedAddition, *, lock_timeout_ms: int) -> None:
        """Add the objects.

        Raises NotAdded, Contended, LockedOut, and Unavailable, after which the objects may be there.
        """
        lost = 0
        may_be_done = False
        for attempt in range(ATTEMPTS):
            try:
                return await self._try(prepared, lock_timeout_ms, may_be_done=may_be_done)
            except ChainTaken as exc:
                await self._transactions.look_at_chain(exc)
            except ConnectionLost as exc:
                may_be_done = may_be_done or exc.may_be_done
                lost += 1
                if lost == CONNECTIONS_TRIED:
                    raise translate_error(exc.reason) from None
            except LockedOut as exc:
                if may_be_done:
                    raise translate_error(exc.reason) from None
                raise
            except Disturbed:
                await pause(attempt)
            except _OtherCount:  # so that it is read next, with a lock
                self._share(prepared.addition.differences)
            except NotAdded:
                if not may_be_done:
                    raise
        if may_be_done:
            raise make_unavailable("whether the last transaction was done is not known")
        raise NotAdded

    async def _try(
        self, prepared: PreparedAddition, lock_timeout_ms: int, *, may_be_done: bool
    ) -> None:
        """Add the objects, unless an earlier attempt turns out to have done it."""
        if prepared.addition.drafts:
            await self._transactions.claim_chain(lock_timeout_ms=lock_timeout_ms)
        with self._leases.use() as chain:
            async with self._connections.use() as connection:
                if may_be_done and await self._was_added(connection, prepared.addition):
                    return
                await self._send_all(
                    connection, prepared, chain, lock_timeout_ms, may_grow=not may_be_done
                )

    async def _was_added(
        self, connection: psycopg.AsyncConnection[Any], addition: Addition
    ) -> bool:
        """Whether the transaction was committed although its connection was lost.

        Raises Unavailable where that is not known.
        """
        expected = {row["uid"]: row["mac"] for row in addition.objects}
        with pipelined(connection) as pipeline:
            await pipeline.send([(FIND_OBJECTS, (list(expected),))])
            stored: dict[str, bytes] = dict(pipeline.answers[0].rows)
        if stored and stored != expected:
            raise make_unavailable("objects of the last transaction were changed meanwhile")
        return bool(stored)

    async def _send_all(
        self,
        connection: psycopg.AsyncConnection[Any],
        prepared: PreparedAddition,
        chain: ChainInUse,
        lock_timeout_ms: int,
        *,
        may_grow: bool,
    ) -> None:
        began = time.monotonic()
        try:
            with pipelined(connection) as pipeline:
                beginning = await self._recall(pipeline, prepared.addition, lock_timeout_ms)
                if not beginning and may_grow:
                    await prepared.grow()
                adding = self._make_commands(prepared)
                addition = prepared.addition
                recording = chain.make_commands(addition.noted) if addition.drafts else ()
                await self._send(pipeline, [*beginning, *adding, *recording, COMMIT])
            chain.note_committed()
            self._last_s = time.monotonic() - began
        except BaseException:
            self._forget(prepared.addition.differences)
            raise

    async def _recall(
        self, pipeline: Pipeline, addition: Addition, lock_timeout_ms: int
    ) -> Sequence[Command]:
        """Begin the transaction by reading the numbers, unless all of them are remembered.

        Returns the commands that begin it, if they are still to be sent.
        """
        beginning = make_beginning(lock_timeout_ms)
        names = addition.differences.keys()
        if names <= self._counts.keys() and self._shared.keys().isdisjoint(names):
            return beginning
        await pipeline.send([*beginning, lock_counts(sorted(names))])
        former = {owner: self._counts.pop(owner, None) for owner in names}
        self._remember(pipeline.answers[-1].rows, addition)
        for owner in self._shared.keys() & names:
            is_calm = former[owner] == self._counts.get(owner)
            self._shared[owner] = self._shared[owner] - 1 if is_calm else _CALM
            if not self._shared[owner]:
                del self._shared[owner]
        return ()

    def _share(self, names: Iterable[str]) -> None:
        self._shared |= dict.fromkeys(names, _CALM)
        while len(self._shared) > _MAX_REMEMBERED:
            del self._shared[next(iter(self._shared))]

    def _remember(self, rows: Iterable[Sequence[Any]], addition: Addition) -> None:
        """Remember the numbers of objects. rows: (owner, number, MAC)."""
        for owner, number, mac in rows:
            try:
                is_counted = is_of_units(addition.authenticator, owner, number, mac)
            except KMSError as exc:
                raise NotAdded from exc
            if not is_counted:  # adding alone counts the units
                raise NotAdded
            self._count(owner, number)

    def _count(self, owner: str, number: int) -> None:
        self._counts.pop(owner, None)
        self._counts[owner] = number
        if len(self._counts) > _MAX_REMEMBERED:
            del self._counts[next(iter(self._counts))]

    def _forget(self, names: Iterable[str]) -> None:
        for owner in names:
            self._counts.pop(owner, None)

    def _make_commands(self, prepared: PreparedAddition) -> list[Command]:
        """All commands that add the objects. The next addition assumes that this one succeeds."""
        addition = prepared.addition
        changed, begun = [], []
        for owner, difference in sorted(addition.differences.items()):
            before = self._counts.get(owner)
            try:
                number = add_up(before or 0, difference)
            except KMSError as exc:
                raise NotAdded from exc
            mac = count_mac(addition.authenticator, owner, number)
            if before is None:
                begun.append((owner, number, mac))
            else:
                former_mac = count_mac(addition.authenticator, owner, before)
                changed.append((owner, before, former_mac, number, mac))
                self._count(owner, number)
        return [
            *([lock_counts([row[0] for row in changed])] if len(changed) > 1 else ()),
            *([change_counts(changed)] if changed else ()),
            *prepared.commands,
            *(begin_counts(begun) if begun else ()),
        ]

    async def _send(self, pipeline: Pipeline, commands: Sequence[Command]) -> None:
        try:
            await pipeline.send(commands)
        except (UnicodeEncodeError, OverflowError):
            raise NotAdded from None
        except self._driver_error as exc:
            failed = pipeline.failed
            if judge_error(exc) in (Meaning.BAD_VALUE, Meaning.TAKEN):
                if failed == APPEND:
                    raise ChainTaken from None
                if failed in COUNT_TEXTS:
                    raise _OtherCount from None
                raise NotAdded from None
            raise
        check_committed(pipeline)


class _OtherCount(Exception):
    """The database has a number of an owner's objects that differs from the remembered one."""
