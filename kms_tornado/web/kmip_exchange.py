"""Exchange: one POST of KMIP, from its body to its answer.

The fast lane and the KMIP handler differ only in how they receive a body and send an answer. The answer, its
log entries and the operations that the metrics count are determined here, for both of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ..audit.record import Origin
from ..auth.principal import Principal
from ..errors import KMIPError, Unavailable
from ..kmip.batch_items import Payloads
from ..kmip.long_answers import format_long
from ..kmip.messages import (
    BareOperation,
    format_bare_response,
    parse_binary_message,
    parse_message,
    parse_request,
)
from ..kmip.requests import RequestMessage
from ..kmip.responses import make_correlation_value, render_response
from ..kmip.tables import OPERATION_TAGS
from ..kmip.ttlv import Dialect, encoded_length
from ..service import batch
from ..service.auditing import name_reason
from ..service.bytes_in_flight import HeldBytes
from ..service.kms import KMS
from ..service.limits import has_many_values
from ..service.service import find_identifier
from ..wording import cut_value
from .answers import BINARY, JSON, Answer, render_failure, render_unavailable

log = logging.getLogger("kms_tornado.web")

#: A longer body is parsed, and a longer answer written, on a thread: 64 KiB take about a millisecond.
OFFLOAD_BYTES = 64 * 1024

#: A body with more items is parsed on a thread, too: each takes some 10 µs.
OFFLOAD_ITEMS = 150

#: No shorter body has as many.
_FEW_BYTES = 4096

#: (body, payloads of the operations that the server offers) → the parsed request. Raises KMIPError.
ParseBody = Callable[[bytes, Payloads], BareOperation | RequestMessage]

_BINARY_TAG = b"\x42\x00"  # the first two octets of every standard tag (KMIP 2.1 §9.1.1.1)

#: Bytes of an answer that are copied on a thread.
_LONG_TO_COPY = 1024 * 1024

_MESSAGES_ONLY = "/kmip"
#: The paths to which KMIP is posted, as the application's routes have them.
ROUTES = ("/kmip_2_1", "/kmip/2_1", _MESSAGES_ONLY)


def choose_parser(route: str, content_type: str) -> ParseBody:
    """The parser of a body. route: one of ROUTES. content_type: the header's value, or empty.

    ``/kmip`` accepts only messages, in JSON or binary as the Content-Type says. A bare operation is refused
    there with a ResponseMessage.
    """
    if route != _MESSAGES_ONLY:
        return parse_request
    is_binary = content_type.partition(";")[0].strip().lower() == BINARY
    return parse_binary_message if is_binary else parse_message


def has_many_items(body: bytes) -> bool:
    """Whether the body, JSON or binary TTLV, has so many items that to parse it takes a millisecond or two."""
    if len(body) <= _FEW_BYTES:
        return False
    return body.count(b'"tag"') + body.count(_BINARY_TAG) > OFFLOAD_ITEMS


def _hold_nothing(size: int) -> None:
    pass


class Exchange:
    """One request of one principal.

    log_entries: [{field: value}] for log and metrics: one entry for each operation of a message, else one
    for the request. The list stays the same object, so callers may keep it.
    """

    __slots__ = (
        "_entry", "_held", "_kms", "_origin", "_parse", "_path", "_principal", "log_entries",
    )  # fmt: skip

    def __init__(
        self,
        kms: KMS,
        principal: Principal,
        origin: Origin,
        *,
        route: str,
        path: str,
        content_type: str,
        held: HeldBytes | None,
    ) -> None:
        """origin: under which it is recorded. path: of the request, which includes the prefix of a mounted KMS; route does not.

        held: what the request holds, for answers that grow; None where nobody waits for one.
        """
        self._kms = kms
        self._principal = principal
        self._origin = origin
        self._path = path
        self._held = held
        self._parse = choose_parser(route, content_type)
        self._entry: dict[str, Any] = {}
        self.log_entries: list[dict[str, Any]] = [self._entry]

    async def find_answer(self, body: bytes) -> Answer:
        """Carry out what the body requests.

        A bare operation gives 200, or 422 with ``Result_Reason: message``. A message gives 200, with
        its failures inside it. Either gives 503 where nothing was done and another try may succeed.
        """
        try:
            answer = await self._carry_out(body)
        except KMIPError as exc:
            self._entry["result"] = exc.reason_with_underscores
            if (auditor := self._kms.auditor) is not None:
                auditor.note_failure(self._origin, exc.reason_with_underscores)
            return render_failure(exc)
        except Unavailable as exc:
            self._entry["reason"] = exc.reason
            if (auditor := self._kms.auditor) is not None:
                auditor.note_refusal(self._origin, exc.reason)
            level = logging.DEBUG if exc.is_told_once else logging.WARNING
            log.log(level, "POST %s: %s (%s)", cut_value(self._path), exc, exc.detail)
            return render_unavailable(exc)
        except BaseException as exc:
            if (auditor := self._kms.auditor) is not None:
                auditor.note_failure(self._origin, name_reason(exc))
            raise
        self._entry.setdefault("result", "Success")
        return answer

    async def _carry_out(self, body: bytes) -> Answer:
        parse, payloads = self._parse, self._kms.service.payloads
        is_long = len(body) > OFFLOAD_BYTES
        if is_long or has_many_items(body):
            name = self._principal.name
            parsed = await self._kms.offload(
                lambda: parse(body, payloads), principal=name, size=len(body)
            )
        else:
            parsed = parse(body, payloads)
        if isinstance(parsed, RequestMessage):
            return await self._answer_message(parsed)
        return await self._answer_operation(parsed, is_long=is_long)

    async def _answer_operation(self, parsed: BareOperation, *, is_long: bool) -> Answer:
        operation, request, dialect = parsed
        self._entry["operation"] = OPERATION_TAGS[operation]
        self._log_identifier(request)
        response = await self._kms.service.execute(
            self._principal, operation, request, self._origin
        )
        self._log_identifier(response)
        is_long = is_long or has_many_values(response)

        def format_answer() -> bytes:
            return format_bare_response(operation, response, dialect, is_long=is_long)

        return Answer(200, JSON, await self._run_maybe_offloaded(format_answer, is_long=is_long))

    async def _answer_message(self, message: RequestMessage) -> Answer:
        service = self._kms.service
        now = service.now()
        correlation = make_correlation_value(message)
        empty = render_response(message, (), now=now, server_correlation_value=correlation)
        overhead = encoded_length(empty)
        hold = _hold_nothing if self._held is None else self._held.grow_answer
        results = await batch.run(
            service, self._principal, message, overhead=overhead, hold=hold, origin=self._origin
        )
        self._log_results(message, results, correlation)
        items = [result.node for result in results]
        answer = render_response(message, items, now=now, server_correlation_value=correlation)

        def format_answer() -> bytes:
            return format_long(answer, message.dialect)

        # Its items are written: what is left is to copy them, a millisecond for some MiB.
        is_long = sum([result.sent_length for result in results]) > _LONG_TO_COPY
        octets = await self._run_maybe_offloaded(format_answer, is_long=is_long)
        return Answer(200, BINARY if message.dialect is Dialect.BINARY else JSON, octets)

    async def _run_maybe_offloaded(
        self, format_answer: Callable[[], bytes], *, is_long: bool
    ) -> bytes:
        if not is_long:
            return format_answer()
        return await self._kms.run_surely(format_answer, principal=self._principal.name)

    def _log_results(
        self, message: RequestMessage, results: list[batch.ItemResult], correlation: str | None
    ) -> None:
        """Replace the request's entry by one for each operation, as if each had come alone."""
        common: dict[str, Any] = {}
        if message.header is not None and message.header.client_correlation_value is not None:
            common["client_correlation"] = message.header.client_correlation_value
            common["server_correlation"] = correlation
        entries = []
        for position, result in enumerate(results, 1):
            entry: dict[str, Any] = {"operation": result.operation}
            if result.uid:
                entry["uid"] = result.uid
            entry["result"] = result.result
            if len(message.items) > 1:
                entry["item"] = f"{position}/{len(message.items)}"
            entries.append(entry | common)
        if entries:
            self.log_entries[:] = entries

    def _log_identifier(self, payload: Any) -> None:
        """Put the identifier of the object into the log entry.

        Called with the response, too: where a request names tags, only its response has the identifier.
        For a key pair, the entry has the private key's, whose link names the public key.
        """
        uid = find_identifier(payload)
        if uid:
            self._entry["uid"] = uid
