"""RequestMessage: its header and batch items, and the reasons to refuse a whole message.

KMIP 2.1 §8 and §9; docs/dialects.md, "Batches". Nothing is executed here. A message is refused whole,
before any of its items runs, for its frame and its header, which govern all of them, and for a critical
extension. What is wrong with one item fails that one alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, NamedTuple

from ...errors import (
    AuthenticationNotSuccessful,
    FeatureNotSupported,
    InvalidField,
    InvalidMessage,
    KMIPError,
    MissingData,
    UnknownMessageExtension,
)
from ..enums import BatchErrorContinuationOption
from ..gates import GATES
from ..schema import DateTime, EnumerationNumber, Tag, from_node
from ..ttlv import Dialect, ItemType, Node, children_of
from ..version_gate import VersionGate
from ..versions import (
    DEFAULT_VERSION,
    SUPPORTED_VERSIONS,
    ProtocolVersion,
    check_supported,
    choose_answer_version,
)
from .batch_items import (
    AnyNode,
    BatchItem,
    Damaged,
    Payloads,
    RequestItem,
    fail_item,
    has_critical_extension,
    read_batch_item,
    read_item,
)

#: A message occupies one connection and one turn in the queue; a client with more items sends another message.
MAX_BATCH_ITEMS = 100

#: In KMIP 2 over HTTP, a failing item does not stop the others, as with the published servers (docs/dialects.md,
#: "Batches"). The default of KMIP 2.1 §9 itself is Stop, as it is in KMIP 1, and over TLS.
DEFAULT_OPTION = BatchErrorContinuationOption.CONTINUE

_MANDATORY = 1  # Asynchronous Indicator, §11.3


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """maximum_response_size: bytes of binary TTLV, whatever the encoding of the message.

    Some fields are declared only so that their type is checked, and are otherwise ignored: the Time Stamp
    (a token has its own), the client's means of attestation, and the order of items, which is always kept.

    batch_error_continuation_option: None where the client leaves it to the server.
    """

    protocol_version: ProtocolVersion
    batch_count: int
    maximum_response_size: int | None = None
    client_correlation_value: str | None = None
    server_correlation_value: str | None = None
    asynchronous_indicator: EnumerationNumber | None = None
    attestation_capable_indicator: bool | None = None
    attestation_types: Annotated[tuple[EnumerationNumber, ...], Tag("AttestationType")] = ()
    authentication: AnyNode | None = None
    batch_error_continuation_option: BatchErrorContinuationOption | None = None
    batch_order_option: bool | None = None
    time_stamp: DateTime | None = None


class MessageParts(NamedTuple):
    """The parts of a message that is parsed one part at a time.

    number_of_items: known before any of the items is read.
    """

    header: Node | Damaged
    number_of_items: int
    items: Iterable[Node | Damaged]


@dataclass(frozen=True, slots=True)
class RequestMessage:
    """header: None where the message is refused whole; its one item then holds the error."""

    dialect: Dialect
    version: ProtocolVersion
    header: RequestHeader | None
    items: tuple[RequestItem, ...]

    @property
    def gate(self) -> VersionGate | None:
        """What the answer must not contain; None where there is no restriction."""
        return GATES[self.version]


def refuse_message(
    error: KMIPError, dialect: Dialect, version: ProtocolVersion = DEFAULT_VERSION
) -> RequestMessage:
    """A message that is not carried out at all, and is answered with this error alone."""
    return RequestMessage(dialect, version, None, (RequestItem(None, error),))


def refuse_credential(message: RequestMessage) -> RequestMessage:
    """The message; refused as a whole where its header has an Authentication.

    For a transport that identifies its callers in some other way. KMIP Profiles 2.1 §3.1.3: a Credential SHALL be used,
    so it must neither be ignored silently nor overrule the token.
    """
    if message.header is None or message.header.authentication is None:
        return message
    error = AuthenticationNotSuccessful(
        "the bearer token says who calls: send no Authentication in the header"
    )
    return refuse_message(error, message.dialect, message.version)


def read_message(
    root: Node,
    dialect: Dialect,
    payloads: Payloads,
    otherwise: ProtocolVersion = DEFAULT_VERSION,
) -> RequestMessage:
    """The message; one that cannot be read is returned as refused, and nothing is raised.

    payloads: of the operations that are offered. otherwise: as for `read_parts`.
    """
    try:
        parts = _split_message(root)
    except InvalidMessage as exc:
        headers = (child for child in children_of(root) if child.tag == "RequestHeader")
        header = next(headers, None)
        version = otherwise if header is None else _guess_version(header, otherwise)
        return refuse_message(exc, dialect, version)
    return read_parts(parts, dialect, payloads, otherwise)


def read_parts(
    parts: MessageParts,
    dialect: Dialect,
    payloads: Payloads,
    otherwise: ProtocolVersion = DEFAULT_VERSION,
) -> RequestMessage:
    """As `read_message`, for a message whose parts were parsed one by one.

    otherwise: the version to answer in if the header's own cannot be read.
    """
    version = None
    try:
        requested = _read_version(parts.header)
        version = choose_answer_version(requested)
        check_supported(requested)
        gate = GATES[version]
        header = _read_header(parts.header, gate)
        _check_header(header, parts.number_of_items)
    except KMIPError as exc:
        is_malformed = isinstance(exc, InvalidField | MissingData)
        error = InvalidMessage(str(exc)) if is_malformed else exc
        version = version or _guess_version(parts.header, otherwise)
        return refuse_message(error, dialect, version)
    items = [read_batch_item(part, gate) for part in parts.items]
    if True in map(has_critical_extension, items):
        return _refuse_extension(items, dialect, version)
    return RequestMessage(
        dialect, version, header, tuple([read_item(item, payloads) for item in items])
    )


def _split_message(root: Node) -> MessageParts:
    """Raises InvalidMessage."""
    children = children_of(root)
    headers = [child for child in children if child.tag == "RequestHeader"]
    items = [child for child in children if child.tag == "BatchItem"]
    if len(headers) != 1:
        raise InvalidMessage("a RequestMessage has one RequestHeader")
    if len(headers) + len(items) != len(children):
        raise InvalidMessage("a RequestMessage has a RequestHeader and BatchItems, nothing else")
    return MessageParts(headers[0], len(items), items)


def _guess_version(header: Node | Damaged, otherwise: ProtocolVersion) -> ProtocolVersion:
    """The version to refuse a message in, by as much of its ProtocolVersion as can be read: at least the major one.

    A client of KMIP 1 may be unable to read even a refusal of KMIP 2.
    """
    for child in _fields_of(header):
        if child.tag == "ProtocolVersion":
            numbers = {
                number.tag: number.value
                for number in reversed(children_of(child))
                if number.type is ItemType.INTEGER
            }
            major, minor = (numbers.get(f"{child.tag}{name}", -1) for name in ("Major", "Minor"))
            if isinstance(major, int) and isinstance(minor, int) and major >= 0:
                return choose_answer_version(ProtocolVersion(major, minor))
    return otherwise


def _fields_of(header: Node | Damaged) -> tuple[Node, ...]:
    return header.fields if isinstance(header, Damaged) else children_of(header)


def _read_version(header: Node | Damaged) -> ProtocolVersion:
    """Read before all other fields, because they may differ by version. It may be an unsupported one."""
    for child in _fields_of(header):
        if child.tag == "ProtocolVersion":
            return _parse_version(child)
    if isinstance(header, Damaged):
        raise header.error
    raise InvalidMessage("ProtocolVersion is missing in RequestHeader")


# Bounded, because clients choose the numbers.
@lru_cache(maxsize=256)
def _parse_version(node: Node) -> ProtocolVersion:
    version = from_node(ProtocolVersion, node)
    # Tables find the value that they have themselves without comparing versions, which each message does seven times.
    return next((known for known in SUPPORTED_VERSIONS if known == version), version)


def _read_header(header: Node | Damaged, gate: VersionGate | None) -> RequestHeader:
    if isinstance(header, Damaged):
        raise header.error
    is_plain = all(
        child.type in _PLAIN or child.tag == "ProtocolVersion" for child in children_of(header)
    )
    return (_recall_header if is_plain else _parse_header)(header, gate)


def _parse_header(header: Node, gate: VersionGate | None) -> RequestHeader:
    if gate is None:
        return from_node(RequestHeader, header)
    if gate.version.is_kmip1:
        header = _translate_header(header)
    gate.check("RequestHeader", header)
    return from_node(RequestHeader, header)


# A client's headers are all the same, but for a time. To find one takes a tenth of parsing it.
_recall_header = lru_cache(maxsize=256)(_parse_header)

#: What a header that is remembered has beside its version: no secret, and nothing of any length.
_PLAIN = frozenset({ItemType.INTEGER, ItemType.ENUMERATION, ItemType.BOOLEAN, ItemType.DATE_TIME})


def _translate_header(header: Node) -> Node:
    """The header of KMIP 1 as KMIP 2 has it.

    AsynchronousIndicator is a Boolean there, and true only allows what this server never does. The first item that
    fails stops the message, unless the header says otherwise.
    """
    fields = {child.tag: child for child in (_STOP, *children_of(header))}
    indicator = fields.get("AsynchronousIndicator")
    is_allowed = indicator is not None and indicator.type is ItemType.BOOLEAN
    children = [child for child in children_of(header) if not (is_allowed and child is indicator)]
    if fields[_STOP.tag] is _STOP:
        children.append(_STOP)
    return header._replace(value=tuple(children))


_STOP = Node(
    "BatchErrorContinuationOption",
    ItemType.ENUMERATION,
    int(BatchErrorContinuationOption.STOP),
)


def _check_header(header: RequestHeader, number_of_items: int) -> None:
    if header.batch_count != number_of_items:
        raise InvalidMessage("BatchCount is not the number of batch items")
    if not number_of_items:
        raise InvalidMessage("a message without batch items asks for nothing")
    if number_of_items > MAX_BATCH_ITEMS:
        raise InvalidMessage(f"a message has at most {MAX_BATCH_ITEMS} batch items")
    if header.maximum_response_size is not None and header.maximum_response_size < 1:
        raise InvalidMessage("MaximumResponseSize must be positive")
    if header.asynchronous_indicator == _MANDATORY:
        raise FeatureNotSupported("this server answers at once, never asynchronously")


def _refuse_extension(
    items: Sequence[BatchItem | Damaged], dialect: Dialect, version: ProtocolVersion
) -> RequestMessage:
    """A critical extension that the receiver does not know refuses the entire message (§9).

    The answer has one item for all, without an operation; but if the message has only one, it is that one's,
    as in the test case TC-72.
    """
    error = UnknownMessageExtension("a critical MessageExtension is not known here")
    if len(items) > 1:
        return refuse_message(error, dialect, version)
    return RequestMessage(dialect, version, None, (fail_item(items[0], error),))
