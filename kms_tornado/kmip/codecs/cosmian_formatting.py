"""The canonical tree as JSON TTLV, in the form that Cosmian's clients read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

from ..tables import ENUMERATIONS
from ..ttlv import Dialect, ItemType, Node, new_node
from .json_formatting import format_oasis, make_enumeration_formatter
from .json_text import to_text
from .json_values import WRITERS

# In Python 3.11, ItemType.ENUMERATION calls a function each time.
_ENUMERATION, _BYTE_STRING = ItemType.ENUMERATION, ItemType.BYTE_STRING

_OBJECT_TAGS = ENUMERATIONS["ObjectType"].oasis

_COSMIAN_WRITERS = WRITERS[Dialect.COSMIAN]

_cosmian_enumeration = make_enumeration_formatter(Dialect.COSMIAN)

#: Canonical tag → the tag that the clients look for.
_COSMIAN_TAGS: Mapping[str, str] = {
    "Attribute": "VendorAttributes",
    "IVCounterNonce": "IvCounterNonce",
    "RandomIV": "RandomIv",
    **dict.fromkeys(_OBJECT_TAGS.values(), "Object"),
}


def format_cosmian(node: Node) -> dict[str, Any]:
    """{tag, type, value} with the tags and in the shapes that these clients expect."""
    tag, item_type, value = node
    client_tag = _COSMIAN_TAGS.get(tag, tag)
    if isinstance(value, tuple) and tag != "AttributeValue":
        format_children = _COSMIAN_CHILDREN.get(tag)
        if format_children is None:
            items = [format_cosmian(child) for child in value]
        else:
            items = format_children(value)
        return {"tag": client_tag, "type": "Structure", "value": items}
    format_leaf = _COSMIAN_LEAVES.get(tag)
    if format_leaf is not None:
        return format_leaf(node)
    if item_type is _ENUMERATION:
        return _cosmian_enumeration(node)
    type_name, write = _COSMIAN_WRITERS[item_type]
    return {"tag": client_tag, "type": type_name, "value": write(tag, value) if write else value}


def _nest(arrays: tuple[str, ...], children: tuple[Node, ...]) -> list[dict[str, Any]]:
    """The children as JSON. Those with a tag in `arrays` form one array, at the place of the first of them."""
    items: list[dict[str, Any]] = []
    gathered: dict[str, list[dict[str, Any]]] = {}
    for child in children:
        item = format_cosmian(child)
        if child.tag not in arrays:
            items.append(item)
        elif child.tag in gathered:
            gathered[child.tag].append(item)
        else:
            gathered[child.tag] = [item]
            items.append({"tag": item["tag"], "type": "Structure", "value": gathered[child.tag]})
    if "UniqueIdentifier" in arrays and not gathered:
        # cloudproof_kms_js hands the array to its caller, who would get undefined instead of an empty one.
        items.append({"tag": "UniqueIdentifier", "type": "Structure", "value": []})
    return items


#: The attributes in a key block are the same for thousands of keys and hold no part of the key, so their JSON
#: is cached. The cache is bounded, and belongs to the module because nothing owns the codec. Attributes with many
#: items are no common ones: 256 of them would take 300 MiB.
_format_attributes = lru_cache(maxsize=256)(format_cosmian)

_MAX_CACHED_ITEMS = 16


def _format_key_value(children: tuple[Node, ...]) -> list[dict[str, Any]]:
    return [
        _format_attributes(child) if _is_common(child) else format_cosmian(child)
        for child in children
    ]


def _is_common(node: Node) -> bool:
    """Whether the node contains the attributes that many keys have."""
    value = node.value
    return node.tag == "Attributes" and isinstance(value, tuple) and len(value) <= _MAX_CACHED_ITEMS


def _format_material(node: Node) -> dict[str, Any]:
    """The key material, which these clients expect one level further down."""
    item = format_oasis(new_node(Node, ("ByteString", node.type, node.value)))
    return {"tag": node.tag, "type": "Structure", "value": [item]}


def _format_vendor_value(node: Node) -> dict[str, Any]:
    """The value, always as a ByteString, since cloudproof_py refuses other types: text in UTF-8, the rest in JSON."""
    value = node.value
    if node.type is not _BYTE_STRING:
        text = value if isinstance(value, str) else to_text(format_oasis(node)["value"])
        value = text.encode()
    return format_oasis(Node(node.tag, _BYTE_STRING, value))


#: Leaves that have another shape in Cosmian's dialect.
_COSMIAN_LEAVES: Mapping[str, Callable[[Node], dict[str, Any]]] = {
    "AttributeValue": _format_vendor_value,
    "KeyMaterial": _format_material,
}

#: Structures whose children have another shape in Cosmian's dialect.
_COSMIAN_CHILDREN: Mapping[str, Callable[[tuple[Node, ...]], list[dict[str, Any]]]] = {
    **dict.fromkeys(
        ("Attributes", "CommonAttributes", "PrivateKeyAttributes", "PublicKeyAttributes"),
        partial(_nest, ("Link", "Attribute")),
    ),
    "LocateResponse": partial(_nest, ("UniqueIdentifier",)),
    "KeyValue": _format_key_value,
}
