"""Messages of which a part cannot be read: each batch item is read alone, so that a fault affects only its own item.

A message is first parsed as a whole, which is enough for nearly every message. If that fails, it is taken apart here:
its header and each of its items are parsed separately, and if an item cannot be parsed, each of its fields. Both
encodings are represented as `Encoded` items for this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from ...errors import InvalidField, InvalidMessage, KMIPError
from ..codecs import binary_codec, binary_frames, json_parsing
from ..tables import MAX_NAME_LENGTH, find_tag
from ..ttlv import ItemType, Node
from .batch_items import Damaged, unknown_operation
from .requests import MessageParts


class Encoded(NamedTuple):
    """An item as it was sent.

    tag: None where it has none, or an unknown one.
    parse: makes a node from it, or raises KMIPError.
    split: returns the items in a structure, or raises InvalidMessage.
    name: for the value of an enumeration, its name in JSON.
    """

    tag: str | None
    parse: Callable[[], Node]
    split: Callable[[], Sequence[Encoded]]
    name: str | None = None


def salvage_message(root: Encoded) -> MessageParts:
    """The parts of a RequestMessage. Raises KMIPError where its frame cannot be read."""
    headers, items = [], []
    for item in root.split():
        if item.tag == "RequestHeader":
            headers.append(item)
        elif item.tag == "BatchItem":
            items.append(item)
        else:
            strange = item.parse()  # which says what is wrong with a tag that is unknown
            raise InvalidMessage(f"a RequestMessage does not have {strange.tag}")
    if len(headers) != 1:
        raise InvalidMessage("a RequestMessage has one RequestHeader")
    return MessageParts(_salvage(headers[0]), len(items), map(_salvage, items))


def _salvage(item: Encoded) -> Node | Damaged:
    """The header or the batch item; damaged, with its error, where one of its fields cannot be read."""
    try:
        return item.parse()
    except KMIPError as exc:
        error = exc
    nodes: list[Node] = []
    errors: list[KMIPError] = []
    try:
        for field in item.split():
            try:
                nodes.append(_salvage_field(field))
            except KMIPError as exc:
                if field.tag != "Operation" or field.name is None:
                    errors.append(exc)
                    continue
                errors.insert(0, unknown_operation(field.name))
                if len(field.name) <= MAX_NAME_LENGTH:  # the answer repeats it
                    nodes.append(Node(field.tag, ItemType.ENUMERATION, field.name))
    except InvalidMessage as exc:  # it cannot be split
        errors = [exc]
    if not errors and item.tag is not None:  # but for an extension that nobody need read
        return Node(item.tag, ItemType.STRUCTURE, tuple(nodes))
    error = errors[0] if errors else error
    # The message can be read: it is a field of this item that cannot.
    if isinstance(error, InvalidMessage):
        error = InvalidField(str(error))
    return Damaged(tuple(nodes), error)


def _salvage_field(field: Encoded) -> Node:
    """The field. Raises KMIPError. In a MessageExtension, only its criticality has to be readable."""
    if field.tag != "MessageExtension":
        return field.parse()
    nodes = []
    for part in field.split():
        try:
            nodes.append(part.parse())
        except KMIPError:
            if part.tag == "CriticalityIndicator":
                raise
    return Node(field.tag, ItemType.STRUCTURE, tuple(nodes))


# --- JSON ---------------------------------------------------------------------------------------


def open_json(item: Any) -> Encoded:
    """An item in JSON. item: the result of `json_parsing.load`, or a part of it."""
    members = item if isinstance(item, dict) else {}
    spelling, value = members.get("tag"), members.get("value")
    return Encoded(
        find_tag(spelling) if isinstance(spelling, str) else None,
        partial(json_parsing.parse_item, item),
        partial(_split_json, members),
        value if isinstance(value, str) and members.get("type") == "Enumeration" else None,
    )


def _split_json(members: dict[str, Any]) -> Sequence[Encoded]:
    items = members.get("value")
    if not isinstance(items, list):
        raise InvalidMessage(f"the value of {members.get('tag')} must be an array of items")
    shell = {**members, "value": []}
    try:
        json_parsing.parse_item(shell)
    except KMIPError:  # a wrong type or member, which is told like a field that cannot be read
        return [open_json(shell)._replace(tag=None), *map(open_json, items)]
    return [*map(open_json, items)]


# --- binary -------------------------------------------------------------------------------------


def open_binary(octets: bytes) -> Encoded:
    """An item in binary TTLV. octets: one item of a message that has passed `binary_frames.check_frame`."""
    return Encoded(
        binary_frames.find_tag_of(octets),
        partial(binary_codec.parse_item, octets),
        lambda: [open_binary(part) for part in binary_frames.split(octets)],
    )
