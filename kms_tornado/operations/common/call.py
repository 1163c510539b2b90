"""Call: one operation of one principal, and its only way to an object.

How an operation gets an object. No operation but Import reads the store directly for the object that a
request names; all others go through `Call.fetch_for`, which decides, in this order and in the operation's
own transaction:

1. *Which object* the identifier means. A unique identifier names one object. A list of tags names the best
   object that has them all: Active ones before others, the newest first. If the caller owns one with these
   tags, it is one of theirs, suitable or not. Otherwise it is one that was granted to the caller by name,
   never one that was granted to everybody.
2. *Whether the caller may access it* for the operation that the dispatcher named, never one that the
   operation chose: as owner, or by a sufficient right (`domain.access`). Otherwise the error is the same
   ItemNotFound as for an object that does not exist.
3. *Whether its object type suits* the operation.
4. *Whether it is archived*, and has to be recovered first.
5. *Whether its state allows the use*, as of now: dates that have passed change the state.

`Call.fetch_to_use` continues with the checks for cryptography: dates, usage mask and usage limit. It
returns a `UsableKey`, which gives access to the plaintext. An object that is stored wrapped is unwrapped
there, for which the caller needs a right of their own to the wrapping key.

Further objects that a request mentions (a wrapping key, the target of a link) are fetched in the same way,
as for the operation that is done with them: `Call.for_operation`.

Nothing is written before `Call.commit`, and the store takes it only if every object still is as it was
read; otherwise the whole operation runs again (`transaction`).
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from ...audit.entry import AuditEntry
from ...crypto.material import KeyMaterial
from ...crypto.policy import CryptoPolicy, Technique, check_policy
from ...crypto.sealing.envelope import EnvelopeContext, KeyRing, SealBroken, open_sealed, seal
from ...domain.access import item_not_found, may_create_objects
from ...domain.dates import apply_dates, check_use_dates
from ...domain.lifecycle import Use, check_state
from ...domain.managed_object import (
    STORED_WRAPPED_TAG,
    ManagedObject,
    SealedMaterial,
    UniqueIdentifier,
)
from ...domain.search import TagSearch
from ...domain.storage import check_storage
from ...domain.usage import (
    check_is_not_opaque,
    check_usage_left,
    check_usage_mask,
    consume_usage,
)
from ...errors import (
    InvalidField,
    KeyWrapTypeNotSupported,
    KMIPError,
    MissingData,
    ObjectDestroyed,
    PermissionDenied,
)
from ...kmip.enums import CryptographicUsageMask, ObjectType, Operation
from ...settings.service import ServiceSettings
from ...store.interface.changes import Change, Replace, list_uids
from ...store.interface.objects import Objects
from .client_profile import ClientProfile
from .identifiers import parse_tag_list
from .server_nonces import ServerNonces
from .streams import Streams
from .suitable_types import SuitableTypes, format_types, has_type
from .tag_choice import choose_by_tags
from .usable_key import UsableKey

_log = logging.getLogger(__name__)

T = TypeVar("T")


class SharedOffload(Protocol):
    """Runs functions on the service's threads, where principals take turns. See `Call.offload`."""

    def __call__(
        self, function: Callable[[], T], *, principal: str, heavy: bool = False, size: int = 0
    ) -> Awaitable[T]: ...


