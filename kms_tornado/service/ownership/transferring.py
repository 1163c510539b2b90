"""Transfers the objects of one owner to another, for people who leave and names that change.

The owner is part of what an envelope is bound to, so each object is sealed again. A page of objects is one transaction,
and each of them has exactly one owner before and after it. So a transfer may be interrupted at any moment, and
continues when it is run again, because moved objects no longer belong to the old owner. Servers may serve meanwhile.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from ...audit.indexing import TRANSFER
from ...audit.record import COMMAND, make_draft
from ...crypto.sealing.envelope import EnvelopeContext, KeyRing, open_sealed, seal
from ...domain.managed_object import ManagedObject, SealedMaterial, UniqueIdentifier
from ...domain.search import LocateSearch, ObjectFilter
from ...errors import KMIPError, NonUniqueName
from ...store.interface.changes import (
    Change,
    Conflict,
    Grant,
    Refused,
    Replace,
    Withdraw,
    list_uids,
)
from ...store.interface.object_store import ObjectStore
from ..service import ATTEMPTS

#: Objects in one transaction: a few milliseconds, for which other writers wait.
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Transfer:
    """What is to be transferred.

    uids: only these objects; () for all.
    keeps_grants: whether others keep the rights that the old owner gave them.
    rename: gives the new names of these grantees. In a transfer that renames, old and new owner may be the same.
    """

    old: str
    new: str
    uids: Collection[str] = ()
    keeps_grants: bool = True
    rename: Callable[[str], str] | None = None


@dataclass(slots=True)
class TransferResult:
    """moved: how many objects were moved. failures: {identifier: why the object was not moved}."""

    moved: int = 0
    failures: dict[str, str] = field(default_factory=dict)


class Transferrer:
    """Transfers the objects of one database."""

    def __init__(self, store: ObjectStore, ring: KeyRing) -> None:
        self._store = store
        self._ring = ring

    async def transfer(
        self,
        transfer: Transfer,
        *,
        is_rehearsal: bool = False,
        report: Callable[[int], None] = lambda moved: None,
    ) -> TransferResult:
        """Move the objects, page by page; those that cannot be moved stay as they are.

        is_rehearsal: find out what could not be moved, and move nothing.
        report: called with the number of objects that were moved so far.
        Raises Unavailable; what was moved before stays moved.
        """
        result = TransferResult()
        after, absent = 0, set(transfer.uids)
        while entries := await self._store.list_uids(transfer.old, after=after, limit=_PAGE):
            after = entries[-1][0]
            uids = [uid for _, uid in entries if not transfer.uids or uid in transfer.uids]
            await self._move_page(transfer, uids, result, is_rehearsal=is_rehearsal)
            absent.difference_update(uids)
            report(result.moved)
        result.failures |= dict.fromkeys(absent, f"{transfer.old} has no object of this identifier")
        return result

    async def _move_page(
        self,
        transfer: Transfer,
        uids: Sequence[UniqueIdentifier],
        result: TransferResult,
        *,
        is_rehearsal: bool,
    ) -> None:
        for _ in range(ATTEMPTS):
            planned = await self._plan(transfer, uids, result)
            try:
                while planned:
                    try:
                        await self._commit(transfer, [*planned.values()], is_rehearsal=is_rehearsal)
                    except Refused as exc:
                        _note_refused(transfer, planned, exc, result)
                    else:
                        result.moved += len(planned)
                        return
            except Conflict:  # some of them were changed meanwhile
                continue
            return
        result.failures |= dict.fromkeys(planned, "it is changed by others all the time")

    async def _commit(
        self, transfer: Transfer, groups: Sequence[Sequence[Change]], *, is_rehearsal: bool
    ) -> None:
        """Commit the changes, or only try them. Raises Conflict and Refused."""
        if is_rehearsal:  # a search as if the changes had been made finds out whether they can be
            nothing = LocateSearch(ObjectFilter(), "", 0, 0)
            await self._store.locate(nothing, groups)
        else:
            uids = list_uids([change for changes in groups for change in changes])
            detail = {"from": transfer.old, "to": transfer.new}
            draft = make_draft(COMMAND, TRANSFER, detail=detail, changes=uids)
            await self._store.commit_groups(groups, [draft])

    async def _plan(
        self, transfer: Transfer, uids: Sequence[UniqueIdentifier], result: TransferResult
    ) -> dict[UniqueIdentifier, Sequence[Change]]:
        """{identifier: the changes that move the object}, without objects that no longer belong to the old owner."""
        planned: dict[UniqueIdentifier, Sequence[Change]] = {}
        for uid in uids:
            if uid in result.failures:
                continue
            try:
                target = await self._store.get(uid)
                if target is None or target.owner != transfer.old:
                    continue
                if changes := await self._plan_one(transfer, target):
                    planned[uid] = changes
            except KMIPError as exc:  # a row or an envelope that something else wrote
                result.failures[uid] = str(exc)
        return planned

    async def _plan_one(self, transfer: Transfer, target: ManagedObject) -> Sequence[Change]:
        if transfer.old == transfer.new:
            return await self._plan_grants(transfer, target)
        after = dataclasses.replace(
            target, owner=transfer.new, sealed=self._seal_for(transfer.new, target)
        )
        changes: list[Change] = [Replace(after, seen=target.generation)]
        if transfer.keeps_grants:
            # A grant that is withdrawn meanwhile counts the generation up, and the Replace meets a Conflict.
            grants = await self._store.list_grants(target.uid, owner=transfer.old) or {}
            renamed = (
                (transfer.rename(grantee) if transfer.rename else grantee, operations)
                for grantee, operations in grants.items()
            )
            changes += [
                Grant(target.uid, transfer.new, grantee, operations)
                for grantee, operations in renamed
                if grantee != transfer.new  # the owner has every right already
            ]
        return changes

    async def _plan_grants(self, transfer: Transfer, target: ManagedObject) -> Sequence[Change]:
        """The changes that move rights to the new names of their holders, for an object whose owner stays."""
        owner = transfer.old
        changes: list[Change] = []
        grants = await self._store.list_grants(target.uid, owner=owner) or {}
        for grantee, operations in grants.items():
            renamed = transfer.rename(grantee) if transfer.rename else grantee
            if renamed != grantee:
                changes.append(Withdraw(target.uid, owner, grantee, operations))
                changes.append(Grant(target.uid, owner, renamed, operations))
        return changes

    def _seal_for(self, owner: str, target: ManagedObject) -> SealedMaterial | None:
        """The material in an envelope that is bound to the new owner. Raises SealBroken."""
        if target.sealed is None:
            return None
        context = EnvelopeContext(target.uid, target.owner, target.object_type, target.version)
        material = open_sealed(self._ring, target.sealed, context)
        return seal(self._ring, material, context._replace(owner=owner))


def _note_refused(
    transfer: Transfer,
    planned: dict[UniqueIdentifier, Sequence[Change]],
    refused: Refused,
    result: TransferResult,
) -> None:
    """Take the objects that cannot be moved out of the plan, and note why."""
    uids = [*planned]
    for place, error in refused.failures.items():
        uid, (change, *_) = uids[place], planned.pop(uids[place])
        text = str(error)
        if isinstance(error, NonUniqueName) and isinstance(change, Replace):
            names = ", ".join(repr(name.name_value) for name in change.new.attributes.names)
            text = f"{transfer.new} has another object with one of its names: {names}"
        result.failures[uid] = text
