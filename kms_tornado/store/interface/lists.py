"""Lists of objects for people: whose they are, to whom they were granted, in pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ...audit.indexing import Uses
from ...domain.managed_object import ManagedObject
from ...kmip.enums import ObjectType, Operation, State


@dataclass(frozen=True, slots=True)
class OwnedObject:
    """An object in a list of the owner's. uses: as the audit's index tells; None where it knows of none.

    shared_with: how many users and groups have rights, in pages alone, as are grants: {grantee: operations}, of those who
    were asked for.
    """

    target: ManagedObject
    uses: Uses | None
    shared_with: int = 0
    grants: Mapping[str, frozenset[Operation]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GrantedObject:
    """An object of another owner, and the operations that were granted on it.

    grantees: to whom: the principal, its groups or EVERYONE, as far as they have any right on it.
    """

    target: ManagedObject
    grantees: frozenset[str]
    operations: frozenset[Operation]


class ListPosition(NamedTuple):
    """Where an object stands in a list, the newest first. created_at: seconds since the Unix epoch."""

    created_at: int
    serial: int


#: Before the first object of every list.
LIST_START = ListPosition(2**63 - 1, 2**63 - 1)


class StateCount(NamedTuple):
    """How many objects of an owner are of this type and in this state now. ends_soon: whether their date comes soon."""

    object_type: ObjectType
    state: State
    ends_soon: bool
    objects: int


class ObjectPages(Protocol):
    """Lists of objects in pages, and their numbers. Rows are shown as they are, without material."""

    async def list_owned(
        self, principal: str, *, after: ListPosition, limit: int, grantees: Collection[str] = ()
    ) -> Sequence[tuple[ListPosition, OwnedObject]]:
        """The principal's objects in any state, from behind a position on, so many at most.

        grantees: whose rights are told. Those of all would fill the memory: a page may have 250,000 grantees.
        """

    async def list_granted(
        self, principal: str, groups: Collection[str], *, after: ListPosition, limit: int
    ) -> Sequence[tuple[ListPosition, GrantedObject]]:
        """The objects that others granted to the principal, to one of its groups or to everyone, in the same way."""

    async def count_owned(self, principal: str, *, now: int, soon: int) -> Sequence[StateCount]:
        """The numbers of all of the principal's objects. now, soon: seconds since the Unix epoch."""
