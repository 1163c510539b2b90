"""The canonical tree as JSON TTLV, as the profile of OASIS writes it, with types or without."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ..kmip1.names import TAGS as KMIP1_TAGS
from ..ttlv import Dialect, ItemType, Node
from .json_values import WRITERS

# In Python 3.11, ItemType.ENUMERATION calls a function each time.
_ENUMERATION = ItemType.ENUMERATION


def format_oasis(node: Node) -> dict[str, Any]:
    """{tag, type, value}, whose value is a list where the node is a Structure."""
    tag, item_type, value = node
    if isinstance(value, tuple):
        if tag == "Attribute":
            items = _format_attribute(value, format_oasis)
        else:
            items = [format_oasis(child) for child in value]
        return {"tag": tag, "type": "Structure", "value": items}
    if item_type is _ENUMERATION:
        return _oasis_enumeration(node)
    type_name, write = _OASIS_WRITERS[item_type]
    return {"tag": tag, "type": type_name, "value": write(tag, value) if write else value}


def format_untyped(node: Node) -> dict[str, Any]:
    """As `format_oasis`, but for the type of a Structure."""
    if isinstance(node.value, tuple):
        if node.tag == "Attribute":
            items = _format_attribute(node.value, format_untyped)
        else:
            items = [format_untyped(child) for child in node.value]
        return {"tag": node.tag, "value": items}
    return format_oasis(node)


def _format_attribute(
    children: tuple[Node, ...], format_item: Callable[[Node], dict[str, Any]]
) -> list[dict[str, Any]]:
    """The fields of an Attribute; in KMIP 1, its value is written as that of the attribute's own tag."""
    name = children[0].value if children and children[0].tag == "AttributeName" else None
    value_tag = KMIP1_TAGS.get(name) if isinstance(name, str) else None
    if value_tag is None:
        return [format_item(child) for child in children]
    return [
        {**format_item(child._replace(tag=value_tag)), "tag": child.tag}
        if child.tag == "AttributeValue"
        else format_item(child)
        for child in children
    ]


_OASIS_WRITERS = WRITERS[Dialect.OASIS]


def make_enumeration_formatter(dialect: Dialect) -> Callable[[Node], dict[str, Any]]:
    """The function that writes an enumeration in a dialect.

    It caches what it has written, because few values occur and most messages hold some. The cache is
    bounded, because a client may send any number. The dicts are shared and never changed.
    """
    type_name, write = WRITERS[dialect][_ENUMERATION]
    assert write is not None

    @lru_cache(maxsize=1024)
    def format_enumeration(node: Node) -> dict[str, Any]:
        return {"tag": node.tag, "type": type_name, "value": write(node.tag, node.value)}

    return format_enumeration


_oasis_enumeration = make_enumeration_formatter(Dialect.OASIS)
