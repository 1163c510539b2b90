"""JSON TTLV: bytes to the canonical tree and back, for every dialect of JSON.

docs/dialects.md, "JSON TTLV", "What an answer may contain" and "The other dialects". A request may mix
the dialects; its answer is written in the one that the root of the request shows. What is peculiar to
the dialect of Cosmian's clients stands in the tables below, and for names and values in `tables` and
`json_values`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

from ... import strict_json
from ...errors import InvalidField, InvalidMessage
from ..kmip1.names import TAGS as KMIP1_TAGS
from ..suggestions import UnknownName, map_loosely, suggest_name, suggest_root, suggest_tag
from ..tables import ENUMERATIONS, MASKS, TAG_SPELLINGS, find_tag, is_vendor_tag
from ..ttlv import MAX_DEPTH, MAX_ITEMS, TYPE_NAMES, Dialect, ItemType, Node, new_node, structure
from . import long_json
from .json_text import to_bytes, to_text
from .json_values import READERS, WRITERS, quote

# In Python 3.11, ItemType.STRUCTURE calls a function each time.
_STRUCTURE, _ENUMERATION, _BYTE_STRING, _TEXT_STRING = (
    ItemType.STRUCTURE,
    ItemType.ENUMERATION,
    ItemType.BYTE_STRING,
    ItemType.TEXT_STRING,
)
_TAGS = dict(
    TAG_SPELLINGS
)  # looked up for every item, where a dict is faster than the read-only view

#: How often each character may occur in a message: MAX_ITEMS times as often as in one item. They are
#: counted before `json` parses the text, because `json` blocks the whole process while it creates its
#: objects: six seconds for 16 MiB of empty arrays.
_MAX_OCCURRENCES = {b"{": MAX_ITEMS, b"[": MAX_ITEMS, b",": 4 * MAX_ITEMS}

#: Bytes of a text above which it takes `json` more than a millisecond.
_LONG = 64 * 1024

#: How a RequestMessage in binary TTLV begins: with its tag and the type Structure.
_BINARY_START = b"\x42\x00\x78\x01"


# --- parse --------------------------------------------------------------------------------------


def parse(body: bytes) -> tuple[Node, Dialect]:
    """The message as a tree, and the dialect to answer in.

    Raises InvalidMessage for anything but TTLV, InvalidField for an unknown tag or a bad value.
    """
    tree = load(body)
    root, dialect = identify_root(tree)
    return parse_tree(tree, root), dialect


def load(body: bytes) -> Any:
    """The body as JSON. Raises InvalidMessage."""
    if len(body) > MAX_ITEMS and any(
        strict_json.occurs_more_than(limit, character, body)
        for character, limit in _MAX_OCCURRENCES.items()
    ):
        raise InvalidMessage("the message has too many items")
    try:
        parse = long_json.loads if len(body) > _LONG else strict_json.loads
        return parse(body, max_depth=2 * MAX_DEPTH)
    except ValueError as exc:
        if body.startswith(_BINARY_START):
            raise InvalidMessage(
                "binary TTLV is posted to /kmip, with Content-Type: application/octet-stream"
            ) from None
        raise InvalidMessage(str(exc)) from None


def parse_tree(tree: Any, root: str) -> Node:
    """The result of `load` as a tree of nodes. root: the tag that `identify_root` found.

    Raises as `parse` does.
    """
    node = _parse_item(tree)
    if not isinstance(node, Node) or node.type is not _STRUCTURE:
        raise InvalidMessage(f"{root} must be a Structure")
    return node


def parse_item(item: Any) -> Node:
    """One item of the result of `load`. Raises InvalidMessage, InvalidField."""
    node = _parse_item(item)
    if not isinstance(node, Node):
        raise InvalidMessage(f"{item['tag']} must be one item here")
    return node


def identify_root(tree: Any) -> tuple[str, Dialect]:
    """(the canonical tag of the root, the dialect to answer in). Raises InvalidMessage."""
    spelling = tree.get("tag") if isinstance(tree, dict) else None
    if not isinstance(spelling, str):
        raise InvalidMessage("a message must be an object with the tag of an operation")
    root = find_tag(spelling)
    if root is None:
        raise InvalidMessage(
            f"{quote(spelling)} is not the tag of an operation{suggest_root(spelling)}"
        )
    if "type" not in tree:
        return root, Dialect.OASIS_UNTYPED
    in_envelope = root in ("RequestMessage", "ResponseMessage")
    return root, Dialect.OASIS if in_envelope else Dialect.COSMIAN


def _parse_item(item: Any, is_plain: bool = False) -> Node | list[Node]:
    """One item, or the list of items of an array in Cosmian's dialect.

    is_plain: it stands in the value of a vendor attribute, which means nothing here: it is taken as the profile
    has it, without what is peculiar to Cosmian's dialect.
    """
    if not isinstance(item, dict):
        raise InvalidMessage("an item must be an object with tag, type and value")
    try:
        spelling, value = item["tag"], item["value"]
    except KeyError as exc:
        raise InvalidMessage(f"an item lacks its {exc.args[0]}") from None
    if not isinstance(spelling, str):
        raise InvalidMessage("the tag of an item must be a string")
    tag = _TAGS.get(spelling) or find_tag(spelling)
    if tag is None:
        raise UnknownName(f"unknown tag {quote(spelling)}", suggest_tag, spelling)
    type_name = item.get("type", "Structure")
    if len(item) != 2 + ("type" in item) and not _is_named_extension(tag, item):
        raise InvalidMessage(f"{tag} has other members than tag, type and value")
    if type_name == "Structure":
        return _parse_structure(tag, value, is_plain or tag == "AttributeValue")
    reader = READERS.get(type_name) if isinstance(type_name, str) else None
    if reader is None:
        meant = suggest_name(type_name, _TYPE_NAMES) if isinstance(type_name, str) else ""
        raise InvalidMessage(f"{tag} has no valid type{meant}")
    item_type, read = reader
    if item_type is _ENUMERATION and tag in MASKS and not is_plain:
        item_type, read = READERS["Integer"]  # cloudproof_kms_js sends masks this way
    node = new_node(Node, (tag, item_type, read(tag, value)))
    return _expand_reason(node) if tag == "RevocationReason" and not is_plain else node


def _is_named_extension(tag: str, item: Mapping[str, Any]) -> bool:
    """Whether the item has a vendor's tag and a `name` beside it, which the profile allows and nobody needs."""
    return (
        is_vendor_tag(tag)
        and isinstance(item.get("name"), str)
        and len(item) - 1 == 2 + ("type" in item)
    )


