"""Long answers in JSON, written without holding the interpreter's lock for long.

`json` writes a tree in one call, and every other thread waits meanwhile, that of the event loop too. So the items of
a message are written one by one, and long octets in slices, which are put where a mark stands in for them.
"""

from __future__ import annotations

import secrets
from binascii import hexlify
from collections.abc import Iterator

from . import json_codec
from .ttlv import Dialect, ItemType, Node

_LONG = 64 * 1024  # octets of a value that are written in slices; no attribute has as many
_SLICE = 512 * 1024
_MARK_OCTETS = 16
_NUMBER_OCTETS = 4


def format_long(node: Node, dialect: Dialect) -> bytes:
    """As `json_codec.format`, for answers that take longer than a few milliseconds."""
    if node.tag != "ResponseMessage" or not isinstance(node.value, tuple):
        return b"".join(_format_in_slices(node, dialect))
    parts: list[bytes] = []
    for child in node.value:
        parts.append(b"," if parts else b"")
        parts += _format_in_slices(child, dialect)
    # The members of a message stand in the order tag, type, value in every dialect that has messages.
    empty = json_codec.format(node._replace(value=()), dialect)
    return b"".join((empty[: -len(b"]}")], *parts, b"]}"))


def measure_json(node: Node, dialect: Dialect) -> int:
    """The bytes of the node in JSON, without writing its long octets."""
    long_values: list[bytes] = []
    shortened = _shorten(node, bytes(_MARK_OCTETS), long_values)
    missing = [len(value) - _MARK_OCTETS - _NUMBER_OCTETS for value in long_values]
    return len(json_codec.format(shortened, dialect)) + 2 * sum(missing)


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
    """The tree with a mark and a number for each long value, which are collected in `long_values`."""
    value = node.value
    if isinstance(value, bytes) and len(value) > _LONG and node.type is ItemType.BYTE_STRING:
        long_values.append(value)
        number = (len(long_values) - 1).to_bytes(_NUMBER_OCTETS, "big")
        return node._replace(value=mark + number)
    if not isinstance(value, tuple):
        return node
    found = len(long_values)
    children = tuple([_shorten(child, mark, long_values) for child in value])
    return node if len(long_values) == found else node._replace(value=children)
