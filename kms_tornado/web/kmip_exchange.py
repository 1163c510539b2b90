"""One POST of KMIP from its body to its answer, whatever carries it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..auth.principal import Principal
from ..errors import KMIPError
from ..kmip.messages import (
    BareOperation,
    format_bare_response,
    format_message,
    parse_binary_message,
    parse_message,
    parse_request,
)
from ..kmip.requests import Payloads, RequestMessage
from ..kmip.responses import new_correlation_value, response_message
from ..kmip.tables import OPERATION_TAGS
from ..kmip.ttlv import Dialect, encoded_length
from ..service import batch
from ..service.kms import KMS
from .answers import BINARY, JSON, Answer, failed

#: Above it, reading the JSON is worth a thread: about a millisecond for 64 KiB of nodes.
OFFLOAD_BYTES = 64 * 1024

#: (body, payloads of what the server offers) → what is asked for. Raises KMIPError.
Read = Callable[[bytes, Payloads], BareOperation | RequestMessage]

_MESSAGES_ONLY = "/kmip"
#: Where KMIP is posted.
ROUTES = ("/kmip_2_1", "/kmip/2_1", _MESSAGES_ONLY)


def reader_of(route: str, content_type: str) -> Read:
    """How a body is read. route: one of ROUTES. content_type: the header's value, or empty.

    Where only messages are taken, JSON or binary as the Content-Type says, a bare operation is
    answered with a message, too, that refuses it.
    """
    if route != _MESSAGES_ONLY:
        return parse_request
    is_binary = content_type.partition(";")[0].strip().lower() == BINARY
    return parse_binary_message if is_binary else parse_message


class Exchange:
    """For one request of one principal.

    fields: for log and metrics, what was asked for and how it ended. entries: the same for each
    operation of a message; where there are none, `fields` is the one line.
    """

    __slots__ = ("_kms", "_principal", "entries", "fields")

    def __init__(self, kms: KMS, principal: Principal) -> None:
        self._kms = kms
        self._principal = principal
        self.fields: dict[str, Any] = {}
        self.entries: list[dict[str, Any]] = []

    async def answer(self, body: bytes, read: Read) -> Answer:
        """A bare operation: 200, or 422 with ``Result_Reason: message``. A message: 200, failures inside it.

        Raises Unavailable where nothing was done, and another try may do it.
        """
        try:
            answer = await self._answer_to(body, read)
        except KMIPError as exc:
            self.fields["result"] = exc.reason_with_underscores
            return failed(exc)
        self.fields.setdefault("result", "Success")
        return answer

    async def _answer_to(self, body: bytes, read: Read) -> Answer:
        payloads = self._kms.service.payloads
        is_long = len(body) > OFFLOAD_BYTES
        if is_long:
            name = self._principal.name
            parsed = await self._kms.offload(lambda: read(body, payloads), principal=name)
        else:
            parsed = read(body, payloads)
        if isinstance(parsed, RequestMessage):
            return await self._answer_to_message(parsed)
        return await self._answer_to_operation(parsed, is_long=is_long)

    async def _answer_to_operation(self, parsed: BareOperation, *, is_long: bool) -> Answer:
        operation, request, dialect = parsed
        self.fields["operation"] = OPERATION_TAGS[operation]
        self._note_identifier(request)
        response = await self._kms.service.execute(self._principal, operation, request)
        self._note_identifier(response)

        def format_it() -> bytes:
            return format_bare_response(operation, response, dialect)

        return Answer(200, JSON, await self._formatted(format_it, is_long=is_long))

    async def _answer_to_message(self, message: RequestMessage) -> Answer:
        service = self._kms.service
        now = service.now()
        correlation = new_correlation_value(message)
        empty = response_message(message, (), now=now, server_correlation_value=correlation)
        overhead = encoded_length(empty)
        results = await batch.run(service, self._principal, message, overhead=overhead)
        self._note_results(message, results, correlation)
        answer = response_message(
            message,
            [each.node for each in results],
            now=now,
            server_correlation_value=correlation,
        )

        def format_it() -> bytes:
            return format_message(answer, message.dialect)

        octets = await self._formatted(format_it, is_long=encoded_length(answer) > OFFLOAD_BYTES)
        return Answer(200, BINARY if message.dialect is Dialect.BINARY else JSON, octets)

    async def _formatted(self, format_it: Callable[[], bytes], *, is_long: bool) -> bytes:
        if not is_long:
            return format_it()
        return await self._kms.offload_surely(format_it, principal=self._principal.name)

    def _note_results(
        self, message: RequestMessage, results: list[batch.ItemResult], correlation: str | None
    ) -> None:
        """An entry for each operation, as if it had come alone."""
        common: dict[str, Any] = {}
        if message.header is not None and message.header.client_correlation_value is not None:
            common["client_correlation"] = message.header.client_correlation_value
            common["server_correlation"] = correlation
        for number, each in enumerate(results, 1):
            fields: dict[str, Any] = {"operation": each.operation}
            if each.uid:
                fields["uid"] = each.uid
            fields["result"] = each.result
            if len(message.items) > 1:
                fields["item"] = f"{number}/{len(message.items)}"
            self.entries.append({**fields, **common})

    def _note_identifier(self, payload: Any) -> None:
        """For the log: who used which key. The answer's identifier is the real one of a tag list.

        Of a pair the private key's, whose link leads to the other.
        """
        uid = getattr(payload, "unique_identifier", None) or getattr(
            payload, "private_key_unique_identifier", None
        )
        if uid:
            self.fields["uid"] = uid
