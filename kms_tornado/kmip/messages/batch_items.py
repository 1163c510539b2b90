"""The batch items of a RequestMessage: what each one asks for, or why it fails (KMIP 2.1 §8, §9).

A fault in one item makes that item fail alone, and it is answered with its operation and its identifier as they were
sent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from ...errors import FeatureNotSupported, InvalidField, KMIPError, OperationNotSupported
from ..codecs.json_values import quote
from ..enums import Operation
from ..kmip1.key_formats import read_formats
from ..kmip1.payloads import read_payload
from ..schema import (
    Custom,
    Declared,
    EnumerationNumber,
    NotSent,
    Tag,
    fields_of,
    from_node,
)
from ..suggestions import UnknownOperation, suggest_value
from ..tables import ENUMERATIONS, OPERATION_TAGS
from ..ttlv import ItemType, Node, children_of
from ..version_gate import VersionGate

#: The ID placeholder, of the names that stand for an object of the same message (Unique Identifier Enumeration, §11.58).
ID_PLACEHOLDER = 1


def _read_node(node: Node) -> Node:
    return node


def _write_node(tag: str, node: Node) -> Node:
    return node


#: A field that is kept as it was sent, to be read later or not at all.
AnyNode = Annotated[Node, Custom(_read_node, _write_node)]


class PayloadTypes(NamedTuple):
    """The classes that declare the payloads of one operation."""

    request: type[Declared]
    response: type[Declared]


#: The operations that a server offers; the payload of any other operation is not read.
Payloads = Mapping[Operation, PayloadTypes]


@dataclass(frozen=True, slots=True)
class BatchItem:
    """An item. Its payload is KMIP 2's; its extensions are as they were sent.

    attribute_index, attribute_names: from KMIP 1, as in `kmip1.payloads.ReadPayload`.
    """

    operation: EnumerationNumber
    request_payload: AnyNode
    unique_batch_item_id: bytes | None = None
    ephemeral: bool | None = None
    message_extensions: Annotated[tuple[AnyNode, ...], Tag("MessageExtension")] = ()
    attribute_index: Annotated[int | None, NotSent()] = None
    attribute_names: Annotated[frozenset[str], NotSent()] = frozenset()


@dataclass(frozen=True, slots=True)
class Damaged:
    """A header or batch item that cannot be read. fields: those of its fields that can. error: why it cannot."""

    fields: tuple[Node, ...]
    error: KMIPError


@dataclass(frozen=True, slots=True)
class RequestItem:
    """One batch item.

    operation: None where the specification has no such operation, and in the answer to a message that is refused as a
    whole.
    request: the payload, or the error to answer with where it does not fit its declaration.
    strange_operation: its number, or in JSON its name, where the specification has no such operation.
    object_name: the number of the name that stands for the object, where the request has no identifier.
    attribute_names: the only attributes for which KMIP 1 asks; empty where it asks for all.
    """

    operation: Operation | None
    request: Declared | KMIPError
    unique_batch_item_id: bytes | None = None
    strange_operation: int | str | None = None
    object_name: int = ID_PLACEHOLDER
    attribute_names: frozenset[str] = frozenset()


def read_batch_item(part: Node | Damaged, gate: VersionGate | None) -> BatchItem | Damaged:
    if isinstance(part, Damaged):
        return part
    try:
        item = from_node(BatchItem, part)
        for extension in item.message_extensions:
            _is_critical(extension)
        if gate is not None:
            item = _pass_gate(part, item, gate)
    except KMIPError as exc:
        return Damaged(children_of(part), exc)
    return item


def _pass_gate(part: Node, item: BatchItem, gate: VersionGate) -> BatchItem:
    """The item, with the payload of KMIP 2 in place of one of KMIP 1. Raises what the gate raises."""
    if not gate.version.is_kmip1:
        gate.check_item(part, item.request_payload)
        return item
    read = read_payload(item.operation, item.request_payload, gate)
    gate.check_item(part, read.payload)
    payload = read_formats(read.payload)
    if payload is item.request_payload:
        return item
    whole = (*children_of(payload), *read.sources)
    return dataclasses.replace(
        item,
        request_payload=payload._replace(value=whole),
        attribute_index=read.attribute_index,
        attribute_names=read.attribute_names,
    )


# --- extensions ---------------------------------------------------------------------------------


def has_critical_extension(item: BatchItem | Damaged) -> bool:
    if isinstance(item, Damaged):
        extensions = [field for field in item.fields if field.tag == "MessageExtension"]
        return any(_is_sure_to_be_critical(extension) for extension in extensions)
    extended = item.message_extensions
    return bool(extended) and any(map(_is_critical, extended))


def _is_critical(extension: Node) -> bool:
    """Whether the extension is critical.

    The rest of it is not read, as no extension is known here. Raises InvalidField.
    """
    indicators = [
        child.value
        for child in children_of(extension)
        if child.tag == "CriticalityIndicator" and child.type is ItemType.BOOLEAN
    ]
    if len(indicators) != 1:
        raise InvalidField("a MessageExtension has one CriticalityIndicator, a Boolean")
    return bool(indicators[0])


def _is_sure_to_be_critical(extension: Node) -> bool:
    try:
        return _is_critical(extension)
    except InvalidField:
        return False


# --- requests and failures ----------------------------------------------------------------------


def read_item(item: BatchItem | Damaged, payloads: Payloads) -> RequestItem:
    if isinstance(item, Damaged):
        return _fail_damaged(item, payloads)
    operation = _OPERATIONS.get(item.operation)
    if operation is None:
        return fail_item(item, unknown_operation(item.operation))
    object_name = ID_PLACEHOLDER
    try:
        request: Declared | KMIPError
        request, object_name = _read_request(operation, item, payloads)
    except KMIPError as exc:
        request = exc
    return RequestItem(
        operation,
        request,
        item.unique_batch_item_id,
        object_name=object_name,
        attribute_names=item.attribute_names,
    )


_OPERATIONS: Mapping[int, Operation] = {int(operation): operation for operation in Operation}


def _fail_damaged(item: Damaged, payloads: Payloads) -> RequestItem:
    """The failed item. A fault in its operation is reported before all others, since the payload is then not read."""
    failed = fail_item(item, item.error)
    if isinstance(item.error, OperationNotSupported):
        return failed
    if failed.strange_operation is not None:
        return dataclasses.replace(failed, request=unknown_operation(failed.strange_operation))
    if failed.operation is not None and failed.operation not in payloads:
        return dataclasses.replace(failed, request=_not_offered(failed.operation))
    return failed


def fail_item(item: BatchItem | Damaged, error: KMIPError) -> RequestItem:
    """A failed item, with the operation and the identifier as they were sent, if they can be read."""
    if isinstance(item, Damaged):
        operation = _find_field(item, "Operation", ItemType.ENUMERATION)
        identifier = _find_field(item, "UniqueBatchItemID", ItemType.BYTE_STRING)
    else:
        operation, identifier = item.operation, item.unique_batch_item_id
    known = _OPERATIONS.get(operation)
    return RequestItem(known, error, identifier, operation if known is None else None)


def _find_field(item: Damaged, tag: str, item_type: ItemType) -> Any:
    """The value; None where there is none, or several, of which nobody could say which one is meant."""
    values = [field.value for field in item.fields if field.tag == tag and field.type is item_type]
    return values[0] if len(values) == 1 else None


def unknown_operation(operation: int | str) -> KMIPError:
    """The error for an unknown operation: its number, or in JSON possibly its name."""
    if isinstance(operation, int):
        return OperationNotSupported(f"Operation has no value {operation}")
    text = f"Operation has no value {quote(operation)}"
    return UnknownOperation(text, suggest_value, "Operation", operation)


def _not_offered(operation: Operation) -> OperationNotSupported:
    return OperationNotSupported(f"{OPERATION_TAGS[operation]} is not offered by this server")


def _read_request(
    operation: Operation, item: BatchItem, payloads: Payloads
) -> tuple[Declared, int]:
    """The request, and the number of the name that stands for its identifier where that is left out."""
    types = payloads.get(operation)
    if types is None:
        raise _not_offered(operation)
    if item.ephemeral:
        raise FeatureNotSupported("Ephemeral is not supported")
    payload, object_name = _split_object_name(item.request_payload, types.request)
    request = from_node(types.request, payload)
    if item.attribute_index is None:
        return request, object_name
    changes: dict[str, Any] = {"attribute_index": item.attribute_index}
    return dataclasses.replace(request, **changes), object_name


def _split_object_name(payload: Node, cls: type[Declared]) -> tuple[Node, int]:
    """The payload without an identifier that is a name, and the number of the name.

    The ID placeholder by name means the same as no identifier. Raises FeatureNotSupported where other identifiers stand
    beside it, as they may in DeriveKey.
    """
    children = children_of(payload)
    named = next((child for child in children if _is_object_name(child)), None)
    if named is None or all(field.tag != named.tag for field in fields_of(cls)):
        return payload, ID_PLACEHOLDER
    if sum(child.tag == named.tag for child in children) > 1:
        raise FeatureNotSupported("a name in place of an identifier stands alone")
    assert isinstance(named.value, int)
    rest = tuple(child for child in children if child is not named)
    return payload._replace(value=rest), named.value


def _is_object_name(node: Node) -> bool:
    return (
        node.tag in _IDENTIFIERS
        and node.type is ItemType.ENUMERATION
        and node.value in ENUMERATIONS["UniqueIdentifier"].oasis
    )


_IDENTIFIERS = frozenset({"UniqueIdentifier", "PrivateKeyUniqueIdentifier"})
