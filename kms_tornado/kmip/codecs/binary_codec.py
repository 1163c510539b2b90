"""Binary TTLV: bytes to the canonical tree and back (KMIP 2.1 §10).

Whatever the bytes are, one pass over them ends with a tree or with InvalidMessage: the length of an item
is checked against the structure around it before its value is read, and nested structures are read in a
loop, so that no depth can exhaust the stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Any

from ...errors import InvalidField, InvalidMessage
from ..tables import TAG_NAMES, TAG_NUMBERS, name_tag
from ..ttlv import (
    MAX_BIG_INTEGER_OCTETS,
    MAX_DEPTH,
    MAX_ITEMS,
    TYPE_NAMES,
    ItemType,
    Node,
    Value,
    new_node,
)

#: Tag (3 bytes) and item type (1), then the length of the value (4).
_HEADER = Struct(">II")
_unpack_header, _pack_header = _HEADER.unpack_from, _HEADER.pack


class _TagNames(dict[int, str]):
    """The names of tags. A vendor's tags are not in the table, but have names, too."""

    def __missing__(self, number: int) -> str:
        name = name_tag(number)
        if name is None:
            raise InvalidField(f"there is no tag 0x{number:06X}")
        return name


class _TagNumbers(dict[str, int]):
    def __missing__(self, tag: str) -> int:
        return int(tag, 16)  # of a vendor; no other tag without a name comes so far


_TAG_NAMES, _TAG_NUMBERS = _TagNames(TAG_NAMES), _TagNumbers(TAG_NUMBERS)

_TYPES: Mapping[int, ItemType] = {int(item_type): item_type for item_type in ItemType}
# In Python 3.11, ItemType.STRUCTURE calls a function each time.
_STRUCTURE, _BOOLEAN, _TEXT_STRING, _BYTE_STRING = (
    ItemType.STRUCTURE,
    ItemType.BOOLEAN,
    ItemType.TEXT_STRING,
    ItemType.BYTE_STRING,
)

#: The item types whose values are big-endian numbers of a fixed length; those of 4 bytes are padded to 8.
_NUMBERS: Mapping[ItemType, Struct] = {
    ItemType.INTEGER: Struct(">i"),
    ItemType.LONG_INTEGER: Struct(">q"),
    ItemType.ENUMERATION: Struct(">I"),
    ItemType.BOOLEAN: Struct(">Q"),
    ItemType.DATE_TIME: Struct(">q"),
    ItemType.INTERVAL: Struct(">I"),
    ItemType.DATE_TIME_EXTENDED: Struct(">q"),
}


# --- parse --------------------------------------------------------------------------------------


def parse(octets: bytes) -> Node:
    """The tree of the octets, which must be exactly one structure. Raises InvalidMessage."""
    tag, item_type, start, end = _read_header(octets, 0, len(octets))
    if item_type is not _STRUCTURE:
        raise InvalidMessage(f"{tag} must be a Structure")
    if end != len(octets):
        raise InvalidMessage(f"there are bytes behind the end of {tag}")
    return _read_structure(octets, tag, start, end)


def parse_item(octets: bytes) -> Node:
    """The node of the octets, which must be exactly one item, a structure or not.

    Raises InvalidMessage, InvalidField.
    """
    tag, item_type, start, end = _read_header(octets, 0, len(octets))
    if item_type is _STRUCTURE:
        return _read_structure(octets, tag, start, end)
    return Node(tag, item_type, _read_value(tag, item_type, octets, start, end))


def _read_structure(octets: bytes, tag: str, start: int, end: int) -> Node:
    outer: list[tuple[str, list[Node], int]] = []  # around the structure that is being read
    children: list[Node] = []
    position, count = start, 1
    while True:
        while position == end:
            node = new_node(Node, (tag, _STRUCTURE, tuple(children)))
            if not outer:
                return node
            tag, children, end = outer.pop()
            children.append(node)
        count += 1
        if count > MAX_ITEMS:
            raise InvalidMessage("the message has too many items")
        name, item_type, start, stop = _read_header(octets, position, end)
        if item_type is _STRUCTURE:
            if len(outer) + 2 > MAX_DEPTH:
                raise InvalidMessage("the message is nested too deep")
            outer.append((tag, children, end))
            tag, children, position, end = name, [], start, stop
        else:
            value = _read_value(name, item_type, octets, start, stop)
            children.append(new_node(Node, (name, item_type, value)))
            position = stop + (start - stop) % 8  # padding, whose content does not matter


