"""GetAttributes and GetAttributeList; which attributes a new object may have (KMIP 2.1 §4, §6.1.18)."""

from __future__ import annotations

import dataclasses
import hashlib

from ..domain.attribute_rules import check_quantum_safe, is_set, rule_for
from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..errors import InvalidAttribute, InvalidField
from ..kmip.attributes import Attributes, with_user_tags
from ..kmip.payloads import (
    AttributeReference,
    GetAttributeListRequest,
    GetAttributeListResponse,
    GetAttributesRequest,
    GetAttributesResponse,
)
from ..kmip.schema import tag_of
from ..kmip.structures import VendorAttribute
from ..store.sql.attribute_rows import format_attributes
from .common.call import Call

#: Attributes and tags of one object, in characters as they are stored: readers keep thousands of
#: them in memory, and a key is no place for documents.
MAX_ATTRIBUTES_LENGTH = 64 * 1024

#: Seconds for which a client may go on with what it got before it should ask again.
LEASE_TIME_S = 3600

#: Where all material is protected: by this process, whatever keeps its master key (§4.44).
_SOFTWARE = 1

#: Vendor attributes that ask for something: to be honoured or refused, never just kept.
_REFUSED_VENDOR_ATTRIBUTES = frozenset({"wrapping_key_id"})


def check_settable(wanted: Attributes) -> None:
    """Raises InvalidAttribute, naming the first attribute that a client may not set on a new object."""
    for name in wanted.set_fields():
        if not rule_for(name).create:
            raise InvalidAttribute(f"{tag_of(Attributes, name)} cannot be set by a client here")
    for attribute in wanted.vendor_attributes:
        check_vendor_attribute(attribute)
    check_quantum_safe(wanted)


def check_vendor_attribute(attribute: VendorAttribute) -> None:
    """Raises InvalidAttribute for one that asks for something which is not done."""
    if attribute.attribute_name in _REFUSED_VENDOR_ATTRIBUTES:
        raise InvalidAttribute(f"{attribute.attribute_name} is not supported")


def check_length(attributes: Attributes, tags: frozenset[str]) -> None:
    """Raises InvalidField."""
    if len(format_attributes(attributes).text) + sum(map(len, tags)) > MAX_ATTRIBUTES_LENGTH:
        raise InvalidField(f"attributes and tags have more than {MAX_ATTRIBUTES_LENGTH} characters")


async def get_attributes(call: Call, request: GetAttributesRequest) -> GetAttributesResponse:
    """All attributes, or those referred to that are set; metadata outlives a destroyed key."""
    target = await call.fetch_for(request.unique_identifier, Use.INSPECT)
    attributes = described(target)
    if request.attribute_references:
        attributes = _selected(attributes, request)
    return GetAttributesResponse(unique_identifier=target.uid, attributes=attributes)


async def get_attribute_list(
    call: Call, request: GetAttributeListRequest
) -> GetAttributeListResponse:
    """What GetAttributes would tell, by name."""
    target = await call.fetch_for(request.unique_identifier, Use.INSPECT)
    attributes = described(target)
    vendors = {
        AttributeReference(each.attribute_name, each.vendor_identification): None
        for each in attributes.vendor_attributes
    }
    others = (
        AttributeReference(tag_of(Attributes, field.name))
        for field in dataclasses.fields(attributes)
        if field.name != "vendor_attributes" and is_set(attributes, field.name)
    )
    return GetAttributeListResponse(target.uid, (*others, *vendors))


def described(target: ManagedObject) -> Attributes:
    """The object's attributes with those that are kept apart or follow from others.

    Fresh is kept only where a client asked for it: of anything else nobody knows that it was never
    given out, and a first Get need not write.
    """
    attributes = target.attributes
    return with_user_tags(
        attributes.replace(
            unique_identifier=target.uid,
            short_unique_identifier=hashlib.sha256(target.uid.encode()).digest(),
            object_type=target.object_type,
            state=target.state,
            fresh=bool(attributes.fresh),
            lease_time=LEASE_TIME_S,
            protection_storage_mask=_SOFTWARE,
        ),
        user_tags_of(target.tags),
    )


def user_tags_of(tags: frozenset[str]) -> frozenset[str]:
    """Without the system's: a client sends back on Import what it got, and may not set those."""
    return frozenset(tag for tag in tags if not tag.startswith("_"))


def _selected(attributes: Attributes, request: GetAttributesRequest) -> Attributes:
    names = {r.attribute_name for r in request.attribute_references if not r.vendor_identification}
    vendors = {
        (r.vendor_identification, r.attribute_name)
        for r in request.attribute_references
        if r.vendor_identification
    }
    kept = {
        field.name: getattr(attributes, field.name)
        for field in dataclasses.fields(attributes)
        if tag_of(Attributes, field.name) in names
    }
    if "vendor_attributes" not in kept:
        kept["vendor_attributes"] = tuple(
            each
            for each in attributes.vendor_attributes
            if (each.vendor_identification, each.attribute_name) in vendors
        )
    return Attributes(**kept)
