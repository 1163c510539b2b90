"""Call: one operation for one principal, and its only way to an object: fetch_for.

No operation reads the store by itself. Access, state and the meaning of an identifier are decided
here, for the operation that the dispatcher named.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from ... import strict_json
from ...crypto.envelope import EnvelopeContext, MasterKey, SealBroken, open_sealed, seal
from ...crypto.material import KeyMaterial
from ...crypto.policy import CryptoPolicy, Technique, check_policy
from ...domain.access import item_not_found
from ...domain.dates import apply_dates, check_use_dates, state_at
from ...domain.lifecycle import DESTROYED_STATES, Use, check_state
from ...domain.managed_object import (
    STORED_WRAPPED_TAG,
    ManagedObject,
    SealedMaterial,
    UniqueIdentifier,
)
from ...domain.search import TagSearch
from ...domain.usage import check_usage_left, check_usage_mask, consume_usage
from ...errors import (
    InvalidField,
    KeyWrapTypeNotSupported,
    MissingData,
    ObjectDestroyed,
    PermissionDenied,
)
from ...kmip.enums import CryptographicUsageMask, ObjectType, Operation, State
from ...store.base import Change, Objects, Replace
from .client_profile import ClientProfile
from .streams import Streams
from .transaction import Transaction

_log = logging.getLogger(__name__)

T = TypeVar("T")

#: The object types that suit an operation; None: any.
Kind = ObjectType | frozenset[ObjectType] | None

MAX_IDENTIFIER_LENGTH = 1024
#: No object has longer tags; reading a list of megabytes would hold up everybody else.
MAX_TAG_LIST_LENGTH = 64 * 1024


class SharedOffload(Protocol):
    """`Call.offload` for everybody: principals take turns."""

    def __call__(
        self, function: Callable[[], T], *, principal: str, heavy: bool = False
    ) -> Awaitable[T]: ...


class UnwrapStored(Protocol):
    """An object that is kept wrapped as its wrapping key makes it, its plaintext in `call.unwrapped`."""

    def __call__(self, call: Call, target: ManagedObject) -> Awaitable[ManagedObject]: ...


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """What all calls of one service have in common.

    offered: every operation that this server does. object_types: what they work on, for Query.
    sufficient_rights: as `domain.access.sufficient_rights` makes them.
    privileged_users: who may create objects; empty means everyone.
    crypto_policy: of --crypto-policy; `Call.check_allowed` asks it.
    unwrap_stored: opens objects that are stored wrapped.
    streams: data that comes in parts, of all callers of this process.
    """

    master_key: MasterKey
    offload: SharedOffload
    unwrap_stored: UnwrapStored
    offered: tuple[Operation, ...]
    object_types: tuple[ObjectType, ...]
    sufficient_rights: Mapping[Operation, tuple[Operation, ...]]
    privileged_users: frozenset[str]
    crypto_policy: CryptoPolicy
    streams: Streams = field(default_factory=Streams, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """What an operation needs to know and to reach.

    principal: the caller's name. operation: from the dispatch table, never from the handler.
    now: whole seconds since the Unix epoch, the same for all that one request does.
    client: what the kind of client that sent the request expects.
    unwrapped: the plaintexts of objects that are kept wrapped, in this call.
    """

    principal: str
    operation: Operation
    store: Objects
    now: int
    client: ClientProfile
    context: ServiceContext
    unwrapped: dict[UniqueIdentifier, KeyMaterial] = field(default_factory=dict, repr=False)

    def offload(self, function: Callable[[], T], *, heavy: bool = False) -> Awaitable[T]:
        """Run a function that takes longer than about a millisecond where it does not block the loop.

        heavy: it may take longer than some 50 ms (RSA keys, PBKDF2), so that it must not stand in the
        way of what takes a few. Raises Unavailable where the queue is full: call it before anything is
        changed.
        """
        return self.context.offload(function, principal=self.principal, heavy=heavy)

    @property
    def streams(self) -> Streams:
        return self.context.streams

    def for_operation(self, operation: Operation) -> Call:
        """The same call where it does something else in passing: wrap with a key, say.

        For identifiers that a request mentions besides its target: each needs a right of its own.
        """
        return dataclasses.replace(self, operation=operation)

    async def fetch_for(
        self, identifier: str | None, use: Use, *, kind: Kind = None
    ) -> ManagedObject:
        """The object that the identifier means for this caller, operation and use.

        identifier: a unique identifier, or a JSON list of tags that the object must carry all
        (KMIP.md §7). Among several, the caller's own come first, then Active ones, then the newest.
        kind: the only object type, or types, that suit the operation.
        The state is the one of now: a date that has passed moved it (`domain.dates`).
        Raises ItemNotFound (not there, or not the caller's), InvalidField, MissingData,
        WrongKeyLifecycleState, ObjectDestroyed.
        """
        if identifier is None or identifier == "":
            raise MissingData("UniqueIdentifier is missing")
        if identifier.startswith("["):
            target = await self._tagged(parse_tags(identifier), use, kind)
        else:
            target = await self.store.get_for(
                UniqueIdentifier(identifier),
                principal=self.principal,
                rights=self.context.sufficient_rights[self.operation],
            )
        if target is None:
            raise item_not_found(identifier)
        if not _is(target, kind):
            raise InvalidField(f"the object is no {_words(kind)}")
        target = apply_dates(target, self.now)
        check_state(target.state, use)
        return target

    async def fetch_to_use(
        self,
        identifier: str | None,
        use: Use,
        needed: CryptographicUsageMask,
        *,
        kind: Kind = None,
    ) -> ManagedObject:
        """As `fetch_for`, for cryptography: state, dates, usage mask and limit allow it by now.

        use: PROTECT (encrypt, sign, MAC, wrap) or PROCESS (decrypt, verify, unwrap). needed: the bit.
        Whoever protects calls `consume_usage` before the result leaves the operation.
        Raises IncompatibleCryptographicUsageMask and PermissionDenied (the limit) besides.
        """
        target = await self.fetch_for(identifier, use, kind=kind)
        attributes = target.attributes
        check_use_dates(attributes, use, now=self.now)
        check_usage_mask(attributes.cryptographic_usage_mask, needed)
        if attributes.usage_limits is not None and use is Use.PROTECT:
            check_usage_left(attributes.usage_limits)
        if STORED_WRAPPED_TAG in target.tags:
            # For `open`, in this call alone; the caller needs a right of its own to the wrapping key.
            return await self.context.unwrap_stored(self, target)
        return target

    async def consume_usage(self, target: ManagedObject, size: int, *others: Change) -> None:
        """Take one protection of so many bytes off the target's usage limit, if it has one.

        others: changes that belong to it (a nonce that is used up), committed with it or not at all.
        Raises PermissionDenied, and Conflict where another request came first: then everything is
        decided anew, so that no two share what is left for one.
        """
        limits = target.attributes.usage_limits
        if limits is None:
            if others:
                await self.commit(*others)
            return
        attributes = target.attributes.replace(usage_limits=consume_usage(limits, size))
        after = dataclasses.replace(target, attributes=attributes)
        await self.commit(*others, Replace(after, seen=target.generation))

    async def _tagged(self, tags: frozenset[str], use: Use, kind: Kind) -> ManagedObject | None:
        """The best of the objects with all the tags that the caller may use; one that may not be used, for the refusal.

        The store is asked for one group of states after the other, not for all at once: it lists
        the newest hundred, and a hundred revoked keys must not hide the Active one. The caller's
        own come before what was granted: else anybody could grant a newer key with the same tags,
        and have others encrypt with it.
        """
        unsuitable = None
        groups = [
            (rights, states)
            for rights in ((), self.context.sufficient_rights[self.operation])
            for states in _by_preference(use)
        ]
        for rights, states in groups:
            search = TagSearch(tags, self.principal, rights, states, self.now)
            for each in await self.store.with_tags(search):
                if use.is_allowed_in(state_at(each, self.now)) and _is(each, kind):
                    return each
                unsuitable = unsuitable or each
        return unsuitable

    def check_may_create(self) -> None:
        """Raises PermissionDenied where only privileged users create objects."""
        privileged = self.context.privileged_users
        if privileged and self.principal not in privileged:
            raise PermissionDenied("creating objects is left to privileged users")

    def check_allowed(self, technique: Technique, use: Use) -> None:
        """Raises UnsupportedCryptographicParameters where the policy refuses this use of it."""
        check_policy(self.context.crypto_policy, technique, use)

    def open(self, target: ManagedObject) -> KeyMaterial:
        """The plaintext key, for as long as the operation runs.

        Raises ObjectDestroyed, and KeyWrapTypeNotSupported for an object that is kept wrapped, unless
        `fetch_to_use` fetched it.
        """
        if STORED_WRAPPED_TAG in target.tags:
            if target.uid not in self.unwrapped:
                raise KeyWrapTypeNotSupported("the object is kept wrapped")
            return self.unwrapped[target.uid]
        return self.open_kept(target)

    def open_kept(self, target: ManagedObject) -> KeyMaterial:
        """What is below the object's envelope, wrapped or not. Raises ObjectDestroyed, SealBroken."""
        if target.sealed is None:
            raise ObjectDestroyed("the object's key material is gone")
        try:
            return open_sealed(self.context.master_key, target.sealed, _envelope_context(target))
        except SealBroken as exc:  # somebody else wrote to the database
            _log.error("the stored object %s cannot be used: %s", target.uid, exc.detail)
            raise

    def seal(self, target: ManagedObject, material: KeyMaterial) -> SealedMaterial:
        """Material in the envelope of exactly this object, owner and version."""
        return seal(self.context.master_key, material, _envelope_context(target))

    async def commit(self, *changes: Change) -> None:
        await self.store.commit(changes)

    async def commit_now(self) -> None:
        """What was committed is on disk on return, within a message too.

        For what cannot be done twice. Raises Conflict, and FeatureNotSupported within Undo.
        """
        if isinstance(self.store, Transaction):
            await self.store.commit_now()


def _is(target: ManagedObject, kind: Kind) -> bool:
    return kind is None or target.object_type in ((kind,) if isinstance(kind, ObjectType) else kind)


def _words(kind: Kind) -> str:
    """``Symmetric Key or Secret Data``."""
    kinds = () if kind is None else (kind,) if isinstance(kind, ObjectType) else sorted(kind)
    return " or ".join(each.name.replace("_", " ").title() for each in kinds)


def parse_tags(identifier: str) -> frozenset[str]:
    """The tags of ``["a","b"]``. Raises InvalidField; an empty list would mean every object."""
    if len(identifier) > MAX_TAG_LIST_LENGTH:
        raise InvalidField(f"a list of tags has at most {MAX_TAG_LIST_LENGTH} characters")
    try:
        tags = strict_json.loads(identifier.encode("utf-8"), max_depth=1)
    except ValueError:
        raise InvalidField("an identifier that starts with [ must be a JSON list of tags") from None
    if not isinstance(tags, list) or not all(isinstance(t, str) and t for t in tags):
        raise InvalidField("an identifier that starts with [ must be a JSON list of tags")
    if not tags:
        raise InvalidField("an empty list of tags names no object")
    return frozenset(tags)


def _by_preference(use: Use) -> Sequence[frozenset[State]]:
    """Active first where the use allows it, then the other states that do, then the rest; never a destroyed one."""
    alive = frozenset(State) - DESTROYED_STATES
    active = frozenset({State.ACTIVE})
    suitable = frozenset(filter(use.is_allowed_in, alive))
    groups = (suitable & active, suitable - active, alive - suitable)
    return [states for states in groups if states]


def _envelope_context(target: ManagedObject) -> EnvelopeContext:
    return EnvelopeContext(target.uid, target.owner, target.object_type, target.version)
