"""ResponseMessage: its header, and the batch items with their results (KMIP 2.1 §8, §9)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import lru_cache

from ...errors import KMIPError
from ..enums import Operation, ResultReason, ResultStatus
from ..kmip1.payloads import write_payload
from ..schema import Declared, to_node
from ..tables import ENUMERATIONS, loosen
from ..ttlv import Dialect, ItemType, Node, encoded_length, structure
from ..version_gate import VersionGate
from ..vocabulary import ProtocolVersion
from .batch_items import RequestItem
from .requests import RequestMessage


def render_response(
    message: RequestMessage,
    items: Sequence[Node],
    *,
    now: int,
    server_correlation_value: str | None = None,
) -> Node:
    """The answer to a message. items: its answered batch items. now: seconds since the Unix epoch.

    Payloads have passed the gate of the version when they were rendered, so that their length is known.

    The client's correlation value is for our log and not sent back; ours is in the answer (§9).
    A missing object is ItemNotFound in JSON with types throughout, as the published servers write it
    (docs/dialects.md, "Batches"), and ObjectNotFound in every other dialect, as in profile case BL-M-4.
    """
    if message.dialect is not _OASIS:
        items = [_replace_reason(item, _ITEM_NOT_FOUND, _OBJECT_NOT_FOUND) for item in items]
    gate = message.gate
    header = _render_header(message.version, gate, now, server_correlation_value, len(items))
    if gate is not None:
        items = [gate.replace_reason(item) for item in items]
    return structure("ResponseMessage", header, *items)


def measure_frame(message: RequestMessage, server_correlation_value: str | None) -> int:
    """The bytes of TTLV in the answer before its first item."""
    is_correlated = server_correlation_value is not None
    return _measure_frame(message.version, message.gate, is_correlated)


@lru_cache(maxsize=64)
def _measure_frame(version: ProtocolVersion, gate: VersionGate | None, is_correlated: bool) -> int:
    correlation_value = _make_correlation_value() if is_correlated else None
    header = _render_header(version, gate, 0, correlation_value, 0)
    return encoded_length(structure("ResponseMessage", header))


@lru_cache(maxsize=256)  # most answers of a second have the same one
def _render_header(
    version: ProtocolVersion,
    gate: VersionGate | None,
    now: int,
    server_correlation_value: str | None,
    batch_count: int,
) -> Node:
    fields = [to_node(version, "ProtocolVersion"), Node("TimeStamp", ItemType.DATE_TIME, now)]
    if server_correlation_value is not None:
        fields.append(
            Node("ServerCorrelationValue", ItemType.TEXT_STRING, server_correlation_value)
        )
    fields.append(Node("BatchCount", ItemType.INTEGER, batch_count))
    header = structure("ResponseHeader", *fields)
    return header if gate is None else gate.restrict("ResponseHeader", header)


_OASIS = Dialect.OASIS  # in Python 3.11, this calls a function each time

_ITEM_NOT_FOUND, _OBJECT_NOT_FOUND = (
    Node("ResultReason", ItemType.ENUMERATION, int(reason))
    for reason in (ResultReason.ITEM_NOT_FOUND, ResultReason.OBJECT_NOT_FOUND)
)


def _replace_reason(item: Node, old: Node, new: Node) -> Node:
    if not isinstance(item.value, tuple) or old not in item.value:
        return item
    return item._replace(value=tuple(new if child == old else child for child in item.value))


def make_correlation_value(message: RequestMessage) -> str | None:
    """A new UUID for the answer and the log; None where the client sent no correlation value."""
    if message.header is None or message.header.client_correlation_value is None:
        return None
    return _make_correlation_value()


def _make_correlation_value() -> str:
    return str(uuid.uuid4())


def render_success(item: RequestItem, response: Declared, gate: VersionGate | None = None) -> Node:
    """The item of a success. Raises FeatureNotSupported where the message's version cannot express the answer."""
    payload = to_node(response, "ResponsePayload")
    if gate is not None and item.operation is not None:
        if gate.version.is_kmip1:
            payload = write_payload(item.operation, payload, response, gate, item.attribute_names)
        else:
            payload = gate.restrict_payload(item.operation, payload, type(response))
    return _render_item(item, _SUCCESS, payload)


def render_failure(item: RequestItem, error: KMIPError, *, longest: int | None = None) -> Node:
    """The item with both a reason and a message, as some clients read both without checking for them.

    longest: bytes of TTLV that the message may have; it is cut where it has more.
    """
    text = str(error)
    if longest is not None:
        # Its header has 8, and it is padded to a multiple of 8.
        text = text.encode()[: max(0, longest // 8 * 8 - 8)].decode(errors="ignore")
    number = ENUMERATIONS["ResultReason"].loose[loosen(error.reason)]
    return _render_item(
        item,
        _FAILED,
        Node("ResultReason", ItemType.ENUMERATION, number),
        Node("ResultMessage", ItemType.TEXT_STRING, text),
    )


def render_undone(item: RequestItem, uid: str | None = None) -> Node:
    """An item that was executed and then undone, because a later one failed.

    uid: of the object, if there was one. The rest of the answer is withheld: nobody may hold a key
    whose creation was undone.
    """
    if uid is None:
        return _render_item(item, _UNDONE)
    identifier = Node("UniqueIdentifier", ItemType.TEXT_STRING, uid)
    return _render_item(item, _UNDONE, structure("ResponsePayload", identifier))


def _render_item(item: RequestItem, status: Node, *more: Node) -> Node:
    children = []
    if item.operation is not None:
        children.append(_OPERATIONS[item.operation])
    elif item.strange_operation is not None:
        children.append(Node("Operation", ItemType.ENUMERATION, item.strange_operation))
    if item.unique_batch_item_id is not None:
        children.append(Node("UniqueBatchItemID", ItemType.BYTE_STRING, item.unique_batch_item_id))
    return structure("BatchItem", *children, status, *more)


_OPERATIONS = {
    operation: Node("Operation", ItemType.ENUMERATION, int(operation)) for operation in Operation
}
_SUCCESS, _FAILED, _UNDONE = (
    Node("ResultStatus", ItemType.ENUMERATION, int(status))
    for status in (
        ResultStatus.SUCCESS,
        ResultStatus.OPERATION_FAILED,
        ResultStatus.OPERATION_UNDONE,
    )
)
