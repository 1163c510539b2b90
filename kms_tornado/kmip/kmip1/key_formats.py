"""Formats of transparent keys on curves: KMIP 1.0 has one for each algorithm, KMIP 1.3 and 2 have one for all (§9.1.3.2.3).

They hold the same. What a client of KMIP 1 sends is read as the newer one; before 1.3, answers have the older one.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..enums import CryptographicAlgorithm, KeyFormatType
from ..ttlv import ItemType, Node, children_of
from .key_values import OBJECT_TAGS, map_child

_PRIVATE, _PUBLIC = (
    KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY,
    KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY,
)

#: Those for ECDSA, ECDH and ECMQV → that of KMIP 1.3.
_NEWER: Mapping[int, KeyFormatType] = {
    0x0E: _PRIVATE,
    0x0F: _PUBLIC,
    0x10: _PRIVATE,
    0x11: _PUBLIC,
    0x12: _PRIVATE,
    0x13: _PUBLIC,
}

#: Those for ECDSA, which the gate writes before 1.3 → those for ECDH.
_OF_ECDH: Mapping[int, int] = {0x0E: 0x10, 0x0F: 0x11}

_ECDH = Node("CryptographicAlgorithm", ItemType.ENUMERATION, int(CryptographicAlgorithm.ECDH))


def read_formats(payload: Node) -> Node:
    """The payload of a request with formats as KMIP 2 has them. It has passed the gate, which knows those of its version."""
    fields = children_of(payload)
    if not any(field.tag == "KeyFormatType" or field.tag in OBJECT_TAGS for field in fields):
        return payload
    return payload._replace(value=tuple(map(_read_formats_in, fields)))


def write_format(block: Node) -> Node:
    """The KeyBlock with the format for its algorithm, where the gate has written that for ECDSA."""
    if _ECDH not in children_of(block):
        return block
    return map_child(block, "KeyFormatType", lambda node: _replace_by(_OF_ECDH, node))


def _read_formats_in(field: Node) -> Node:
    if field.tag == "KeyFormatType":
        return _replace_by(_NEWER, field)
    if field.tag not in OBJECT_TAGS:
        return field
    return map_child(
        field,
        "KeyBlock",
        lambda block: map_child(block, "KeyFormatType", lambda node: _replace_by(_NEWER, node)),
    )


def _replace_by(others: Mapping[int, int], node: Node) -> Node:
    other = others.get(node.value) if isinstance(node.value, int) else None
    return node if other is None else node._replace(value=int(other))
