"""ServiceHandler: the base class of all handlers, with limited bodies, JSON errors and log entries."""

from __future__ import annotations

import inspect
import logging
import re
from asyncio import Future
from collections.abc import Awaitable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from ..audit.record import Origin
from ..auth.bound.client_cert_header import CLIENT_CERT_HEADER, read_client_cert
from ..auth.principal import Principal
from ..auth.request_auth import RequestAuth
from ..request_context import HEADER
from ..service.kms import KMS
from ..service.load.admission import Admission
from ..service.load.bytes_in_flight import BytesInFlight, HeldBytes, TooManyBytes
from ..service.load.loop_turns import BODY_PIECE, LoopTurns
from ..transport.in_flight import InFlight
from ..wording import cut_value
from .answers import COMMON_HEADERS, JSON_ERROR, Answer, render_error
from .bearer.mixin import BearerAuthMixin
from .bearer.refusals import Hooks, refuse
from .metrics.metrics import Metrics
from .metrics.workers import WorkerMetrics
from .public_url import PublicURL
from .readiness import Readiness
from .request_identity import identify_request
from .trusted_proxies import TrustedProxies
from .ui.page import Page

log = logging.getLogger("kms_tornado.web")

#: Seconds for which a refused body is read and dropped, so that its client gets to read the answer.
_DRAIN_S = 30.0
_NO_LIMIT = 1 << 62


def ends_piece(before: int, after: int) -> bool:
    """Whether a piece of a body ended, of which so many bytes had come before and have come now (or are to come)."""
    return before // BODY_PIECE != after // BODY_PIECE


@dataclass(slots=True)
class ServerContext:
    """Values that the handlers of one server share.

    auth: None means the ``bearer_auth`` of the application's settings. max_body_size: in bytes.
    metrics: None without --metrics. worker_metrics: the metrics of all workers; None where there is
    one process. metrics_are_apart: they have a port to themselves. prefix: the path below which the routes
    are mounted. routes: their patterns, without it.
    is_stopping: set once, when the server begins to stop. readiness: what `/ready` asks.
    trusted_proxies: whose word counts about where a request comes from. asks_certificates: whether clients are asked
    for one in the TLS handshake. public_url: where clients reach it.
    admission: the requests of each principal that are under way; bytes_in_flight: their bodies and answers.
    loop_turns: the same as the KMS has; a long body waits for one at each piece. page: the page for people; None without it.
    """

    kms: KMS
    auth: RequestAuth | None
    max_body_size: int
    metrics: Metrics | None = None
    worker_metrics: WorkerMetrics | None = None
    metrics_are_apart: bool = False
    prefix: str = ""
    routes: tuple[str, ...] = ()
    is_stopping: bool = False
    in_flight: InFlight = field(default_factory=InFlight)
    readiness: Readiness = field(default_factory=Readiness)
    trusted_proxies: TrustedProxies = field(default_factory=TrustedProxies)
    asks_certificates: bool = False
    public_url: PublicURL = field(default_factory=PublicURL)
    admission: Admission = field(default_factory=Admission)
    loop_turns: LoopTurns = field(default_factory=LoopTurns)
    page: Page | None = None
    bytes_in_flight: BytesInFlight = field(init=False)

    def __post_init__(self) -> None:
        self.bytes_in_flight = BytesInFlight(self.max_body_size)

    def end_request(self, request: object, connection: Any) -> None:
        """Its answer was sent, or nobody will read it. The second time, this does nothing."""
        self.in_flight.end(request, connection)
        self.admission.leave(request)
        self.bytes_in_flight.leave(request)


