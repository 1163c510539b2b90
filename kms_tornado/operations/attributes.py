"""GetAttributes, and which attributes a client may set on a new object (KMIP 2.1 §4, §6.1.18)."""

from __future__ import annotations

import dataclasses

from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..errors import InvalidAttribute
from ..kmip.attributes import Attributes, with_user_tags
from ..kmip.payloads import GetAttributesRequest, GetAttributesResponse
from ..kmip.schema import tag_of
from .call import Call

#: What a client may set on Create and Import. The rest is the server's to set, or would promise
#: something that the server does not do; it is refused by name, never dropped.
SETTABLE = frozenset(
    {
        "activation_date",
        "alternative_names",
        "application_specific_information",
        "comment",
        "contact_information",
        "cryptographic_algorithm",
        "cryptographic_domain_parameters",
        "cryptographic_length",
        "cryptographic_parameters",
        "cryptographic_usage_mask",
        "deactivation_date",
        "description",
        "extractable",
        "key_format_type",
        "links",
        "names",
        "object_groups",
        "object_type",
        "process_start_date",
        "protect_stop_date",
        "sensitive",
        "unique_identifier",
        "usage_limits",
        "vendor_attributes",
    }
)

#: Vendor attributes that ask for something: to be honoured or refused, never just kept.
_REFUSED_VENDOR_ATTRIBUTES = frozenset({"wrapping_key_id"})


def check_settable(wanted: Attributes) -> None:
    """Raises InvalidAttribute, naming the first attribute that may not be set."""
    for field in dataclasses.fields(wanted):
        if field.name not in SETTABLE and getattr(wanted, field.name) not in (None, ()):
            raise InvalidAttribute(
                f"{tag_of(Attributes, field.name)} cannot be set by a client here"
            )
    for attribute in wanted.vendor_attributes:
        if attribute.attribute_name in _REFUSED_VENDOR_ATTRIBUTES:
            raise InvalidAttribute(f"{attribute.attribute_name} is not supported")


async def get_attributes(call: Call, request: GetAttributesRequest) -> GetAttributesResponse:
    """All attributes, or those referred to that are set; metadata outlives a destroyed key."""
    target = await call.fetch_for(request.unique_identifier, Use.INSPECT)
    attributes = described(target)
    if request.attribute_references:
        attributes = _selected(attributes, request)
    return GetAttributesResponse(unique_identifier=target.uid, attributes=attributes)


def described(target: ManagedObject) -> Attributes:
    """The object's attributes with those that are kept apart: identifier, type, state, user tags."""
    return with_user_tags(
        dataclasses.replace(
            target.attributes,
            unique_identifier=target.uid,
            object_type=target.object_type,
            state=target.state,
        ),
        user_tags_of(target),
    )


def user_tags_of(target: ManagedObject) -> frozenset[str]:
    """Without the system's: a client sends back on Import what it got, and may not set those."""
    return frozenset(tag for tag in target.tags if not tag.startswith("_"))


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
