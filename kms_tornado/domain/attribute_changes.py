"""What AddAttribute, SetAttribute, ModifyAttribute and DeleteAttribute make of attributes.

Pure: attributes in, attributes out; `attribute_rules` says what is allowed. KMIP 2.1 §6.1.2, §6.1.13,
§6.1.27, §6.1.58. A vendor attribute is told from others by vendor and name and has one value, so each
is treated as an attribute of its own.
"""

from __future__ import annotations

from typing import Any

from ..errors import (
    AttributeInstanceNotFound,
    AttributeNotFound,
    AttributeReadOnly,
    AttributeSingleValued,
    InvalidAttributeValue,
    InvalidField,
    MultiValuedAttribute,
    NonUniqueName,
)
from ..kmip.attribute_instance import AttributeInstance
from ..kmip.attributes import Attributes
from ..kmip.schema import tag_of
from ..kmip.structures import VendorAttribute
from .attribute_rules import AttributeState, is_multi_instance, is_set, rule_for
from .dates import check_date_order
from .usage import reset_usage_limits

_VENDORS = "vendor_attributes"


def add_instance(held: AttributeState, new: AttributeInstance) -> Attributes:
    """With one value more. Raises AttributeSingleValued where there is one that leaves no room."""
    rule = rule_for(new.field)
    if not rule.add:
        raise _read_only(new.field)
    if is_multi_instance(new.field):
        values = getattr(held.attributes, new.field)
        if new.field == _VENDORS and _positions(values, new.value):
            raise AttributeSingleValued(f"{new.value.attribute_name} has a value: modify it")
        if new.value in values:
            raise _duplicate(new.field)
        return _changed(held, new, (*values, new.value))
    if is_set(held.attributes, new.field):
        raise AttributeSingleValued(f"{new.tag} has a value: modify it")
    return _changed(held, new, new.value)


def set_instance(held: AttributeState, new: AttributeInstance) -> Attributes:
    """With this value in place of the one that is there, if any.

    Raises MultiValuedAttribute for what may have several: which of them is meant, nobody knows.
    """
    if new.field == _VENDORS:
        there = _positions(held.attributes.vendor_attributes, new.value)
        return modify_instance(held, new) if there else add_instance(held, new)
    if is_multi_instance(new.field):
        if not rule_for(new.field).modify:
            raise _read_only(new.field)
        raise MultiValuedAttribute(f"{new.tag} may have several values: add or modify one")
    return (
        modify_instance(held, new)
        if is_set(held.attributes, new.field)
        else add_instance(held, new)
    )


def modify_instance(
    held: AttributeState, new: AttributeInstance, current: AttributeInstance | None = None
) -> Attributes:
    """With one value changed. current: which one; not needed where there is but one.

    Raises AttributeNotFound, AttributeInstanceNotFound, MultiValuedAttribute.
    """
    rule = rule_for(new.field)
    if not rule.modify:
        raise _read_only(new.field)
    if current is not None and current.field != new.field:
        raise InvalidField("CurrentAttribute and NewAttribute are different attributes")
    if not is_set(held.attributes, new.field):
        if rule.sets and current is None:
            return _changed(held, new, new.value)
        raise AttributeNotFound(f"the object has no {new.tag}")
    if not is_multi_instance(new.field):
        if current is not None and current.value != getattr(held.attributes, new.field):
            raise _no_instance(new.field)
        return _changed(held, new, new.value)
    values = list(getattr(held.attributes, new.field))
    position = _position(values, new, current)
    others = values[:position] + values[position + 1 :]
    if new.value in others:
        raise _duplicate(new.field)
    values[position] = new.value
    return _changed(held, new, tuple(values))


def delete_instances(held: AttributeState, field: str, current: Any = None) -> Attributes:
    """Without this value, or without all values of the attribute where it is None.

    Raises AttributeNotFound, AttributeInstanceNotFound.
    """
    if not rule_for(field).delete:
        raise _read_only(field)
    if not is_set(held.attributes, field):
        raise AttributeNotFound(f"the object has no {tag_of(Attributes, field)}")
    if not is_multi_instance(field):
        if current is not None and current != getattr(held.attributes, field):
            raise _no_instance(field)
        return _without(held, field, None)
    values = getattr(held.attributes, field)
    if current is None:
        return _without(held, field, ())
    if current not in values:
        raise _no_instance(field)
    return _without(held, field, tuple(each for each in values if each != current))


def delete_vendor_instance(held: AttributeState, vendor: str, name: str) -> Attributes:
    """Without the vendor attribute of that name. Raises AttributeNotFound."""
    values = held.attributes.vendor_attributes
    left = tuple(
        each
        for each in values
        if (each.vendor_identification, each.attribute_name) != (vendor, name)
    )
    if len(left) == len(values):
        raise AttributeNotFound(f"the object has no {name} of this vendor")
    return _without(held, _VENDORS, left)


# --- on the way ---------------------------------------------------------------------------------


def _changed(held: AttributeState, new: AttributeInstance, value: Any) -> Attributes:
    """The condition is asked, the server's part of the value computed, the dates' order checked."""
    rule = rule_for(new.field)
    if rule.when is not None:
        rule.when(held, new.value)
    if new.field == "usage_limits":
        value = reset_usage_limits(new.value)
    after = held.attributes.replace(**{new.field: value})
    check_date_order(after, new.field)
    return after


def _without(held: AttributeState, field: str, left: Any) -> Attributes:
    rule = rule_for(field)
    if rule.when is not None:
        rule.when(held, None)
    return held.attributes.replace(**{field: left})


def _position(values: list[Any], new: AttributeInstance, current: AttributeInstance | None) -> int:
    if current is not None:
        if current.value not in values:
            raise _no_instance(new.field)
        if new.field == _VENDORS and not _positions([current.value], new.value):
            raise InvalidField("CurrentAttribute and NewAttribute are different attributes")
        return values.index(current.value)
    if new.field == _VENDORS:
        found = _positions(values, new.value)
        if not found:
            raise AttributeNotFound(f"the object has no {new.value.attribute_name} of this vendor")
        return found[0]
    if len(values) > 1:
        raise MultiValuedAttribute(f"{new.tag} has several values: CurrentAttribute says which")
    return 0


def _positions(values: Any, wanted: VendorAttribute) -> list[int]:
    name = (wanted.vendor_identification, wanted.attribute_name)
    return [
        position
        for position, each in enumerate(values)
        if (each.vendor_identification, each.attribute_name) == name
    ]


def _read_only(field: str) -> AttributeReadOnly:
    return AttributeReadOnly(f"{tag_of(Attributes, field)} is not for clients to change")


def _no_instance(field: str) -> AttributeInstanceNotFound:
    return AttributeInstanceNotFound(f"no {tag_of(Attributes, field)} of the object has this value")


def _duplicate(field: str) -> NonUniqueName | InvalidAttributeValue:
    if field == "names":
        return NonUniqueName("the object has this Name")
    return InvalidAttributeValue(f"the object has this {tag_of(Attributes, field)}")
