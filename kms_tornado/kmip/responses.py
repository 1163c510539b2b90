"""ResponseMessage: its header, and the batch items that say how each one ended (KMIP 2.1 §8, §9)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from ..errors import KMIPError
from .enums import Operation, ResultReason, ResultStatus
from .requests import RequestItem, RequestMessage
from .schema import Declared, to_node
from .tables import ENUMERATIONS, loosen
from .ttlv import Dialect, ItemType, Node, structure


def render_response(
    message: RequestMessage,
    items: Sequence[Node],
    *,
    now: int,
    server_correlation_value: str | None = None,
) -> Node:
    """now: seconds since the Unix epoch.

    A client's correlation value is for our log and not sent back; ours is in the answer (§9).
    What is not there is ItemNotFound in the form of JSON that the published servers write, with types
    throughout (KMIP.md §12), and ObjectNotFound to who speaks as the profiles do (case BL-M-4).
    """
    if message.dialect is not Dialect.OASIS:
        items = [_with_reason(each, _ITEM_NOT_FOUND, _OBJECT_NOT_FOUND) for each in items]
    header = [
        to_node(message.version, "ProtocolVersion"),
        Node("TimeStamp", ItemType.DATE_TIME, now),
    ]
    if server_correlation_value is not None:
        header.append(
            Node("ServerCorrelationValue", ItemType.TEXT_STRING, server_correlation_value)
        )
    header.append(Node("BatchCount", ItemType.INTEGER, len(items)))
    return structure("ResponseMessage", structure("ResponseHeader", *header), *items)


_ITEM_NOT_FOUND, _OBJECT_NOT_FOUND = (
    Node("ResultReason", ItemType.ENUMERATION, int(reason))
    for reason in (ResultReason.ITEM_NOT_FOUND, ResultReason.OBJECT_NOT_FOUND)
)


def _with_reason(item: Node, old: Node, new: Node) -> Node:
    if not isinstance(item.value, tuple) or old not in item.value:
        return item
    return item._replace(value=tuple(new if each == old else each for each in item.value))


def make_correlation_value(message: RequestMessage) -> str | None:
    """A value for answer and log; None where the client does not care to correlate."""
    if message.header is None or message.header.client_correlation_value is None:
        return None
    return str(uuid.uuid4())


def render_success(item: RequestItem, response: Declared) -> Node:
    return _response_item(item, ResultStatus.SUCCESS, to_node(response, "ResponsePayload"))


def render_failure(item: RequestItem, error: KMIPError) -> Node:
    """With reason and message, both: some clients read them without looking first."""
    number = ENUMERATIONS["ResultReason"].loose[loosen(error.reason)]
    return _response_item(
        item,
        ResultStatus.OPERATION_FAILED,
        Node("ResultReason", ItemType.ENUMERATION, number),
        Node("ResultMessage", ItemType.TEXT_STRING, str(error)),
    )


def render_undone(item: RequestItem, uid: str | None = None) -> Node:
    """What was executed, and taken back because a later item failed: to the object uid, or to none.

    Nothing else of its answer is told: a key that was made and taken back is nobody's to have.
    """
    if uid is None:
        return _response_item(item, ResultStatus.OPERATION_UNDONE)
    held = Node("UniqueIdentifier", ItemType.TEXT_STRING, uid)
    return _response_item(item, ResultStatus.OPERATION_UNDONE, structure("ResponsePayload", held))


def _response_item(item: RequestItem, status: ResultStatus, *more: Node) -> Node:
    children = []
    if item.operation is not None:
        children.append(_OPERATIONS[item.operation])
    if item.unique_batch_item_id is not None:
        children.append(Node("UniqueBatchItemID", ItemType.BYTE_STRING, item.unique_batch_item_id))
    return structure("BatchItem", *children, _STATUSES[status], *more)


_OPERATIONS = {each: Node("Operation", ItemType.ENUMERATION, int(each)) for each in Operation}
_STATUSES = {each: Node("ResultStatus", ItemType.ENUMERATION, int(each)) for each in ResultStatus}
