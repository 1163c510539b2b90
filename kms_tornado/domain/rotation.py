"""Which attributes a replacement key takes over from the key it replaces (KMIP 2.1 §6.1.47, §6.1.48).

Pure. The old key keeps its state, so that data which it protected can still be read with it.
"""

from __future__ import annotations

import dataclasses

from ..errors import (
    FeatureNotSupported,
    InvalidAttribute,
    InvalidField,
    PermissionDenied,
    WrongKeyLifecycleState,
)
from ..kmip.attributes import Attributes
from ..kmip.enums import LinkType
from ..kmip.schema import tag_of
from ..kmip.structures import Link, VendorAttribute
from .attribute_rules import is_set, may_grantees_choose, rule_for
from .dates import has_come, state_at
from .lifecycle import ACTIVE, PRE_ACTIVE
from .managed_object import ManagedObject

#: Attributes that belong to one key only and are not taken over.
_NOT_TAKEN_OVER = frozenset({"links", "unique_identifier", "object_type", "fresh"})
#: A request may repeat these, with the same value as the old key's.
_REPEATABLE = ("cryptographic_algorithm", "cryptographic_length")
#: The greatest Integer, from which an imported key may start.
_LAST_GENERATION = 2**31 - 1
#: With an offset, these keep their distance from the Activation Date.
_SHIFTED_DATES = ("process_start_date", "protect_stop_date", "deactivation_date")

#: (attribute, value) pairs that would protect the replacement less than the old key.
_WEAKER = (("sensitive", False), ("extractable", True))


def check_not_replaced(old: Attributes) -> None:
    """Raises WrongKeyLifecycleState for a second replacement, which would have no Name to take over."""
    if any(link.link_type is LinkType.REPLACEMENT_OBJECT_LINK for link in old.links):
        raise WrongKeyLifecycleState("the key was replaced before: replace its replacement")


def check_not_cover_crypt(*requested: Attributes) -> None:
    """Raises FeatureNotSupported for the vendor attributes by which CoverCrypt clients re-key.

    See docs/dialects.md, "CoverCrypt".
    """
    for attributes in requested:
        for attribute in attributes.vendor_attributes:
            if attribute.attribute_name.startswith("cover_crypt"):
                raise FeatureNotSupported("CoverCrypt keys are not supported")


def check_grantee_replaces(
    old: ManagedObject, requested: Attributes, *, offset: int | None, now: int
) -> None:
    """Check that a replacement which a grantee makes is what its owner would expect of the old key.

    The new key is the owner's and takes the old one's Name. So a grantee chooses neither how and until when it may be
    used, nor its name; and a key that its owner ended gets no successor.
    requested: the client's attributes, including the identifier. Raises PermissionDenied.
    """
    attributes = old.attributes
    if state_at(old, now) not in {PRE_ACTIVE, ACTIVE} or has_come(
        attributes.protect_stop_date, now
    ):
        raise PermissionDenied("a key that is no longer in use is replaced by its owner alone")
    if offset is not None:
        raise PermissionDenied("the dates of the new key are the owner's: leave Offset out")
    for field, value in requested.set_fields().items():
        vendors = {
            each.vendor_identification
            for each in requested.vendor_attributes
            if each not in attributes.vendor_attributes
        }
        is_allowed = value == getattr(attributes, field) or (
            all(may_grantees_choose(field, vendor) for vendor in vendors)
            if field == "vendor_attributes"
            else may_grantees_choose(field)
        )
        if not is_allowed:
            raise PermissionDenied(
                f"{tag_of(Attributes, field)} of the new key is the owner's to choose"
            )


def make_replacement(
    old: Attributes, requested: Attributes, *, offset: int | None, now: int, uid: str
) -> Attributes:
    """The attributes with which the replacement of a key is created.

    old: the old key's attributes, tags included. requested: the client's; each replaces the old one
    where ModifyAttribute could change that, and is refused otherwise. offset: seconds from now to the
    activation. now: seconds since the Unix epoch. uid: of the old key.
    Raises InvalidAttribute, and InvalidField for a negative offset.
    """
    _check_requested(old, requested)
    values = {
        field.name: getattr(old, field.name)
        for field in dataclasses.fields(old)
        if rule_for(field.name).create and field.name not in _NOT_TAKEN_OVER
    }
    values |= _dates(old, offset, now)
    values |= {
        name: value for name, value in requested.set_fields().items() if name != "vendor_attributes"
    }
    values["vendor_attributes"] = _vendor_attributes(old, requested)
    values["sensitive"] = bool(old.sensitive or requested.sensitive)
    values["extractable"] = old.extractable is not False and requested.extractable is not False
    values["links"] = (Link(LinkType.REPLACED_OBJECT_LINK, uid), *requested.links)
    return Attributes(**values)


def mark_latest(new: Attributes, old: Attributes, *, now: int) -> Attributes:
    """The replacement's attributes, marked as those of the latest key of its line."""
    return dataclasses.replace(
        new,
        rotate_generation=min((old.rotate_generation or 0) + 1, _LAST_GENERATION),
        rotate_latest=True,
        rotate_date=now,
    )


def mark_replaced(old: Attributes, *, new_uid: str, now: int) -> Attributes:
    """The old key's attributes after the replacement: its Name has moved to the new key, and a link leads there."""
    return dataclasses.replace(
        old,
        names=(),
        links=(*old.links, Link(LinkType.REPLACEMENT_OBJECT_LINK, new_uid)),
        rotate_latest=False,
        last_change_date=now,
    )


def _check_requested(old: Attributes, requested: Attributes) -> None:
    """A replacement may not be used to bypass the attribute rules. Raises InvalidAttribute."""
    for field in dataclasses.fields(requested):
        name, value = field.name, getattr(requested, field.name)
        if not is_set(requested, name) or (name in _REPEATABLE and value == getattr(old, name)):
            continue
        if not rule_for(name).modify or (
            (name, value) in _WEAKER and getattr(old, name) is not value
        ):
            raise InvalidAttribute(f"{tag_of(Attributes, name)} is taken over from the old key")


def _dates(old: Attributes, offset: int | None, now: int) -> dict[str, int | None]:
    """The old key's dates. An offset shifts each of them by as much as it shifts the Activation Date.

    A date that has passed is left out. If it was an end, it would stop the new key at once, although keys are replaced
    to be used; if it was a start, it has no effect.
    """
    dates: dict[str, int | None] = {name: getattr(old, name) for name in _SHIFTED_DATES}
    dates["activation_date"] = old.activation_date
    if offset is not None:
        if offset < 0:
            raise InvalidField("Offset may not be negative")
        activation = now + offset
        distance = 0 if old.activation_date is None else activation - old.activation_date
        dates = {name: date if date is None else date + distance for name, date in dates.items()}
        dates["activation_date"] = activation
    for name in _SHIFTED_DATES:
        if has_come(dates[name], now):
            dates[name] = None
    return dates


def _vendor_attributes(old: Attributes, requested: Attributes) -> tuple[VendorAttribute, ...]:
    """The old key's and the requested ones. Of two with the same vendor and name, the requested one wins; tags, too."""
    requested_keys = {attribute.key for attribute in requested.vendor_attributes}
    taken_over = tuple(
        attribute for attribute in old.vendor_attributes if attribute.key not in requested_keys
    )
    return taken_over + requested.vendor_attributes