def _read_header(octets: bytes, position: int, end: int) -> tuple[str, ItemType, int, int]:
    """(tag, item type, start of the value, end of the value) of the item at the position.

    Raises InvalidMessage where the value, with its padding, would reach beyond the end.
    """
    if end - position < 8:
        raise InvalidMessage("the message ends within an item")
    tag_and_type, length = _unpack_header(octets, position)
    tag, item_type = _KINDS[tag_and_type]
    start = position + 8
    if length + -length % 8 > end - start:
        raise InvalidMessage(f"{tag} is longer than what is around it")
    if item_type is _STRUCTURE and length % 8:
        raise InvalidMessage(f"the length of {tag} is not a multiple of 8")
    return tag, item_type, start, start + length


class _Kinds(dict[int, tuple[str, ItemType]]):
    """{tag and type, as an item begins with them: (tag, item type)}; those of vendors' tags are too many to be kept."""

    def __missing__(self, tag_and_type: int) -> tuple[str, ItemType]:
        number = tag_and_type >> 8
        tag = _TAG_NAMES[number]
        item_type = _TYPES.get(tag_and_type & 0xFF)
        if item_type is None:
            raise InvalidMessage(f"{tag} has no valid type")
        if number in TAG_NAMES:
            self[tag_and_type] = tag, item_type
        return tag, item_type


_KINDS = _Kinds()


def _read_value(tag: str, item_type: ItemType, octets: bytes, start: int, stop: int) -> Value:
    number = _NUMBERS.get(item_type)
    if number is not None:
        if stop - start != number.size:
            raise InvalidMessage(f"{tag} is no {TYPE_NAMES[item_type]} of {number.size} bytes")
        value: int = number.unpack_from(octets, start)[0]
        return _read_boolean(tag, value) if item_type is _BOOLEAN else value
    if item_type is _BYTE_STRING:
        return octets[start:stop]
    if item_type is _TEXT_STRING:
        return _read_text(tag, octets[start:stop])
    return _read_big_integer(tag, octets[start:stop])


def _read_boolean(tag: str, value: int) -> bool:
    if value > 1:
        raise InvalidMessage(f"{tag} must be 0 or 1")
    return value == 1


def _read_text(tag: str, octets: bytes) -> str:
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidMessage(f"{tag} is not UTF-8") from None
    if "\0" in text:  # as in JSON: PostgreSQL cannot store it, and C libraries stop reading there
        raise InvalidMessage(f"{tag} may not contain the null character")
    return text


def _read_big_integer(tag: str, octets: bytes) -> int:
    if not octets or len(octets) % 8:
        raise InvalidMessage(f"a BigInteger has a multiple of 8 bytes: {tag}")
    if len(octets) > MAX_BIG_INTEGER_OCTETS:
        raise InvalidMessage(f"{tag} is too long a BigInteger")
    return int.from_bytes(octets, "big", signed=True)


# --- format -------------------------------------------------------------------------------------


def format(node: Node) -> bytes:  # noqa: A001 - the pair of parse
    """The item in binary TTLV.

    It recurses and needs a number for every tag, so it is only for trees from the server or from `parse`.
    """
    parts: list[bytes] = []
    _append(node, parts)
    return b"".join(parts)


def enclose(structure: Node, items: Sequence[bytes]) -> bytes:
    """The structure with these items, which are formatted already."""
    header = _HEADER.pack(_TAG_NUMBERS[structure.tag] << 8 | _STRUCTURE, sum(map(len, items)))
    return b"".join((header, *items))


def _append(node: Node, parts: list[bytes]) -> int:
    """Append the item, and return its length in bytes."""
    tag, item_type, value = node
    kind = _TAG_NUMBERS[tag] << 8 | item_type
    pack = _NUMBER_ITEMS.get(item_type)
    if pack is not None:
        parts.append(pack(kind, value))
        return 16
    if isinstance(value, tuple):
        place = len(parts)
        parts.append(b"")  # the header, which needs the length of the value
        length = 0
        for child in value:
            length += _append(child, parts)
        parts[place] = _pack_header(kind, length)
        return 8 + length
    octets = _WRITERS[item_type](value)
    length = len(octets)
    parts += _pack_header(kind, length), octets, _PADDING[length % 8]
    return 8 + length + -length % 8


#: {length % 8: the padding behind a value}
_PADDING = [bytes(-length % 8) for length in range(8)]


def _make_packer(number: Struct) -> Callable[[int, Any], bytes]:
    """(tag and type, value) → the whole item, in one step: most items are numbers."""
    pack = Struct(f">II{number.format[1:]}{-number.size % 8}x").pack
    size = number.size
    return lambda kind, value: pack(kind, size, value)


_NUMBER_ITEMS = {item_type: _make_packer(number) for item_type, number in _NUMBERS.items()}


def _write_big_integer(value: int) -> bytes:
    return value.to_bytes((value.bit_length() // 64 + 1) * 8, "big", signed=True)


_WRITERS: Mapping[ItemType, Callable[..., bytes]] = {
    ItemType.BIG_INTEGER: _write_big_integer,
    ItemType.TEXT_STRING: str.encode,
    ItemType.BYTE_STRING: bytes,
}
