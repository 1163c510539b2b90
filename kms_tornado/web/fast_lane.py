"""FastLane: the short way of the request that nearly all are, straight from the connection and back.

A KMIP request with a token that was verified before needs little of what Tornado's RequestHandler
does, which takes a fifth of the time of a Get. What is in any way unusual goes the long way, to the
application behind: a token that is not known, any method but POST, no or an odd length, a query, a
server that is stopping. So all refusals of the transport stand there, and here none.

To a client both ways are one: `kmip_exchange` finds the answer, log and metrics say the same.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable
from functools import lru_cache
from http.client import responses
from typing import Any

from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
    format_timestamp,
)

from ..auth.credentials import Credentials
from ..auth.principal import Principal
from ..auth.request_auth import RequestAuth
from ..errors import Unavailable
from .access_log import Answered, log_answered
from .answers import Answer, internal_error, unavailable
from .kmip_exchange import ROUTES, Exchange, reader_of
from .service_handler import SERVER, ServerContext, content_length

log = logging.getLogger("kms_tornado.web")

_ROUTES = frozenset(ROUTES)
#: Looked at on the long way (RFC 9112 §3.2): what is surely a host name or an address goes the short one.
_HOST = re.compile(r"[A-Za-z0-9.-]{1,255}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
#: With them the body has another end than its length, or there is more to say than the answer.
_UNUSUAL = ("Transfer-Encoding", "Expect")


class FastLane(HTTPServerConnectionDelegate):
    """What an HTTPServer serves: the application, with the short way in front of it."""

    def __init__(
        self,
        application: HTTPServerConnectionDelegate,
        context: ServerContext,
        auth: RequestAuth,
        *,
        body_timeout_s: float,
    ) -> None:
        self.application = application
        self.context = context
        self.auth = auth
        self.body_timeout_s = body_timeout_s

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        return _Fork(self, server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        self.application.on_close(server_conn)

    def admitted(self, start_line: RequestStartLine, headers: HTTPHeaders) -> Principal | None:
        """Whose request may go the short way; None: the other way."""
        if (
            start_line.method != "POST"
            or start_line.path not in _ROUTES
            or start_line.version != "HTTP/1.1"
            or self.context.is_stopping
            or any(name in headers for name in _UNUSUAL)
            or not _HOST.fullmatch(headers.get("Host", ""))
        ):
            return None
        length = content_length(headers)
        if not length or length > self.context.max_body_size:
            return None
        return self.auth.recall(Credentials(headers.get_list("Authorization")))


class _Fork(HTTPMessageDelegate):
    """One request, of which only the head tells which way it goes."""

    __slots__ = ("_connection", "_lane", "_server_conn", "_way")

    def __init__(self, lane: FastLane, server_conn: object, connection: Any) -> None:
        self._lane = lane
        self._server_conn = server_conn
        self._connection = connection
        self._way: HTTPMessageDelegate | None = None

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> Awaitable[None] | None:
        principal = self._lane.admitted(start_line, headers)
        if principal is None:
            application = self._lane.application
            self._way = application.start_request(self._server_conn, self._connection)
        else:
            self._way = _ShortWay(self._lane, self._connection, principal)
        return self._way.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        assert self._way is not None
        return self._way.data_received(chunk)

    def finish(self) -> None:
        assert self._way is not None
        self._way.finish()

    def on_connection_close(self) -> None:
        if self._way is not None:
            self._way.on_connection_close()


class _ShortWay(HTTPMessageDelegate):
    """One request of a known principal, its body of a length that is known and not too large.

    All of it runs in the task of its connection, which waits for what `data_received` returns, in
    three stages: read, find the answer, send. After each one the loop takes the requests of other
    connections that are as far: the same code for all of them in a row runs a third faster than
    the whole way of one after the other, and by the time of the next read more has arrived.
    """

    def __init__(self, lane: FastLane, connection: Any, principal: Principal) -> None:
        self._lane = lane
        self._context = lane.context
        self._connection = connection
        self._user = principal.name
        self._exchange = Exchange(lane.context.kms, principal)
        self._started = time.time()
        self._chunks: list[bytes] = []
        self._answer: Answer | None = None

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        self._path = start_line.path
        self._read = reader_of(self._path, headers.get("Content-Type", ""))
        self._missing = int(headers["Content-Length"])
        self._context.in_flight.add(self)
        # Tornado's own limit costs a task for each body, which nearly always is here already.
        self._connection.set_body_timeout(None)
        self._timer = asyncio.get_running_loop().call_later(
            self._lane.body_timeout_s, self._give_up
        )

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._chunks.append(chunk)
        self._missing -= len(chunk)
        if self._missing:
            return None
        self._timer.cancel()
        return self._find_answer(b"".join(self._chunks))

    def finish(self) -> None:
        """The body was whole, and its answer is found."""
        if self._answer is not None:
            self._send(self._answer)
            self._note(self._answer.status)

    def on_connection_close(self) -> None:
        """The body will never be whole."""
        self._timer.cancel()
        self._context.in_flight.discard(self)

    def _give_up(self) -> None:
        log.info("POST %s: the body did not come in time", self._path)
        self._connection.close()

    async def _find_answer(self, body: bytes) -> None:
        await asyncio.sleep(0)  # the others read
        try:
            self._answer = await self._exchange.answer(body, self._read)
        except Unavailable as exc:
            log.warning("POST %s: %s (%s)", self._path, exc, exc.detail)
            self._answer = unavailable(exc)
        except asyncio.CancelledError:  # the process ends, which Tornado would call a fault
            self._connection.close()
            self._context.in_flight.discard(self)
            return
        except Exception:  # the request's edge: without an answer the client waits for ever
            log.exception("POST %s failed", self._path)
            self._answer = internal_error()
        await asyncio.sleep(0)  # the others find theirs

    def _send(self, answer: Answer) -> None:
        headers = HTTPHeaders()
        headers["Server"] = SERVER
        headers["Date"] = _http_date(int(time.time()))
        headers["Content-Type"] = answer.media_type
        headers["Content-Length"] = str(len(answer.body))
        headers["Cache-Control"] = "no-store"
        headers["X-Content-Type-Options"] = "nosniff"
        if answer.retry_after_s is not None:
            headers["Retry-After"] = str(answer.retry_after_s)
        if self._context.is_stopping:
            headers["Connection"] = "close"
        flushed = self._connection.write_headers(_START_LINES[answer.status], headers, answer.body)
        flushed.add_done_callback(self._flushed)
        self._connection.finish()

    def _flushed(self, future: asyncio.Future[None]) -> None:
        self._context.in_flight.discard(self)
        if not future.cancelled():
            future.exception()  # the client did not wait: nothing to complain about

    def _note(self, status: int) -> None:
        exchange, seconds = self._exchange, time.time() - self._started
        entries = exchange.entries or [exchange.fields]
        remote_ip = self._connection.context.remote_ip
        log_answered(Answered(status, "POST", self._path, remote_ip, seconds, self._user), entries)
        metrics = self._context.metrics
        if metrics is not None:
            metrics.observe(self._path, "POST", status, seconds)
            metrics.observe_operations(entries)


_START_LINES = {
    status: ResponseStartLine("HTTP/1.1", status, responses[status])
    for status in (200, 422, 500, 503)
}


@lru_cache(maxsize=2)
def _http_date(second: int) -> str:
    """Putting it together takes as long as a read from the database."""
    return format_timestamp(second)
