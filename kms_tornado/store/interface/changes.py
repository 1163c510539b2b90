"""The changes that a commit makes, as values, and how a commit fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...domain.managed_object import ManagedObject, UniqueIdentifier
from ...errors import KMIPError
from ...kmip.enums import Operation


@dataclass(frozen=True, slots=True)
class Insert:
    """Add a new object. Fails with ObjectAlreadyExists where its identifier is taken.

    An identifier is also taken if another owner's object had it and was removed.

    Insert and Replace fail with NonUniqueName where another object of the owner that is not destroyed has one of the
    object's names, and with ServerLimitExceeded where the owner would have too many objects.

    is_uid_random: whether the server made the identifier, so that it cannot be taken. A batch then need not look for it
    before its end.
    """

    new: ManagedObject
    is_uid_random: bool = False


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace the object by `new`, and set its generation to seen + 1.

    seen: the generation that the caller read. Fails with Conflict where the database has another one.
    """

    new: ManagedObject
    seen: int


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the object; only its owner may use its identifier again. Fails with Conflict as Replace does."""

    uid: UniqueIdentifier
    seen: int


@dataclass(frozen=True, slots=True)
class Grant:
    """Let another user do these operations as well. Fails with Conflict where the object is not the owner's.

    grantee: a user's name, a group's with GROUP_PREFIX, or EVERYONE.
    """

    uid: UniqueIdentifier
    owner: str
    grantee: str
    operations: frozenset[Operation]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Withdraw these rights; those that were never granted are ignored. Fails with Conflict as Grant does.

    If a right is withdrawn, the object's generation is counted up, so that a change which was decided
    under that right fails with Conflict.
    """

    uid: UniqueIdentifier
    owner: str
    grantee: str
    operations: frozenset[Operation]


@dataclass(frozen=True, slots=True)
class UseNonce:
    """Record that this nonce of a caller is used with the object's key material.

    The first record makes callers the source of the key's nonces, which the object's row then states as well. Records
    outlive the object.

    key: the identity of the material. nonce: 1 to 255 bytes.
    by_object: whether source and nonces of other objects with the same material do not count.

    Fails with NonceReused where the nonce was used before, with WrongNonceSource where the server makes the nonces, and
    with Conflict as Replace does. The generation does not change.
    """

    uid: UniqueIdentifier
    key: bytes
    nonce: bytes
    seen: int
    by_object: bool = False


@dataclass(frozen=True, slots=True)
class ReserveNonces:
    """Reserve `count` more nonces of the object's key material for the server to make.

    The first reservation makes the server the source of the key's nonces, which the object's row then states as well; a
    later one with count 0 does that for another object of the same material.

    by_object: as for UseNonce; reserved nonces are counted together in any case.

    Fails with NoncesSpent where that would be more than is safe, with WrongNonceSource where callers bring the nonces,
    and with Conflict as Replace does. The generation does not change.
    """

    uid: UniqueIdentifier
    key: bytes
    count: int
    seen: int
    by_object: bool = False


Change = Insert | Replace | Remove | Grant | Withdraw | UseNonce | ReserveNonces

#: The changes of several steps in one commit: each group builds on those before it.
Groups = Sequence[Sequence[Change]]


def list_uids(changes: Sequence[Change]) -> Sequence[str]:
    """The identifiers of the objects that are changed, each once, in the order of the changes."""
    uids: dict[str, None] = {}
    for change in changes:
        uids[change.new.uid if isinstance(change, (Insert, Replace)) else change.uid] = None
    return tuple(uids)


class Conflict(Exception):  # an expected outcome, not a fault: hence no name in …Error
    """Another request changed the object meanwhile: read again and decide again."""


class Refused(Exception):  # an expected outcome, too
    """Some groups of a commit are impossible, so nothing was done. failures: index of the group → error."""

    def __init__(self, failures: Mapping[int, KMIPError]) -> None:
        super().__init__()
        self.failures = failures
