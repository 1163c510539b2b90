"""ServerNonces: how many nonces this process may still make, for each key.

Random nonces need no record, but their number has a limit (`domain.nonces`). A record of each would be a
write with each encryption. So a process reserves a block of them with one write, and counts them down in
memory:

    take        one nonce, from memory; where none is left, after a reservation
    reserve     one commit, which also fixes the server as the source of the key's nonces

What is left of a block is lost when the process ends or forgets the key: the number in the database is
never less than what was made. Requests that need a reservation for the same key at once share one.

In a batch, an object that exists in the database as it was read has its reservation committed at once,
whatever becomes of the batch. For one that the batch itself makes or changes, a single nonce is reserved
by the batch's own commit.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from ...audit.entry import AuditEntry
from ...audit.record import Draft
from ...domain.managed_object import ManagedObject, SealedMaterial, UniqueIdentifier
from ...domain.nonces import RESERVED_BLOCK, NonceSource
from ...store.interface.changes import ReserveNonces
from ...store.interface.objects import Objects

# Keys that are remembered. One that is forgotten loses the rest of its block, and each is about 300 bytes.
_MAX_KEYS = 20_000
# No request has read a row for longer than that. A row that has no source afterwards was set back with its database, and
# a caller may become its source.
_READ_BEFORE_S = 60.0

# Python 3.11 looks a member of an enumeration up in a function.
_SERVER, _CALLER = NonceSource.SERVER, NonceSource.CALLER


@dataclass(slots=True, eq=False)
class _Budget:
    """left: nonces that may be made without a reservation. pending: the reservation that is on its way.

    fixed: the object, as (identifier, sealed material), whose row was last given its source. A request
    may have read that row before. fixed_at: when, by the monotonic clock.
    """

    left: int = 0
    fixed: tuple[UniqueIdentifier, SealedMaterial | None] | None = None
    fixed_at: float = 0.0
    pending: asyncio.Task[None] | None = None

    def covers(self, target: ManagedObject) -> bool:
        """Whether a nonce is left, and the object's row names the server as the source."""
        return self.left > 0 and (target.nonce_source == _SERVER or self._fixed_since(target))

    def fix(self, target: ManagedObject) -> None:
        """Note that the object's row was given its source."""
        self.fixed, self.fixed_at = (target.uid, target.sealed), time.monotonic()

    def _fixed_since(self, target: ManagedObject) -> bool:
        """Whether the row may have been given its source since it was read, when it had another one or none."""
        return (
            target.nonce_source != _CALLER
            and self.fixed == (target.uid, target.sealed)
            and time.monotonic() - self.fixed_at < _READ_BEFORE_S
        )


class ServerNonces:
    """The nonces that one process may make, for each key. For one event loop."""

    def __init__(self) -> None:
        self._budgets: OrderedDict[bytes, _Budget] = OrderedDict()

    async def take(
        self,
        objects: Objects,
        target: ManagedObject,
        key: bytes,
        *,
        by_object: bool = False,
        audit: AuditEntry | None = None,
    ) -> None:
        """Take one nonce; if none is left, reserve a block first.

        objects: those of the call.
        key: the identity of the target's material.
        by_object: as for `ReserveNonces`.
        audit: of the operation that needs the nonce, for the record of a reservation.
        Raises WrongNonceSource, NoncesSpent, Conflict, Unavailable; no nonce was then taken.
        """
        budget = self._find_budget(key)
        while not budget.covers(target):
            reservation = ReserveNonces(target.uid, key, 1, target.generation, by_object)
            if objects.holds_back(target.uid):
                await objects.commit([reservation], _draft(audit, target, 1))
                return
            if budget.pending is None:
                reserving = _reserve(objects, budget, target, reservation, audit)
                budget.pending = asyncio.ensure_future(reserving)
                budget.pending.add_done_callback(_retrieve_error)
            # The reservation belongs to all who wait for it, so that none of them cancels it.
            await asyncio.shield(budget.pending)
        budget.left -= 1

    def _find_budget(self, key: bytes) -> _Budget:
        budget = self._budgets.get(key)
        if budget is None:
            budget = self._budgets[key] = _Budget()
            if len(self._budgets) > _MAX_KEYS:
                self._budgets.popitem(last=False)
        else:
            self._budgets.move_to_end(key)
        return budget


async def _reserve(
    objects: Objects,
    budget: _Budget,
    target: ManagedObject,
    reservation: ReserveNonces,
    audit: AuditEntry | None,
) -> None:
    """Reserve a block, or if nonces are left from another object's block, only write the source."""
    try:
        count = 0 if budget.left else RESERVED_BLOCK
        await objects.reserve_nonces(
            dataclasses.replace(reservation, count=count), _draft(audit, target, count)
        )
        budget.left += count
        budget.fix(target)
    finally:
        budget.pending = None


def _draft(audit: AuditEntry | None, target: ManagedObject, count: int) -> Sequence[Draft]:
    """The record of a reservation. The use itself has a record of its own."""
    if audit is None:
        return ()
    return [audit.draft_reservation(target.uid, count)]


def _retrieve_error(task: asyncio.Task[None]) -> None:
    """Keep asyncio from logging an error for which nobody waits any more."""
    if not task.cancelled():
        task.exception()
