"""Transaction: changes held back until all of them are wanted, and then committed as one.

Reads by identifier see the changes that are held back; searches (Locate, tag lists) have the database
try the changes, search, and take them back. So no lock is held while a batch runs, however long that
takes, and what others change meanwhile is a Conflict at the end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from ...domain.managed_object import ManagedObject, UniqueIdentifier
from ...domain.search import LocateSearch, TagSearch
from ...errors import FeatureNotSupported, KMIPError, ObjectAlreadyExists
from ...kmip.enums import Operation
from ...store.base import Change, Conflict, Insert, Objects, Refused, Remove, Replace, UseNonce


class Transaction:
    """`Objects` over others, which get nothing until `finish`."""

    def __init__(self, objects: Objects, *, undoes: bool = False) -> None:
        """undoes: what was done may have to be taken back, so nothing may be settled."""
        self._objects = objects
        self._undoes = undoes
        #: What the changes make of the objects that they touch; None: removed.
        self._after: dict[UniqueIdentifier, ManagedObject | None] = {}
        self._forget()
        #: Something was committed before the end, and is not to be run again.
        self.has_committed_early = False

    def _forget(self) -> None:
        self._after.clear()
        self._groups: list[list[Change]] = [[]]
        #: The item of each group.
        self._items = [0]
        #: `_after` as it was when the item began, once it has changed.
        self._before: dict[UniqueIdentifier, ManagedObject | None] | None = None

    def begin(self, item: int) -> None:
        """What is committed from now on belongs to this item of the batch."""
        self._groups.append([])
        self._items.append(item)
        self._before = None

    def take_back(self) -> None:
        """What was committed since the item began."""
        self._groups[-1].clear()
        if self._before is not None:
            self._after, self._before = self._before, None

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

    async def find_tagged(
        self, search: TagSearch, after: Sequence[Sequence[Change]] = ()
    ) -> Sequence[ManagedObject]:
        try:
            return await self._objects.find_tagged(search, (*self._groups, *after))
        except Refused as exc:
            raise self._refusal(exc) from None

    async def locate(
        self, search: LocateSearch, after: Sequence[Sequence[Change]] = ()
    ) -> tuple[int, Sequence[UniqueIdentifier]]:
        try:
            return await self._objects.locate(search, (*self._groups, *after))
        except Refused as exc:
            raise self._refusal(exc) from None

    async def commit(self, changes: Sequence[Change]) -> None:
        """Hold the changes back. Raises Conflict and ObjectAlreadyExists as far as is known now."""
        if self._before is None:
            self._before = dict(self._after)
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
            self._groups[-1].append(change)

    async def commit_groups(self, groups: Sequence[Sequence[Change]]) -> None:
        for changes in groups:
            await self.commit(changes)

    async def finish(self) -> None:
        """All of the changes or none, durable on return.

        Raises Conflict where others changed in between what was read: run everything again. Raises
        Refused, with the items whose changes cannot be: run everything again without those.
        """
        if not any(self._groups):
            return
        try:
            await self._objects.commit_groups(self._groups)
        except Refused as exc:
            raise self._refusal(exc) from None
        finally:
            self._forget()

    async def commit_now(self) -> None:
        """As `finish`, in the middle. Raises FeatureNotSupported where Undo may follow."""
        if self._undoes:
            raise FeatureNotSupported("data in parts cannot be undone: leave Undo out")
        item = self._items[-1]
        await self.finish()
        self._items = [item]
        self.has_committed_early = True

    async def _check_seen(self, uid: UniqueIdentifier, seen: int) -> None:
        known = await self.get(uid)
        if known is None or known.generation != seen:
            raise Conflict

    def _refusal(self, exc: Refused) -> Refused | Conflict:
        """By items. An identifier that was free when it was looked at, and is no more, is a Conflict."""
        failures: dict[int, KMIPError] = {
            self._items[place]: error
            for place, error in exc.failures.items()
            if not isinstance(error, ObjectAlreadyExists)
        }
        return Refused(failures) if failures else Conflict()
