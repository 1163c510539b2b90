"""Access rights: granted and withdrawn by an object's owner, and what is to be seen of them.

Bodies and answers are plain JSON (KMIP.md §11). Which right allows what: `domain.access`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import strict_json
from ..domain.access import (
    check_grantee,
    format_operation_names,
    is_owner,
    item_not_found,
    parse_operation_name,
)
from ..domain.dates import apply_dates
from ..domain.managed_object import STORED_WRAPPED_TAG, ManagedObject, UniqueIdentifier
from ..errors import GeneralFailure, InvalidField, InvalidMessage, MissingData
from ..kmip.enums import Operation
from ..kmip.tables import ENUMERATIONS
from ..operations.common.call import SharedOffload
from ..store.base import Conflict, Grant, GrantedObject, ObjectStore, Withdraw

#: No body of sense is longer; it is parsed on the event loop.
MAX_BODY_LENGTH = 64 * 1024
_MEMBERS = frozenset({"unique_identifier", "user_id", "operation_types", "operation_type"})
_ATTEMPTS = 10

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What to grant or to withdraw. user: a name, or `domain.access.EVERYONE`."""

    uid: UniqueIdentifier
    user: str
    operations: frozenset[Operation]


class AccessRights:
    """One per server; the principal's name is that of a verified token."""

    def __init__(
        self,
        store: ObjectStore,
        offload: SharedOffload,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._offload = offload
        self._now = now

    async def grant(self, principal: str, request: AccessRequest) -> None:
        """Again: no effect. Raises ItemNotFound to all but the owner, InvalidField, ServerLimitExceeded."""
        await self._change(Grant, principal, request)

    async def withdraw(self, principal: str, request: AccessRequest) -> None:
        """What was not granted does not matter. Raises ItemNotFound to all but the owner."""
        await self._change(Withdraw, principal, request)

    async def grants_on(self, principal: str, uid: str) -> list[JSON]:
        """Who was granted what on the principal's object. Raises ItemNotFound."""
        _check_identifier(uid)
        found = await self._store.list_grants(UniqueIdentifier(uid), owner=principal)
        if found is None:
            raise item_not_found(uid)
        return [
            {"user_id": user, "operations": format_operation_names(operations)}
            for user, operations in found.items()
        ]

    async def owned(self, principal: str) -> list[JSON]:
        """The principal's newest objects, the destroyed ones as well; not all where there are many."""
        found, now = await self._store.list_owned(principal), int(self._now())
        return await self._offload(
            lambda: [_owned(apply_dates(each, now)) for each in found], principal=principal
        )

    async def obtained(self, principal: str) -> list[JSON]:
        """The newest objects of others that were granted to the principal or to everyone."""
        found, now = await self._store.list_granted(principal), int(self._now())
        return await self._offload(
            lambda: [_obtained(each, apply_dates(each.target, now)) for each in found],
            principal=principal,
        )

    async def _change(
        self, kind: type[Grant] | type[Withdraw], principal: str, request: AccessRequest
    ) -> None:
        for _ in range(_ATTEMPTS):
            # Whose it is comes first: what is wrong besides is the owner's alone to know.
            target = await self._store.get_for(request.uid, principal=principal)
            if target is None or not is_owner(principal, target):
                raise item_not_found(request.uid)
            if kind is Grant and request.user == principal:
                raise InvalidField("the owner has every right already")
            change = kind(request.uid, principal, request.user, request.operations)
            try:
                return await self._store.commit([change])
            except Conflict:
                continue  # it was removed in between
        raise GeneralFailure("the object is changed by others all the time; try again")


def parse_access_request(body: bytes) -> AccessRequest:
    """Raises InvalidMessage for what is no JSON object, MissingData and InvalidField by member."""
    if len(body) > MAX_BODY_LENGTH:
        raise InvalidMessage(f"the body has more than {MAX_BODY_LENGTH} bytes")
    try:
        members = strict_json.loads(body, max_depth=4)
    except ValueError as exc:
        raise InvalidMessage(str(exc)) from None
    if not isinstance(members, dict):
        raise InvalidMessage("the body must be a JSON object")
    if members.keys() - _MEMBERS:  # it may be meant to limit the right
        raise InvalidField(f"the body has members other than {', '.join(sorted(_MEMBERS))}")
    uid, user = _text(members, "unique_identifier"), _text(members, "user_id")
    _check_identifier(uid)
    check_grantee(user)
    return AccessRequest(UniqueIdentifier(uid), user, _operations(members))


def _check_identifier(uid: str) -> None:
    if uid.startswith("["):
        raise InvalidField("a list of tags may mean several objects: give the identifier")


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if value is None:
        raise MissingData(f"{name} is missing")
    if not isinstance(value, str) or not value:
        raise InvalidField(f"{name} must be a text that is not empty")
    return value


def _operations(members: Mapping[str, Any]) -> frozenset[Operation]:
    """Of ``operation_types``, a list, or ``operation_type``, one name."""
    given = [name for name in ("operation_types", "operation_type") if name in members]
    if not given:
        raise MissingData("operation_types is missing")
    if len(given) > 1:
        raise InvalidField("give operation_types or operation_type, not both")
    names = members[given[0]]
    if given == ["operation_type"]:
        names = [names]
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise InvalidField("operation_types must be a list of names, and not empty")
    return frozenset(map(parse_operation_name, names))


def _owned(target: ManagedObject) -> JSON:
    kept = target.attributes
    attributes = {
        "ObjectType": _name("ObjectType", target.object_type),
        "CryptographicAlgorithm": _name("CryptographicAlgorithm", kept.cryptographic_algorithm),
        "CryptographicLength": kept.cryptographic_length,
        "CryptographicUsageMask": kept.cryptographic_usage_mask,
        "KeyFormatType": _name("KeyFormatType", kept.key_format_type),
    }
    return {
        "object_id": target.uid,
        "state": _name("State", target.state),
        "attributes": {name: value for name, value in attributes.items() if value is not None},
        "is_wrapped": STORED_WRAPPED_TAG in target.tags,
    }


def _obtained(found: GrantedObject, target: ManagedObject) -> JSON:
    """target: as of now."""
    return {
        "object_id": target.uid,
        "owner_id": target.owner,
        "state": _name("State", target.state),
        "operations": format_operation_names(found.operations),
        "is_wrapped": STORED_WRAPPED_TAG in target.tags,
    }


def _name(enumeration: str, value: int | None) -> str | None:
    """As the clients' dialect of TTLV writes it."""
    return None if value is None else ENUMERATIONS[enumeration].cosmian[value]
