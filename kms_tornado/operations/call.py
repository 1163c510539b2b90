"""Call: one operation for one principal, and its only way to an object: fetch_for.

No operation reads the store by itself. Access, state and the meaning of an identifier are decided
here, for the operation that the dispatcher named.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from .. import strict_json
from ..crypto.envelope import EnvelopeContext, MasterKey, open_sealed, seal
from ..crypto.material import KeyMaterial
from ..domain.access import may, not_found
from ..domain.lifecycle import Use, check_state
from ..domain.managed_object import ManagedObject, SealedMaterial, UniqueIdentifier
from ..errors import InvalidField, MissingData, ObjectDestroyed, PermissionDenied
from ..kmip.enums import ObjectType, Operation, State
from ..store.base import Change, ObjectStore

T = TypeVar("T")

MAX_IDENTIFIER_LENGTH = 1024


class Offload(Protocol):
    """Run a function that takes longer than about a millisecond where it does not block the loop."""

    def __call__(self, function: Callable[[], T]) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class Call:
    """What an operation needs to know and to reach.

    principal: the caller's name. operation: from the dispatch table, never from the handler.
    offered: every operation of the dispatch table.
    now: whole seconds since the Unix epoch, the same for all that one request does.
    privileged_users: who may create objects; empty means everyone.
    """

    principal: str
    operation: Operation
    store: ObjectStore
    master_key: MasterKey
    now: int
    offload: Offload
    offered: tuple[Operation, ...] = ()
    privileged_users: frozenset[str] = frozenset()

    async def fetch_for(
        self, identifier: str | None, use: Use, *, kind: ObjectType | None = None
    ) -> ManagedObject:
        """The object that the identifier means for this caller, operation and use.

        identifier: a unique identifier, or a JSON list of tags that the object must carry all
        (KMIP.md §7). Among several, Active ones come first, then the newest.
        kind: the only object type that suits the operation.
        Raises ItemNotFound (not there, or not the caller's), InvalidField, MissingData,
        WrongKeyLifecycleState, ObjectDestroyed.
        """
        if identifier is None or identifier == "":
            raise MissingData("UniqueIdentifier is missing")
        if identifier.startswith("["):
            candidates = await self.store.with_tags(
                parse_tags(identifier), principal=self.principal
            )
        else:
            found = await self.store.get(UniqueIdentifier(identifier))
            candidates = () if found is None else (found,)
        allowed = [each for each in candidates if may(self.principal, self.operation, each)]
        if not allowed:
            raise not_found(identifier)
        target = _most_suitable(allowed, use, kind)
        if kind is not None and target.object_type is not kind:
            raise InvalidField(f"the object is no {kind.name.replace('_', ' ').title()}")
        check_state(target.state, use)
        return target

    def check_may_create(self) -> None:
        """Raises PermissionDenied where only privileged users create objects."""
        if self.privileged_users and self.principal not in self.privileged_users:
            raise PermissionDenied("creating objects is left to privileged users")

    def open(self, target: ManagedObject) -> KeyMaterial:
        """The plaintext key, for as long as the operation runs. Raises ObjectDestroyed."""
        if target.sealed is None:
            raise ObjectDestroyed("the object's key material is gone")
        return open_sealed(self.master_key, target.sealed, _context(target))

    def seal(self, target: ManagedObject, material: KeyMaterial) -> SealedMaterial:
        """Material in the envelope of exactly this object, owner and version."""
        return seal(self.master_key, material, _context(target))

    async def commit(self, *changes: Change) -> None:
        await self.store.commit(changes)


def parse_tags(identifier: str) -> frozenset[str]:
    """The tags of ``["a","b"]``. Raises InvalidField; an empty list would mean every object."""
    try:
        tags = strict_json.loads(identifier.encode("utf-8"), max_depth=1)
    except ValueError:
        raise InvalidField("an identifier that starts with [ must be a JSON list of tags") from None
    if not isinstance(tags, list) or not all(isinstance(t, str) and t for t in tags):
        raise InvalidField("an identifier that starts with [ must be a JSON list of tags")
    if not tags:
        raise InvalidField("an empty list of tags names no object")
    return frozenset(tags)


def _most_suitable(
    allowed: Sequence[ManagedObject], use: Use, kind: ObjectType | None
) -> ManagedObject:
    """Suitable before unsuitable (whose check then says why), Active before others, newest first."""

    def rank(target: ManagedObject) -> tuple[bool, bool]:
        suits = use.suits(target.state) and kind in {None, target.object_type}
        return (not suits, target.state is not State.ACTIVE)

    return min(allowed, key=rank)  # the store lists the newest first, and min keeps the first


def _context(target: ManagedObject) -> EnvelopeContext:
    return EnvelopeContext(
        uid=target.uid,
        owner=target.owner,
        object_type=target.object_type,
        version=target.version,
    )
