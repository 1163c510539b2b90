"""The operations on attributes (KMIP 2.1 §6.1), and how an attribute is named in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...errors import InvalidField
from ..attributes import Attributes
from ..schema import Custom, Tag, from_node
from ..tables import TAG_NAMES, TAG_NUMBERS
from ..ttlv import ItemType, Node, structure


@dataclass(frozen=True, slots=True)
class AttributeReference:
    """An attribute by name: its tag ("CryptographicLength"), or a vendor's own name."""

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


@dataclass(frozen=True, slots=True)
class GetAttributesRequest:
    """attribute_references: () asks for all."""

    unique_identifier: str | None = None
    attribute_references: Annotated[
        tuple[AttributeReference, ...],
        Tag("AttributeReference"),
        Custom(_read_reference, _write_reference),
    ] = ()


@dataclass(frozen=True, slots=True)
class GetAttributesResponse:
    unique_identifier: str
    attributes: Attributes