_TYPE_NAMES = map_loosely(TYPE_NAMES.values())

_OBJECT_TAGS = ENUMERATIONS["ObjectType"].oasis

#: Structures that may hold an object (KMIP 2.1 §6). The clients write `Object`, and the ObjectType beside it
#: says which KMIP tag that stands for.
_OBJECT_HOLDERS = frozenset(
    {"ExportResponse", "GetResponse", "Import", "Register", "RequestPayload", "ResponsePayload"}
)

#: Repeatable fields, each of which is an array in Cosmian's dialect. A structure of any other tag inside one
#: of the same tag makes no sense; it is kept here, and the schema refuses it.
ARRAYS = frozenset(
    {
        "AlternativeName",
        "ApplicationSpecificInformation",
        "Attribute",
        "AttributeName",
        "AttributeReference",
        "Digest",
        "Link",
        "Name",
        "ObjectGroup",
        "ProtocolVersion",
        "QueryFunction",
        "UniqueIdentifier",
    }
)

#: Those of ARRAYS that may be empty, which means that the field is absent. If an empty Name meant that too,
#: a Locate by it would find every object.
_EMPTY_ARRAYS = frozenset({"Attribute", "AttributeReference", "Link", "UniqueIdentifier"})


def _parse_structure(tag: str, items: Any, is_plain: bool) -> Node | list[Node]:
    if not isinstance(items, list):
        raise InvalidMessage(f"the value of {tag} must be an array of items")
    children: list[Node] = []
    value_tag = _find_value_tag(items) if tag == "Attribute" and not is_plain else None
    for item in items:
        if value_tag is None:
            node = _parse_item(item, is_plain)
        else:
            node = _parse_named_value(item, value_tag)
        if isinstance(node, Node):
            children.append(node)
        else:
            children += node
    if is_plain:
        return new_node(Node, (tag, _STRUCTURE, tuple(children)))
    if tag in _EMPTY_ARRAYS if not children else tag in ARRAYS and children[0].tag == tag:
        if any(child.tag != tag for child in children):
            raise InvalidField(f"an array of {tag} holds something else")
        return children
    if tag == "KeyMaterial" and len(children) == 1 and children[0].tag == "ByteString":
        return children[0]._replace(tag=tag)
    if tag in _OBJECT_HOLDERS:
        children = _name_object(children)
    return new_node(Node, (tag, _STRUCTURE, tuple(children)))


def _find_value_tag(items: list[Any]) -> str | None:
    """The tag that the AttributeName of KMIP 1 stands for; None for a vendor's attribute and a custom one."""
    by_tag = {_find_tag_of(item): item for item in items}
    if "AttributeName" not in by_tag or "VendorIdentification" in by_tag:
        return None
    name = by_tag["AttributeName"].get("value")
    return KMIP1_TAGS.get(name) if isinstance(name, str) else None


def _find_tag_of(item: Any) -> str | None:
    """The canonical tag of an item that was not parsed yet; None where it has none."""
    spelling = item.get("tag") if isinstance(item, dict) else None
    return find_tag(spelling) if isinstance(spelling, str) else None


def _parse_named_value(item: Any, value_tag: str) -> Node | list[Node]:
    """A field of an Attribute of KMIP 1. Its value is written as that of the attribute's own tag."""
    if _find_tag_of(item) != "AttributeValue":
        return _parse_item(item)
    node = _parse_item({**item, "tag": value_tag})
    if not isinstance(node, Node):
        raise InvalidField("an AttributeValue holds an array")
    return node._replace(tag="AttributeValue")


