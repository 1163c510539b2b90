"""What operations ask of a store, in the domain's words. SQL is behind it, no token reaches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..domain.managed_object import ManagedObject, ObjectFilter, UniqueIdentifier
from ..kmip.enums import State


@dataclass(frozen=True, slots=True)
class Insert:
    """A new object. Its identifier taken: the whole commit fails with ObjectAlreadyExists."""

    new: ManagedObject


@dataclass(frozen=True, slots=True)
class Replace:
    """The object as it now is, if it still is as it was seen; its generation is then one higher.

    seen: the generation that the caller read. Another one in the database: Conflict.
    """

    new: ManagedObject
    seen: int


@dataclass(frozen=True, slots=True)
class Remove:
    """Forget the object altogether, so that its identifier is free again."""

    uid: UniqueIdentifier
    seen: int


Change = Insert | Replace | Remove


class Conflict(Exception):  # it is an answer, not a fault
    """Somebody else changed the object in between: read again and decide again."""


class Objects(Protocol):
    """What an operation may do with the objects: read them, and commit changes."""

    async def get(self, uid: UniqueIdentifier) -> ManagedObject | None: ...

    async def with_tags(
        self, tags: frozenset[str], *, principal: str, states: frozenset[State] | None = None
    ) -> Sequence[ManagedObject]:
        """The objects visible to the principal with all the tags, newest first, 100 at most.

        states: those that count; None means every state but the destroyed ones. No tags: no objects.
        """

    async def locate(
        self, wanted: ObjectFilter, *, principal: str, offset: int, maximum: int
    ) -> tuple[int, Sequence[UniqueIdentifier]]:
        """(number of all matches, a page of their identifiers, newest first), in one statement."""

    async def commit(self, changes: Sequence[Change]) -> None:
        """All of the changes or none, durable on return. Raises Conflict, ObjectAlreadyExists."""


class ObjectStore(Objects, Protocol):
    """Durable, shared by all users. It checks no rights: `operations.call` does, in one place.

    Every method raises errors.Unavailable where the database is out of reach or refuses (full disk,
    locked for too long, closed); nothing of SQLAlchemy escapes.
    """

    async def start(self) -> None:
        """Open the database and bring its schema up to date. Raises ConfigurationError."""

    async def stop(self) -> None:
        """Finish the writes that were accepted, then close."""

    async def ping(self) -> None:
        """Return if the database answers."""

    async def holds_objects(self) -> bool: ...

    async def master_key_check(self) -> bytes | None:
        """The value that proves which master key this database belongs to; None in a new one."""

    async def set_master_key_check(self, value: bytes) -> bytes:
        """Keep the value if there is none yet; return the one kept (two first starts may race)."""
