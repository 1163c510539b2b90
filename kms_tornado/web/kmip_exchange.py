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
from ..kmip.messages.batch_items import Payloads
from ..kmip.messages.bodies import (
    BareOperation,
    format_bare_response,
    parse_binary_message,
    parse_message,
    parse_request,
)
from ..kmip.messages.requests import RequestMessage, refuse_credential
from ..kmip.tables import OPERATION_TAGS
from ..kmip.ttlv import Dialect
from ..service.kms import KMS
from ..service.load.bytes_in_flight import HeldBytes
from ..service.load.limits import has_many_values
from ..service.message_exchange import OFFLOAD_BYTES, answer_message, parse_body
from ..service.service import find_identifier
from ..wording import cut_value
from .answers import BINARY, JSON, Answer, render_failure, render_unavailable

log = logging.getLogger("kms_tornado.web")

#: (body, payloads of the operations that the server offers) → the parsed request. Raises KMIPError.
ParseBody = Callable[[bytes, Payloads], BareOperation | RequestMessage]

_MESSAGES_ONLY = "/kmip"
#: The paths to which KMIP is posted, as the application's routes have them.
ROUTES = ("/kmip_2_1", "/kmip/2_1", _MESSAGES_ONLY)


def choose_parser(route: str, content_type: str) -> ParseBody:
    """The parser of a body.

    route: one of ROUTES. content_type: the header's value, or empty.
    ``/kmip`` accepts only messages, in JSON or binary as the Content-Type says. A bare operation is refused there, with
    a ResponseMessage.
    """
    if route != _MESSAGES_ONLY:
        return parse_request
    is_binary = content_type.partition(";")[0].strip().lower() == BINARY
    return parse_binary_message if is_binary else parse_message


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
        """origin: the origin under which it is recorded.

        path: of the request, with the prefix of a mounted KMS; route is without it.
        held: the bytes that the request holds, for answers that grow; None where nobody waits for one.
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
        except (KMIPError, Unavailable) as exc:
            self._note(exc)
            return self._render_exception(exc)
        except BaseException as exc:
            self._note(exc)
            raise
        self._entry.setdefault("result", "Success")
        return answer

    def _note(self, exc: BaseException) -> None:
        if (auditor := self._kms.auditor) is not None:
            auditor.note_exception(self._origin, exc)

    def _render_exception(self, exc: KMIPError | Unavailable) -> Answer:
        if isinstance(exc, KMIPError):
            self._entry["result"] = exc.reason_with_underscores
            return render_failure(exc)
        self._entry["reason"] = exc.reason
        level = logging.DEBUG if exc.is_told_once else logging.WARNING
        log.log(level, "POST %s: %s (%s)", cut_value(self._path), exc, exc.detail)
        return render_unavailable(exc)

    async def _carry_out(self, body: bytes) -> Answer:
        parsed = await parse_body(self._kms, self._principal.name, self._parse, body)
        if isinstance(parsed, RequestMessage):
            return await self._answer_message(parsed)
        return await self._answer_operation(parsed, is_long=len(body) > OFFLOAD_BYTES)

    async def _answer_message(self, message: RequestMessage) -> Answer:
        answer = await answer_message(
            self._kms,
            self._kms.service,
            self._principal,
            refuse_credential(message),
            origin=self._origin,
            held=self._held,
        )
        if answer.log_entries:
            self.log_entries[:] = answer.log_entries
        media_type = BINARY if message.dialect is Dialect.BINARY else JSON
        return Answer(200, media_type, answer.octets)

    async def _answer_operation(self, parsed: BareOperation, *, is_long: bool) -> Answer:
        operation, request, dialect = parsed
        self._entry["operation"] = OPERATION_TAGS[operation]
        self._log_identifier(request)
        await self._kms.loop_turns.let_others_catch_up()  # parse their bodies
        response = await self._kms.service.execute(
            self._principal, operation, request, self._origin
        )
        await self._kms.loop_turns.let_others_catch_up()  # carry out their operations
        self._log_identifier(response)
        is_long = is_long or has_many_values(response)

        def format_answer() -> bytes:
            return format_bare_response(operation, response, dialect, is_long=is_long)

        if not is_long:
            return Answer(200, JSON, format_answer())
        name = self._principal.name
        return Answer(200, JSON, await self._kms.run_surely(format_answer, principal=name))

    def _log_identifier(self, payload: Any) -> None:
        """Put the identifier of the object into the log entry. It is called with the response, too.

        If a request names tags, only its response has the identifier. For a key pair, the entry has the private key's,
        whose link names the public key.
        """
        uid = find_identifier(payload)
        if uid:
            self._entry["uid"] = uid