@stream_request_body
class ServiceHandler(RequestHandler):
    """Collects a body of at most ``context.max_body_size`` bytes as it streams in.

    With streamed bodies Tornado runs the handler as soon as the headers have arrived. So a request
    without a token, or one that is too large, is refused before its body takes any memory, and with a
    body of this server's instead of Tornado's.
    """

    #: Whether the body is kept. False: it is counted and dropped, so that it takes no memory.
    takes_body = False

    #: [{field: value}] for access log and metrics: one entry for the request or each operation of a batch.
    log_entries: list[dict[str, Any]]

    def __init__(
        self,
        application: Application,
        request: HTTPServerRequest,
        *,
        context: ServerContext,
        route: str,
    ) -> None:
        #: First of all: `set_default_headers` is called before `initialize`, and for each error again.
        self.request_id = identify_request(request, context.trusted_proxies)
        super().__init__(application, request, context=context, route=route)

    def initialize(self, context: ServerContext, route: str) -> None:
        self.context = context
        self.route = route
        self.log_entries = [{}]
        self._chunks = bytearray()
        self._received = 0
        self._limit = context.max_body_size
        self._close_after_body = False
        self._will_not_run = False
        connection: Any = self.request.connection
        context.in_flight.begin(self, connection, takes_body=self.takes_body)
        # `data_received` enforces the limit: Tornado would answer 400 and reset the connection.
        connection.set_max_body_size(_NO_LIMIT)

    @property
    def log_entry(self) -> dict[str, Any]:
        """The entry of a request that is not a batch."""
        return self.log_entries[0]

    @property
    def auth(self) -> RequestAuth | None:
        """The token checker of the context, else that of the application's settings."""
        auth: RequestAuth | None = self.context.auth or self.settings.get("bearer_auth")
        return auth

    def set_default_headers(self) -> None:
        for name, value in COMMON_HEADERS:
            self.set_header(name, value)
        self.set_header(HEADER, self.request_id)

    def _cross_origin_protection(self) -> None:
        """Nothing: a handler that takes no credentials changes nothing, and another method is answered 405.

        Without it, an application with `xsrf_cookies` would answer 403 below the path of a mounted server.
        `BearerAuthMixin` has a stricter rule for handlers that do take credentials.
        """

    def prepare(self) -> None:
        length = parse_content_length(self.request.headers)
        if length is not None and length > self._limit:
            raise HTTPError(413)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Returns what Tornado waits for before it reads on."""
        before = self._received
        self._received += len(chunk)
        if self._received > self._limit:
            self._chunks.clear()
            self.send_error(413)
        elif self.takes_body:
            self._keep(chunk)
        if ends_piece(before, self._received):
            return self.context.loop_turns.wait(self._sender)
        return None

    @property
    def _sender(self) -> str:
        """Whose turn it is when the body is read on."""
        return self.request.remote_ip or ""

    def _keep(self, chunk: bytes) -> None:
        self._chunks += chunk

    def take_body(self) -> bytes:
        """The whole body, once, of a handler with takes_body. Nothing keeps it here while it is worked on."""
        body = bytes(self._chunks)
        self._chunks = bytearray()
        return body

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """A percent-decoded part of the path as text. Raises HTTPError 404 where it is not UTF-8."""
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise HTTPError(404) from None

    def send_answer(self, answer: Answer) -> None:
        """Write the answer; Tornado sends it when the handler's method returns."""
        self.set_status(answer.status)
        answer.set_headers(self.set_header)
        self.write(answer.body)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        methods = _implemented_methods(type(self))
        if status_code == 405:  # RFC 9110 §15.5.6
            self.set_header("Allow", ", ".join(methods))
        self.set_header("Content-Type", JSON_ERROR)
        body = render_error(
            status_code,
            self._reason,
            prefix=self.context.prefix,
            methods=methods,
            max_body_size=self._limit,
        )
        self.finish(body)

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> Future[None]:
        if self.context.is_stopping:
            self.set_header("Connection", "close")
        connection: Any = self.request.connection
        if connection._read_finished or not _is_framed(self.request.headers):
            flushed = super().finish(chunk)
        else:
            flushed = self._finish_early(connection, chunk)
        flushed.add_done_callback(lambda _: self.context.end_request(self, connection))
        return flushed

    def _finish_early(
        self, connection: Any, chunk: str | bytes | dict[Any, Any] | None
    ) -> Future[None]:
        """Answer before the body has arrived, and let Tornado read and drop the body for up to _DRAIN_S.

        Otherwise Tornado 6.6 closes the connection as soon as the answer is written. If a body is being
        sent, the client gets a reset, and one that sends all before it reads loses the answer. If there is
        none, a client that keeps its connections open loses one with every 401.
        """
        # With Expect the body may never come, and then the next request must not be read as one.
        self._close_after_body = (
            connection._disconnect_on_finish
            or "Expect" in self.request.headers
            or self.get_status() == 413
        )
        if self._close_after_body:
            self.set_header("Connection", "close")
        connection.set_body_timeout(_DRAIN_S)
        connection._read_finished, connection._disconnect_on_finish = True, False
        try:
            return super().finish(chunk)
        finally:
            connection._read_finished = False
            connection.stream.is_dropping = True

    def on_finish(self) -> None:
        if self.context.metrics is not None:
            request = self.request
            self.context.metrics.observe_request(
                self.route, request.method or "", self.get_status(), request.request_time()
            )

    def on_connection_close(self) -> None:
        """Tornado calls it at the end of a dropped body, too.

        The admission of a request whose handler runs ends with the handler: a client that closes its
        connections would have any number at once.
        """
        connection: Any = self.request.connection
        connection.stream.is_dropping = False
        if connection._read_finished:
            self.context.in_flight.end(self, connection)
        else:
            self._will_not_run = True
            self.context.end_request(self, connection)
        super().on_connection_close()
        if self._close_after_body:
            connection.close()

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log the path only, as Tornado's own method would log the query string, too."""
        if isinstance(value, HTTPError):
            return  # the access log has its status
        log.error(
            "%s %s failed", cut_value(self.request.method or ""), cut_value(self.request.path),
            exc_info=(typ, value, tb) if typ and value else None,
        )  # fmt: skip


