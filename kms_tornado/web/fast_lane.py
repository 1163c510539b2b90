"""FastLane: a shortcut around Tornado's request handlers for the most frequent request."""

# How the fast lane works
# =======================
#
# Tornado hands each request of a connection to an `HTTPServerConnectionDelegate`. The usual one is an
# `Application`, which finds a route and makes a `RequestHandler`. For a Get this machinery takes a fifth
# of the whole time, and nearly every request is one that does not need it: a POST of KMIP with a token
# that was verified before. So `FastLane` stands in front of the application. It reads the head of a
# request (`_HeadReader`), and by that alone decides which of two ways the request goes:
#
#     connection ─ FastLane ─┬─ the fast lane: _FastRequest ──────────────────┬─ Exchange ─ service
#                            └─ the long way: Application ─ KMIPHandler ──────┘
#
# Conditions
# ----------
# `FastLane.recall_principal` demands all of the following. It never refuses a request: one that fails a
# condition goes the long way, which has all refusals of the transport, each in one place.
#
# - POST, HTTP/1.1, and a path that is exactly one of KMIP's, without a query: other methods, versions
#   and paths have answers of their own (405, 404, a connection that closes by other rules).
# - One Content-Length, above 0 and within the limit of a body, and no Transfer-Encoding: the number of
#   bytes still to come tells when the body is complete, and how much memory it takes at most.
# - No Expect: the client would wait for a 100 before it sends the body.
# - A Host that is clearly one host name or address; the server must refuse an invalid one (RFC 9112 §3.2).
# - The server is not stopping: answers to requests that arrive then say that the connection will close.
# - One Authorization header with a bearer token that was verified before and is still good. A token
#   that is new, expired or wrong needs a signature check, perhaps a wait for the issuer's keys, and an
#   outcome that is counted; the long way does all of this. (--insecure-no-auth accepts every request.)
# - Its principal has not too many requests under way, or in this second (`Admission`): 429; and there
#   is room for its body (`BytesInFlight`): 503.
#
# Stages
# ------
# A request runs in the task of its connection, which awaits what `data_received` returns:
#
#     read the body  │  parse it  │  carry it out  │  format the answer  │  send it
#                    └───────────── Exchange.find_answer ─────────────┘
#
# Between two stages the task yields to the loop (`LoopTurns.let_others_run`). The loop then runs the other
# connections up to the same point, so that one stage runs for all of them in a row before the next
# one begins. The same code for all of them in a row, its instructions still in the processor's caches,
# was measured to run a third faster than each request from its first stage to its last before the
# next. A request that is alone goes on without waiting (`let_others_catch_up`).
# Requests that were read in one turn of the loop also share a commit in the store, and while
# the others' stages run, more requests arrive, which the next reading finds together.
#
# Clients cannot tell the two ways apart
# --------------------------------------
# Both share `Exchange`, which finds the answer and the entries for log and metrics, `answers`, which has
# the headers and the bodies of failures, `access_log.log_answered_request` and `Metrics`. Only sending is
# implemented twice: `_FastRequest._send` here and Tornado's `RequestHandler.finish` there.
# tests/web/test_fast_lane.py sends the same requests both ways, and compares the answers, the log lines
# and the metrics.

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import Any

from tornado.concurrent import future_add_done_callback
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
)

from ..audit.record import Origin
from ..auth.credentials import Credentials
from ..auth.principal import Principal
from ..auth.request_auth import RequestAuth
from ..request_context import HEADER
from .access_log import AnsweredRequest, log_answered_request
from .answers import COMMON_HEADERS, Answer, render_internal_error
from .bearer.fast_routes.http_heads import PLAIN_HOST, format_head_start
from .body_length import ends_piece, parse_content_length
from .connection_options import read_connection_options
from .kmip_exchange import ROUTES, Exchange
from .request_identity import begin_request, read_proxy_headers, request_id_of
from .server_context import ServerContext

log = logging.getLogger("kms_tornado.web")

_ROUTES = frozenset(ROUTES)
_REQUEST_ID = HEADER.title()  # as Tornado writes it
_COMMON_HEADERS = "".join([f"{name}: {value}\r\n" for name, value in COMMON_HEADERS])
#: Bytes that are not put together with the headers: to copy 32 MiB takes 10 ms.
_LONG_BODY = 1024 * 1024


