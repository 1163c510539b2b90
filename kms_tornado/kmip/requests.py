"""RequestMessage: its header and batch items, and what has a message refused whole.

KMIP 2.1 §8 and §9, KMIP.md §12. Nothing is executed here. A message is refused whole, before any of
its items runs, where the reader cannot be sure what was asked; a payload that is not as declared is
a failure of its item alone.
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
    UnsupportedProtocolVersion,
)
from .enums import BatchErrorContinuationOption, Operation
from .payloads import ProtocolVersion
from .schema import Custom, DateTime, Declared, EnumerationNumber, Tag, from_node
from .tables import OPERATION_TAGS
from .ttlv import Dialect, ItemType, Node, children_of

#: Best first. 2.0 is 2.1 without a few fields, and §9 has every server speak the versions of its own
#: major version.
VERSIONS = (ProtocolVersion(2, 1), ProtocolVersion(2, 0))

#: One message holds one connection and one turn of the queue; a client with more sends another.
MAX_BATCH_ITEMS = 100

#: KMIP.md §12: "a failing item does not stop the others (unless BatchErrorContinuationOption says
#: so)". KMIP 2.1 §9 itself would have Stop here.
DEFAULT_OPTION = BatchErrorContinuationOption.CONTINUE

_MANDATORY = 1  # Asynchronous Indicator, §11.3
_ID_PLACEHOLDER = 1  # Unique Identifier Enumeration, §11.58


def _as_it_is(node: Node) -> Node:
    return node


def _write_as_it_is(tag: str, node: Node) -> Node:
    return node


_AnyNode = Annotated[Node, Custom(_as_it_is, _write_as_it_is)]


class PayloadTypes(NamedTuple):
    """How the payloads of one operation are declared."""

    request: type[Declared]
    response: type[Declared]


#: What a server offers: the payload of any other operation is not looked at.
Payloads = Mapping[Operation, PayloadTypes]


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """maximum_response_size: bytes of binary TTLV, whatever the encoding of the message.

    What is not asked about is declared for its type alone: a Time Stamp (tokens have their own), what
    the client could attest, and the order of items, which is always kept.
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
    """request: why it cannot be executed, where the payload is not as declared.

    operation: None in the answer to a message that is refused whole.
    """

    operation: Operation | None
    request: Declared | KMIPError
    unique_batch_item_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class RequestMessage:
    """header: None where the message is refused whole, with one item that says why."""

    dialect: Dialect
    version: ProtocolVersion
    header: RequestHeader | None
    items: tuple[RequestItem, ...]


def refuse_message(
    error: KMIPError, dialect: Dialect, version: ProtocolVersion = VERSIONS[0]
) -> RequestMessage:
    """A message of which nothing is executed."""
    return RequestMessage(dialect, version, None, (RequestItem(None, error),))


def read_message(root: Node, dialect: Dialect, payloads: Payloads) -> RequestMessage:
    """The message, whatever is wrong with it. payloads: of the operations that are offered."""
    version = VERSIONS[0]
    try:
        header_node, item_nodes = _parts(root)
        version = _version(header_node)
        header = from_node(RequestHeader, header_node)
        _check_header(header, len(item_nodes))
        items = [from_node(_BatchItem, each) for each in item_nodes]
        _check_extensions(items)
    except (InvalidField, MissingData) as exc:
        return refuse_message(InvalidMessage(str(exc)), dialect, version)
    except KMIPError as exc:
        return refuse_message(exc, dialect, version)
    return RequestMessage(
        dialect, version, header, tuple(_request_item(each, payloads) for each in items)
    )


def _parts(root: Node) -> tuple[Node, list[Node]]:
    children = root.value if isinstance(root.value, tuple) else ()
    headers = [each for each in children if each.tag == "RequestHeader"]
    items = [each for each in children if each.tag == "BatchItem"]
    if len(headers) != 1:
        raise InvalidMessage("a RequestMessage has one RequestHeader")
    if len(headers) + len(items) != len(children):
        raise InvalidMessage("a RequestMessage has a RequestHeader and BatchItems, nothing else")
    return headers[0], items


def _version(header: Node) -> ProtocolVersion:
    """Looked at before all other fields, which other versions may have otherwise."""
    for child in header.value if isinstance(header.value, tuple) else ():
        if child.tag == "ProtocolVersion":
            version = from_node(ProtocolVersion, child)
            if version not in VERSIONS:
                raise UnsupportedProtocolVersion("this server speaks KMIP 2.1 and 2.0")
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
        # Profiles 2.1 §3.1.3: a Credential SHALL be used. It must never be dropped without a word,
        # nor decide against the token, so it is not taken at all.
        raise AuthenticationNotSuccessful(
            "the bearer token says who calls: send no Authentication in the header"
        )
    if header.asynchronous_indicator == _MANDATORY:
        raise FeatureNotSupported("this server answers at once, never asynchronously")


def _check_extensions(items: Sequence[_BatchItem]) -> None:
    """§9: who does not know an extension that is critical refuses the entire message."""
    if any(each.criticality_indicator for item in items for each in item.message_extensions):
        raise UnknownMessageExtension("a critical MessageExtension is not known here")


def _request_item(item: _BatchItem, payloads: Payloads) -> RequestItem:
    return RequestItem(item.operation, _request(item, payloads), item.unique_batch_item_id)


def _request(item: _BatchItem, payloads: Payloads) -> Declared | KMIPError:
    operation, payload = item.operation, item.request_payload
    types = payloads.get(operation)
    if types is None:
        return OperationNotSupported(f"{OPERATION_TAGS[operation]} is not offered by this server")
    if item.ephemeral:
        return FeatureNotSupported("Ephemeral is not supported")
    try:
        return from_node(types.request, _without_placeholder(payload))
    except KMIPError as exc:
        return exc


def _without_placeholder(payload: Node) -> Node:
    """An identifier that is the ID placeholder by name means the same as none.

    Raises FeatureNotSupported where there are others beside it, as DeriveKey may have.
    """
    placeholders = [each for each in children_of(payload) if each in _PLACEHOLDERS]
    if not placeholders:
        return payload
    tag = placeholders[0].tag
    if sum(each.tag == tag for each in children_of(payload)) > 1:
        raise FeatureNotSupported("the ID placeholder stands alone")
    rest = tuple(each for each in children_of(payload) if each.tag != tag)
    return payload._replace(value=rest)


_PLACEHOLDERS = (
    Node("UniqueIdentifier", ItemType.ENUMERATION, _ID_PLACEHOLDER),
    Node("PrivateKeyUniqueIdentifier", ItemType.ENUMERATION, _ID_PLACEHOLDER),
)
