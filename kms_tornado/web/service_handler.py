"""ServiceHandler: what all handlers of the server share: bounded bodies, JSON errors, quiet logs."""

from __future__ import annotations

import inspect
import logging
import re
from asyncio import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tornado.httputil import HTTPHeaders
from tornado.web import HTTPError, RequestHandler, stream_request_body

from ..auth.request_auth import RequestAuth
from ..service.kms import KMS
from .answers import ERRORS, JSON_ERROR, Answer, error_body
from .bearer.mixin import BearerAuthMixin
from .metrics import Metrics
from .worker_metrics import WorkerMetrics

log = logging.getLogger("kms_tornado.web")

#: Of every answer.
SERVER = "kms-tornado"

#: A refused body is read and dropped for so long, so that the client gets to read the answer.
_DRAIN_S = 30.0
_NO_LIMIT = 1 << 62


@dataclass(slots=True)
class ServerContext:
    """What the handlers of one server share.

    auth: None means that of the application's settings. prefix: where the routes are mounted.
    in_flight: one thing for each request whose answer has not been sent.
    worker_metrics: where there are several workers, those of all.
    """

    kms: KMS
    auth: RequestAuth | None
    max_body_size: int
    metrics: Metrics | None = None
    worker_metrics: WorkerMetrics | None = None
    prefix: str = ""
    is_stopping: bool = False
    in_flight: set[object] = field(default_factory=set)


@stream_request_body
class ServiceHandler(RequestHandler):
    """Collects a body of at most ``context.max_body_size`` bytes as it streams in.

    Streaming has the handler run when the headers are there, so that what is refused (no token, too
    large) is refused before its body takes any memory, with an answer of ours.
    """

    #: False: the body is counted and dropped, so that strangers cannot fill the memory with it.
    takes_body = False

    #: For the access log: who asked for what, and how it ended.
    fields: dict[str, Any]

    #: The same for each operation of a batch; where there are none, `fields` is the one line.
    entries: list[dict[str, Any]]

    def initialize(self, context: ServerContext, route: str) -> None:
        self.context = context
        self.route = route
        self.fields = {}
        self.entries = []
        self._chunks = bytearray()
        self._received = 0
        self._limit = context.max_body_size
        self._close_after_body = False
        context.in_flight.add(self)
        connection: Any = self.request.connection
        connection.set_max_body_size(_NO_LIMIT)  # we count; Tornado would say 400, and reset

    @property
    def auth(self) -> RequestAuth | None:
        """What checks credentials here: the context's, else that of the application's settings."""
        auth: RequestAuth | None = self.context.auth or self.settings.get("bearer_auth")
        return auth

    def set_default_headers(self) -> None:
        self.set_header("Server", SERVER)
        self.set_header("X-Content-Type-Options", "nosniff")

    def prepare(self) -> None:
        length = content_length(self.request.headers)
        if length is not None and length > self._limit:
            raise HTTPError(413)

    def data_received(self, chunk: bytes) -> None:
        self._received += len(chunk)
        if self._received > self._limit:
            self._chunks.clear()
            self.send_error(413)
        elif self.takes_body:
            self._chunks += chunk

    @property
    def body(self) -> bytes:
        return bytes(self._chunks)

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Percent-decoded path parts; what is no UTF-8 names nothing that exists."""
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise HTTPError(404) from None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if status_code == 405:
            self.set_header("Allow", ", ".join(_methods(type(self))))  # RFC 9110 §15.5.6
        error, description = ERRORS.get(status_code, ("error", self._reason))
        self.set_header("Content-Type", JSON_ERROR)
        self.finish(error_body(error, description))

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> Future[None]:
        if self.context.is_stopping:
            self.set_header("Connection", "close")
        connection: Any = self.request.connection
        if connection._read_finished or not _is_framed(self.request.headers):
            flushed = super().finish(chunk)
        else:
            flushed = self._finish_early(connection, chunk)
        flushed.add_done_callback(lambda _: self.context.in_flight.discard(self))
        return flushed

    def _finish_early(
        self, connection: Any, chunk: str | bytes | dict[Any, Any] | None
    ) -> Future[None]:
        """Answer before the body has come, and have Tornado read on and drop it for a while.

        By itself Tornado 6.6 closes the connection as soon as the answer is written. With a body on
        its way that is a reset, which takes the answer from a client that sends first and then
        reads; without one, clients that keep connections lose theirs with every 401.
        """
        # With Expect the body may never come: what follows is then not to be read as one.
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

    def on_finish(self) -> None:
        if self.context.metrics is not None:
            request = self.request
            self.context.metrics.observe(
                self.route, request.method or "", self.get_status(), request.request_time()
            )

    def on_connection_close(self) -> None:
        """Also what Tornado calls at the end of a body that was dropped."""
        self.context.in_flight.discard(self)
        super().on_connection_close()
        if self._close_after_body:
            connection: Any = self.request.connection
            connection.close()

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Tornado's own would log the whole URI, query string included."""
        if isinstance(value, HTTPError):
            return  # the access log says it
        log.error(
            "%s %s failed", self.request.method, self.request.path,
            exc_info=(typ, value, tb) if typ and value else None,
        )  # fmt: skip


class ProtectedHandler(BearerAuthMixin, ServiceHandler):
    """A ServiceHandler that needs a bearer token."""

    @property
    def bearer_auth(self) -> RequestAuth | None:
        return self.auth

    def resource_metadata_url(self) -> str | None:
        return metadata_url(self)

    def give(self, answer: Answer) -> None:
        self.set_status(answer.status)
        self.set_header("Content-Type", answer.media_type)
        self.set_header("Cache-Control", "no-store")
        if answer.retry_after_s is not None:
            self.set_header("Retry-After", str(answer.retry_after_s))
        self.write(answer.body)

    def compute_etag(self) -> None:
        """No hashing of answers that nobody may cache."""


METADATA_PATH = "/.well-known/oauth-protected-resource"


def resource_url(handler: ServiceHandler) -> str:
    """This server as the client calls it (RFC 9728 §1.2)."""
    return f"{handler.request.protocol}://{handler.request.host}{handler.context.prefix}"


def metadata_url(handler: ServiceHandler) -> str:
    """The well-known part stands between host and path (RFC 9728 §3.1)."""
    request = handler.request
    return f"{request.protocol}://{request.host}{METADATA_PATH}{handler.context.prefix}"


class NotFoundHandler(ServiceHandler):
    """Every path that no route has."""

    def prepare(self) -> None:
        raise HTTPError(404)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Tornado looks at the method first; here there is nothing, whatever the method."""
        self.set_status(404)
        super().write_error(404, **kwargs)


def _is_framed(headers: HTTPHeaders) -> bool:
    """Whether the end of the body can be told (RFC 9112 §6.3); Tornado refuses it otherwise."""
    if "Transfer-Encoding" in headers:
        return headers["Transfer-Encoding"].lower() == "chunked" and "Content-Length" not in headers
    return "Content-Length" not in headers or content_length(headers) is not None


def content_length(headers: HTTPHeaders) -> int | None:
    """None where it is absent or no number. Python refuses to read more than 4300 digits."""
    text = headers.get("Content-Length", "")
    if not re.fullmatch("[0-9]{1,4000}", text):
        return None
    return int(text)


def _methods(handler: type[RequestHandler]) -> list[str]:
    """The HTTP methods that a handler implements."""
    return [
        name
        for name in handler.SUPPORTED_METHODS
        if inspect.unwrap(getattr(handler, name.lower()))
        is not RequestHandler._unimplemented_method
    ]
