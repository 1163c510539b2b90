"""Message: one RequestMessage on a connection, from its length to its answer, its records and its lines in the log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from ..audit.record import Origin
from ..auth.certificates import InvalidCertificate
from ..auth.principal import Principal
from ..errors import (
    AuthenticationError,
    AuthenticationNotSuccessful,
    GeneralFailure,
    KMIPError,
    KMSError,
    ServerLimitExceeded,
    TooManyRequests,
    Unavailable,
)
from ..kmip.enums import BatchErrorContinuationOption, Operation
from ..kmip.messages.bodies import find_authentication, find_version, parse_binary_message
from ..kmip.messages.requests import RequestMessage
from ..request_context import current_request_id, make_request_id
from ..service.catalogue import OperationRow
from ..service.load.bytes_in_flight import HeldBytes, TooManyBytes
from ..service.message_exchange import LogEntry, answer_message, parse_body, render_refusal
from ..transport.request_log import log_request
from ..transport.streams import TLSStream
from ..wording import format_size
from .callers import Peer
from .context import KMIPContext

log = logging.getLogger("kms_tornado.kmip")

#: An item that fails stops the others, unless the header says otherwise (KMIP 2.1 §9).
_STOP = BatchErrorContinuationOption.STOP


class MessageTooLong(KMSError):
    """The message is longer than the server takes."""

    reason = "too_long"


class Message:
    """One RequestMessage of a connection. is_last: whether the connection is closed after its answer."""

    def __init__(self, context: KMIPContext, peer: Peer, stream: TLSStream) -> None:
        self.is_last = False
        self._context = context
        self._peer = peer
        self._stream = stream
        self._started = time.perf_counter()
        self._principal: Principal | None = None
        self._held: HeldBytes | None = None
        request_id = make_request_id()
        current_request_id.set(request_id)
        self._origin = Origin(None, None, peer.remote_ip, request_id, "kmip")
        self._take_principal(peer.holder)

    def _take_principal(self, principal: Principal | None) -> None:
        self._principal = principal
        if principal is not None:
            self._origin.principal, self._origin.issuer = principal.name, principal.issuer or None

    @property
    def sender(self) -> str:
        """The name of the principal; empty before it is known."""
        return "" if self._principal is None else self._principal.name

    # --- before it is read --------------------------------------------------------------------------

    async def admit(self, start: bytes, size: int) -> Exception | None:
        """Find out who sends the message. Returns the reason not to read it, or None where it may be read.

        start: its octets up to the end of the header, if it has one. size: of the whole message, in bytes.
        """
        try:
            await self._admit(start, size)
        except Exception as exc:  # the edge of a message: `refuse` answers it
            # No other message of this connection could be answered.
            self.is_last = isinstance(exc, InvalidCertificate)
            return exc
        return None

    async def _admit(self, start: bytes, size: int) -> None:
        """Raises AuthenticationError, MessageTooLong, TooManyRequests, Unavailable, and InvalidMessage."""
        context, peer = self._context, self._peer
        if peer.fault is not None:
            raise peer.fault
        if size > context.max_message_size:
            raise MessageTooLong(
                f"the message is longer than {format_size(context.max_message_size)} (--max-body-size): "
                "send the data in parts, as KMIP 1.3 can"
            )
        principal = await context.callers.authenticate(
            peer, find_authentication(start), time.time()
        )
        self._take_principal(principal)
        context.admission.enter(self, principal.name)
        self._held = context.bytes_in_flight.enter(self, principal.name, size)

    # --- its answer ---------------------------------------------------------------------------------

    async def answer(self, octets: bytes) -> bytes:
        """The answer. octets: the whole message, which was admitted."""
        try:
            return await self._carry_out(octets)
        except asyncio.CancelledError as exc:  # the process ends
            self._note(exc)
            raise
        except Exception as exc:  # the edge of a message: its client waits
            return self.refuse(octets, exc)

    async def _carry_out(self, octets: bytes) -> bytes:
        context, principal = self._context, self._principal
        assert principal is not None
        message = await parse_body(context.kms, principal.name, parse_binary_message, octets)
        if goes_on_at_once(message, context.service.operations, self._stream.has_more):
            context.loop_turns.count_stage()
        else:
            await context.loop_turns.let_others_run()
        answer = await answer_message(
            context.kms,
            context.service,
            principal,
            message,
            origin=self._origin,
            held=self._held,
            default_option=_STOP,
        )
        if self._held is not None:
            self._held.keep_answer(len(answer.octets))
        self._finish("answered", str(message.version), answer.log_entries)
        return answer.octets

    # --- refusals -----------------------------------------------------------------------------------

    def refuse(self, octets: bytes, exc: Exception) -> bytes:
        """The answer to a message that is not carried out at all. octets: the whole message, or its beginning."""
        self._note(exc)
        error, entry, outcome = _explain(exc)
        if isinstance(exc, AuthenticationError) and exc is not self._peer.fault:
            log.warning("%s: %s (%s)", self._peer.remote_ip, exc, exc.detail)
        self._finish(outcome, str(find_version(octets)), [entry])
        return render_refusal(octets, error, now=self._context.service.now())

    def _note(self, exc: BaseException) -> None:
        """Record the message, unless it is on record already."""
        auditor = self._context.kms.auditor
        if auditor is None:
            return
        if isinstance(exc, AuthenticationError) and exc.user:
            self._origin.principal, self._origin.issuer = exc.user, exc.issuer or None
        if isinstance(exc, AuthenticationError | TooManyRequests | MessageTooLong):
            auditor.note_refusal(self._origin, exc.reason)
        else:
            auditor.note_exception(self._origin, exc)

    def _finish(self, outcome: str, version: str, entries: list[LogEntry]) -> None:
        """Log and count the message."""
        seconds = time.perf_counter() - self._started
        remote_ip, took_ms = self._peer.remote_ip, 1000.0 * seconds
        common = {
            "protocol": "kmip", "version": version, "remote_ip": remote_ip, "ms": round(took_ms, 1),
        }  # fmt: skip
        line = f"KMIP {version} {remote_ip} {took_ms:.1f}ms"
        level = logging.ERROR if outcome == "failed" else logging.INFO
        log_request(level, line, common, self._principal, entries)
        if self._context.observe is not None:
            self._context.observe(outcome, entries, seconds)


def goes_on_at_once(
    message: RequestMessage, operations: Mapping[Operation, OperationRow], has_more: bool
) -> bool:
    """Whether a message is carried out in the same turn of the loop in which it was read.

    A turn takes a twentieth of the time for reading or using one object. A message that changes objects waits: others
    that are read meanwhile share its commit. So does a client that sends ahead, which would otherwise keep the loop to
    itself.
    has_more: whether the client has sent more.
    """
    if has_more or len(message.items) != 1:
        return False
    operation = message.items[0].operation
    if operation is None:
        return False
    row = operations.get(operation)
    return row is not None and (row.is_covered_by_get or operation is Operation.GET)


def _explain(exc: Exception) -> tuple[KMIPError, LogEntry, str]:
    """(the error for the client, the entry for the log, the outcome) for a message that is refused because of this."""
    if isinstance(exc, KMIPError):
        return exc, {"result": exc.reason_with_underscores}, "answered"
    if isinstance(exc, AuthenticationError):
        return AuthenticationNotSuccessful(str(exc)), {"reason": exc.reason}, "refused"
    if isinstance(exc, TooManyRequests | TooManyBytes | MessageTooLong):
        return ServerLimitExceeded(str(exc)), {"reason": exc.reason}, "refused"
    if isinstance(exc, Unavailable):
        level = logging.DEBUG if exc.is_told_once else logging.WARNING
        log.log(level, "a message was not carried out: %s (%s)", exc, exc.detail)
        return GeneralFailure(str(exc)), {"reason": exc.reason}, "refused"
    log.error("a message could not be carried out because of a bug", exc_info=exc)
    text = "the server failed; its log has the details"
    return GeneralFailure(text), {"reason": "internal_error"}, "failed"
