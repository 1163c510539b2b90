"""The changes that AddAttribute, SetAttribute, ModifyAttribute and DeleteAttribute make to attributes.

Pure: attributes in, attributes out; `attribute_rules` says what is allowed. KMIP 2.1 §6.1.2, §6.1.13,
§6.1.27, §6.1.58. A vendor attribute is identified by vendor and name, so each one is treated as an attribute of its
own. It has one value, but those that KMIP 1 calls custom attributes may have several.

state, throughout: the attributes of the object before the change. Every function raises
AttributeReadOnly where clients may not make that change, and whatever the rule's condition raises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
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
from ..kmip.attribute_index import Retired, index_at, position_of, retire_missing
from ..kmip.attribute_instance import AttributeInstance
from ..kmip.attributes import Attributes
from ..kmip.kmip1.names import is_custom, name_vendor_attribute
from ..kmip.schema import tag_of
from ..kmip.structures import VendorAttribute
from .attribute_rules import AttributeState, is_multi_instance, is_set, rule_for
from .dates import check_date_order
from .usage import reset_usage_limits

_VENDORS = "vendor_attributes"


def check_distinct(attributes: Attributes) -> None:
    """Check that no attribute of a new object has one value twice: a change could not say which of them it means.

    Raises InvalidAttributeValue, as `add_instance` does for the second one; AttributeSingleValued for a second value
    of a vendor attribute that has one alone.
    """
    for field, values in attributes.set_fields().items():
        if is_multi_instance(field) and len({*values}) < len(values):
            raise InvalidAttributeValue(f"{_name_repeated(field, values)} has the same value twice")
    single = [each for each in attributes.vendor_attributes if not _may_repeat(each)]
    if len({each.key for each in single}) < len(single):
        raise AttributeSingleValued("an attribute of a vendor has one value")


def _name_repeated(field: str, values: Iterable[Any]) -> str:
    """What has a value of this field twice."""
    if field != _VENDORS:
        return tag_of(Attributes, field)
    value, _ = Counter(values).most_common(1)[0]
    return str(value.attribute_name)


def add_instance(state: AttributeState, new: AttributeInstance) -> Attributes:
    """Add one value. Raises AttributeSingleValued where the attribute has its only value already."""
    rule = rule_for(new.field)
    if not rule.add:
        raise _read_only_error(new.field)
    if is_multi_instance(new.field):
        values = getattr(state.attributes, new.field)
        if new.field == _VENDORS and not _may_repeat(new.value) and _positions(values, new.value):
            raise AttributeSingleValued(f"{new.value.attribute_name} has a value: modify it")
        if new.value in values:
            raise _duplicate_error(new.field)
        return _change(state, new, (*values, new.value))
    if is_set(state.attributes, new.field):
        raise AttributeSingleValued(f"{new.tag} has a value: modify it")
    return _change(state, new, new.value)


def set_instance(state: AttributeState, new: AttributeInstance) -> Attributes:
    """Set the value, in place of the present one if there is one.

    Raises MultiValuedAttribute for an attribute that may have several values: the request does not say
    which of them to replace.
    """
    if new.field == _VENDORS:
        exists = bool(_positions(state.attributes.vendor_attributes, new.value))
        return modify_instance(state, new) if exists else add_instance(state, new)
    if is_multi_instance(new.field):
        if not rule_for(new.field).modify:
            raise _read_only_error(new.field)
        raise MultiValuedAttribute(f"{new.tag} may have several values: add or modify one")
    return (
        modify_instance(state, new)
        if is_set(state.attributes, new.field)
        else add_instance(state, new)
    )


def modify_instance(
    state: AttributeState, new: AttributeInstance, current: AttributeInstance | None = None
) -> Attributes:
    """Change one value. current: the value to change; not needed where there is only one.

    Raises AttributeNotFound, AttributeInstanceNotFound, MultiValuedAttribute.
    """
    rule = rule_for(new.field)
    if not rule.modify:
        raise _read_only_error(new.field)
    if current is not None and current.field != new.field:
        raise InvalidField("CurrentAttribute and NewAttribute are different attributes")
    if not is_set(state.attributes, new.field):
        if rule.modify_sets and current is None:
            return _change(state, new, new.value)
        raise AttributeNotFound(f"the object has no {new.tag}")
    if not is_multi_instance(new.field):
        if current is not None and current.value != getattr(state.attributes, new.field):
            raise _no_instance_error(new.field)
        return _change(state, new, new.value)
    values = list(getattr(state.attributes, new.field))
    position = _position(values, new, current)
    others = values[:position] + values[position + 1 :]
    if new.value in others:
        raise _duplicate_error(new.field)
    values[position] = new.value
    return _change(state, new, tuple(values))


def delete_instances(state: AttributeState, field: str, current: Any = None) -> Attributes:
    """Remove one value of an attribute, or all of them where current is None.

    Raises AttributeNotFound, AttributeInstanceNotFound.
    """
    if not rule_for(field).delete:
        raise _read_only_error(field)
    if not is_set(state.attributes, field):
        raise AttributeNotFound(f"the object has no {tag_of(Attributes, field)}")
    if not is_multi_instance(field):
        if current is not None and current != getattr(state.attributes, field):
            raise _no_instance_error(field)
        return _remove(state, field, None)
    values = getattr(state.attributes, field)
    if current is None:
        return _remove(state, field, ())
    if current not in values:
        raise _no_instance_error(field)
    position = values.index(current)
    return _remove(state, field, (*values[:position], *values[position + 1 :]))


def delete_vendor_instance(state: AttributeState, vendor: str, name: str) -> Attributes:
    """Remove the vendor attribute of that name. Raises AttributeNotFound."""
    values = state.attributes.vendor_attributes
    others = tuple(value for value in values if value.key != (vendor, name))
    if len(others) == len(values):
        raise AttributeNotFound(f"the object has no {name} of this vendor")
    return _remove(state, _VENDORS, others)


# --- instances by number ------------------------------------------------------------------------


def modify_numbered(state: AttributeState, new: AttributeInstance, index: int) -> Attributes:
    """As `modify_instance`, of the value that has this number: the Attribute Index of KMIP 1."""
    if not rule_for(new.field).modify:
        raise _read_only_error(new.field)
    if not is_multi_instance(new.field) and (index == 0 or not is_set(state.attributes, new.field)):
        return modify_instance(state, new)
    key = new.value.key if new.field == _VENDORS else None
    return modify_instance(state, new, _find_instance(state, new.field, index, key))


def delete_numbered(
    state: AttributeState, field: str, index: int, vendor_key: tuple[str, str] | None = None
) -> tuple[Attributes, AttributeInstance]:
    """(the attributes without the value that has this number, that value).

    vendor_key: (vendor, name) of a vendor attribute. Raises AttributeNotFound, AttributeInstanceNotFound.
    """
    if not rule_for(field).delete:
        raise _read_only_error(field)
    deleted = _find_instance(state, field, index, vendor_key)
    return delete_instances(state, field, deleted.value), deleted


def _find_instance(
    state: AttributeState, field: str, index: int, vendor_key: tuple[str, str] | None
) -> AttributeInstance:
    """The value that has this number among those of the attribute. Raises as `delete_numbered` does."""
    values = getattr(state.attributes, field)
    if not is_multi_instance(field):
        values = () if values is None else (values,)
    elif vendor_key is not None:
        values = tuple(value for value in values if value.key == vendor_key)
    if not values:
        name = tag_of(Attributes, field)
        if vendor_key is not None:
            name = name_vendor_attribute(*vendor_key) or vendor_key[1]
        raise AttributeNotFound(f"the object has no {name}")
    tag = _name_numbered(field, vendor_key)
    position = position_of(state.retired_indices, tag, index)
    if position is None or position >= len(values):
        raise AttributeInstanceNotFound(f"{tag} has no value number {index}")
    return AttributeInstance(field, values[position])


def index_of(attributes: Attributes, retired: Retired, instance: AttributeInstance) -> int:
    """The number by which `_find_instance` finds it; 0 where its attribute has one value.

    retired: of the object that has these attributes.
    """
    if not is_multi_instance(instance.field):
        return 0
    values: tuple[Any, ...] = getattr(attributes, instance.field)
    key = None
    if instance.field == _VENDORS:
        key = instance.value.key
        values = tuple(value for value in values if value.key == key)
    tag = _name_numbered(instance.field, key)
    return index_at(retired, tag, values.index(instance.value))


def retire_indices(retired: Retired, before: Attributes, after: Attributes, field: str) -> Retired:
    """The object's retired numbers, after values of the attribute were deleted."""
    if not is_multi_instance(field):
        return retired
    old, new = getattr(before, field), getattr(after, field)
    if field != _VENDORS:
        return retire_missing(retired, tag_of(Attributes, field), old, new)
    for key in {value.key: None for value in old if _may_repeat(value)}:
        left = ([value for value in values if value.key == key] for values in (old, new))
        retired = retire_missing(retired, _name_numbered(field, key), *left)
    return retired


