"""The operations on attributes (KMIP 2.1 §6.1), and how their messages name an attribute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from ...errors import InvalidDataType, InvalidField
from ..attribute_index import Retired
from ..attribute_instance import AttributeInstance, read_instance, write_instance
from ..attributes import Attributes
from ..enums import AdjustmentType
from ..schema import Custom, NotSent, Tag, from_node
from ..tables import TAG_NAMES, TAG_NUMBERS
from ..ttlv import ItemType, Node, structure


@dataclass(frozen=True, slots=True)
class AttributeReference:
    """The name of an attribute: its tag ("CryptographicLength"), or a vendor's own name."""

    attribute_name: str
    vendor_identification: str | None = None


@dataclass(frozen=True, slots=True)
class _VendorReference:
    vendor_identification: str
    attribute_name: str


def _read_reference(node: Node) -> AttributeReference:
    if node.type is not ItemType.ENUMERATION:
        vendor = from_node(_VendorReference, node)
        return AttributeReference(vendor.attribute_name, vendor.vendor_identification)
    name = TAG_NAMES.get(node.value) if isinstance(node.value, int) else None
    if name is None:
        raise InvalidField("AttributeReference names no tag")
    return AttributeReference(name)


def _write_reference(tag: str, reference: AttributeReference) -> Node:
    name, vendor = reference.attribute_name, reference.vendor_identification
    if vendor is None:
        return Node(tag, ItemType.ENUMERATION, TAG_NUMBERS[name])
    return structure(
        tag,
        Node("VendorIdentification", ItemType.TEXT_STRING, vendor),
        Node("AttributeName", ItemType.TEXT_STRING, name),
    )


_Reference = Annotated[AttributeReference, Custom(_read_reference, _write_reference)]
_References = Annotated[
    tuple[AttributeReference, ...],
    Tag("AttributeReference"),
    Custom(_read_reference, _write_reference),
]
_Instance = Annotated[AttributeInstance, Custom(read_instance, write_instance)]
_Changed = Annotated[AttributeInstance | None, NotSent()]
_Index = Annotated[int | None, NotSent()]


_NUMBERS = frozenset(
    {ItemType.INTEGER, ItemType.LONG_INTEGER, ItemType.BIG_INTEGER, ItemType.INTERVAL}
)


def _read_number(node: Node) -> int:
    """Read an Adjustment Value, whose type KMIP does not define; any number is accepted."""
    if node.type not in _NUMBERS or not isinstance(node.value, int):
        raise InvalidDataType(f"{node.tag} must be a number")
    return node.value


def _write_number(tag: str, number: int) -> Node:
    bits = number.bit_length() + 1
    fits = ItemType.INTEGER if bits <= 32 else ItemType.LONG_INTEGER
    return Node(tag, fits if bits <= 64 else ItemType.BIG_INTEGER, number)


_Number = Annotated[int, Custom(_read_number, _write_number)]


@dataclass(frozen=True, slots=True)
class GetAttributesRequest:
    """attribute_references: of the attributes to return; () for all."""

    unique_identifier: str | None = None
    attribute_references: _References = ()


@dataclass(frozen=True, slots=True)
class GetAttributesResponse:
    """retired_indices: of the object, to number its values in an answer of KMIP 1."""

    unique_identifier: str
    attributes: Attributes
    retired_indices: Annotated[Retired, NotSent()] = ()


@dataclass(frozen=True, slots=True)
class GetAttributeListRequest:
    unique_identifier: str | None = None


@dataclass(frozen=True, slots=True)
class GetAttributeListResponse:
    """attributes: those that are listed, of which KMIP 1 may be unable to show some; None where that is not known."""

    unique_identifier: str
    attribute_references: _References = ()
    attributes: Annotated[Attributes | None, NotSent()] = None


@dataclass(frozen=True, slots=True)
class AddAttributeRequest:
    new_attribute: _Instance
    unique_identifier: str | None = None


@dataclass(frozen=True, slots=True)
class AddAttributeResponse:
    """changed_attribute, attribute_index: the new value and its number, for the answer of KMIP 1."""

    unique_identifier: str
    changed_attribute: _Changed = None
    attribute_index: _Index = None


@dataclass(frozen=True, slots=True)
class SetAttributeRequest:
    """new_attribute: the value to set in place of the present one, if there is one."""

    new_attribute: _Instance
    unique_identifier: str | None = None


@dataclass(frozen=True, slots=True)
class SetAttributeResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class ModifyAttributeRequest:
    """current_attribute: the instance to change, where there is more than one.

    attribute_index: in KMIP 1, its number among the values of the attribute.
    """

    new_attribute: _Instance
    current_attribute: _Instance | None = None
    unique_identifier: str | None = None
    attribute_index: _Index = None


@dataclass(frozen=True, slots=True)
class ModifyAttributeResponse:
    """changed_attribute, attribute_index: the new value and its number, for the answer of KMIP 1."""

    unique_identifier: str
    changed_attribute: _Changed = None
    attribute_index: _Index = None


@dataclass(frozen=True, slots=True)
class DeleteAttributeRequest:
    """current_attribute: the instance to delete. attribute_reference: deletes every instance instead.

    attribute_index: in KMIP 1, the number of the one instance to delete, of those of the reference.
    """

    unique_identifier: str | None = None
    current_attribute: _Instance | None = None
    attribute_reference: _Reference | None = None
    attribute_index: _Index = None


@dataclass(frozen=True, slots=True)
class DeleteAttributeResponse:
    """changed_attribute, attribute_index: the value that was deleted, for the answer of KMIP 1."""

    unique_identifier: str
    changed_attribute: _Changed = None
    attribute_index: _Index = None


@dataclass(frozen=True, slots=True)
class AdjustAttributeRequest:
    """adjustment_value: None stands for 1. Negate takes none."""

    unique_identifier: str | None = None
    attribute_reference: _Reference = field(kw_only=True)
    adjustment_type: AdjustmentType = field(kw_only=True)
    adjustment_value: _Number | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class AdjustAttributeResponse:
    unique_identifier: str
