"""The payloads of KMIP 1's operations as those of KMIP 2, and back: one row an operation.

What no row mentions is the same in both: fields, their order, structures. In an answer, Attributes become
repeated Attribute and references become names wherever they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...errors import InvalidField, InvalidMessage, MissingData, OperationNotSupported
from ..attribute_instance import AttributeInstance, write_instance
from ..enums import Operation
from ..schema import Declared
from ..tables import ENUMERATIONS, OPERATION_TAGS
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

_ONE = {"TemplateAttribute": "Attributes"}
_THREE = {
    "CommonTemplateAttribute": "CommonAttributes",
    "PrivateKeyTemplateAttribute": "PrivateKeyAttributes",
    "PublicKeyTemplateAttribute": "PublicKeyAttributes",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What the request of one operation has in place of KMIP 2's fields.

    templates: {structure of Attributes: what KMIP 2 calls it}. attributes: where KMIP 2 has the Attributes that
    stand in the payload itself. instance: where KMIP 2 has the one Attribute of the payload. has_names: it names
    attributes by AttributeName. is_numbered: it is about one value of an attribute, which AttributeIndex numbers.
    required: of these fields, the one without which there is no request.
    """

    templates: Mapping[str, str] = field(default_factory=dict)
    attributes: str | None = None
    instance: str | None = None
    has_names: bool = False
    is_numbered: bool = False
    required: str | None = None


_SAME = Row()

ROWS: Mapping[Operation, Row] = {
    Operation.CREATE: Row(_ONE, required="TemplateAttribute"),
    Operation.CREATE_KEY_PAIR: Row(_THREE),
    Operation.REGISTER: Row(_ONE, required="TemplateAttribute"),
    Operation.RE_KEY: Row(_ONE),
    Operation.RE_KEY_KEY_PAIR: Row(_THREE),
    Operation.DERIVE_KEY: Row(_ONE, required="TemplateAttribute"),
    Operation.LOCATE: Row(attributes="Attributes"),
    Operation.IMPORT: Row(attributes="Attributes"),
    Operation.EXPORT: _SAME,
    Operation.GET: _SAME,
    Operation.GET_ATTRIBUTES: Row(has_names=True),
    Operation.GET_ATTRIBUTE_LIST: _SAME,
    Operation.ADD_ATTRIBUTE: Row(instance="NewAttribute", required="Attribute"),
    Operation.MODIFY_ATTRIBUTE: Row(
        instance="NewAttribute", is_numbered=True, required="Attribute"
    ),
    Operation.DELETE_ATTRIBUTE: Row(has_names=True, is_numbered=True, required="AttributeName"),
    Operation.CHECK: _SAME,
    Operation.OBTAIN_LEASE: _SAME,
    Operation.GET_USAGE_ALLOCATION: _SAME,
    Operation.ACTIVATE: _SAME,
    Operation.REVOKE: _SAME,
    Operation.DESTROY: _SAME,
    Operation.ARCHIVE: _SAME,
    Operation.RECOVER: _SAME,
    Operation.QUERY: _SAME,
    Operation.DISCOVER_VERSIONS: _SAME,
    Operation.ENCRYPT: _SAME,
    Operation.DECRYPT: _SAME,
    Operation.SIGN: _SAME,
    Operation.SIGNATURE_VERIFY: _SAME,
    Operation.MAC: _SAME,
    Operation.MAC_VERIFY: _SAME,
    Operation.RNG_RETRIEVE: _SAME,
    Operation.RNG_SEED: _SAME,
    Operation.HASH: _SAME,
}

#: What KMIP 2 has in the places that the rows translate.
_ONLY_IN_2 = frozenset(
    {
        "AttributeReference",
        "Attributes",
        "CommonAttributes",
        "CurrentAttribute",
        "NewAttribute",
        "PrivateKeyAttributes",
        "PublicKeyAttributes",
    }
)

_OBJECT_TAGS = frozenset(ENUMERATIONS["ObjectType"].oasis.values())


class ReadPayload(NamedTuple):
    """payload: of KMIP 2. attribute_index: of the value that is meant, where the operation is about one.

    attribute_names: those that are asked for; () where it is not for attributes, or for all of them.
    sources: fields to be added to the payload once the gate has checked it: references to attributes that the
    version lacks, from which those that it has are made.
    """

    payload: Node
    attribute_index: int | None = None
    attribute_names: frozenset[str] = frozenset()
    sources: tuple[Node, ...] = ()


# --- requests -----------------------------------------------------------------------------------