class FastLane(HTTPServerConnectionDelegate):
    """The delegate for an HTTPServer: an application with the fast lane in front of it."""

    def __init__(
        self,
        application: HTTPServerConnectionDelegate,
        context: ServerContext,
        auth: RequestAuth,
    ) -> None:
        self.application = application
        self.context = context
        self.auth = auth

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        begin_request(request_conn, self.context.trusted_proxies)
        return _HeadReader(self, server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        self.application.on_close(server_conn)

    def recall_principal(
        self, start_line: RequestStartLine, headers: HTTPHeaders
    ) -> Principal | None:
        """The principal of a request that may take the fast lane; None for a request that goes the long way."""
        if (
            start_line.method != "POST"
            or start_line.path not in _ROUTES
            or start_line.version != "HTTP/1.1"
            or self.context.is_stopping
            or "Transfer-Encoding" in headers
            or "Expect" in headers
            or not PLAIN_HOST.fullmatch(headers.get("Host", ""))
        ):
            return None
        length = parse_content_length(headers)
        if not length or length > self.context.max_body_size:
            return None
        principal = self.auth.recall(Credentials(headers.get_list("Authorization"), headers))
        if (
            principal is None
            or self.context.admission.find_refusal(principal.name) is not None
            or not self.context.bytes_in_flight.has_room(principal.name, length)
        ):
            return None
        return principal


class _HeadReader(HTTPMessageDelegate):
    """One request: looks at its head, decides which way it goes, and forwards everything after that."""

    __slots__ = ("_connection", "_delegate", "_lane", "_server_conn")

    def __init__(self, lane: FastLane, server_conn: object, connection: Any) -> None:
        self._lane = lane
        self._server_conn = server_conn
        self._connection = connection
        self._delegate: HTTPMessageDelegate | None = None

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> Awaitable[None] | None:
        read_connection_options(self._connection, headers)
        proxies = self._lane.context.trusted_proxies
        if proxies:
            read_proxy_headers(self._connection, headers, proxies)
        principal = self._lane.recall_principal(start_line, headers)
        if principal is None:
            application = self._lane.application
            self._delegate = application.start_request(self._server_conn, self._connection)
        else:
            self._delegate = _FastRequest(self._lane, self._connection, principal)
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        assert self._delegate is not None
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        assert self._delegate is not None
        self._delegate.finish()

    def on_connection_close(self) -> None:
        if self._delegate is not None:
            self._delegate.on_connection_close()


class _FastRequest(HTTPMessageDelegate):
    """One request in the fast lane: its principal is known, and so is the length of its body, which is limited."""

    def __init__(self, lane: FastLane, connection: Any, principal: Principal) -> None:
        self._lane = lane
        self._context = lane.context
        self._connection = connection
        self._principal = principal
        self._started = time.time()
        self._chunks: list[bytes] = []
        self._answer: Answer | None = None

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        self._path = path = start_line.path
        self._remote_ip = self._connection.context.remote_ip
        self._bytes_to_come = int(headers["Content-Length"])
        self._context.in_flight.begin(self, self._connection)
        self._context.admission.admit(self, self._principal.name)
        self._held = self._context.bytes_in_flight.enter(
            self, self._principal.name, self._bytes_to_come
        )
        self._exchange = Exchange(
            self._context.kms,
            self._principal,
            Origin(
                self._principal.name,
                self._principal.issuer or None,
                self._remote_ip,
                request_id_of(self._connection),
            ),
            route=path,
            path=path,
            content_type=headers.get("Content-Type", ""),
            held=self._held,
        )

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._chunks.append(chunk)
        before = self._bytes_to_come
        self._bytes_to_come -= len(chunk)
        if self._bytes_to_come:
            if ends_piece(before, self._bytes_to_come):
                return self._context.loop_turns.wait(self._principal.name)
            return None
        body = b"".join(self._chunks)
        self._chunks.clear()  # long before this request ends
        return self._find_answer(body)

    def finish(self) -> None:
        """Called by Tornado when the body is complete and the future of `data_received` is done."""
        answer, self._answer = self._answer, None
        if answer is not None:
            self._held.keep_answer(len(answer.body))
            self._send(answer)
            self._record(answer.status)

    def on_connection_close(self) -> None:
        """Called by Tornado if the connection ends before the body does."""
        self._context.end_request(self, self._connection)

    async def _find_answer(self, body: bytes) -> None:
        await self._context.loop_turns.let_others_run()  # read their bodies
        try:
            self._answer = await self._exchange.find_answer(body)
        except asyncio.CancelledError:
            # The process ends. If this were raised again, Tornado would log it as a fault.
            self._connection.close()
            self._context.end_request(self, self._connection)
            return
        except Exception:  # the edge of a request: without an answer the client would wait for ever
            log.exception("POST %s failed", self._path)
            self._answer = render_internal_error()
        self._context.loop_turns.count_stage()
        await self._context.loop_turns.let_others_catch_up()  # find their answers

    def _send(self, answer: Answer) -> None:
        headers = {
            _REQUEST_ID: request_id_of(self._connection),
            "Content-Length": str(len(answer.body)),
        }
        answer.set_headers(headers.__setitem__)
        if self._context.is_stopping or self._connection._disconnect_on_finish:
            headers["Connection"] = "close"
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        start = format_head_start(answer.status, int(time.time()), _COMMON_HEADERS)
        flushed = self._write(f"{start}{lines}\r\n".encode("latin-1"), answer.body)
        self._connection.finish()
        future_add_done_callback(flushed, self._mark_answered)  # immediately, if it is done

    def _write(self, head: bytes, body: bytes) -> asyncio.Future[None]:
        """A future that is done when everything is sent, or never can be."""
        connection = self._connection
        flushed: asyncio.Future[None]
        if len(body) <= _LONG_BODY:
            flushed = connection.write(head + body)
            return flushed
        connection.write(head)
        flushed = connection.write(body)
        if connection.stream.closed():
            return flushed
        # Tornado's future is done as soon as the head is sent.
        flushed.add_done_callback(_retrieve)
        flushed = connection.stream.write(b"")
        return flushed

    def _mark_answered(self, flushed: asyncio.Future[None]) -> None:
        self._context.end_request(self, self._connection)
        _retrieve(flushed)

    def _record(self, status: int) -> None:
        """Log and count the request, as the long way does."""
        seconds, entries = time.time() - self._started, self._exchange.log_entries
        log_answered_request(
            AnsweredRequest(status, "POST", self._path, self._remote_ip, seconds, self._principal),
            entries,
        )
        metrics = self._context.metrics
        if metrics is not None:
            metrics.observe_request(self._path, "POST", status, seconds)
            metrics.observe_operations(entries, seconds)


def _retrieve(flushed: asyncio.Future[None]) -> None:
    """Retrieve the error, which asyncio would log otherwise: a client that has left is not a fault."""
    if not flushed.cancelled():
        flushed.exception()
