"""The payloads of KMIP 1's operations, translated to those of KMIP 2 as `rows` says, and back.

In an answer, Attributes become repeated Attribute and references become names wherever they stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ...errors import InvalidField, InvalidMessage, MissingData, OperationNotSupported
from ..attribute_index import Retired
from ..attribute_instance import AttributeInstance, write_instance
from ..attributes import Attributes
from ..required_fields import ATTRIBUTE_SETS
from ..schema import Declared, to_node
from ..tables import OPERATION_TAGS
from ..ttlv import Node, children_of, structure
from ..version_gate import VersionGate
from .attributes import (
    check_structure,
    find_sources,
    read_attribute,
    read_index,
    read_name,
    read_reference,
    read_set,
    read_template,
    write_attribute,
    write_references,
    write_set,
)
from .key_formats import write_format
from .key_values import (
    OBJECT_TAGS,
    map_child,
    map_key_value,
    read_key_value,
    write_key_value,
    write_pkcs12,
)
from .names import TAGS
from .rows import ROWS, SAME, Row

#: What KMIP 2 has in the places that the rows translate.
_ONLY_IN_2 = ATTRIBUTE_SETS | {"AttributeReference"}

#: Fields that no request is left alone with.
_CHANGED_ANYWHERE = _ONLY_IN_2 | OBJECT_TAGS | {"KeyWrappingSpecification"}

#: Fields of answers that KMIP 1 has in another shape.
_SETS = frozenset({"Attributes", "AttributeReference"})


class ReadPayload(NamedTuple):
    """A payload that was read.

    payload: of KMIP 2.
    attribute_index: the number of the value that is meant, if the operation is about one.
    attribute_names: the attributes that are asked for; () where the request asks for none, or for all.
    sources: fields to be added to the payload after the gate has checked it: references to attributes which the version
    lacks, and from which those are made that it has.
    """

    payload: Node
    attribute_index: int | None = None
    attribute_names: frozenset[str] = frozenset()
    sources: tuple[Node, ...] = ()


# --- requests -----------------------------------------------------------------------------------


def read_payload(operation: int, payload: Node, gate: VersionGate) -> ReadPayload:
    """The payload of a request. If the version lacks the operation, the gate reports that.

    Raises OperationNotSupported, InvalidField, MissingData.
    """
    row = _ROWS_BY_NUMBER.get(operation)
    if row is None:
        if ("Operation", operation) in gate.refused.values:
            return ReadPayload(payload)
        name = OPERATION_TAGS.get(operation)
        if name is None:
            raise OperationNotSupported(f"Operation has no value {operation}")
        raise OperationNotSupported(f"{name} is not offered by this server")
    check_structure(payload)
    tags = {child.tag for child in children_of(payload)}
    if row is SAME and tags.isdisjoint(_CHANGED_ANYWHERE):
        return ReadPayload(payload)
    if row.required is not None and row.required not in tags:
        raise MissingData(f"{row.required} is missing in RequestPayload")
    request = _Request(row, gate, OPERATION_TAGS[operation])
    for child in children_of(payload):
        request.add(child)
    return request.finish(payload)


class _Request:
    """A payload that is being translated, field by field."""

    def __init__(self, row: Row, gate: VersionGate, operation: str) -> None:
        self.row, self.gate, self.operation = row, gate, operation
        self.fields: list[Node] = []
        self.seen: set[str] = set()
        self.attributes: list[Node] = []
        self.names: list[str] = []
        self.index = 0

    def add(self, field: Node) -> None:
        """Translate a field. Raises InvalidField, MissingData."""
        row, gate, tag = self.row, self.gate, field.tag
        if tag in self.seen and tag in row.single_fields:
            raise InvalidField(f"{tag} is given twice in RequestPayload")
        self.seen.add(tag)
        if tag in row.templates:
            self.fields.append(read_template(row.templates[tag], field, gate))
        elif tag == "Attribute" and row.attributes is not None:
            self.attributes.append(field)
        elif tag == "Attribute" and row.instance is not None:
            node, self.index = read_attribute(field, gate)
            if self.index and not row.is_numbered:
                raise InvalidField(
                    "the server numbers a new value: leave AttributeIndex out of AddAttribute"
                )
            self.fields.append(structure(row.instance, node))
        elif tag == "AttributeName" and row.has_names:
            self.names.append(read_name(field))
            self.fields.append(read_reference(self.names[-1], gate))
        elif tag == "AttributeIndex" and row.is_numbered and row.has_names:
            self.index = read_index(field)
        elif tag in _ONLY_IN_2:
            raise InvalidField(f"KMIP {gate.version} has no {tag} in {self.operation}")
        elif tag in OBJECT_TAGS:
            self.fields.append(_read_object(field, gate))
        elif tag == "KeyWrappingSpecification":
            self.fields.append(map_child(field, "AttributeName", _read_wrapped_name))
        else:
            self.fields.append(field)

    def finish(self, payload: Node) -> ReadPayload:
        """The whole payload. Raises InvalidField, MissingData, InvalidMessage."""
        if self.row.attributes is not None:
            self.fields.append(read_set(self.row.attributes, self.attributes, self.gate))
        translated = payload._replace(value=tuple(self.fields))
        if self.row.is_numbered:
            return ReadPayload(translated, self.index)
        if len({*self.names}) < len(self.names):
            raise InvalidMessage("an AttributeName is given twice")
        return ReadPayload(translated, None, frozenset(self.names), find_sources(self.names))


_ROWS_BY_NUMBER: Mapping[int, Row] = {int(operation): row for operation, row in ROWS.items()}


def _read_wrapped_name(node: Node) -> Node:
    """The name of an attribute that is to be wrapped with a key.

    In KMIP 2 it is a text as well, but spelled differently.
    """
    name = read_name(node)
    return node._replace(value=TAGS.get(name, name))


def _read_object(node: Node, gate: VersionGate) -> Node:
    """The object, with the attributes beside its key in the form of KMIP 2."""
    return map_child(
        node,
        "KeyBlock",
        lambda block: map_key_value(block, lambda value: read_key_value(value, gate)),
    )


def _write_block(block: Node, gate: VersionGate) -> Node:
    block = write_format(write_pkcs12(block))
    return map_key_value(block, lambda value: write_key_value(value, gate))


# --- answers ------------------------------------------------------------------------------------


def write_payload(
    operation: int,
    payload: Node,
    response: Declared,
    gate: VersionGate,
    attribute_names: frozenset[str] = frozenset(),
) -> Node:
    """The payload of an answer, without what the version lacks.

    payload: of KMIP 2, which the response was written as. attribute_names: as `read_payload` found them in the
    request. Raises FeatureNotSupported as `VersionGate.restrict_payload` does.
    """
    children = children_of(payload)
    attributes = [child for child in children if child.tag == "Attributes"]
    references = [child for child in children if child.tag == "AttributeReference"]
    if attributes or references:
        # Apart from the gate, because values are numbered before any is left out.
        rest = tuple(child for child in children if child.tag not in _SETS)
        payload = payload._replace(value=rest)
    retired: Retired = getattr(response, "retired_indices", ())
    fields: list[Node] = []
    for child in children_of(gate.restrict_payload(operation, payload, type(response))):
        if child.tag in OBJECT_TAGS:
            # Export has the attributes before the object, and no other answer has both.
            fields += _write_sets(attributes, gate, attribute_names, retired)
            attributes = []
            fields.append(map_child(child, "KeyBlock", lambda block: _write_block(block, gate)))
        else:
            fields.append(child)
    fields += _write_sets(attributes, gate, attribute_names, retired)
    fields += _write_names(references, response, gate)
    fields += _write_changed(response, gate)
    return payload._replace(value=tuple(fields))


def _write_sets(
    sets: list[Node], gate: VersionGate, names: frozenset[str], retired: Retired
) -> Iterator[Node]:
    """The Attributes, or where there are names, only those with these names."""
    for attributes in sets:
        for attribute in write_set(attributes, gate, retired):
            if not names or children_of(attribute)[0].value in names:
                yield attribute


def _write_names(references: list[Node], response: Any, gate: VersionGate) -> Iterator[Node]:
    """The names that are referred to, without those of attributes whose values the version lacks."""
    listed: Attributes | None = getattr(response, "attributes", None) if references else None
    names = write_references(references, gate)
    if listed is None:
        yield from names
        return
    shown = {children_of(node)[0] for node in write_set(to_node(listed, "Attributes"), gate)}
    yield from (name for name in names if name in shown)


def _write_changed(response: Any, gate: VersionGate) -> Iterator[Node]:
    """The Attribute in the answer to Add, Modify and Delete Attribute."""
    changed: AttributeInstance | None = getattr(response, "changed_attribute", None)
    if changed is not None:
        (node,) = children_of(write_instance("Attributes", changed))
        yield from write_attribute(node, response.attribute_index or 0, gate)
