"""Long answers in JSON, written without holding the interpreter's lock for long.

`json` writes a tree in one call, during which every other thread waits, also that of the event loop. So the items of a
message are written one by one, and long octets in slices, which then replace a mark. The items of a batch are written
as soon as each is done (`service.batch`).
"""

from __future__ import annotations

import secrets
from binascii import hexlify
from collections.abc import Iterator
from functools import lru_cache

from ..ttlv import Dialect, ItemType, Node, encoded_length, new_node
from . import binary_codec, json_codec

#: Bytes of TTLV up to which an item takes less than a millisecond to write, unless it has many values.
LONG_ITEM = 64 * 1024

# In Python 3.11, Dialect.BINARY calls a function each time.
_BINARY, _STRUCTURE = Dialect.BINARY, ItemType.STRUCTURE

_LONG = 64 * 1024  # octets of a value that are written in slices; no attribute has as many
_SLICE = 64 * 1024  # octets: 0.1 ms, for which a thread may keep the lock
_MARK_OCTETS = 16
_NUMBER_OCTETS = 4


def replace_by_written(item: Node, octets: bytes) -> Node:
    """The item in the form that `write_item` has written, which `format_long` copies into the answer."""
    return new_node(Node, (item.tag, item.type, octets))


def is_written(item: Node) -> bool:
    return isinstance(item.value, bytes) and item.type is _STRUCTURE


def format_long(node: Node, dialect: Dialect) -> bytes:
    """The answer in its dialect. For an answer that takes longer than a few milliseconds, or contains written items."""
    if node.tag != "ResponseMessage" or not isinstance(node.value, tuple):
        return write_item(node, dialect)
    parts = [
        _write_header(child, dialect)
        if child.tag == "ResponseHeader"
        else write_item(child, dialect)
        for child in node.value
    ]
    empty = node._replace(value=())
    if dialect is _BINARY:
        return binary_codec.enclose(empty, parts)
    # The members of a message stand in the order tag, type, value in every dialect that has messages.
    return b"".join((json_codec.format(empty, dialect)[: -len(b"]}")], b",".join(parts), b"]}"))


def write_item(node: Node, dialect: Dialect, length: int | None = None) -> bytes:
    """The item of a message in its final form, or a whole answer that is not a message.

    length: its bytes in TTLV, if they have been counted already.
    """
    if isinstance(node.value, bytes) and is_written(node):
        return node.value
    if dialect is _BINARY:
        return binary_codec.format(node)
    if (encoded_length(node) if length is None else length) <= LONG_ITEM:
        return json_codec.format(node, dialect)
    return b"".join(_format_in_slices(node, dialect))


_write_header = lru_cache(maxsize=256)(write_item)  # most answers of a second have the same one


def _format_in_slices(node: Node, dialect: Dialect) -> Iterator[bytes]:
    mark = secrets.token_bytes(_MARK_OCTETS)  # nobody can guess it, so it stands nowhere else
    long_values: list[bytes] = []
    text = json_codec.format(_shorten(node, mark, long_values), dialect)
    first, *rest = text.split(hexlify(mark).upper()) if long_values else (text,)
    yield first
    for part in rest:
        number = int(part[: 2 * _NUMBER_OCTETS], 16)
        octets = long_values[number]
        for place in range(0, len(octets), _SLICE):
            yield hexlify(octets[place : place + _SLICE]).upper()
        yield part[2 * _NUMBER_OCTETS :]


def _shorten(node: Node, mark: bytes, long_values: list[bytes]) -> Node:
    """The tree with a mark and a number in place of each long value. These are collected in `long_values`."""
    value = node.value
    if isinstance(value, bytes) and len(value) > _LONG and node.type is ItemType.BYTE_STRING:
        long_values.append(value)
        number = (len(long_values) - 1).to_bytes(_NUMBER_OCTETS, "big")
        return node._replace(value=mark + number)
    if not isinstance(value, tuple):
        return node
    before = len(long_values)
    children = tuple([_shorten(child, mark, long_values) for child in value])
    return node if len(long_values) == before else node._replace(value=children)
