"""Transaction: changes that are held back until the end of a batch, and then committed as one.

It replaces the store for the items of a RequestMessage. Each item has its own group of changes. Reads by
identifier see the changes that are held back; for searches (Locate, tag lists) the database makes the
changes, searches, and undoes them. So no lock is held while a batch runs, however long that takes. If other
requests change the same objects meanwhile, there is a Conflict at the end, and the batch runs again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from ...audit.record import Draft
from ...domain.access import identifier_taken
from ...domain.managed_object import ManagedObject, UniqueIdentifier
from ...domain.nonces import NonceSource
from ...domain.search import LocatedPage, LocateSearch, TagSearch
from ...errors import FeatureNotSupported, KMIPError, ObjectAlreadyExists
from ...kmip.enums import Operation
from ...store.interface.changes import (
    Change,
    Conflict,
    Groups,
    Insert,
    Refused,
    Remove,
    Replace,
    ReserveNonces,
    UseNonce,
)
from ...store.interface.objects import Objects


class Transaction:
    """An implementation of `Objects` over the store's, to which it commits nothing until `finish`."""

    def __init__(self, objects: Objects, *, undoes: bool = False) -> None:
        """undoes: whether the batch may have to be undone at its end, so that `commit_now` is refused."""
        self._objects = objects
        self._undoes = undoes
        #: The changed objects as they are after the changes; None: removed.
        self._after: dict[UniqueIdentifier, ManagedObject | None] = {}
        #: The owners of objects that were removed: their identifiers stay theirs.
        self._removed: dict[UniqueIdentifier, str] = {}
        self._reset()
        #: Whether changes were committed before the end, so that the batch must not run again from its start.
        self.has_committed_early = False

    def _reset(self) -> None:
        self._after.clear()
        self._groups: list[list[Change]] = [[]]
        #: For each group, the audit's records of its changes.
        self._drafts: list[list[Draft]] = [[]]
        #: For each group, the index of its item in the batch.
        self._items = [0]
        #: `_after` as it was when the item began; None while the item has committed nothing.
        self._before: dict[UniqueIdentifier, ManagedObject | None] | None = None

    def begin_item(self, item: int) -> None:
        """Begin an item: the following changes belong to it. item: its index in the batch."""
        self._groups.append([])
        self._drafts.append([])
        self._items.append(item)
        self._before = None

    def roll_back_item(self) -> None:
        """Drop the changes of the current item, which has failed."""
        self._groups[-1].clear()
        self._drafts[-1].clear()
        if self._before is not None:
            self._after, self._before = self._before, None

    async def get(self, uid: UniqueIdentifier) -> ManagedObject | None:
        if uid in self._after:
            return self._after[uid]
        return await self._objects.get(uid)

    async def is_taken(self, uid: UniqueIdentifier, *, owner: str) -> bool:
        if uid in self._after:
            return self._after[uid] is not None or self._removed[uid] != owner
        return await self._objects.is_taken(uid, owner=owner)

    async def get_for(
        self,
        uid: UniqueIdentifier,
        *,
        principal: str,
        groups: Collection[str] = (),
        rights: Collection[Operation] = (),
    ) -> ManagedObject | None:
        if uid not in self._after:
            return await self._objects.get_for(
                uid, principal=principal, groups=groups, rights=rights
            )
        after = self._after[uid]
        if after is None or after.owner == principal:
            return after
        # No operation in a batch changes rights, so the database's are up to date.
        permitted = await self._objects.get_for(
            uid, principal=principal, groups=groups, rights=rights
        )
        return None if permitted is None else after

    async def find_tagged(self, search: TagSearch, after: Groups = ()) -> Sequence[ManagedObject]:
        try:
            return await self._objects.find_tagged(search, (*self._groups, *after))
        except Refused as exc:
            raise self._by_item(exc) from None

    async def locate(self, search: LocateSearch, after: Groups = ()) -> LocatedPage:
        try:
            return await self._objects.locate(search, (*self._groups, *after))
        except Refused as exc:
            raise self._by_item(exc) from None

    async def commit(self, changes: Sequence[Change], drafts: Sequence[Draft] = ()) -> None:
        """Hold the changes back. Raises Conflict and ObjectAlreadyExists where they are certain already."""
        if self._before is None:
            self._before = dict(self._after)
        for change in changes:
            match change:
                case Insert(new, is_uid_random):
                    if not is_uid_random and await self.is_taken(new.uid, owner=new.owner):
                        raise identifier_taken()
                    self._after[new.uid] = new
                case Replace(new, seen):
                    before = await self._check_seen(new.uid, seen)
                    if new.version == before.version:  # the same material
                        new = dataclasses.replace(new, nonce_source=before.nonce_source)
                    self._after[new.uid] = dataclasses.replace(new, generation=seen + 1)
                case Remove(uid, seen):
                    self._removed[uid] = (await self._check_seen(uid, seen)).owner
                    self._after[uid] = None
                case UseNonce():
                    await self._fix_source(change, NonceSource.CALLER)
                case ReserveNonces():
                    await self._fix_source(change, NonceSource.SERVER)
            self._groups[-1].append(change)
        self._drafts[-1] += drafts

    async def commit_groups(self, groups: Groups, drafts: Sequence[Draft] = ()) -> None:
        for changes in groups:
            await self.commit(changes)
        self._drafts[-1] += drafts

    async def finish(self) -> None:
        """Commit all of the changes or none; they are durable on return.

        Raises Conflict where an object was changed since it was read; the caller then runs the batch again.
        Raises Refused, with the errors by item, where the database refuses changes; the caller then runs the batch
        again without those items.
        """
        if not any(self._groups):
            return
        try:
            await self._objects.commit_groups(
                self._groups, [draft for drafts in self._drafts for draft in drafts]
            )
        except Refused as exc:
            raise self._by_item(exc) from None
        finally:
            self._reset()

    async def commit_now(self) -> None:
        """As `finish`, before the end of the batch. Raises FeatureNotSupported where Undo may follow."""
        if self._undoes:
            raise FeatureNotSupported("data in parts cannot be undone: leave Undo out")
        item = self._items[-1]
        await self.finish()
        self._items = [item]
        self.has_committed_early = True

    async def reserve_nonces(
        self, reservation: ReserveNonces, drafts: Sequence[Draft] = ()
    ) -> None:
        """Commit the reservation at once. Nonces that a batch reserves may be lost, but must not be used twice."""
        await self._objects.reserve_nonces(reservation, drafts)

    def holds_back(self, uid: UniqueIdentifier) -> bool:
        return uid in self._after

    async def _check_seen(self, uid: UniqueIdentifier, generation: int) -> ManagedObject:
        current = await self.get(uid)
        if current is None or current.generation != generation:
            raise Conflict
        return current

    async def _fix_source(self, change: UseNonce | ReserveNonces, source: NonceSource) -> None:
        """Let later items see the source, which the database contains only at the end."""
        current = await self._check_seen(change.uid, change.seen)
        self._after[change.uid] = dataclasses.replace(current, nonce_source=source)

    def _by_item(self, exc: Refused) -> Refused | Conflict:
        """The refusal, with the errors by item instead of by group.

        If the only errors are identifiers that were taken since they were looked up, it is a Conflict.
        """
        failures: dict[int, KMIPError] = {
            self._items[place]: error
            for place, error in exc.failures.items()
            if not isinstance(error, ObjectAlreadyExists)
        }
        return Refused(failures) if failures else Conflict()
