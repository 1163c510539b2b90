"""What a replacement key takes over from the key that it replaces (KMIP 2.1 §6.1.47, §6.1.48).

Pure. The old key keeps its state: what it protected can still be read with it.
"""

from __future__ import annotations

import dataclasses

from ..errors import (
    FeatureNotSupported,
    InvalidAttribute,
    InvalidField,
    WrongKeyLifecycleState,
)
from ..kmip.attributes import Attributes
from ..kmip.enums import LinkType
from ..kmip.schema import tag_of
from ..kmip.structures import Link, VendorAttribute
from .attribute_rules import UNSET_VALUES, is_set, rule_for
from .dates import has_come

#: Of the replacement itself, or for the replaced key alone; not taken over.
_OF_ONE = frozenset({"links", "unique_identifier", "object_type", "fresh"})
#: May be repeated in a request where they say what is so anyway.
_SAME = ("cryptographic_algorithm", "cryptographic_length")
_SHIFTED = ("process_start_date", "protect_stop_date", "deactivation_date")

_WEAKER = (("sensitive", False), ("extractable", True))


def check_not_replaced(old: Attributes) -> None:
    """Raises WrongKeyLifecycleState where it was done before: a second one would have no Name."""
    if any(each.link_type is LinkType.REPLACEMENT_OBJECT_LINK for each in old.links):
        raise WrongKeyLifecycleState("the key was replaced before: replace its replacement")


def check_not_cover_crypt(*given: Attributes) -> None:
    """Raises FeatureNotSupported: CoverCrypt clients re-key by vendor attributes (KMIP.md §14)."""
    for attributes in given:
        for each in attributes.vendor_attributes:
            if each.attribute_name.startswith("cover_crypt"):
                raise FeatureNotSupported("CoverCrypt keys are not supported")


def make_replacement(
    old: Attributes, given: Attributes, *, offset: int | None, now: int, uid: str
) -> Attributes:
    """What a client would ask for to get the replacement of the old key with this identifier.

    old: with its tags. given: the request's attributes; they win where ModifyAttribute could change
    what is there, and are refused where it could not. offset: seconds from now to activation.
    Raises InvalidAttribute, InvalidAttributeValue, InvalidField.
    """
    check_given(old, given)
    values = {
        field.name: getattr(old, field.name)
        for field in dataclasses.fields(old)
        if rule_for(field.name).create and field.name not in _OF_ONE
    }
    values |= _dates(old, offset, now)
    values |= {
        field.name: value
        for field in dataclasses.fields(given)
        if (value := getattr(given, field.name)) not in UNSET_VALUES
        and field.name != "vendor_attributes"
    }
    values["vendor_attributes"] = _vendor_attributes(old, given)
    values["sensitive"] = bool(old.sensitive or given.sensitive)
    values["extractable"] = old.extractable is not False and given.extractable is not False
    values["links"] = (Link(LinkType.REPLACED_OBJECT_LINK, uid), *given.links)
    return Attributes(**values)


def mark_latest(new: Attributes, old: Attributes, *, now: int) -> Attributes:
    """The replacement, as the latest of its line."""
    return dataclasses.replace(
        new,
        rotate_generation=(old.rotate_generation or 0) + 1,
        rotate_latest=True,
        rotate_date=now,
    )


def mark_replaced(old: Attributes, *, new_uid: str, now: int) -> Attributes:
    """The old key's attributes from now on: its Name is the new one's, and it says where that is."""
    return dataclasses.replace(
        old,
        names=(),
        links=(*old.links, Link(LinkType.REPLACEMENT_OBJECT_LINK, new_uid)),
        rotate_latest=False,
        last_change_date=now,
    )


def check_given(old: Attributes, given: Attributes) -> None:
    """A replacement is no way around the rules for what there is. Raises InvalidAttribute."""
    for field in dataclasses.fields(given):
        name, value = field.name, getattr(given, field.name)
        if not is_set(given, name) or (name in _SAME and value == getattr(old, name)):
            continue
        if not rule_for(name).modify or (
            (name, value) in _WEAKER and getattr(old, name) is not value
        ):
            raise InvalidAttribute(f"{tag_of(Attributes, name)} is taken over from the old key")


def _dates(old: Attributes, offset: int | None, now: int) -> dict[str, int | None]:
    """As the old key's; with an offset, as far from the new activation as they were from the old.

    Of these, one that has come is left out: it would end the new key's use at once, which nobody
    replaces a key for, or has begun a use that nothing forbids without it.
    """
    dates: dict[str, int | None] = {each: getattr(old, each) for each in _SHIFTED}
    dates["activation_date"] = old.activation_date
    if offset is not None:
        if offset < 0:
            raise InvalidField("Offset may not be negative")
        activation = now + offset
        distance = 0 if old.activation_date is None else activation - old.activation_date
        dates = {each: date if date is None else date + distance for each, date in dates.items()}
        dates["activation_date"] = activation
    for each in _SHIFTED:
        if has_come(dates[each], now):
            dates[each] = None
    return dates


def _vendor_attributes(old: Attributes, given: Attributes) -> tuple[VendorAttribute, ...]:
    """Both, the given ones winning by vendor and name; tags given take the place of the old ones."""
    wanted = {(each.vendor_identification, each.attribute_name) for each in given.vendor_attributes}
    kept = tuple(
        each
        for each in old.vendor_attributes
        if (each.vendor_identification, each.attribute_name) not in wanted
    )
    return kept + given.vendor_attributes
