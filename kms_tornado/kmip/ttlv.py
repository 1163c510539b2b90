"""The TTLV tree between codec and payloads: one canonical form, whatever the bytes looked like.

Canonical means: tags by their names in the JSON profile (`IVCounterNonce`), enumerations and masks as
numbers, repeated fields repeated. The differences between the dialects end in the codecs
(docs/dialects.md, "JSON TTLV").
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import NamedTuple


class ItemType(IntEnum):
    """KMIP 2.1 §11.23. The comment at each member names the Python type of Node.value."""

    STRUCTURE = 1  # tuple[Node, ...]; bytes: see `long_answers.replace_by_written`
    INTEGER = 2  # int, 32 bits, signed
    LONG_INTEGER = 3  # int, 64 bits, signed
    BIG_INTEGER = 4  # int
    ENUMERATION = 5  # int, 32 bits, unsigned
    BOOLEAN = 6  # bool
    TEXT_STRING = 7  # str
    BYTE_STRING = 8  # bytes
    DATE_TIME = 9  # int, seconds since the Unix epoch, 64 bits, signed
    INTERVAL = 10  # int, seconds, 32 bits, unsigned
    DATE_TIME_EXTENDED = 11  # int, microseconds since the Unix epoch, 64 bits, signed


# In Python 3.11, ItemType.STRUCTURE calls a function each time.
_STRUCTURE, _BIG_INTEGER = ItemType.STRUCTURE, ItemType.BIG_INTEGER

#: Items inside items. KMIP's own messages reach about 12. Each level takes two levels of JSON.
MAX_DEPTH = 32

#: In one message. The largest useful batch has some thousands; a hundred thousand items would block the
#: process for half a second.
MAX_ITEMS = 20_000

#: 16384 bits and a sign: no key in use needs longer integers, and an unlimited length would cost memory.
MAX_BIG_INTEGER_OCTETS = 2048 + 8

#: The item type as JSON and error texts spell it: "ByteString".
TYPE_NAMES: Mapping[ItemType, str] = {
    item_type: item_type.name.title().replace("_", "") for item_type in ItemType
}


class Dialect(Enum):
    """How a client writes KMIP; its answer is written in the same way.

    COSMIAN: the dialect of the published clients (docs/dialects.md, "JSON TTLV").
    OASIS: that of the JSON profile.
    OASIS_UNTYPED: the same without "type" on structures (docs/dialects.md, "The other dialects").
    BINARY: TTLV as KMIP 2.1 §10 defines it; the others are JSON.
    """

    __hash__ = object.__hash__  # Enum's own hashes the name, by a function in Python

    COSMIAN = "cosmian"
    OASIS = "oasis"
    OASIS_UNTYPED = "oasis-untyped"
    BINARY = "binary"


Value = int | bool | str | bytes | tuple["Node", ...]


class Node(NamedTuple):
    """One item of a message. value: of the Python type that `ItemType` lists for the type.

    A named tuple takes a quarter of the time to create that a dataclass does, and a message has dozens.
    """

    tag: str
    type: ItemType
    value: Value

    def __repr__(self) -> str:
        """The structure only: values may be key material or plaintext."""
        if isinstance(self.value, tuple):
            return f"<{self.tag} {list(self.value)!r}>"
        return f"<{self.tag} {self.type.name}>"


#: `new_node(Node, (tag, item type, value))` takes half the time of `Node(…)`, which is a function in Python.
new_node = tuple.__new__


def encoded_length(node: Node) -> int:
    """The number of bytes of the node in binary TTLV (KMIP 2.1 §10), which is what size limits count.

    The header has 8 bytes; every value is padded to a multiple of 8, even a number of 4.
    """
    _, item_type, value = node
    if isinstance(value, tuple):
        length = 8
        for child in value:
            # Most children are one of these: each item of a batch is measured.
            kind = type(child[2])
            length += 16 if kind is int and child[1] is not _BIG_INTEGER else encoded_length(child)
        return length
    if isinstance(value, str):
        length = len(value) if value.isascii() else len(value.encode("utf-8"))
        return 8 + (length + 7) // 8 * 8
    if isinstance(value, bytes):
        return 8 + (len(value) + 7) // 8 * 8
    if item_type is _BIG_INTEGER:
        return 8 + (value.bit_length() // 64 + 1) * 8
    return 16


def children_of(node: Node) -> tuple[Node, ...]:
    """The items of a structure; () for a leaf."""
    return node.value if isinstance(node.value, tuple) else ()


def structure(tag: str, *children: Node) -> Node:
    return new_node(Node, (tag, _STRUCTURE, children))
