"""FastExchange: one request that may bypass Tornado's request handlers, and its answer."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tornado import version
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest, RequestStartLine
from tornado.log import access_log
from tornado.web import Application

from ....auth.credentials import Credentials
from ....auth.principal import Principal
from ....auth.request_auth import RequestAuth
from ..fast_request import FastAnswer, FastRequest, FastResult, make_answer
from ..hooks import HandlerFacts
from .handler import FastRouteHandler
from .head_timeouts import AwaitedHead
from .http_heads import PLAIN_HOST, format_head_start

#: A path → the handler of its fast route, and the groups of its pattern; None for one that is no fast route's.
FindRoute = Callable[[str], tuple[type[FastRouteHandler], tuple[str, ...]] | None]
#: (the server's connection, the request's connection) → what takes the request, as `Application.start_request`.
StartRequest = Callable[[object, Any], HTTPMessageDelegate]

log = logging.getLogger("kms_tornado.auth")

#: Tornado parses them, and refuses what is malformed.
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
#: The longest target, in characters. Paths are remembered, and Tornado refuses a query with too many fields.
_LONGEST_TARGET = 512
#: As Tornado sends it.
_SERVER = f"Server: TornadoServer/{version}\r\n"


class FastExchange(HTTPMessageDelegate):
    """One request of a connection: looks at its head, and decides which way it goes."""

    __slots__ = (
        "_app", "_arrived", "_chunks", "_connection", "_find_route", "_handler", "_head", "_headers",
        "_long_way", "_path", "_path_args", "_principal", "_protocol", "_query", "_refusal", "_remote_ip",
        "_server_conn", "_start_line", "_start_long_way", "_task",
    )  # fmt: skip

    def __init__(
        self,
        app: Application,
        find_route: FindRoute,
        start_long_way: StartRequest,
        server_conn: object,
        connection: Any,
        head: AwaitedHead | None,
    ) -> None:
        """start_long_way: called where the request does not go the fast way."""
        self._app = app
        self._find_route = find_route
        self._start_long_way = start_long_way
        self._server_conn = server_conn
        self._connection = connection
        self._head = head
        self._long_way: HTTPMessageDelegate | None = None

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> Awaitable[None] | None:
        if self._head is not None:
            self._head.since = None
        if self._can_be_fast(start_line, headers) and self._check_token(headers):
            return None
        self._long_way = self._start_long_way(self._server_conn, self._connection)
        return self._long_way.headers_received(start_line, headers)

    def _can_be_fast(self, start_line: RequestStartLine, headers: HTTPHeaders) -> bool:
        method, target, version = start_line
        if len(target) > _LONGEST_TARGET:
            return False
        self._path, _, self._query = target.partition("?")
        route = self._find_route(self._path)
        if (
            route is None
            or method not in route[0].functions
            or version != "HTTP/1.1"
            or "%" in self._path
            or not _is_plain(headers)
            or self._connection.params.no_keep_alive
        ):
            return False
        self._handler, self._path_args = route
        self._start_line, self._headers = start_line, headers
        self._arrived = time.time()
        self._chunks: list[bytes] = []
        # At the end of the body, Tornado forgets what a proxy's headers said about them (xheaders).
        context = self._connection.context
        self._remote_ip, self._protocol = context.remote_ip, context.protocol
        return True

    def _check_token(self, headers: HTTPHeaders) -> bool:
        """Whether the token is decided about.

        A refusal is answered in `_call`, as the mixin would when the body is there.
        """
        self._principal: Principal | None = None
        self._refusal: Exception | None = None
        try:
            auth: RequestAuth = self._app.settings["bearer_auth"]
            facts = _Facts(self._make_handler)
            self._principal = auth.check_now(
                Credentials(headers.get_list("Authorization"), headers, facts=facts)
            )
        except Exception as exc:  # `_call` answers it; what is no refusal, with 500
            self._refusal = exc
            return True
        return self._principal is not None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if self._long_way is not None:
            return self._long_way.data_received(chunk)
        self._chunks.append(chunk)
        return None

    def on_connection_close(self) -> None:
        if self._long_way is not None:
            self._long_way.on_connection_close()

    def finish(self) -> None:
        if self._long_way is not None:
            self._long_way.finish()
        else:
            # The other connections read their requests first. One step for all of them in a row takes less time
            # than all steps for each of them, as its code stays in the processor's caches.
            asyncio.get_running_loop().call_soon(self._call)

    def _call(self) -> None:
        method, principal = self._start_line.method, self._principal
        if principal is None:
            self._answer_by_handler(FastRouteHandler.answer_refused, self._refusal)
            return
        try:
            result = self._handler.functions[method](
                FastRequest(
                    principal,
                    method,
                    self._path,
                    self._path_args,
                    self._query,
                    self._headers,
                    b"".join(self._chunks),
                    self._remote_ip,
                )
            )
            if not isinstance(result, FastAnswer) and inspect.isawaitable(result):
                self._task = asyncio.ensure_future(self._wait_for(result))
                return
            answer = self._format(result)
        except Exception as exc:  # the application's code: as Tornado does
            self._answer_by_handler(FastRouteHandler.answer_failed, exc)
        else:
            self._send(*answer)

    async def _wait_for(self, result: Awaitable[FastResult]) -> None:
        try:
            answer = self._format(await result)
        except (Exception, asyncio.CancelledError) as exc:  # as Tornado does
            self._answer_by_handler(FastRouteHandler.answer_failed, exc)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
        else:
            self._send(*answer)

    def _format(self, result: FastResult) -> tuple[int, bytes]:
        """The status, and everything that is sent."""
        answer = make_answer(result)
        headers, body = answer.encode()
        head = format_head_start(answer.status, int(time.time()), _SERVER)
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if self._start_line.method == "HEAD":
            body = b""
        return answer.status, f"{head}{lines}\r\n".encode("latin-1") + body

    def _send(self, status: int, data: bytes) -> None:
        connection = self._connection
        if not connection.stream.closed():  # else the client has left
            connection.write(data)
            connection.finish()
        if status >= 400 or "log_function" in self._app.settings:
            handler = self._make_handler()
            handler.set_status(status)
            self._app.log_request(handler)
        elif access_log.isEnabledFor(logging.INFO):  # as Tornado does, without a handler
            method, target, _ = self._start_line
            milliseconds = 1000 * (time.time() - self._arrived)
            access_log.info(
                "%d %s %s (%s) %.2fms", status, method, target, self._remote_ip, milliseconds
            )

    def _answer_by_handler(
        self, answer: Callable[[FastRouteHandler, BaseException], None], error: BaseException | None
    ) -> None:
        assert error is not None
        try:
            answer(self._make_handler(), error)
        except Exception:  # without an answer the client would wait for ever
            log.exception("a request of the fast way could not be answered")
            self._connection.close()

    def _make_handler(self) -> FastRouteHandler:
        request = HTTPServerRequest(
            connection=self._connection,
            start_line=self._start_line,
            headers=self._headers,
            body=b"".join(self._chunks),
            server_connection=self._server_conn,
        )
        request.remote_ip, request.protocol = self._remote_ip, self._protocol
        request._start_time = self._arrived
        handler = self._handler(self._app, request)
        handler.accept_checked(self._principal)
        return handler


class _Facts(HandlerFacts):
    """The facts of a request, for which a handler is made only if somebody asks for them."""

    __slots__ = ("_make_handler",)

    def __init__(self, make_handler: Callable[[], FastRouteHandler]) -> None:
        self._make_handler = make_handler

    @property
    def _handler(self) -> FastRouteHandler:  # type: ignore[override]
        return self._make_handler()


def _is_plain(headers: HTTPHeaders) -> bool:
    """Whether nothing in the headers asks for more than an answer."""
    get_list = headers.get_list
    host, connection, media_type = map(get_list, ("Host", "Connection", "Content-Type"))
    return (
        len(host) == 1
        and PLAIN_HOST.fullmatch(host[0]) is not None
        and not get_list("Transfer-Encoding")
        and not get_list("Expect")
        and len(get_list("Authorization")) == 1
        and (not connection or connection[0].lower() == "keep-alive")
        and not (media_type and media_type[0].startswith(_FORMS))
    )
