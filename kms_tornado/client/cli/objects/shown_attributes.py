"""Attributes as people read them: KMIP attributes to values that are printed. `attribute_values` has the way back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ....kmip.attributes import Attributes, is_tag_attribute, parse_search_tags
from ....kmip.schema import fields_of, to_node
from ....kmip.tables import ENUMERATIONS, MASKS
from ....kmip.ttlv import ItemType, Node, children_of
from .attribute_values import TAGS


def show_attributes(attributes: Attributes) -> dict[str, Any]:
    """{name: value}, where a value is a text, a number, a boolean, a datetime, a dict for a structure, or a list.

    Attributes that may have several values have lists; a vendor attribute has one if there are several.
    """
    without_vendors = attributes.replace(vendor_attributes=())
    shown: dict[str, Any] = {}
    repeated = {field.tag for field in fields_of(Attributes) if field.repeated}
    for node in children_of(to_node(without_vendors, "Attributes")):
        if node.tag in repeated:
            shown.setdefault(node.tag, []).append(_show_node(node))
        else:
            shown[node.tag] = _show_node(node)
    of_vendors: dict[str, list[Any]] = {}
    for attribute in attributes.vendor_attributes:
        if not is_tag_attribute(attribute):
            value = _show_node(attribute.attribute_value)
            of_vendors.setdefault(":".join(attribute.key), []).append(value)
    shown |= {name: values if len(values) > 1 else values[0] for name, values in of_vendors.items()}
    tags = sorted(parse_search_tags(attributes))
    if tags:
        shown[TAGS] = tags
    return dict(sorted(shown.items()))


def _show_node(node: Node) -> Any:
    value: Any = node.value
    match node.type:
        case ItemType.STRUCTURE:
            return _show_fields(value)
        case ItemType.BYTE_STRING:
            return value.hex()
        case ItemType.BIG_INTEGER:
            return hex(value)  # Python refuses to write thousands of decimal digits
        case ItemType.DATE_TIME:
            return _show_date(value)
        case ItemType.ENUMERATION:
            table = ENUMERATIONS.get(node.tag)
            return table.oasis.get(value, value) if table else value
        case ItemType.INTEGER if node.tag in MASKS and value > 0:
            return [name for bit, name in ENUMERATIONS[node.tag].oasis.items() if value & bit]
        case _:
            return value


def _show_fields(fields: Sequence[Node]) -> dict[str, Any]:
    """The fields of a structure. A vendor may repeat a field, which then becomes a list."""
    values: dict[str, list[Any]] = {}
    for field in fields:
        values.setdefault(field.tag, []).append(_show_node(field))
    return {tag: shown[0] if len(shown) == 1 else shown for tag, shown in values.items()}


def _show_date(seconds: int) -> datetime | int:
    """A datetime; the number itself where it lies outside of the years that Python supports."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return seconds
