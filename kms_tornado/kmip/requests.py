"""RequestMessage: its header and batch items, and the reasons to refuse a whole message.

KMIP 2.1 §8 and §9; docs/dialects.md, "Batches". Nothing is executed here. A message is refused whole,
before any of its items runs, where the reader cannot be sure what was asked; a payload that does not
fit its declaration fails its own item only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from ..errors import (
    AuthenticationNotSuccessful,
    FeatureNotSupported,
    InvalidField,
    InvalidMessage,
    KMIPError,
    MissingData,
    OperationNotSupported,
    UnknownMessageExtension,
)
from .enums import BatchErrorContinuationOption, Operation
from .schema import Custom, DateTime, Declared, EnumerationNumber, Tag, from_node
from .tables import OPERATION_TAGS
from .ttlv import Dialect, ItemType, Node, children_of
from .version_gate import GATES, VersionGate
from .versions import DEFAULT_VERSION, ProtocolVersion, check_supported

#: A message occupies one connection and one turn in the queue; a client with more items sends another message.
MAX_BATCH_ITEMS = 100

#: A failing item does not stop the others, as with the published servers (docs/dialects.md, "Batches").
#: The default of KMIP 2.1 §9 itself is Stop.
DEFAULT_OPTION = BatchErrorContinuationOption.CONTINUE

_MANDATORY = 1  # Asynchronous Indicator, §11.3
_ID_PLACEHOLDER = 1  # Unique Identifier Enumeration, §11.58


def _read_node(node: Node) -> Node:
    return node


def _write_node(tag: str, node: Node) -> Node:
    return node


#: A field that is kept as it was sent, to be read later or not at all.
_AnyNode = Annotated[Node, Custom(_read_node, _write_node)]


class PayloadTypes(NamedTuple):
    """How the payloads of one operation are declared."""

    request: type[Declared]
    response: type[Declared]


#: The operations that a server offers; the payload of any other operation is not read.
Payloads = Mapping[Operation, PayloadTypes]


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """maximum_response_size: bytes of binary TTLV, whatever the encoding of the message.

    Some fields are declared only so that their type is checked, and are otherwise ignored: the Time Stamp
    (a token has its own), the client's means of attestation, and the order of items, which is always kept.
    """

    protocol_version: ProtocolVersion
    batch_count: int
    maximum_response_size: int | None = None
    client_correlation_value: str | None = None
    server_correlation_value: str | None = None
    asynchronous_indicator: EnumerationNumber | None = None
    attestation_capable_indicator: bool | None = None
    attestation_types: Annotated[tuple[EnumerationNumber, ...], Tag("AttestationType")] = ()
    authentication: _AnyNode | None = None
    batch_error_continuation_option: BatchErrorContinuationOption = DEFAULT_OPTION
    batch_order_option: bool | None = None
    time_stamp: DateTime | None = None


@dataclass(frozen=True, slots=True)
class _MessageExtension:
    vendor_identification: str
    criticality_indicator: bool
    vendor_extension: _AnyNode


@dataclass(frozen=True, slots=True)
class _BatchItem:
    operation: Operation
    request_payload: _AnyNode
    unique_batch_item_id: bytes | None = None
    ephemeral: bool | None = None
    message_extensions: Annotated[tuple[_MessageExtension, ...], Tag("MessageExtension")] = ()


@dataclass(frozen=True, slots=True)
class RequestItem:
    """One batch item.

    operation: None in the answer to a message that is refused whole. request: the payload, or the
    error to answer with where it does not fit its declaration.
    """

    operation: Operation | None
    request: Declared | KMIPError
    unique_batch_item_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class RequestMessage:
    """header: None where the message is refused whole; its one item then holds the error."""

    dialect: Dialect
    version: ProtocolVersion
    header: RequestHeader | None
    items: tuple[RequestItem, ...]

    @property
    def gate(self) -> VersionGate | None:
        """What the answer may not hold; None where it may hold everything."""
        return GATES[self.version]


def refuse_message(
    error: KMIPError, dialect: Dialect, version: ProtocolVersion = DEFAULT_VERSION
) -> RequestMessage:
    """A message of which nothing is executed, to be answered with this error alone."""
    return RequestMessage(dialect, version, None, (RequestItem(None, error),))


def read_message(root: Node, dialect: Dialect, payloads: Payloads) -> RequestMessage:
    """The message; one that cannot be read is returned as refused, and nothing is raised.

    payloads: of the operations that are offered.
    """
    version = DEFAULT_VERSION
    try:
        header_node, item_nodes = _split_message(root)
        version = _read_version(header_node)
        gate = GATES[version]
        if gate is not None:
            gate.check("RequestHeader", header_node)
        header = from_node(RequestHeader, header_node)
        _check_header(header, len(item_nodes))
        items = [from_node(_BatchItem, node) for node in item_nodes]
        _check_extensions(items)
    except (InvalidField, MissingData) as exc:
        return refuse_message(InvalidMessage(str(exc)), dialect, version)
    except KMIPError as exc:
        return refuse_message(exc, dialect, version)
    return RequestMessage(
        dialect,
        version,
        header,
        tuple(
            _read_item(item, node, payloads, gate)
            for item, node in zip(items, item_nodes, strict=True)
        ),
    )


def _split_message(root: Node) -> tuple[Node, list[Node]]:
    """(the header, the batch items)"""
    children = children_of(root)
    headers = [child for child in children if child.tag == "RequestHeader"]
    items = [child for child in children if child.tag == "BatchItem"]
    if len(headers) != 1:
        raise InvalidMessage("a RequestMessage has one RequestHeader")
    if len(headers) + len(items) != len(children):
        raise InvalidMessage("a RequestMessage has a RequestHeader and BatchItems, nothing else")
    return headers[0], items


def _read_version(header: Node) -> ProtocolVersion:
    """The version is read before all other fields, because they may differ by version."""
    for child in children_of(header):
        if child.tag == "ProtocolVersion":
            version = from_node(ProtocolVersion, child)
            check_supported(version)
            return version
    raise InvalidMessage("ProtocolVersion is missing in RequestHeader")


def _check_header(header: RequestHeader, number_of_items: int) -> None:
    if header.batch_count != number_of_items:
        raise InvalidMessage("BatchCount is not the number of batch items")
    if not number_of_items:
        raise InvalidMessage("a message without batch items asks for nothing")
    if number_of_items > MAX_BATCH_ITEMS:
        raise InvalidMessage(f"a message has at most {MAX_BATCH_ITEMS} batch items")
    if header.maximum_response_size is not None and header.maximum_response_size < 1:
        raise InvalidMessage("MaximumResponseSize must be positive")
    if header.authentication is not None:
        # KMIP Profiles 2.1 §3.1.3: a Credential SHALL be used. It must neither be ignored silently
        # nor overrule the token, so a message that has one is refused.
        raise AuthenticationNotSuccessful(
            "the bearer token says who calls: send no Authentication in the header"
        )
    if header.asynchronous_indicator == _MANDATORY:
        raise FeatureNotSupported("this server answers at once, never asynchronously")


def _check_extensions(items: Sequence[_BatchItem]) -> None:
    """A critical extension that the server does not know refuses the entire message (§9)."""
    if any(
        extension.criticality_indicator for item in items for extension in item.message_extensions
    ):
        raise UnknownMessageExtension("a critical MessageExtension is not known here")


def _read_item(
    item: _BatchItem, node: Node, payloads: Payloads, gate: VersionGate | None
) -> RequestItem:
    try:
        if gate is not None:
            gate.check_item(node)
        request: Declared | KMIPError = _read_request(item, payloads)
    except KMIPError as exc:
        request = exc
    return RequestItem(item.operation, request, item.unique_batch_item_id)


def _read_request(item: _BatchItem, payloads: Payloads) -> Declared:
    operation = item.operation
    types = payloads.get(operation)
    if types is None:
        raise OperationNotSupported(f"{OPERATION_TAGS[operation]} is not offered by this server")
    if item.ephemeral:
        raise FeatureNotSupported("Ephemeral is not supported")
    return from_node(types.request, _without_placeholder(item.request_payload))


def _without_placeholder(payload: Node) -> Node:
    """The payload without an identifier that names the ID placeholder, which means the same as none.

    Raises FeatureNotSupported where other identifiers stand beside it, as they may in DeriveKey.
    """
    children = children_of(payload)
    placeholder = next((child for child in children if child in _PLACEHOLDERS), None)
    if placeholder is None:
        return payload
    tag = placeholder.tag
    if sum(child.tag == tag for child in children) > 1:
        raise FeatureNotSupported("the ID placeholder stands alone")
    return payload._replace(value=tuple(child for child in children if child.tag != tag))


_PLACEHOLDERS = (
    Node("UniqueIdentifier", ItemType.ENUMERATION, _ID_PLACEHOLDER),
    Node("PrivateKeyUniqueIdentifier", ItemType.ENUMERATION, _ID_PLACEHOLDER),
)
