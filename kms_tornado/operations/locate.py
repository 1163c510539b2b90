"""Locate (KMIP 2.1 §6.1.28)."""

from __future__ import annotations

from ..domain.search import LocateSearch, build_filter, choose_placeholder
from ..errors import InvalidField
from ..kmip.enums import ObjectGroupMember, Operation
from ..kmip.payloads import LocateRequest, LocateResponse
from .common.call import Call

MAX_LOCATED = 1000  # as cosmian_kms; with OffsetItems a client asks for further pages


async def locate(call: Call, request: LocateRequest) -> LocateResponse:
    """The matching objects that the caller owns or has any right on.

    The caller's own come first, then those granted to the caller by name, then those granted to everybody; in each
    group the newest first. If the default member of a group is asked for, only the first one is returned.
    """
    for value in (request.maximum_items, request.offset_items):
        if value is not None and value < 0:
            raise InvalidField("MaximumItems and OffsetItems may not be negative")
    only_default_member = request.object_group_member is ObjectGroupMember.GROUP_MEMBER_DEFAULT
    search = LocateSearch(
        build_filter(request.criteria, request.storage_status_mask, request.object_group_member),
        call.principal,
        offset=0 if only_default_member else request.offset_items or 0,
        maximum=1
        if only_default_member
        else min(MAX_LOCATED, request.maximum_items or MAX_LOCATED),
        now=call.now,
        readers=call.context.sufficient_rights[Operation.GET_ATTRIBUTES],
        groups=call.groups,
    )
    page = await call.store.locate(search)
    return LocateResponse(
        located_items=len(page.objects) if only_default_member else page.total,
        unique_identifiers=page.uids,
        placeholder=choose_placeholder(page),
    )