class ProtectedHandler(BearerAuthMixin, ServiceHandler):
    """A ServiceHandler that needs a bearer token.

    _held: what its request holds, from when it is accepted. _grows: whether that is told chunk by chunk.
    """

    _held: HeldBytes | None = None
    _grows = False
    _origin: Origin | None = None

    @property
    def origin(self) -> Origin:
        """Of this request, under which it is recorded; of the principal, once a token was accepted."""
        if self._origin is None:
            self._origin = Origin(None, None, self.request.remote_ip, self.request_id)
        principal = self._principal
        if principal is not None:
            self._origin.principal, self._origin.issuer = principal.name, principal.issuer or None
        return self._origin

    def on_finish(self) -> None:
        """Whatever became of it, there is a record of the request."""
        super().on_finish()
        auditor = self.context.kms.auditor
        if auditor is not None and not self.origin.is_noted:
            auditor.note_refusal(
                self.origin, self.log_entry.get("reason") or f"HTTP {self.get_status()}"
            )

    @property
    def bearer_auth(self) -> RequestAuth | None:
        return self.auth

    def _accept(self, principal: Principal) -> None:
        """Raises TooManyRequests and TooManyBytes, before the body has been read."""
        super()._accept(principal)
        if self._will_not_run:  # it would never leave
            return
        self.context.admission.enter(self, principal.name)
        length = parse_content_length(self.request.headers)
        self._grows = length is None
        # A longer one is answered 413.
        size = length if length is not None and self.takes_body and length <= self._limit else 0
        self._held = self.context.bytes_in_flight.enter(self, principal.name, size)

    @property
    def _sender(self) -> str:
        return super()._sender if self._principal is None else self._principal.name

    def _keep(self, chunk: bytes) -> None:
        held = self._held
        if held is not None and self._grows:
            try:
                held.add_body(len(chunk))
            except TooManyBytes as exc:
                self._chunks.clear()
                refuse(self, exc)
                return
        super()._keep(chunk)

    def send_answer(self, answer: Answer) -> None:
        if self._held is not None:
            self._held.keep_answer(len(answer.body))
        super().send_answer(answer)

    def resource_metadata_url(self) -> str | None:
        return metadata_url(self)

    def request_url(self) -> str | None:
        return self.context.public_url.find_base(self.request) + self.request.path

    def client_certificate(self) -> bytes | None:
        """A trusted proxy's own certificate is not its client's, of which its header alone tells."""
        if self.context.trusted_proxies.is_peer_of(self.request.connection):
            return read_client_cert(self.request.headers.get_list(CLIENT_CERT_HEADER))
        return super().client_certificate()

    def _send_refusal(self, body: bytes, hooks: Hooks, reason: str) -> None:
        self.log_entry["reason"] = reason
        # No host has overridden it, and it knows what to do with the request's body.
        self.finish(body)

    def compute_etag(self) -> None:
        """None: an ETag is of no use for an answer that no cache may store."""


METADATA_PATH = "/.well-known/oauth-protected-resource"


def resource_url(handler: ServiceHandler) -> str:
    """The URL by which clients reach this server: the resource identifier of RFC 9728 §1.2."""
    context = handler.context
    return context.public_url.find_base(handler.request) + context.prefix


def metadata_url(handler: ServiceHandler) -> str:
    """The URL of the resource's metadata, with the well-known path before the resource's own (RFC 9728 §3.1)."""
    resource = urlsplit(resource_url(handler))
    return f"{resource.scheme}://{resource.netloc}{METADATA_PATH}{resource.path}"


class NotFoundHandler(ServiceHandler):
    """Answers 404 for every path without a route."""

    def prepare(self) -> None:
        raise HTTPError(404)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer 404 instead of 405, too: Tornado checks the method first, and this handler has none."""
        self.set_status(404)
        super().write_error(404, **kwargs)


def _is_framed(headers: HTTPHeaders) -> bool:
    """Whether the headers tell where the body ends (RFC 9112 §6.3). If not, Tornado refuses the request."""
    if "Transfer-Encoding" in headers:
        return headers["Transfer-Encoding"].lower() == "chunked" and "Content-Length" not in headers
    return "Content-Length" not in headers or parse_content_length(headers) is not None


def parse_content_length(headers: HTTPHeaders) -> int | None:
    """Content-Length in bytes; None where it is absent or not a number.

    Python refuses to parse more than 4300 digits, so a longer number counts as none.
    """
    text = headers.get("Content-Length", "")
    if not re.fullmatch("[0-9]{1,4000}", text):
        return None
    return int(text)


def _implemented_methods(handler: type[RequestHandler]) -> list[str]:
    """The HTTP methods that a handler implements."""
    return [
        name
        for name in handler.SUPPORTED_METHODS
        if inspect.unwrap(getattr(handler, name.lower()))
        is not RequestHandler._unimplemented_method
    ]
