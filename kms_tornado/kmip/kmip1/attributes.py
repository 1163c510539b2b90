"""Attributes of KMIP 1 (``Attribute {AttributeName, [AttributeIndex], AttributeValue}``) as nodes of KMIP 2, and back.

In KMIP 2 the tag says which attribute it is, and the value stands under it. The index numbers the values of an
attribute that has several (`attribute_index`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ...errors import InvalidField, InvalidMessage, MissingData
from ..attribute_index import RetiredIndices, iterate_indices
from ..codecs.json_values import quote
from ..tables import TAG_NAMES, TAG_NUMBERS
from ..ttlv import ItemType, Node, children_of, new_node, structure
from ..version_gate import VersionGate
from .certificates import NAMES as CERTIFICATE_NAMES
from .certificates import SOURCES as CERTIFICATE_SOURCES
from .certificates import describe_certificate
from .names import KEPT, NAMES, TAGS, VENDOR, find_vendor, name_vendor_attribute

_TEXT, _INTEGER = ItemType.TEXT_STRING, ItemType.INTEGER


class ReadAttribute(NamedTuple):
    """An attribute that was read.

    node: as it stands in Attributes of KMIP 2. number: its index, 0 where none was sent.
    """

    node: Node
    number: int


# --- from KMIP 1 --------------------------------------------------------------------------------


def read_attribute(node: Node, gate: VersionGate) -> ReadAttribute:
    """An Attribute of KMIP 1, its fields in any order. Raises InvalidField, InvalidMessage, MissingData."""
    check_structure(node)
    name = value = None
    index = 0
    tags = set()
    for child in children_of(node):
        if child.tag in tags:
            raise InvalidMessage(f"{child.tag} is given twice in Attribute")
        tags.add(child.tag)
        if child.tag == "AttributeName":
            name = read_name(child)
        elif child.tag == "AttributeIndex":
            index = read_index(child)
        elif child.tag == "AttributeValue":
            value = child
        else:
            raise InvalidField(f"{child.tag} is not supported in Attribute of KMIP 1")
    if name is None or value is None:
        missing = "AttributeName" if name is None else "AttributeValue"
        raise MissingData(f"{missing} is missing in Attribute")
    tag = _find_tag(name, gate)
    if tag is not None:
        return ReadAttribute(value._replace(tag=tag), index)
    vendor = find_vendor(name)
    if vendor is None and name in CERTIFICATE_SOURCES:
        raise InvalidField(f"{name} can only be read: the server makes it of other attributes")
    if vendor is None:
        raise InvalidField(f"KMIP {gate.version} has no attribute {quote(name)}")
    if name in KEPT and value.type is not _TEXT:
        raise InvalidField(f"the AttributeValue of {name} must be a TextString")
    return ReadAttribute(structure("Attribute", *_name_nodes(*vendor), value), index)


def read_set(tag: str, attributes: Iterable[Node], gate: VersionGate) -> Node:
    """The structure of KMIP 2 that holds these Attributes of KMIP 1. tag: the structure's tag."""
    return structure(tag, *(read_attribute(node, gate).node for node in attributes))


def read_template(tag: str, template: Node, gate: VersionGate) -> Node:
    """A TemplateAttribute, or a structure like it, as `read_set` returns it.

    Raises InvalidField where it names a Template.
    """
    check_structure(template)
    for child in children_of(template):
        if child.tag != "Attribute":
            raise InvalidField(
                f"{child.tag} is not supported in {template.tag}: this server has no Templates"
                if child.tag == "Name"
                else f"{child.tag} is not supported in {template.tag}"
            )
    return read_set(tag, children_of(template), gate)


def read_reference(name: str, gate: VersionGate) -> Node:
    """The AttributeReference for a name. A name that the version lacks refers to an attribute that no object has."""
    tag = _find_tag(name, gate)
    if tag is not None:
        return Node("AttributeReference", ItemType.ENUMERATION, TAG_NUMBERS[tag])
    return structure("AttributeReference", *_name_nodes(*(find_vendor(name) or (VENDOR, name))))


