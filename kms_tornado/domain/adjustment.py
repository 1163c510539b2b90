"""AdjustAttribute: the value of an attribute after Increment, Decrement or Negate (KMIP 2.1 §6.1.3, §11.1).

Pure. `attribute_changes` makes the change of the attribute, with the same rules as for ModifyAttribute.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..errors import (
    AttributeNotFound,
    AttributeReadOnly,
    InvalidDataType,
    InvalidField,
    NumericRange,
)
from ..kmip.attribute_instance import AttributeInstance
from ..kmip.attributes import Attributes
from ..kmip.enums import AdjustmentType
from ..kmip.schema import fields_of, tag_of
from ..kmip.ttlv import TYPE_NAMES, ItemType, Node
from .attribute_rules import rule_for

#: Item type → the least and the greatest number that it holds. Of a Big Integer, the bounds are the server's:
#: 16384 bits, as for a number in a key.
_RANGES: Mapping[ItemType, tuple[int, int]] = {
    ItemType.INTEGER: (-(2**31), 2**31 - 1),
    ItemType.LONG_INTEGER: (-(2**63), 2**63 - 1),
    ItemType.BIG_INTEGER: (-(2**16384) + 1, 2**16384 - 1),
    ItemType.INTERVAL: (0, 2**32 - 1),
}


def adjust_attribute(
    attributes: Attributes, field: str, kind: AdjustmentType, amount: int | None
) -> AttributeInstance:
    """The attribute with its new value. An absent one counts as 0 or false.

    attributes: of the object before the change. amount: None stands for 1.
    Raises AttributeReadOnly, InvalidDataType, InvalidField, NumericRange.
    """
    if not rule_for(field).modify:
        raise AttributeReadOnly(f"{tag_of(Attributes, field)} is not for clients to change")
    declared = next(declared for declared in fields_of(Attributes) if declared.name == field)
    # An attribute that may have several values, and that clients modify, is never a number.
    if declared.repeated or declared.leaf is None:
        raise _wrong_type(declared.tag)
    present = Node(declared.tag, declared.leaf, getattr(attributes, field) or 0)
    return AttributeInstance(field, _adjust(present, kind, amount))


def adjust_vendor_attribute(
    attributes: Attributes, vendor: str, name: str, kind: AdjustmentType, amount: int | None
) -> AttributeInstance:
    """As `adjust_attribute`. Raises AttributeNotFound for an absent one, because its type is not known."""
    present_values = [
        value for value in attributes.vendor_attributes if value.key == (vendor, name)
    ]
    if not present_values:
        raise AttributeNotFound(f"the object has no {name} of this vendor")
    present = present_values[0].attribute_value._replace(tag=name)
    value = present_values[0].attribute_value._replace(value=_adjust(present, kind, amount))
    return AttributeInstance(
        "vendor_attributes", dataclasses.replace(present_values[0], attribute_value=value)
    )


def _adjust(present: Node, kind: AdjustmentType, amount: int | None) -> Any:
    """The new value. present: the present one; an error names the attribute by its tag."""
    if kind is AdjustmentType.NEGATE and amount is not None:
        raise InvalidField("Negate goes without an AdjustmentValue")
    if present.type is ItemType.BOOLEAN:
        if kind is not AdjustmentType.NEGATE:
            raise InvalidDataType(f"{present.tag} is a Boolean, which can only be negated")
        return not present.value
    if present.type not in _RANGES:
        raise _wrong_type(present.tag)
    number = present.value
    assert isinstance(number, int)
    if kind is AdjustmentType.NEGATE:
        number = -number
    else:
        step = 1 if amount is None else amount
        number += step if kind is AdjustmentType.INCREMENT else -step
    least, greatest = _RANGES[present.type]
    if not least <= number <= greatest:
        raise NumericRange(
            f"{present.tag} would leave the range of its type, {TYPE_NAMES[present.type]}"
        )
    return number


def _wrong_type(tag: str) -> InvalidDataType:
    return InvalidDataType(f"{tag} is neither a number nor an interval nor a Boolean")
