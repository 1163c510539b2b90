"""ObjectListing: a user's objects in pages, searched and filtered; those that need attention; and their numbers."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ...audit.indexing import format_time
from ...audit.record import Origin
from ...domain.access import format_operation_names
from ...domain.attention import SOON_S, Reason, find_reasons
from ...domain.dates import apply_dates
from ...domain.managed_object import STORED_WRAPPED_TAG, ManagedObject
from ...kmip.attributes import Attributes
from ...kmip.enums import Operation
from ...kmip.tables import ENUMERATIONS
from ...operations.common.object_attributes import select_user_tags
from ...store.interface.compute import Compute
from ...store.interface.lists import LIST_START, GrantedObject, ListPosition, OwnedObject
from ...store.interface.object_store import ObjectStore
from ...user_names import EVERYONE
from ..auditing.auditor import Auditor
from .listing_cursor import ListingCursors
from .listing_request import ListingRequest

#: How many objects one request looks at beyond those of one turn: some 50 ms of work.
_MOST_LOOKED_AT = 2_000
#: How many objects are read together.
_TURN = 250

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # UTC, as all dates here are

JSON = dict[str, Any]


class ListingAnswer(NamedTuple):
    """A page of objects.

    next: the cursor for the next page; None where there is none. There may be a next page even after an empty one.
    """

    objects: Sequence[JSON]
    next: str | None


class ObjectListing:
    """Lists objects for users.

    compute: runs a function on a thread, for objects that are searched: each of them may have 64 KiB.
    readers: rights any of which lets a grantee read the attributes of an object.
    knows_uses: whether the audit records uses, so that an object without any was never used.
    """

    def __init__(
        self,
        store: ObjectStore,
        auditor: Auditor,
        compute: Compute,
        cursors: ListingCursors,
        *,
        readers: Collection[Operation],
        knows_uses: bool,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._auditor = auditor
        self._compute = compute
        self._cursors = cursors
        self._readers = frozenset(readers)
        self._knows_uses = knows_uses
        self._now = now

    async def list(
        self, principal: str, groups: Collection[str], request: ListingRequest, origin: Origin
    ) -> ListingAnswer:
        """Record that objects are listed, and list them, the newest first.

        Raises BadListingRequest for a cursor that is not the principal's.
        """
        position = LIST_START
        if request.cursor:
            position = self._cursors.parse_cursor(request.cursor, principal)
        with self._auditor.recording(origin, "ObjectList"):
            items: list[JSON] = []
            looked_at = 0
            while True:
                if request.is_owned:
                    page = await self._read_owned(principal, position, request)
                else:
                    page = await self._read_granted(principal, groups, position, request)
                for position_here, item in page:
                    if item is not None and len(items) == request.limit:
                        return self._answer(items, position, principal)
                    position = position_here
                    if item is not None:
                        items.append(item)
                looked_at += len(page)
                if len(page) < _turn(request):
                    return ListingAnswer(items, None)
                if looked_at >= _MOST_LOOKED_AT:
                    return self._answer(items, position, principal)

    def _answer(
        self, items: Sequence[JSON], position: ListPosition, principal: str
    ) -> ListingAnswer:
        return ListingAnswer(items, self._cursors.format_cursor(position, principal))

    async def count(self, principal: str, origin: Origin) -> JSON:
        """Record that objects are counted, and count those of the principal by state and by type.

        ``{"objects": …, "states": {name: number}, "types": {name: number}, "deactivating_soon": …}``
        """
        with self._auditor.recording(origin, "ObjectSummary"):
            now = int(self._now())
            counts = await self._store.pages.count_owned(principal, now=now, soon=now + SOON_S)
        states: Counter[str] = Counter()
        types: Counter[str] = Counter()
        for count in counts:
            states[ENUMERATIONS["State"].cosmian[count.state]] += count.objects
            types[ENUMERATIONS["ObjectType"].cosmian[count.object_type]] += count.objects
        return {
            "objects": states.total(),
            "states": dict(sorted(states.items())),
            "types": dict(sorted(types.items())),
            "deactivating_soon": sum(count.objects for count in counts if count.ends_soon),
        }

    async def _read_owned(
        self, principal: str, after: ListPosition, request: ListingRequest
    ) -> Sequence[tuple[ListPosition, JSON | None]]:
        pages, now = self._store.pages, int(self._now())
        grantees = (request.grantee, EVERYONE) if request.grantee else ()
        page = await pages.list_owned(
            principal, after=after, limit=_turn(request), grantees=grantees
        )
        return await self._compute(
            lambda: [(position, self._show_owned(item, request, now)) for position, item in page],
            principal=principal,
        )

    async def _read_granted(
        self,
        principal: str,
        groups: Collection[str],
        after: ListPosition,
        request: ListingRequest,
    ) -> Sequence[tuple[ListPosition, JSON | None]]:
        pages, now = self._store.pages, int(self._now())
        page = await pages.list_granted(principal, groups, after=after, limit=_turn(request))
        return await self._compute(
            lambda: [(position, self._show_granted(item, request, now)) for position, item in page],
            principal=principal,
        )

    def _show_owned(self, owned: OwnedObject, request: ListingRequest, now: int) -> JSON | None:
        """The object in JSON; None where it is not asked for."""
        target = apply_dates(owned.target, now)
        if not request.matches(target, may_read=True):
            return None
        if request.grantee and not owned.grants:
            return None
        is_used = owned.uses is not None if self._knows_uses else None
        reasons = find_reasons(target, is_used=is_used, now=now)
        if request.needs_attention and not reasons:
            return None
        return {
            **_render(target),
            **_render_attributes(target),
            "uses": 0 if owned.uses is None else owned.uses.uses,
            "last_used": None if owned.uses is None else format_time(owned.uses.last_ms),
            "attention": [*map(_render_reason, reasons)],
            "shared_with": owned.shared_with,
            **({"grants": _render_grants(owned.grants)} if request.grantee else {}),
        }

    def _show_granted(
        self, granted: GrantedObject, request: ListingRequest, now: int
    ) -> JSON | None:
        """The object in JSON; None where it is not asked for."""
        target = apply_dates(granted.target, now)
        may_read = not self._readers.isdisjoint(granted.operations)
        if not request.matches(target, may_read=may_read):
            return None
        return {
            **_render(target),
            **(_render_attributes(target) if may_read else {}),
            "operations": format_operation_names(granted.operations),
            "granted_to": sorted(granted.grantees),
        }


def _turn(request: ListingRequest) -> int:
    """How many objects to read at a time. If few are asked for, one more, to know whether there are others."""
    has_criteria = request != dataclasses.replace(
        ListingRequest(), is_owned=request.is_owned, limit=request.limit, cursor=request.cursor
    )
    return _TURN if has_criteria else min(_TURN, request.limit + 1)


def _render(target: ManagedObject) -> JSON:
    """The members that everybody sees who sees the object at all."""
    return {
        "object_id": target.uid,
        "owner_id": target.owner,
        "state": ENUMERATIONS["State"].cosmian[target.state],
        "is_wrapped": STORED_WRAPPED_TAG in target.tags,
    }


def _render_attributes(target: ManagedObject) -> JSON:
    attributes = target.attributes
    return {
        "names": [name.name_value for name in attributes.names],
        "tags": sorted(select_user_tags(target.tags)),
        "attributes": {
            "ObjectType": ENUMERATIONS["ObjectType"].cosmian[target.object_type],
            **dict(_list_values(attributes)),
        },
    }


#: Tag → the field of `Attributes`, of an enumeration, a number, and a date.
_ENUMERATED = {
    "CryptographicAlgorithm": "cryptographic_algorithm",
    "KeyFormatType": "key_format_type",
    "CertificateType": "certificate_type",
}
_NUMBERS = {
    "CryptographicLength": "cryptographic_length",
    "CryptographicUsageMask": "cryptographic_usage_mask",
}
_DATES = {
    "InitialDate": "initial_date",
    "ActivationDate": "activation_date",
    "ProcessStartDate": "process_start_date",
    "ProtectStopDate": "protect_stop_date",
    "DeactivationDate": "deactivation_date",
    "CompromiseDate": "compromise_date",
    "DestroyDate": "destroy_date",
}


def _list_values(attributes: Attributes) -> Iterator[tuple[str, Any]]:
    for tag, name in _ENUMERATED.items():
        if (number := getattr(attributes, name)) is not None:
            yield tag, ENUMERATIONS[tag].cosmian[number]
    for tag, name in _NUMBERS.items():
        if (number := getattr(attributes, name)) is not None:
            yield tag, number
    for tag, name in _DATES.items():
        if (date := getattr(attributes, name)) is not None:
            yield tag, _format_date(date)


def _render_grants(grants: Mapping[str, frozenset[Operation]]) -> list[JSON]:
    return [
        {"user_id": user, "operations": format_operation_names(operations)}
        for user, operations in grants.items()
    ]


def _render_reason(reason: Reason) -> JSON:
    return {"reason": reason.name, "at": None if reason.at is None else _format_date(reason.at)}


def _format_date(seconds: int) -> str:
    """A date by RFC 3339, in UTC; any that an attribute may have (`domain.dates`)."""
    return f"{(_EPOCH + timedelta(seconds=seconds)).isoformat()}Z"