def _name_object(children: list[Node]) -> list[Node]:
    """Rename `Object` beside an ObjectType to KMIP's SymmetricKey, Certificate, …"""
    tags = [
        _OBJECT_TAGS[child.value]
        for child in children
        if child.tag == "ObjectType" and isinstance(child.value, int)
        if child.value in _OBJECT_TAGS
    ]
    if not tags:
        return children
    return [child._replace(tag=tags[0]) if child.tag == "Object" else child for child in children]


def _expand_reason(node: Node) -> Node:
    """Turn Cosmian's RevocationReason, a text or a number alone, into KMIP's structure."""
    if node.type is _TEXT_STRING:
        return structure(node.tag, Node("RevocationMessage", _TEXT_STRING, node.value))
    if node.type in (ItemType.INTEGER, ItemType.ENUMERATION):
        return structure(node.tag, Node("RevocationReasonCode", ItemType.ENUMERATION, node.value))
    raise InvalidField("RevocationReason must be a Structure, a TextString or an Integer")


# --- format -------------------------------------------------------------------------------------


def format(node: Node, dialect: Dialect) -> bytes:  # noqa: A001 - the pair of parse
    """The tree as compact JSON, members in the order tag, type, value. dialect: one of DIALECTS."""
    return to_bytes(_FORMATTERS[dialect](node))


def _format_oasis(node: Node) -> dict[str, Any]:
    tag, item_type, value = node
    if isinstance(value, tuple):
        if tag == "Attribute":
            items = _format_attribute(value, _format_oasis)
        else:
            items = [_format_oasis(child) for child in value]
        return {"tag": tag, "type": "Structure", "value": items}
    if item_type is _ENUMERATION:
        return _oasis_enumeration(node)
    type_name, write = _OASIS_WRITERS[item_type]
    return {"tag": tag, "type": type_name, "value": write(tag, value) if write else value}


def _format_untyped(node: Node) -> dict[str, Any]:
    if isinstance(node.value, tuple):
        if node.tag == "Attribute":
            items = _format_attribute(node.value, _format_untyped)
        else:
            items = [_format_untyped(child) for child in node.value]
        return {"tag": node.tag, "value": items}
    return _format_oasis(node)


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
_COSMIAN_WRITERS = WRITERS[Dialect.COSMIAN]


def _make_enumeration_formatter(dialect: Dialect) -> Callable[[Node], dict[str, Any]]:
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


_oasis_enumeration = _make_enumeration_formatter(Dialect.OASIS)
_cosmian_enumeration = _make_enumeration_formatter(Dialect.COSMIAN)

#: Canonical tag → the tag that the clients look for.
_COSMIAN_TAGS: Mapping[str, str] = {
    "Attribute": "VendorAttributes",
    "IVCounterNonce": "IvCounterNonce",
    "RandomIV": "RandomIv",
    **dict.fromkeys(_OBJECT_TAGS.values(), "Object"),
}


def _format_cosmian(node: Node) -> dict[str, Any]:
    tag, item_type, value = node
    client_tag = _COSMIAN_TAGS.get(tag, tag)
    if isinstance(value, tuple) and tag != "AttributeValue":
        format_children = _COSMIAN_CHILDREN.get(tag)
        if format_children is None:
            items = [_format_cosmian(child) for child in value]
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
    """The children as JSON; those of a tag in `arrays` form one array, at the place of the first of them."""
    items: list[dict[str, Any]] = []
    gathered: dict[str, list[dict[str, Any]]] = {}
    for child in children:
        item = _format_cosmian(child)
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
_format_attributes = lru_cache(maxsize=256)(_format_cosmian)
_MAX_CACHED_ITEMS = 16


def _format_key_value(children: tuple[Node, ...]) -> list[dict[str, Any]]:
    return [
        _format_attributes(child) if _is_common(child) else _format_cosmian(child)
        for child in children
    ]


def _is_common(node: Node) -> bool:
    """Whether the node is the attributes that many keys have."""
    value = node.value
    return node.tag == "Attributes" and isinstance(value, tuple) and len(value) <= _MAX_CACHED_ITEMS


def _format_material(node: Node) -> dict[str, Any]:
    """The clients look for the bytes one level further down."""
    item = _format_oasis(new_node(Node, ("ByteString", node.type, node.value)))
    return {"tag": node.tag, "type": "Structure", "value": [item]}


def _format_vendor_value(node: Node) -> dict[str, Any]:
    """Always a ByteString, since cloudproof_py refuses other types: text as UTF-8, the rest as JSON."""
    value = node.value
    if node.type is not _BYTE_STRING:
        text = value if isinstance(value, str) else to_text(_format_oasis(node)["value"])
        value = text.encode()
    return _format_oasis(Node(node.tag, _BYTE_STRING, value))


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

#: Dialect → the function that writes a node in it.
_FORMATTERS: Mapping[Dialect, Callable[[Node], dict[str, Any]]] = {
    Dialect.COSMIAN: _format_cosmian,
    Dialect.OASIS: _format_oasis,
    Dialect.OASIS_UNTYPED: _format_untyped,
}

#: The dialects that are JSON.
DIALECTS = tuple(_FORMATTERS)
