"""Lists of objects for people: which objects are theirs, and which were granted to them, in pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ...audit.indexing import Uses
from ...domain.managed_object import ManagedObject
from ...kmip.enums import ObjectType, Operation, State


@dataclass(frozen=True, slots=True)
class OwnedObject:
    """An object in a list for its owner.

    uses: the uses that the audit's index knows; None where there are none.
    shared_with: how many users and groups have rights, and grants: {grantee: operations} of those who were asked about.
    Both are filled in pages alone.
    """

    target: ManagedObject
    uses: Uses | None
    shared_with: int = 0
    grants: Mapping[str, frozenset[Operation]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GrantedObject:
    """An object of another owner, and the operations that were granted on it.

    grantees: the names among the principal, its groups and EVERYONE that have any right on it.
    """

    target: ManagedObject
    grantees: frozenset[str]
    operations: frozenset[Operation]


class ListPosition(NamedTuple):
    """The position of an object in a list with the newest first. created_at: seconds since the Unix epoch."""

    created_at: int
    serial: int


#: The position before the first object of every list.
LIST_START = ListPosition(2**63 - 1, 2**63 - 1)


class StateCount(NamedTuple):
    """How many objects of an owner have this type and are in this state now.

    ends_soon: whether the objects counted are those that will soon be deactivated by their date.
    """

    object_type: ObjectType
    state: State
    ends_soon: bool
    objects: int


class ObjectPages(Protocol):
    """Lists of objects in pages, and the numbers of them. Rows are shown unchecked, and without key material."""

    async def list_owned(
        self, principal: str, *, after: ListPosition, limit: int, grantees: Collection[str] = ()
    ) -> Sequence[tuple[ListPosition, OwnedObject]]:
        """At most `limit` of the principal's objects in any state, after the position.

        grantees: the ones whose rights are included. The rights of all grantees would fill the memory: a page may have
        250,000 of them.
        """

    async def list_granted(
        self, principal: str, groups: Collection[str], *, after: ListPosition, limit: int
    ) -> Sequence[tuple[ListPosition, GrantedObject]]:
        """The objects that others granted to the principal, to one of its groups or to everyone, likewise."""

    async def count_owned(self, principal: str, *, now: int, soon: int) -> Sequence[StateCount]:
        """The numbers of all of the principal's objects. now, soon: seconds since the Unix epoch."""
