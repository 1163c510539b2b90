"""Transaction: changes held back until all of them are wanted, and then committed as one.

Reads by identifier see the changes that are held back. Searches (Locate, tag lists) go to the
database alone, so they are refused once something is held back: an answer that knows nothing of the
batch's own changes would be wrong, and merging both right takes the database's own transaction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from ..domain.managed_object import ManagedObject, UniqueIdentifier
from ..domain.search import ObjectFilter
from ..errors import FeatureNotSupported, ObjectAlreadyExists
from ..kmip.enums import Operation, State
from ..store.base import Change, Conflict, Insert, Objects, Remove, Replace, UseNonce


class Transaction:
    """`Objects` over others, which get nothing until `finish`. To be used once."""

    def __init__(self, objects: Objects, *, undoes: bool = False) -> None:
        """undoes: what was done may have to be taken back, so nothing may be settled."""
        self._objects = objects
        self._undoes = undoes
        self._changes: list[Change] = []
        #: What the changes make of the objects that they touch; None: removed.
        self._after: dict[UniqueIdentifier, ManagedObject | None] = {}

    async def get(self, uid: UniqueIdentifier) -> ManagedObject | None:
        if uid in self._after:
            return self._after[uid]
        return await self._objects.get(uid)

    async def get_for(
        self, uid: UniqueIdentifier, *, principal: str, rights: Collection[Operation] = ()
    ) -> ManagedObject | None:
        if uid not in self._after:
            return await self._objects.get_for(uid, principal=principal, rights=rights)
        after = self._after[uid]
        if after is None or after.owner == principal:
            return after
        # No change of a batch touches rights: the database knows them.
        known = await self._objects.get_for(uid, principal=principal, rights=rights)
        return None if known is None else after

    async def with_tags(
        self,
        tags: frozenset[str],
        *,
        principal: str,
        rights: Collection[Operation] = (),
        states: frozenset[State] | None = None,
        now: int | None = None,
    ) -> Sequence[ManagedObject]:
        self._check_searchable()
        return await self._objects.with_tags(
            tags, principal=principal, rights=rights, states=states, now=now
        )

    async def locate(
        self,
        wanted: ObjectFilter,
        *,
        principal: str,
        offset: int,
        maximum: int,
        now: int | None = None,
    ) -> tuple[int, Sequence[UniqueIdentifier]]:
        self._check_searchable()
        return await self._objects.locate(
            wanted, principal=principal, offset=offset, maximum=maximum, now=now
        )

    async def commit(self, changes: Sequence[Change]) -> None:
        """Hold the changes back. Raises Conflict and ObjectAlreadyExists as far as is known now."""
        for change in changes:
            match change:
                case Insert(new):
                    if await self.get(new.uid) is not None:
                        raise ObjectAlreadyExists("the unique identifier is taken")
                    self._after[new.uid] = new
                case Replace(new, seen):
                    await self._check_seen(new.uid, seen)
                    self._after[new.uid] = dataclasses.replace(new, generation=seen + 1)
                case Remove(uid, seen):
                    await self._check_seen(uid, seen)
                    self._after[uid] = None
                case UseNonce(uid, _, seen):
                    await self._check_seen(uid, seen)
            self._changes.append(change)

    async def finish(self) -> None:
        """All of the changes or none, durable on return.

        Raises Conflict where others changed in between what was read: run everything again.
        """
        if not self._changes:
            return
        changes, self._changes = self._changes, []
        try:
            await self._objects.commit(changes)
        except ObjectAlreadyExists:  # it was free when it was looked at
            raise Conflict from None

    async def settle(self) -> None:
        """As `finish`, in the middle. Raises FeatureNotSupported where Undo may follow."""
        if self._undoes:
            raise FeatureNotSupported("data in parts cannot be undone: leave Undo out")
        await self.finish()

    async def _check_seen(self, uid: UniqueIdentifier, seen: int) -> None:
        known = await self.get(uid)
        if known is None or known.generation != seen:
            raise Conflict

    def _check_searchable(self) -> None:
        if self._changes:
            raise FeatureNotSupported(
                "with Undo, Locate and tag lists come before the first item that changes something"
            )
