"""Answering one RequestMessage, whatever transport carries it: from its octets to those of the answer.

This is what HTTP and KMIP over TLS share: which work runs on a thread, the batch, the answer, and the entries for log
and metrics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from ..audit.record import Origin
from ..auth.principal import Principal
from ..errors import KMIPError
from ..kmip.codecs.long_answers import format_long
from ..kmip.enums import BatchErrorContinuationOption
from ..kmip.messages.batch_items import Payloads
from ..kmip.messages.bodies import refuse_binary_message
from ..kmip.messages.requests import DEFAULT_OPTION, RequestMessage
from ..kmip.messages.responses import (
    make_correlation_value,
    measure_frame,
    render_failure,
    render_response,
)
from . import batch
from .item_results import ItemResult
from .kms import KMS
from .load.bytes_in_flight import HeldBytes
from .service import Service

T = TypeVar("T")

#: A longer body is parsed, and a longer answer written, on a thread: 64 KiB take about a millisecond.
OFFLOAD_BYTES = 64 * 1024

#: A body with more items is parsed on a thread, too: each takes some 10 µs.
OFFLOAD_ITEMS = 150

#: No shorter body has as many.
_FEW_BYTES = 4096

_BINARY_TAG = b"\x42\x00"  # the first two octets of every standard tag (KMIP 2.1 §9.1.1.1)

#: Bytes of an answer that are copied on a thread.
_LONG_TO_COPY = 1024 * 1024

#: What an operation of a message left for log and metrics: {field: value}.
LogEntry = dict[str, Any]


class MessageAnswer(NamedTuple):
    """octets: of the ResponseMessage. log_entries: one for each operation, as if each had come alone."""

    octets: bytes
    log_entries: list[LogEntry]


def has_many_items(body: bytes) -> bool:
    """Whether the body, JSON or binary TTLV, has so many items that to parse it takes a millisecond or two."""
    if len(body) <= _FEW_BYTES:
        return False
    return body.count(b'"tag"') + body.count(_BINARY_TAG) > OFFLOAD_ITEMS


async def parse_body(
    kms: KMS, principal: str, parse: Callable[[bytes, Payloads], T], body: bytes
) -> T:
    """What `parse` makes of the body; on a thread where that takes long. principal: the name it counts for.

    Raises what `parse` raises, and Unavailable where the queue for threads is full.
    """
    payloads = kms.service.payloads
    if len(body) <= OFFLOAD_BYTES and not has_many_items(body):
        return parse(body, payloads)
    return await kms.offload(lambda: parse(body, payloads), principal=principal, size=len(body))


def _hold_nothing(size: int) -> None:
    pass


async def answer_message(
    kms: KMS,
    service: Service,
    principal: Principal,
    message: RequestMessage,
    *,
    origin: Origin,
    held: HeldBytes | None,
    default_option: BatchErrorContinuationOption = DEFAULT_OPTION,
) -> MessageAnswer:
    """Carry out the message. Failures are in the answer.

    service: of the KMS, under the policy of the transport. origin: under which each item is recorded.
    held: what the request holds, for an answer that grows; None where nobody waits for one.
    default_option: of a message whose header leaves it to the server.
    Raises Unavailable where nothing was done and another try may succeed.
    """
    now = service.now()
    correlation = make_correlation_value(message)
    results = await batch.run(
        service,
        principal,
        message,
        overhead=measure_frame(message, correlation),
        hold=_hold_nothing if held is None else held.grow_answer,
        origin=origin,
        default_option=default_option,
    )
    items = [result.node for result in results]
    answer = render_response(message, items, now=now, server_correlation_value=correlation)

    def format_answer() -> bytes:
        return format_long(answer, message.dialect)

    # Its items are written: what is left is to copy them, a millisecond for some MiB.
    if sum([result.sent_length for result in results]) > _LONG_TO_COPY:
        octets = await kms.run_surely(format_answer, principal=principal.name)
    else:
        octets = format_answer()
    return MessageAnswer(octets, _make_log_entries(message, results, correlation))


def render_refusal(octets: bytes, error: KMIPError, *, now: int) -> bytes:
    """The answer in binary to a message of which nothing is done, in the version of the message.

    octets: of the message, or its first 56. now: seconds since the epoch.
    """
    message = refuse_binary_message(octets, error)
    items = [render_failure(item, error) for item in message.items]
    return format_long(render_response(message, items, now=now), message.dialect)


def _make_log_entries(
    message: RequestMessage, results: list[ItemResult], correlation: str | None
) -> list[LogEntry]:
    common: LogEntry = {}
    if message.header is not None and message.header.client_correlation_value is not None:
        common["client_correlation"] = message.header.client_correlation_value
        common["server_correlation"] = correlation
    count = len(message.items)
    entries = []
    for position, result in enumerate(results, 1):
        entry: LogEntry = {"operation": result.operation}
        if result.uid:
            entry["uid"] = result.uid
        entry["result"] = result.result
        if count > 1:
            entry["item"] = f"{position}/{count}"
        entry.update(common)
        entries.append(entry)
    return entries
