"""Locate (KMIP 2.1 §6.1.24; KMIP.md §8)."""

from __future__ import annotations

from ..domain.search import LocateSearch, build_filter
from ..errors import InvalidField
from ..kmip.enums import ObjectGroupMember
from ..kmip.payloads import LocateRequest, LocateResponse
from .common.call import Call

MAX_LOCATED = 1000  # as Cosmian; a client pages with OffsetItems


async def locate(call: Call, request: LocateRequest) -> LocateResponse:
    """What matches of the objects that the caller owns or has any right on, newest first.

    A group's default member is the newest of what matches.
    """
    for value in (request.maximum_items, request.offset_items):
        if value is not None and value < 0:
            raise InvalidField("MaximumItems and OffsetItems may not be negative")
    is_for_one = request.object_group_member is ObjectGroupMember.GROUP_MEMBER_DEFAULT
    search = LocateSearch(
        build_filter(request.criteria, request.storage_status_mask, request.object_group_member),
        call.principal,
        offset=0 if is_for_one else request.offset_items or 0,
        maximum=1 if is_for_one else min(MAX_LOCATED, request.maximum_items or MAX_LOCATED),
        now=call.now,
    )
    total, found = await call.store.locate(search)
    return LocateResponse(
        located_items=len(found) if is_for_one else total, unique_identifiers=tuple(found)
    )
