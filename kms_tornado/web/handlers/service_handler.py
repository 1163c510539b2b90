"""ServiceHandler: the base class of all handlers, with limited bodies, JSON errors and log entries."""

from __future__ import annotations

import inspect
import logging
from asyncio import Future
from collections.abc import Awaitable
from types import TracebackType
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from ...auth.request_auth import RequestAuth
from ...request_context import HEADER
from ...wording import cut_value
from ..answers import COMMON_HEADERS, JSON_ERROR, Answer, render_error
from ..body_length import ends_piece, is_framed, parse_content_length
from ..request_identity import identify_request
from ..server_context import ServerContext

log = logging.getLogger("kms_tornado.web")

#: Seconds for which a refused body is read and dropped, so that its client gets to read the answer.
_DRAIN_S = 30.0

_NO_LIMIT = 1 << 62


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
        """Do nothing: a handler without credentials changes nothing, and answers any other method with 405.

        Without this method, an application with `xsrf_cookies` would answer 403 below the path of a mounted server.
        `BearerAuthMixin` has a stricter rule for handlers that accept credentials.
        """

    def prepare(self) -> None:
        length = parse_content_length(self.request.headers)
        if length is not None and length > self._limit:
            raise HTTPError(413)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Take a chunk of the body. Tornado waits for the returned future before it reads on."""
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
        """The user whose turn it is when the body is read on."""
        return self.request.remote_ip or ""

    def _keep(self, chunk: bytes) -> None:
        self._chunks += chunk

    def take_body(self) -> bytes:
        """The whole body, once, for a handler with takes_body.

        It is then not kept here while the request is worked on.
        """
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
        if connection._read_finished or not is_framed(self.request.headers):
            flushed = super().finish(chunk)
        else:
            flushed = self._finish_early(connection, chunk)
        flushed.add_done_callback(lambda _: self.context.end_request(self, connection))
        return flushed

    def _finish_early(
        self, connection: Any, chunk: str | bytes | dict[Any, Any] | None
    ) -> Future[None]:
        """Answer before the body has arrived, and let Tornado read and discard the body for up to _DRAIN_S.

        Otherwise Tornado 6.6 closes the connection as soon as the answer is written. If a body is being sent, the
        client gets a reset, and one that sends everything before it reads loses the answer. If there is no body, a
        client that keeps its connections open loses one with every 401.
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
        """Called by Tornado, also at the end of a discarded body.

        If the handler is running, its request counts as admitted until the handler ends. Otherwise a client that closes
        its connections could have any number of requests at once.
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


class NotFoundHandler(ServiceHandler):
    """Answers 404 for every path without a route."""

    def prepare(self) -> None:
        raise HTTPError(404)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer 404 instead of 405, too: Tornado checks the method first, and this handler has none."""
        self.set_status(404)
        super().write_error(404, **kwargs)


def _implemented_methods(handler: type[RequestHandler]) -> list[str]:
    """The HTTP methods that a handler implements."""
    return [
        name
        for name in handler.SUPPORTED_METHODS
        if inspect.unwrap(getattr(handler, name.lower()))
        is not RequestHandler._unimplemented_method
    ]