class UnwrapStored(Protocol):
    """Unwraps an object that is stored wrapped (`objects.stored_wrapped.unwrap_stored`)."""

    def __call__(self, call: Call, target: ManagedObject) -> Awaitable[UsableKey]: ...


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """Values that all calls of one service share.

    offered: the operations of the catalogue that this server answers. object_types: those that the
    operations work on, in KMIP's order. sufficient_rights: operation → the rights any of which allows it
    (`domain.access.sufficient_rights`). settings: of the service. crypto_policy: the one in the settings,
    for `Call.check_allowed`. streams: the table of streams, of all callers of this process.
    server_nonces: the nonces that this process may make.
    """

    ring: KeyRing
    offload: SharedOffload
    unwrap_stored: UnwrapStored
    offered: tuple[Operation, ...]
    object_types: tuple[ObjectType, ...]
    sufficient_rights: Mapping[Operation, tuple[Operation, ...]]
    settings: ServiceSettings
    crypto_policy: CryptoPolicy
    streams: Streams = field(default_factory=Streams, repr=False)
    server_nonces: ServerNonces = field(default_factory=ServerNonces, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """The context of one operation, and its access to objects.

    principal: the caller's name. groups: the caller's, as grants name them. operation: set by the dispatcher, never
    by the operation itself.
    now: whole seconds since the Unix epoch, the same throughout a request.
    client: the profile of the kind of client that sent the request. audit: what is recorded of the operation;
    None records nothing.
    """

    principal: str
    operation: Operation
    store: Objects
    now: int
    client: ClientProfile
    context: ServiceContext
    groups: frozenset[str] = frozenset()
    audit: AuditEntry | None = None

    def offload(
        self, function: Callable[[], T], *, heavy: bool = False, size: int = 0
    ) -> Awaitable[T]:
        """Run a function on a thread: for one that would block the event loop for over a millisecond.

        heavy: it may take longer than about 50 ms (RSA keys, PBKDF2), so it waits in a queue apart from
        faster ones. size: bytes of data that it holds until it has run.
        Raises Unavailable where the queue is full: call it before anything is changed.
        """
        return self.context.offload(function, principal=self.principal, heavy=heavy, size=size)

    @property
    def streams(self) -> Streams:
        return self.context.streams

    def for_operation(self, operation: Operation) -> Call:
        """The same call for another operation that is part of it: Encrypt for a wrapping key, say.

        For further objects that a request mentions: the caller needs a right to each of them.
        """
        return dataclasses.replace(self, operation=operation)

    # --- fetching an object ---------------------------------------------------------------------

    async def fetch_for(
        self,
        identifier: str | None,
        use: Use,
        *,
        types: SuitableTypes = None,
        is_usable: Callable[[ManagedObject], bool] | None = None,
        unsuitable: type[KMIPError] = InvalidField,
    ) -> ManagedObject:
        """The object that the identifier means for this caller, operation and use.

        identifier: a unique identifier, or a JSON list of tags, all of which the object must have.
        types: the object types that suit the operation; None means all. is_usable: of several objects with the tags,
        one for which it returns true comes first; the caller checks the one that it gets. unsuitable: the error for
        another object type.
        The object's state is as of now: dates that have passed are applied (`domain.dates`).
        Raises ItemNotFound (it does not exist, or the caller has no right to it), InvalidField,
        MissingData, ObjectArchived, WrongKeyLifecycleState, ObjectDestroyed.
        """
        if identifier is None or identifier == "":
            raise MissingData("UniqueIdentifier is missing")
        target = await self._find(identifier, use, types, is_usable)
        if target is None:
            raise item_not_found(identifier)
        if self.audit is not None:
            self.audit.touched.append(target.uid)
        if not has_type(target, types):
            raise unsuitable(f"the object is not a {format_types(types)}")
        target = apply_dates(target, self.now)
        check_storage(target, use)
        check_state(target.state, use)
        return target

    def _find(
        self,
        identifier: str,
        use: Use,
        types: SuitableTypes,
        is_usable: Callable[[ManagedObject], bool] | None,
    ) -> Awaitable[ManagedObject | None]:
        """The object that the identifier means, if the caller may access it for this operation."""
        rights = self.context.sufficient_rights[self.operation]
        if not identifier.startswith("["):
            return self.store.get_for(
                UniqueIdentifier(identifier),
                principal=self.principal,
                groups=self.groups,
                rights=rights,
            )
        tags = parse_tag_list(identifier)
        granted = TagSearch(tags, self.principal, rights, now=self.now, groups=self.groups)

        def suits(candidate: ManagedObject) -> bool:
            return has_type(candidate, types) and (is_usable is None or is_usable(candidate))

        return choose_by_tags(self.store, granted, use, suits, now=self.now)

    async def fetch_to_use(
        self,
        identifier: str | None,
        use: Use,
        needed: CryptographicUsageMask,
        *,
        types: SuitableTypes = None,
        unsuitable: type[KMIPError] = InvalidField,
    ) -> UsableKey:
        """As `fetch_for`, for cryptography: also checks dates, usage mask and usage limit.

        use: PROTECT (encrypt, sign, MAC, wrap) or PROCESS (decrypt, verify, unwrap). needed: the bit
        of the usage mask. An operation that protects must call `consume_usage` before it answers.
        Raises also IncompatibleCryptographicUsageMask, PermissionDenied (the limit), KeyFormatTypeNotSupported
        for a key that is Opaque, and if the object is stored wrapped, the errors of fetching its wrapping key.
        """

        def is_usable(candidate: ManagedObject) -> bool:
            try:
                self._check_usable(candidate, use, needed)
            except KMIPError:
                return False
            return True

        target = await self.fetch_for(
            identifier, use, types=types, is_usable=is_usable, unsuitable=unsuitable
        )
        self._check_usable(target, use, needed)
        if STORED_WRAPPED_TAG in target.tags:
            key = await self.context.unwrap_stored(self, target)
            check_state(key.target.state, use)
            self._check_usable(key.target, use, needed)  # the rights wrapped with it bind, too
            return key
        return self.as_usable(target)

    def _check_usable(
        self, target: ManagedObject, use: Use, needed: CryptographicUsageMask
    ) -> None:
        attributes = target.attributes
        check_is_not_opaque(target)
        check_use_dates(attributes, use, now=self.now)
        check_usage_mask(target, needed)
        if attributes.usage_limits is not None and use is Use.PROTECT:
            check_usage_left(attributes.usage_limits)

    # --- its plaintext --------------------------------------------------------------------------

    def as_usable(self, target: ManagedObject) -> UsableKey:
        """The object as a UsableKey, without any check that it may be used."""
        return UsableKey(target, partial(self.open, target))

    def open(self, target: ManagedObject) -> KeyMaterial:
        """The plaintext, which must not be used after the operation has ended.

        Raises ObjectDestroyed, SealBroken, and KeyWrapTypeNotSupported for an object that is stored wrapped, which only
        `fetch_to_use` unwraps.
        """
        if STORED_WRAPPED_TAG in target.tags:
            raise KeyWrapTypeNotSupported("the object is kept wrapped")
        return self.open_envelope(target)

    def open_envelope(self, target: ManagedObject) -> KeyMaterial:
        """The content of the object's envelope, wrapped or not.

        Raises ObjectDestroyed, ObjectArchived, SealBroken.
        """
        if target.sealed is None:
            raise ObjectDestroyed("the object's key material is gone")
        check_storage(target, Use.READ)  # also where only its attributes were wanted at first
        try:
            return open_sealed(self.context.ring, target.sealed, _envelope_context(target))
        except SealBroken as exc:  # another program wrote to the database
            _log.error("the stored object %s cannot be used: %s", target.uid, exc.detail)
            raise

    def seal(self, target: ManagedObject, material: KeyMaterial) -> SealedMaterial:
        """Seal the material in an envelope that is bound to this object, owner, type and version."""
        return seal(self.context.ring, material, _envelope_context(target))

    # --- changes --------------------------------------------------------------------------------

    async def consume_usage(self, target: ManagedObject, size: int, *others: Change) -> None:
        """Count one protection of `size` bytes against the target's usage limit, if it has one.

        size: of the data and of the additional data that is authenticated with it.
        others: changes to commit together with it (a used nonce).
        Raises PermissionDenied, and Conflict where another request came first. The operation then runs again, so that
        no two requests can both have the last permitted use.
        """
        limits = target.attributes.usage_limits
        if limits is None:
            if others:
                await self.commit(*others)
            return
        attributes = target.attributes.replace(usage_limits=consume_usage(limits, size))
        after = dataclasses.replace(target, attributes=attributes)
        await self.commit(*others, Replace(after, seen=target.generation))

    async def commit(self, *changes: Change) -> None:
        """Make all of the changes or none. Raises Conflict where an object changed since it was read."""
        if self.audit is None:
            await self.store.commit(changes)
        else:
            await self.store.commit(changes, [self.audit.draft_change(list_uids(changes))])
            self.audit.is_recorded = True

    async def commit_now(self) -> None:
        """Make durable whatever was committed so far, even within a batch.

        Called before work that cannot be done twice. Raises Conflict, and FeatureNotSupported in a batch with the
        option Undo.
        """
        await self.store.commit_now()

    # --- what a caller may do -------------------------------------------------------------------

    async def is_allowed(self, target: ManagedObject, operation: Operation) -> bool:
        """Whether the caller may perform the operation on an object that was fetched for another one."""
        rights = self.context.sufficient_rights[operation]
        permitted = await self.store.get_for(
            target.uid, principal=self.principal, groups=self.groups, rights=rights
        )
        return permitted is not None

    def check_may_create(self) -> None:
        """Raises PermissionDenied where only privileged users create objects."""
        if not may_create_objects(self.principal, self.context.settings.privileged_users):
            raise PermissionDenied("creating objects is left to privileged users")

    def check_allowed(self, technique: Technique, use: Use) -> None:
        """Raises UnsupportedCryptographicParameters where the policy refuses this use of it."""
        check_policy(self.context.crypto_policy, technique, use)


def _envelope_context(target: ManagedObject) -> EnvelopeContext:
    return EnvelopeContext(target.uid, target.owner, target.object_type, target.version)
