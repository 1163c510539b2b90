"""KeyValue: a key and the attributes beside it, which are repeated Attributes in KMIP 1.

If both are wrapped in TTLV, no message shows them. The client that unwraps them reads what was wrapped.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from ...errors import InvalidField
from ..codecs import binary_codec
from ..enums import KeyFormatType
from ..gates import GATES
from ..objects import KeyValue
from ..schema import to_node
from ..tables import ENUMERATIONS
from ..ttlv import ItemType, Node, children_of
from ..version_gate import VersionGate
from ..versions import ProtocolVersion
from .attributes import read_set, write_set

OBJECT_TAGS = frozenset(ENUMERATIONS["ObjectType"].oasis.values())

_PKCS12 = Node("KeyFormatType", ItemType.ENUMERATION, int(KeyFormatType.PKCS12))

#: It has all attributes of KMIP 1.
_NEWEST = ProtocolVersion(1, 4)


def read_key_value(value: Node, gate: VersionGate) -> Node:
    """The KeyValue of KMIP 2. Raises InvalidField, MissingData."""
    others = [child for child in children_of(value) if child.tag != "Attribute"]
    attributes = [child for child in children_of(value) if child.tag == "Attribute"]
    if any(child.tag == "Attributes" for child in others):
        raise InvalidField(f"KMIP {gate.version} has no Attributes in KeyValue")
    if attributes:
        others.append(read_set("Attributes", attributes, gate))
    return value._replace(value=tuple(others))


def write_key_value(value: Node, gate: VersionGate) -> Node:
    """The KeyValue of KMIP 1, without attributes that the version lacks."""
    if not any(child.tag == "Attributes" for child in children_of(value)):
        return value
    fields: list[Node] = []
    for child in children_of(value):
        fields += write_set(child, gate) if child.tag == "Attributes" else [child]
    return value._replace(value=tuple(fields))


def write_pkcs12(block: Node) -> Node:
    """The KeyBlock; a PKCS#12 is then the KeyValue itself, as in the cases of OASIS.

    Any other KeyBlock does not change.
    """
    fields = children_of(block)
    if _PKCS12 not in fields or any(field.tag == "KeyWrappingData" for field in fields):
        return block
    return block._replace(value=tuple(map(_flatten, fields)))


def _flatten(field: Node) -> Node:
    """A KeyValue with nothing but octets as these octets."""
    inner = children_of(field)
    if field.tag != "KeyValue" or len(inner) != 1 or not isinstance(inner[0].value, bytes):
        return field
    return Node(field.tag, ItemType.BYTE_STRING, inner[0].value)


def read_unwrapped(node: Node) -> Node:
    """The KeyValue of KMIP 2, whichever version it was wrapped in. Raises as `read_key_value` does."""
    if not any(child.tag == "Attribute" for child in children_of(node)):
        return node
    return read_key_value(node, _gate_of(_NEWEST))


def encode_key_value(value: KeyValue, version: ProtocolVersion) -> bytes:
    """As `objects.encode_key_value`, for a client that uses KMIP 1."""
    return binary_codec.format(write_key_value(to_node(value, "KeyValue"), _gate_of(version)))


def _gate_of(version: ProtocolVersion) -> VersionGate:
    gate = GATES[version]
    assert gate is not None  # each version of KMIP 1 lacks something
    return gate


# --- parts of objects ------------------------------------------------------------------------------


def map_key_value(block: Node, translate: Callable[[Node], Node]) -> Node:
    """The KeyBlock with its KeyValue translated, if it has one that is no octets."""

    def translate_structure(value: Node) -> Node:
        return translate(value) if isinstance(value.value, tuple) else value

    return map_child(block, "KeyValue", translate_structure)


def map_child(node: Node, tag: str, translate: Callable[[Node], Node]) -> Node:
    if not isinstance(node.value, tuple):
        return node  # which the declaration refuses
    before = node.value
    after = tuple([translate(child) if child.tag == tag else child for child in before])
    is_same = all(map(operator.is_, before, after))
    return node if is_same else node._replace(value=after)