def _name_numbered(field: str, vendor_key: tuple[str, str] | None) -> str:
    """The name under which the numbers of an attribute's values are kept (`attribute_index.RetiredIndices`)."""
    name = None if vendor_key is None else name_vendor_attribute(*vendor_key)
    return tag_of(Attributes, field) if name is None else name


# --- helpers ------------------------------------------------------------------------------------


def _change(state: AttributeState, new: AttributeInstance, value: Any) -> Attributes:
    """The attributes after the change. Raises what the rule's condition and `check_date_order` raise."""
    rule = rule_for(new.field)
    if rule.when is not None:
        rule.when(state, new.value)
    if new.field == "usage_limits":
        value = reset_usage_limits(new.value)
    attributes = state.attributes.replace(**{new.field: value})
    check_date_order(attributes, new.field)
    return attributes


def _remove(state: AttributeState, field: str, remaining: Any) -> Attributes:
    """The attributes after the removal. remaining: the values that are left; None or () where none is."""
    rule = rule_for(field)
    if rule.when is not None:
        rule.when(state, None)
    return state.attributes.replace(**{field: remaining})


def _position(values: list[Any], new: AttributeInstance, current: AttributeInstance | None) -> int:
    """The position of the value to change.

    Raises AttributeNotFound, AttributeInstanceNotFound, MultiValuedAttribute, InvalidField.
    """
    if current is not None:
        if current.value not in values:
            raise _no_instance_error(new.field)
        if new.field == _VENDORS and not _positions([current.value], new.value):
            raise InvalidField("CurrentAttribute and NewAttribute are different attributes")
        return values.index(current.value)
    if new.field == _VENDORS:
        positions = _positions(values, new.value)
        if not positions:
            raise AttributeNotFound(f"the object has no {new.value.attribute_name} of this vendor")
    else:
        positions = list(range(len(values)))
    if len(positions) > 1:
        name = new.value.attribute_name if new.field == _VENDORS else new.tag
        raise MultiValuedAttribute(f"{name} has several values: CurrentAttribute says which")
    return positions[0]


def _positions(values: Iterable[VendorAttribute], sample: VendorAttribute) -> list[int]:
    """The positions of vendor attributes with the sample's vendor and name."""
    key = sample.key
    return [position for position, value in enumerate(values) if value.key == key]


def _may_repeat(attribute: VendorAttribute) -> bool:
    """Whether the attribute may have several values."""
    return is_custom(attribute.vendor_identification)


def _read_only_error(field: str) -> AttributeReadOnly:
    return AttributeReadOnly(f"{tag_of(Attributes, field)} is not for clients to change")


def _no_instance_error(field: str) -> AttributeInstanceNotFound:
    return AttributeInstanceNotFound(f"no {tag_of(Attributes, field)} of the object has this value")


def _duplicate_error(field: str) -> NonUniqueName | InvalidAttributeValue:
    if field == "names":
        return NonUniqueName("the object has this Name")
    return InvalidAttributeValue(f"the object has this {tag_of(Attributes, field)}")
