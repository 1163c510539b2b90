"""What operations ask of a store, in the domain's words: no SQL, and no token."""

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
    """Add a new object. ObjectAlreadyExists where its identifier is taken.

    Insert and Replace: NonUniqueName where one of its names is taken by another of the owner's objects
    that are not destroyed; ServerLimitExceeded for more objects than an owner may have.
    """

    new: ManagedObject


@dataclass(frozen=True, slots=True)
class Replace:
    """Write the object as it is to be. Its generation becomes seen + 1.

    seen: the generation that the caller read. Conflict where the database has another one.
    """

    new: ManagedObject
    seen: int


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the object altogether, so that its identifier is free again. Conflict as for Replace."""

    uid: UniqueIdentifier
    seen: int


@dataclass(frozen=True, slots=True)
class Grant:
    """Let somebody else do these operations, too. Conflict where the object is not the owner's.

    grantee: a user's name, or EVERYONE.
    """

    uid: UniqueIdentifier
    owner: str
    grantee: str
    operations: frozenset[Operation]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Withdraw these rights; those that were not granted do not matter. Conflict as for Grant.

    The object's generation is counted up where a right goes away, so that a change which was decided
    under that right meets a Conflict.
    """

    uid: UniqueIdentifier
    owner: str
    grantee: str
    operations: frozenset[Operation]


@dataclass(frozen=True, slots=True)
class UseNonce:
    """Use this nonce with the object, once and never again. NonceReused where it was used before.

    Nonces are forgotten when the object is removed, not when it is destroyed.
    nonce: 1 to 1024 bytes. Conflict as for Replace; the generation stays as it is.
    """

    uid: UniqueIdentifier
    nonce: bytes
    seen: int


Change = Insert | Replace | Remove | Grant | Withdraw | UseNonce


class Conflict(Exception):  # an answer, not a fault
    """Somebody else changed the object in between: read again and decide again."""


class Refused(Exception):  # an answer, too
    """Some groups of a commit cannot be done, so nothing was. failures: place of the group → error."""

    def __init__(self, failures: Mapping[int, KMIPError]) -> None:
        super().__init__()
        self.failures = failures


#: The changes of several steps in one commit: each group builds on those before it.
Groups = Sequence[Sequence[Change]]


@dataclass(frozen=True, slots=True)
class GrantedObject:
    """An object of another owner, and the operations that were granted on it."""

    target: ManagedObject
    operations: frozenset[Operation]


class Objects(Protocol):
    """What an operation may do with the objects: read them, and commit changes.

    principal, rights: who asks, and the granted operations any of which is enough (at most two,
    `domain.access.sufficient_rights`); an owner needs none. `operations.common.call` alone decides which
    rights those are. The reading statement itself checks that they are granted, so that no right
    outlives its withdrawal.
    """

    async def get(self, uid: UniqueIdentifier) -> ManagedObject | None:
        """The object, regardless of its owner; None where there is none. Never shown to a caller.

        Used by Import only, which has to know whether an identifier is taken.
        """

    async def get_for(
        self, uid: UniqueIdentifier, *, principal: str, rights: Collection[Operation] = ()
    ) -> ManagedObject | None:
        """The object if it is the principal's or one of the rights is granted, else None.

        Object and right are those of one moment.
        """

    async def find_tagged(self, search: TagSearch, after: Groups = ()) -> Sequence[ManagedObject]:
        """The objects that the search finds, newest first, 100 at most; none for a search without tags.

        after: search as if these changes had been made; they are not. Raises what `commit_groups` raises
        for them, and InvalidField for more tags than an object may have.
        """

    async def locate(
        self, search: LocateSearch, after: Groups = ()
    ) -> tuple[int, Sequence[UniqueIdentifier]]:
        """(number of all matches, a page of their identifiers, newest first), as of one moment.

        after: as for `find_tagged`. Raises InvalidField for more tags than an object may have.
        """

    async def commit(self, changes: Sequence[Change]) -> None:
        """All of the changes or none, durable on return.

        Raises Conflict, and the KMIPErrors that the changes name.
        """

    async def commit_groups(self, groups: Groups) -> None:
        """As `commit` of all groups at once. Raises Conflict, and Refused with the errors by group."""

    async def commit_now(self) -> None:
        """What `commit` accepted is durable on return, within a transaction of several steps too.

        For what cannot be done twice. Raises Conflict and Refused, and FeatureNotSupported where the
        steps may have to be undone.
        """


class ObjectStore(Objects, Protocol):
    """The objects of all users, durable.

    Every method raises errors.Unavailable where the database is out of reach or refuses (full disk,
    locked for too long, closed). No exception of SQLAlchemy or of a driver leaves the store.
    """

    async def start(self) -> None:
        """Open the database and bring its schema up to date. Raises ConfigurationError."""

    async def stop(self) -> None:
        """Finish the writes that were accepted, then close."""

    async def ping(self) -> None:
        """Return where the database answers."""

    async def list_grants(
        self, uid: UniqueIdentifier, *, owner: str
    ) -> Mapping[str, frozenset[Operation]] | None:
        """Grantee → operations, in the order of names; None where that owner has no such object."""

    async def list_owned(self, principal: str) -> Sequence[ManagedObject]:
        """The principal's objects in any state, newest first, MAX_LISTED at most.

        Without material: `sealed` is None.
        """

    async def list_granted(self, principal: str) -> Sequence[GrantedObject]:
        """What others granted to the principal or to everyone; order, number, material as `list_owned`."""

    async def holds_objects(self) -> bool:
        """Whether there is any object, in any state."""

    async def master_key_check(self) -> bytes | None:
        """The value that shows which master key this database belongs to; None in a new database."""

    async def set_master_key_check(self, value: bytes) -> bytes:
        """Store the value if there is none yet. The stored one is returned: two first starts may race."""
