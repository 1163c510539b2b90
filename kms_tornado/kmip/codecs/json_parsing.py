"""JSON TTLV to the canonical tree, from every dialect of JSON.

A request may mix the dialects; its answer is written in the one that the root of the request shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import strict_json
from ...errors import InvalidField, InvalidMessage
from ..kmip1.names import TAGS as KMIP1_TAGS
from ..suggestions import UnknownName, map_loosely, suggest_name, suggest_root, suggest_tag
from ..tables import ENUMERATIONS, MASKS, TAG_SPELLINGS, find_tag, is_vendor_tag
from ..ttlv import MAX_DEPTH, MAX_ITEMS, TYPE_NAMES, Dialect, ItemType, Node, new_node, structure
from . import long_json
from .json_values import READERS, quote

# In Python 3.11, ItemType.STRUCTURE calls a function each time.
_STRUCTURE, _ENUMERATION, _TEXT_STRING = (
    ItemType.STRUCTURE,
    ItemType.ENUMERATION,
    ItemType.TEXT_STRING,
)

# Looked up for every item, where a dict is faster than the read-only view.
_TAGS = dict(TAG_SPELLINGS)

#: How often each character may occur in a message: MAX_ITEMS times as often as in one item. They are
#: counted before `json` parses the text, because `json` blocks the whole process while it creates its
#: objects: six seconds for 16 MiB of empty arrays. What `read_plain` parses is short.
_MAX_OCCURRENCES = {b"{": MAX_ITEMS, b"[": MAX_ITEMS, b",": 4 * MAX_ITEMS}

#: Bytes of a text above which it takes `json` more than a millisecond.
_LONG = 64 * 1024

#: How a RequestMessage in binary TTLV begins: with its tag and the type Structure.
_BINARY_START = b"\x42\x00\x78\x01"


def parse(body: bytes) -> tuple[Node, Dialect]:
    """The message as a tree, and the dialect to answer in.

    Raises InvalidMessage for anything but TTLV, InvalidField for an unknown tag or a bad value.
    """
    tree = load(body)
    root, dialect = identify_root(tree)
    return parse_tree(tree, root), dialect


def load(body: bytes) -> Any:
    """The body as JSON. Raises InvalidMessage."""
    max_depth = 2 * MAX_DEPTH
    try:
        tree = strict_json.read_plain(body, max_depth=max_depth)
        if tree is None:
            _check_number_of_items(body)
            read_any = long_json.read_any if len(body) > _LONG else strict_json.read_any
            tree = read_any(body, max_depth=max_depth)
    except ValueError as exc:
        if body.startswith(_BINARY_START):
            raise InvalidMessage(
                "binary TTLV is posted to /kmip, with Content-Type: application/octet-stream"
            ) from None
        raise InvalidMessage(str(exc)) from None
    return tree


def _check_number_of_items(body: bytes) -> None:
    """Raises InvalidMessage."""
    if len(body) > MAX_ITEMS and any(
        strict_json.occurs_more_than(limit, character, body)
        for character, limit in _MAX_OCCURRENCES.items()
    ):
        raise InvalidMessage("the message has too many items")


def parse_tree(tree: Any, root: str) -> Node:
    """The result of `load` as a tree of nodes. root: the tag that `identify_root` found.

    Raises as `parse` does.
    """
    node = _parse_item(tree)
    if not isinstance(node, Node) or node.type is not _STRUCTURE:
        raise InvalidMessage(f"{root} must be a Structure")
    return node


def parse_item(item: Any) -> Node:
    """The node for one item in the result of `load`. Raises InvalidMessage, InvalidField."""
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
    """Whether the item has a vendor's tag and beside it a `name`, which the profile allows and nobody needs."""
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
    """The canonical tag of an item that is not parsed yet; None where it has none."""
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