def find_sources(names: Iterable[str]) -> tuple[Node, ...]:
    """References to the attributes from which those with these names are made, if they are made from others."""
    tags = {tag: None for name in names for tag in CERTIFICATE_SOURCES.get(name, ())}
    return tuple(Node("AttributeReference", ItemType.ENUMERATION, TAG_NUMBERS[tag]) for tag in tags)


def check_structure(node: Node) -> None:
    """Check that the item is a structure. Raises InvalidField."""
    if not isinstance(node.value, tuple):
        raise InvalidField(f"{node.tag} must be a Structure")


def read_name(node: Node) -> str:
    if not isinstance(node.value, str) or node.type is not _TEXT:
        raise InvalidField("AttributeName must be a TextString")
    return node.value


def read_index(node: Node) -> int:
    if node.type is not _INTEGER or not isinstance(node.value, int) or node.value < 0:
        raise InvalidField("AttributeIndex must be an Integer from 0 on")
    return node.value


def _find_tag(name: str, gate: VersionGate) -> str | None:
    tag = TAGS.get(name)
    return None if tag in gate.refused.attributes else tag


def _name_nodes(vendor: str, name: str) -> tuple[Node, Node]:
    return Node("VendorIdentification", _TEXT, vendor), Node("AttributeName", _TEXT, name)


# --- to KMIP 1 ----------------------------------------------------------------------------------


def write_set(
    attributes: Node, gate: VersionGate, retired: Iterable[RetiredIndices] = ()
) -> Iterator[Node]:
    """The Attributes of KMIP 1 for a structure of KMIP 2, without those that the version lacks.

    retired: of the object. The values are numbered before any is left out, so that an index means the same in every
    version.
    """
    indices: dict[str, Iterator[int]] = {}
    for node in children_of(attributes):
        numbered = node.tag if node.tag != "Attribute" else _name_and_value(node)[0]
        if numbered is not None:
            index = next(indices.setdefault(numbered, iterate_indices(retired, numbered)))
            yield from write_attribute(node, index, gate)
    for name, value in describe_certificate(children_of(attributes)):
        yield structure("Attribute", Node("AttributeName", _TEXT, name), value)


def write_attribute(node: Node, index: int, gate: VersionGate) -> Iterator[Node]:
    """The Attribute of KMIP 1; none where the version lacks it. An index of 0 is left out."""
    shown = gate.restrict_attribute(node)
    name, value = (None, None) if shown is None else _name_and_value(shown)
    if name is None or value is None:
        return
    number = (Node("AttributeIndex", _INTEGER, index),) if index else ()
    _, item_type, content = value
    fields = (
        new_node(Node, ("AttributeName", _TEXT, name)),
        *number,
        new_node(Node, ("AttributeValue", item_type, content)),
    )
    yield new_node(Node, ("Attribute", ItemType.STRUCTURE, fields))


def write_references(references: Iterable[Node], gate: VersionGate) -> Iterator[Node]:
    """The names in the references, each once, without those that the version lacks."""
    names: dict[str, None] = {}
    for node in references:
        if isinstance(node.value, tuple):
            shown = [_name_and_value(node)[0]]
        else:
            tag = TAG_NAMES[node.value] if isinstance(node.value, int) else ""
            is_absent = tag in gate.absent.attributes
            shown = [None if is_absent else NAMES.get(tag), CERTIFICATE_NAMES.get(tag)]
        names.update((name, None) for name in shown if name is not None)
    for name in names:
        yield Node("AttributeName", _TEXT, name)


def _name_and_value(node: Node) -> tuple[str | None, Node | None]:
    """The name in KMIP 1, and the value. node: an attribute of KMIP 2, or a reference to a vendor's attribute."""
    if node.tag not in ("Attribute", "AttributeReference"):
        return NAMES.get(node.tag), node
    fields = {child.tag: child for child in children_of(node)}
    vendor, name = fields["VendorIdentification"].value, fields["AttributeName"].value
    return name_vendor_attribute(str(vendor), str(name)), fields.get("AttributeValue")
