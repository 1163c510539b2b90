"""Access rights: granted, withdrawn and listed by an object's owner, and listed for the grantees.

Bodies and answers are plain JSON (docs/http.md, "Access rights"). Which right allows what is decided in
`domain.access`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from ... import strict_json
from ...audit.entry import AuditEntry
from ...audit.indexing import format_time
from ...audit.record import Origin
from ...domain.access import (
    check_grantee,
    check_new_grantee,
    format_operation_names,
    is_owner,
    item_not_found,
    parse_operation_name,
)
from ...domain.dates import apply_dates
from ...domain.managed_object import STORED_WRAPPED_TAG, ManagedObject, UniqueIdentifier
from ...errors import InvalidField, InvalidMessage, MissingData
from ...kmip.enums import Operation
from ...kmip.tables import ENUMERATIONS
from ...operations.common.call import SharedOffload
from ...redaction import mask_jwts
from ...store.interface.changes import Conflict, Grant, Withdraw
from ...store.interface.compute import compute_in_slices
from ...store.interface.lists import GrantedObject, OwnedObject
from ...store.interface.object_store import ObjectStore
from ...wording import format_size
from ..auditing.auditor import Auditor
from ..service import ATTEMPTS, TooManyConflicts

#: The longest body, in bytes. It is parsed on the event loop, and no sensible one is longer.
MAX_BODY_LENGTH = 64 * 1024

_FEW_GRANTS = 50  # are rendered at once, and so even where no thread is free
_MEMBERS = frozenset({"unique_identifier", "user_id", "operation_types", "operation_type"})

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """The operations on an object that are to be granted to a user or withdrawn.

    user: a name as in tokens, a group's with `user_names.GROUP_PREFIX`, or `user_names.EVERYONE`.
    """

    uid: UniqueIdentifier
    user: str
    operations: frozenset[Operation]


class AccessRights:
    """The access rights of one key service. `principal` is the name in a verified token.

    auditor: makes the records of calls that have an origin.
    """

    def __init__(
        self,
        store: ObjectStore,
        offload: SharedOffload,
        *,
        now: Callable[[], float] = time.time,
        auditor: Auditor | None = None,
    ) -> None:
        self._store = store
        self._auditor = auditor
        self._offload = offload
        self._now = now

    async def grant(
        self,
        principal: str,
        request: AccessRequest,
        origin: Origin | None = None,
        *,
        has_groups: bool = False,
    ) -> None:
        """Grant the rights that are not granted yet.

        has_groups: whether tokens say to which groups a user belongs.
        Raises ItemNotFound to everybody but the owner, InvalidField for a grant to the owner or to a name that nobody
        can have, and ServerLimitExceeded.
        """
        with self._record(origin, "AccessGrant", request.uid, _describe(request)) as entry:
            check_new_grantee(request.user, has_groups=has_groups)
            if mask_jwts(request.user) != request.user:  # it would stand in lists and records
                raise InvalidField("user_id is a token: give the name of its user")
            await self._change(Grant, principal, request, entry)

    async def withdraw(
        self, principal: str, request: AccessRequest, origin: Origin | None = None
    ) -> None:
        """Withdraw rights; those that are not granted are ignored. Raises ItemNotFound to everybody but the owner."""
        with self._record(origin, "AccessRevoke", request.uid, _describe(request)) as entry:
            await self._change(Withdraw, principal, request, entry)

    async def list_grants(
        self, principal: str, uid: str, origin: Origin | None = None
    ) -> list[JSON]:
        """``[{"user_id": …, "operations": […]}]`` of the principal's object. Raises ItemNotFound."""
        with self._record(origin, "AccessList", uid):
            return await self._list_grants(principal, uid)

    async def _list_grants(self, principal: str, uid: str) -> list[JSON]:
        _check_identifier(uid)
        grants = await self._store.list_grants(UniqueIdentifier(uid), owner=principal)
        if grants is None:
            raise item_not_found(uid)

        def render() -> list[JSON]:
            return [
                {"user_id": user, "operations": format_operation_names(operations)}
                for user, operations in grants.items()
            ]

        if len(grants) <= _FEW_GRANTS:
            return render()
        return await self._offload(render, principal=principal)

    async def list_owned(self, principal: str, origin: Origin | None = None) -> list[JSON]:
        """The principal's newest objects, including destroyed ones; `store.bounds` has the largest number of them."""
        with self._record(origin, "AccessOwned"):
            objects, now = await self._store.list_owned(principal), int(self._now())

            def render(some: Sequence[OwnedObject]) -> list[JSON]:
                return [_render_owned(owned, apply_dates(owned.target, now)) for owned in some]

            return await compute_in_slices(self._offload, render, objects, principal=principal)

    async def list_granted(
        self, principal: str, groups: Collection[str] = (), origin: Origin | None = None
    ) -> list[JSON]:
        """The newest objects of others that were granted to the principal, to a group of its or to everyone."""
        with self._record(origin, "AccessObtained"):
            granted, now = await self._store.list_granted(principal, groups), int(self._now())

            def render(some: Sequence[GrantedObject]) -> list[JSON]:
                return [_render_granted(item, apply_dates(item.target, now)) for item in some]

            return await compute_in_slices(self._offload, render, granted, principal=principal)

    def _record(
        self,
        origin: Origin | None,
        operation: str,
        uid: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> AbstractContextManager[AuditEntry | None]:
        if self._auditor is None or origin is None:
            return nullcontext()
        return self._auditor.recording(origin, operation, uid, detail)

    async def _change(
        self,
        change_type: type[Grant] | type[Withdraw],
        principal: str,
        request: AccessRequest,
        entry: AuditEntry | None,
    ) -> None:
        for _ in range(ATTEMPTS):
            # Ownership first: only the owner may learn what else is wrong with the request.
            target = await self._store.get_for(request.uid, principal=principal)
            if target is None or not is_owner(principal, target):
                raise item_not_found(request.uid)
            if change_type is Grant and request.user == principal:
                raise InvalidField("the owner has every right already")
            change = change_type(request.uid, principal, request.user, request.operations)
            drafts = (
                () if entry is None else [entry.draft_change([request.uid], _describe(request))]
            )
            try:
                await self._store.commit([change], drafts)
            except Conflict:
                continue  # the object was removed in between
            if entry is not None:
                entry.is_recorded = True
            return
        raise TooManyConflicts


def _describe(request: AccessRequest) -> Mapping[str, Any]:
    """What a record says about a grant, besides naming the object."""
    return {"grantee": request.user, "rights": format_operation_names(request.operations)}


def parse_access_request(body: bytes) -> AccessRequest:
    """The request in a body.

    Raises InvalidMessage where it is not a JSON object, MissingData and InvalidField for its members.
    """
    if len(body) > MAX_BODY_LENGTH:
        raise InvalidMessage(f"the body is larger than {format_size(MAX_BODY_LENGTH)}")
    try:
        members = strict_json.loads(body, max_depth=4)
    except ValueError as exc:
        raise InvalidMessage(str(exc)) from None
    if not isinstance(members, dict):
        raise InvalidMessage("the body must be a JSON object")
    if members.keys() - _MEMBERS:  # the unknown member may be meant to limit the right
        raise InvalidField(f"the body has members other than {', '.join(sorted(_MEMBERS))}")
    uid, user = _read_text(members, "unique_identifier"), _read_text(members, "user_id")
    _check_identifier(uid)
    check_grantee(user)
    return AccessRequest(UniqueIdentifier(uid), user, _read_operations(members))


def _check_identifier(uid: str) -> None:
    if uid.startswith("["):
        raise InvalidField("a list of tags may mean several objects: give the identifier")


def _read_text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if value is None:
        raise MissingData(f"{name} is missing")
    if not isinstance(value, str) or not value:
        raise InvalidField(f"{name} must be a text that is not empty")
    return value


def _read_operations(members: Mapping[str, Any]) -> frozenset[Operation]:
    """The operations: from ``operation_types``, a list of names, or ``operation_type``, one name."""
    present = [name for name in ("operation_types", "operation_type") if name in members]
    if not present:
        raise MissingData("operation_types is missing")
    if len(present) > 1:
        raise InvalidField("give operation_types or operation_type, not both")
    names = members[present[0]]
    if present == ["operation_type"]:
        names = [names]
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise InvalidField("operation_types must be a list of names, and not empty")
    return frozenset(map(parse_operation_name, names))


def _render_owned(owned: OwnedObject, target: ManagedObject) -> JSON:
    """An owned object in JSON. target: the object, in its current state."""
    attributes = target.attributes
    algorithm, key_format = attributes.cryptographic_algorithm, attributes.key_format_type
    members = {
        "ObjectType": _format_name("ObjectType", target.object_type),
        "CryptographicAlgorithm": _format_name("CryptographicAlgorithm", algorithm),
        "CryptographicLength": attributes.cryptographic_length,
        "CryptographicUsageMask": attributes.cryptographic_usage_mask,
        "KeyFormatType": _format_name("KeyFormatType", key_format),
    }
    return {
        "object_id": target.uid,
        "state": _format_name("State", target.state),
        "attributes": {name: value for name, value in members.items() if value is not None},
        "is_wrapped": STORED_WRAPPED_TAG in target.tags,
        "uses": 0 if owned.uses is None else owned.uses.uses,
        "last_used": None if owned.uses is None else format_time(owned.uses.last_ms),
    }


def _render_granted(granted: GrantedObject, target: ManagedObject) -> JSON:
    """A granted object in JSON. target: the object, in its current state."""
    return {
        "object_id": target.uid,
        "owner_id": target.owner,
        "state": _format_name("State", target.state),
        "operations": format_operation_names(granted.operations),
        "granted_to": sorted(granted.grantees),
        "is_wrapped": STORED_WRAPPED_TAG in target.tags,
    }


def _format_name(enumeration: str, value: int | None) -> str | None:
    """The name as the published clients' form of JSON TTLV writes it."""
    return None if value is None else ENUMERATIONS[enumeration].cosmian[value]