def read_payload(operation: int, payload: Node, gate: VersionGate) -> ReadPayload:
    """The payload of a request. Raises OperationNotSupported, InvalidField, MissingData.

    An operation that the version lacks is left to the gate.
    """
    row = _ROWS_BY_NUMBER.get(operation)
    if row is None:
        if ("Operation", operation) in gate.refused.values:
            return ReadPayload(payload)
        name = OPERATION_TAGS.get(operation, str(operation))
        raise OperationNotSupported(f"{name} is not offered by this server")
    check_structure(payload)
    tags = {child.tag for child in children_of(payload)}
    if row.required is not None and row.required not in tags:
        raise MissingData(f"{row.required} is missing in RequestPayload")
    fields: list[Node] = []
    attributes: list[Node] = []
    names: list[str] = []
    index = 0
    for child in children_of(payload):
        tag = child.tag
        if tag in row.templates:
            fields.append(read_template(row.templates[tag], child, gate))
        elif tag == "Attribute" and row.attributes is not None:
            attributes.append(child)
        elif tag == "Attribute" and row.instance is not None:
            read = read_attribute(child, gate)
            fields.append(structure(row.instance, read.node))
            index = read.number
        elif tag == "AttributeName" and row.has_names:
            names.append(read_name(child))
            fields.append(read_reference(names[-1], gate))
        elif tag == "AttributeIndex" and row.is_numbered and row.has_names:
            index = read_index(child)
        elif tag in _ONLY_IN_2:
            raise InvalidField(f"KMIP {gate.version} has no {tag} in {OPERATION_TAGS[operation]}")
        elif tag in _OBJECT_TAGS:
            fields.append(_read_object(child, gate))
        else:
            fields.append(child)
    if row.attributes is not None:
        fields.append(read_set(row.attributes, attributes, gate))
    translated = payload._replace(value=tuple(fields))
    if row.is_numbered:
        return ReadPayload(translated, index)
    if len({*names}) < len(names):
        raise InvalidMessage("an AttributeName is given twice")
    return ReadPayload(translated, None, frozenset(names), find_sources(names))


_ROWS_BY_NUMBER: Mapping[int, Row] = {int(operation): row for operation, row in ROWS.items()}


def _read_object(node: Node, gate: VersionGate) -> Node:
    """The object, with the attributes beside its key as KMIP 2 has them."""
    return _map_key_value(node, lambda value: _read_key_value(value, gate))


def _read_key_value(value: Node, gate: VersionGate) -> Node:
    others = [child for child in children_of(value) if child.tag != "Attribute"]
    attributes = [child for child in children_of(value) if child.tag == "Attribute"]
    if any(child.tag in _ONLY_IN_2 for child in others):
        raise InvalidField(f"KMIP {gate.version} has no Attributes in KeyValue")
    if attributes:
        others.append(read_set("Attributes", attributes, gate))
    return value._replace(value=tuple(others))


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
    attributes = [child for child in children_of(payload) if child.tag == "Attributes"]
    references = [child for child in children_of(payload) if child.tag == "AttributeReference"]
    apart = {"Attributes", "AttributeReference"}
    rest = tuple(child for child in children_of(payload) if child.tag not in apart)
    restricted = gate.restrict_payload(operation, payload._replace(value=rest), type(response))
    fields: list[Node] = []
    for child in children_of(restricted):
        if child.tag in _OBJECT_TAGS:
            # Export has the attributes before the object, and no other answer has both.
            fields += _write_sets(attributes, gate, attribute_names)
            attributes = []
            fields.append(_map_key_value(child, lambda value: _write_key_value(value, gate)))
        else:
            fields.append(child)
    fields += _write_sets(attributes, gate, attribute_names)
    fields += write_references(references, gate)
    fields += _write_changed(response, gate)
    return payload._replace(value=tuple(fields))


def _write_sets(sets: list[Node], gate: VersionGate, names: frozenset[str]) -> Iterator[Node]:
    """The Attributes, or those of the names alone, if there are any."""
    for attributes in sets:
        for attribute in write_set(attributes, gate):
            if not names or children_of(attribute)[0].value in names:
                yield attribute


def _write_changed(response: Any, gate: VersionGate) -> Iterator[Node]:
    """The Attribute that Add, Modify and Delete Attribute answer with."""
    changed: AttributeInstance | None = getattr(response, "changed_attribute", None)
    if changed is not None:
        (node,) = children_of(write_instance("Attributes", changed))
        yield from write_attribute(node, response.attribute_index or 0, gate)


def _write_key_value(value: Node, gate: VersionGate) -> Node:
    fields: list[Node] = []
    for child in children_of(value):
        fields += write_set(child, gate) if child.tag == "Attributes" else [child]
    return value._replace(value=tuple(fields))


# --- objects ------------------------------------------------------------------------------------


def _map_key_value(node: Node, translate: Callable[[Node], Node]) -> Node:
    """The object with its KeyValue translated, if it has one that is no octets."""
    return _map_child(node, "KeyBlock", lambda block: _map_child(block, "KeyValue", translate))


def _map_child(node: Node, tag: str, translate: Callable[[Node], Node]) -> Node:
    if not isinstance(node.value, tuple):
        return node  # which the declaration refuses
    return node._replace(
        value=tuple(
            translate(child) if child.tag == tag and isinstance(child.value, tuple) else child
            for child in children_of(node)
        )
    )
