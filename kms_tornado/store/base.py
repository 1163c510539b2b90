"""What operations ask of a store, in the domain's words. SQL is behind it, no token reaches it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..domain.managed_object import ManagedObject, UniqueIdentifier
from ..domain.search import LocateSearch, TagSearch
from ..errors import KMIPError
from ..kmip.enums import Operation


@dataclass(frozen=True, slots=True)
class Insert:
    """A new object. Its identifier taken: the whole commit fails with ObjectAlreadyExists.

    Of Insert and Replace: one of its names taken among the owner's objects that are not destroyed
    fails with NonUniqueName; more objects than an owner may have, with ServerLimitExceeded.
    """

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


@dataclass(frozen=True, slots=True)
class Grant:
    """Let somebody do these operations, too. Conflict if the object is not (any more) the owner's.

    grantee: a user's name, or EVERYONE.
    """

    uid: UniqueIdentifier
    owner: str
    grantee: str
    operations: frozenset[Operation]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take these rights back; those that were not granted do not matter. Conflict as for Grant.

    A change that was decided under a right which goes away here meets a Conflict.
    """

    uid: UniqueIdentifier
    owner: str
    grantee: str
    operations: frozenset[Operation]


@dataclass(frozen=True, slots=True)
class UseNonce:
    """This once, with the object as it was seen. NonceReused where it was used before, ever.

    What was used is forgotten with the object when it is removed, not when it is destroyed.
    nonce: 1 to 1024 bytes. Conflict as for Replace; the generation stays as it is.
    """

    uid: UniqueIdentifier
    nonce: bytes
    seen: int


Change = Insert | Replace | Remove | Grant | Withdraw | UseNonce


class Conflict(Exception):  # it is an answer, not a fault
    """Somebody else changed the object in between: read again and decide again."""


class Refused(Exception):  # nor is this
    """Some groups of a commit cannot be; nothing was done. failures: place of the group → why."""

    def __init__(self, failures: Mapping[int, KMIPError]) -> None:
        super().__init__()
        self.failures = failures


#: Changes of several steps that are one commit: each group builds on those before it.
Groups = Sequence[Sequence[Change]]


@dataclass(frozen=True, slots=True)
class Obtained:
    """An object of somebody else, and the operations that were granted on it."""

    target: ManagedObject
    operations: frozenset[Operation]


class Objects(Protocol):
    """What an operation may do with the objects: read them, and commit changes.

    principal, rights: who asks, and the granted operations any of which is enough for them (at most
    two, `domain.access.sufficient_rights`); an owner needs none. Which rights those are is decided
    in one place, `operations.call`; that they are there is part of the reading statement, so no
    right outlives its withdrawal.
    """

    async def get(self, uid: UniqueIdentifier) -> ManagedObject | None:
        """Whoever's it is: for Import, which asks if an identifier is taken. Not to be shown."""

    async def get_for(
        self, uid: UniqueIdentifier, *, principal: str, rights: Collection[Operation] = ()
    ) -> ManagedObject | None:
        """The object if it is the principal's, or one of the rights is granted.

        Object and right are those of one moment.
        """

    async def with_tags(self, search: TagSearch, after: Groups = ()) -> Sequence[ManagedObject]:
        """The objects that the search finds, newest first, 100 at most; none for a search without tags.

        after: search as if these changes had been made; they are not. Raises what `commit_groups` raises
        for them, and InvalidField for more tags than an object may have.
        """

    async def locate(
        self, search: LocateSearch, after: Groups = ()
    ) -> tuple[int, Sequence[UniqueIdentifier]]:
        """(number of all matches, a page of their identifiers, newest first), as of one moment.

        after: as for `with_tags`. Raises InvalidField for more tags than an object may have.
        """

    async def commit(self, changes: Sequence[Change]) -> None:
        """All of the changes or none, durable on return.

        Raises Conflict, and the KMIPErrors that the changes name.
        """

    async def commit_groups(self, groups: Groups) -> None:
        """As `commit` of all of them. Raises Conflict, and Refused, which tells the groups apart."""


class ObjectStore(Objects, Protocol):
    """Durable, shared by all users.

    Every method raises errors.Unavailable where the database is out of reach or refuses (full disk,
    locked for too long, closed); nothing of SQLAlchemy escapes.
    """

    async def start(self) -> None:
        """Open the database and bring its schema up to date. Raises ConfigurationError."""

    async def stop(self) -> None:
        """Finish the writes that were accepted, then close."""

    async def ping(self) -> None:
        """Return if the database answers."""

    async def grants_on(
        self, uid: UniqueIdentifier, *, owner: str
    ) -> Mapping[str, frozenset[Operation]] | None:
        """Grantee → operations, by name; None where that owner has no such object."""

    async def owned_by(self, principal: str) -> Sequence[ManagedObject]:
        """In any state, newest first, MOST_LISTED at most; without material (`sealed` is None)."""

    async def obtained_by(self, principal: str) -> Sequence[Obtained]:
        """What others granted to the principal or to everyone; order, number, material as `owned_by`."""

    async def holds_objects(self) -> bool: ...

    async def master_key_check(self) -> bytes | None:
        """The value that proves which master key this database belongs to; None in a new one."""

    async def set_master_key_check(self, value: bytes) -> bytes:
        """Keep the value if there is none yet; return the one kept (two first starts may race)."""
