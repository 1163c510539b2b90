"""The attributes of one object: which of them a client may set, how long they may be, how they are shown and merged.

`domain.attribute_rules` has the rules for changing single attributes of an existing object.
"""

from __future__ import annotations

from ...domain.attribute_changes import check_distinct
from ...domain.attribute_rules import rule_for
from ...domain.computed_attributes import (
    PROTECTION_STORAGE_MASK,
    lease_time_of,
    short_identifier_of,
)
from ...domain.managed_object import ManagedObject
from ...domain.wrapped_rights import SERVER_VENDOR
from ...errors import InvalidAttribute, InvalidAttributeValue, InvalidField
from ...kmip.attributes import Attributes, with_user_tags
from ...kmip.schema import tag_of
from ...kmip.structures import Link, VendorAttribute
from ...store.sql.tables.attribute_rows import format_attributes

#: Most characters of one object's attributes and tags, as they are stored: the store caches thousands of
#: them in memory, and documents do not belong there.
MAX_ATTRIBUTES_LENGTH = 64 * 1024

#: In characters. Apart from the limit of all attributes, so that a key with many can still be revoked.
MAX_REVOCATION_MESSAGE_LENGTH = 4096

#: Vendor attributes that request something of the server, and so are refused rather than just stored.
_REFUSED_VENDOR_ATTRIBUTES = frozenset({"wrapping_key_id"})


# --- what a client may set ----------------------------------------------------------------------


def check_settable(requested: Attributes) -> None:
    """Raises InvalidAttribute, naming the first attribute that a client may not set on a new object.

    Raises InvalidAttributeValue for a link to a list of tags, and what `check_distinct` raises.
    """
    for field in requested.set_fields():
        if not rule_for(field).create:
            raise InvalidAttribute(f"{tag_of(Attributes, field)} cannot be set by a client here")
    check_references(requested)
    check_distinct(requested)


def check_references(requested: Attributes) -> None:
    """Check the vendor attributes and the links of a new object. Raises as `check_settable` does."""
    for attribute in requested.vendor_attributes:
        check_vendor_attribute(attribute)
    for link in requested.links:
        check_link(link)


def check_vendor_attribute(attribute: VendorAttribute) -> None:
    """Raises InvalidAttribute for an attribute of the server's own, or one that asks for what it does not do."""
    if attribute.vendor_identification == SERVER_VENDOR:
        raise InvalidAttribute(f"attributes of {SERVER_VENDOR} are the server's own")
    if attribute.attribute_name in _REFUSED_VENDOR_ATTRIBUTES:
        raise InvalidAttribute(f"{attribute.attribute_name} is not supported")


def check_link(link: Link) -> None:
    """Raises InvalidAttributeValue for a link to a list of tags, which would lead each caller to a different object."""
    if link.linked_object_identifier.startswith("["):
        raise InvalidAttributeValue("a link names an object by its identifier")


def check_revocation_message(message: str | None) -> None:
    """Raises InvalidField for more than MAX_REVOCATION_MESSAGE_LENGTH characters."""
    if len(message or "") > MAX_REVOCATION_MESSAGE_LENGTH:
        raise InvalidField(
            f"RevocationMessage has at most {MAX_REVOCATION_MESSAGE_LENGTH} characters"
        )


def check_attributes_length(attributes: Attributes, tags: frozenset[str]) -> None:
    """Raises InvalidField for more than MAX_ATTRIBUTES_LENGTH characters."""
    if len(format_attributes(attributes).text) + sum(map(len, tags)) > MAX_ATTRIBUTES_LENGTH:
        raise InvalidField(f"attributes and tags have more than {MAX_ATTRIBUTES_LENGTH} characters")


# --- what a client sees -------------------------------------------------------------------------


def describe_object(target: ManagedObject) -> Attributes:
    """The object's attributes, together with those that are stored separately or computed.

    Fresh is true from the start until the object is given out for the first time, unless a client set it otherwise. For
    objects that are older than this rule it is false.
    """
    attributes = target.attributes
    return with_user_tags(
        attributes.replace(
            unique_identifier=target.uid,
            short_unique_identifier=short_identifier_of(target.uid),
            object_type=target.object_type,
            state=target.state,
            fresh=bool(attributes.fresh),
            lease_time=lease_time_of(target),
            protection_storage_mask=PROTECTION_STORAGE_MASK,
        ),
        select_user_tags(target.tags),
    )


def select_user_tags(tags: frozenset[str]) -> frozenset[str]:
    """The tags without the server's own, which a client could not send back on Import."""
    return frozenset(tag for tag in tags if not tag.startswith("_"))


# --- two sets of attributes ---------------------------------------------------------------------


def merge_attributes(outer: Attributes, inner: Attributes) -> Attributes:
    """The attributes of both, the outer ones taking precedence; None and () mean that one is not set.

    Vendor attributes are merged one by one: an outer one must not silently drop an inner one of another
    name, which may request something.
    """
    outer_names = {
        (attribute.vendor_identification, attribute.attribute_name)
        for attribute in outer.vendor_attributes
    }
    vendor_attributes = outer.vendor_attributes + tuple(
        attribute
        for attribute in inner.vendor_attributes
        if (attribute.vendor_identification, attribute.attribute_name) not in outer_names
    )
    return overlay_attributes(inner, outer).replace(vendor_attributes=vendor_attributes)


def overlay_attributes(base: Attributes, top: Attributes) -> Attributes:
    """The base, with every attribute that is set in `top` replaced."""
    return base.replace(**top.set_fields())
