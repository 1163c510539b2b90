"""BearerApplication: an application in which some routes bypass Tornado's request handlers."""

# How a fast route works
# ======================
#
# Tornado hands each request of a connection to an `HTTPServerConnectionDelegate`. An `Application` is one: it
# parses the query, finds a route, makes a `RequestHandler`, and runs it in a task. For a small answer this takes
# a third of the whole time. So `BearerApplication` looks at the head of a request first, and by that alone decides
# which of two ways it goes:
#
#     connection ─ _Request ─┬─ the fast way: the function ─────────────────────┬─ answer
#                            └─ the long way: Application ─ _Handler: function ─┘
#
# A request goes the fast way if all of this is so:
#
# - Method and path are those of a fast route, the target is not long, and there is no percent sign in the path.
# - HTTP/1.1, a Host that is clearly one name or address, no Transfer-Encoding, no Expect, no form.
# - One Authorization header, about which `BearerAuth` can decide without waiting.
#
# Whatever is unusual goes the long way, where the same function is called by a handler with `BearerAuthMixin`. On
# the fast way, what is no answer of the function is answered by such a handler as well, made for the purpose: a
# refusal of the token or of `requires`, Tornado's error page for another exception, each with its lines in the logs.
#
# tests/web/bearer/test_fast_routes.py sends the same requests both ways and compares the answers.

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from http.client import responses
from typing import Any, ClassVar

from tornado import version
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    format_timestamp,
)
from tornado.log import access_log
from tornado.routing import URLSpec
from tornado.web import Application, Finish, OutputTransform

from ...argument_types import check_type
from ...auth.credentials import Credentials
from ...auth.principal import Principal
from ...auth.request_auth import RequestAuth
from ...errors import AuthenticationError, Unavailable
from .fast_request import FastAnswer, FastFunction, FastRequest, FastResult, make_answer
from .head_timeouts import AwaitedHead, HeadTimeouts
from .mixin import BearerRequestHandler
from .refusals import refuse
from .request_facts import HandlerFacts
from .tornado_internals import FAST_ROUTES, check_tornado

log = logging.getLogger("kms_tornado.auth")

#: Values of Host that are clearly one host name or address. The long way decides about all others.
PLAIN_HOST = re.compile(
    r"[A-Za-z0-9.-]{1,255}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?"
)
#: Tornado parses them, and refuses what is malformed.
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_REMEMBERED_PATHS = 1024
#: The longest target, in characters. Paths are remembered, and Tornado refuses a query with too many fields.
_LONGEST_TARGET = 512


class BearerApplication(Application):
    """A Tornado application with routes for hot requests, each a function of a `FastRequest`.

    fast_routes: {(method, path): function}. A path is a pattern, as Tornado's routes have it, with groups that
    have no names. All of them need a good bearer token; ``@requires`` guards a function as it does a method. The
    other arguments are those of `tornado.web.Application`, whose routes come after the fast ones.
    Raises TypeError for a method that Tornado does not know, for named groups, and for what is no function.
    """

    def __init__(
        self,
        handlers: Any = None,
        default_host: str | None = None,
        transforms: list[type[OutputTransform]] | None = None,
        *,
        fast_routes: Mapping[tuple[str, str], FastFunction],
        **settings: Any,
    ) -> None:
        check_tornado(FAST_ROUTES)
        specs = _make_specs(fast_routes)
        super().__init__([*specs, *(handlers or [])], default_host, transforms, **settings)

        @lru_cache(_REMEMBERED_PATHS)
        def find(path: str) -> tuple[type[_Handler], tuple[str, ...]] | None:
            for spec in specs:
                if match := spec.regex.match(path):
                    return spec.handler_class, tuple([group or "" for group in match.groups()])
            return None

        #: A path → its handler and the groups of its pattern; None for one that is no fast route's.
        self.find_fast_route = find
        self._head_timeouts = HeadTimeouts()

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        """Called by Tornado for each request."""
        head = self._head_timeouts.start(server_conn, request_conn)
        return _Request(self, server_conn, request_conn, head)

    def start_long_way(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        """What Tornado does for each request."""
        return super().start_request(server_conn, request_conn)


class _Handler(BearerRequestHandler):
    """Calls the functions of one path for requests that go the long way, and answers for functions that failed."""

    functions: ClassVar[Mapping[str, FastFunction]]

    async def call(self, *path_args: str | None) -> None:
        request = self.request
        assert self._principal is not None
        try:
            result = self.functions[str(request.method)](
                FastRequest(
                    self._principal,
                    str(request.method),
                    request.path,
                    tuple([arg or "" for arg in path_args]),
                    request.query,
                    request.headers,
                    request.body,
                    str(request.remote_ip),
                )
            )
            answer = make_answer(await result if inspect.isawaitable(result) else result)
        except (AuthenticationError, Unavailable) as exc:
            refuse(self, exc)
            raise Finish from None
        headers, body = answer.encode()
        self.set_status(answer.status)
        for name, value in headers.items():
            self.set_header(name, value)
        self.finish(body or None)

    def compute_etag(self) -> None:
        """None, because the fast way has no ETag either."""

    def accept_checked(self, principal: Principal | None) -> None:
        """Stand in for a request of the fast way. principal: None where it is refused."""
        self._transforms = []
        self._principal = self._current_user = principal

    def answer_refused(self, error: BaseException) -> None:
        """Answer a request of the fast way whose token was refused, or could not be checked."""
        assert isinstance(error, Exception)
        refuse(self, error)

    def answer_failed(self, error: BaseException) -> None:
        """Answer a request of the fast way whose function raised this error; to be called in the ``except``."""
        if isinstance(error, (AuthenticationError, Unavailable)):
            refuse(self, error)
        else:
            self._handle_request_exception(error)


class _Request(HTTPMessageDelegate):
    """One request: looks at its head, and decides which way it goes."""

    __slots__ = (
        "_app", "_arrived", "_chunks", "_connection", "_handler", "_head", "_headers", "_long_way", "_path",
        "_path_args", "_principal", "_protocol", "_query", "_refusal", "_remote_ip", "_server_conn", "_start_line",
        "_task",
    )  # fmt: skip

    def __init__(
        self,
        app: BearerApplication,
        server_conn: object,
        connection: Any,
        head: AwaitedHead | None,
    ) -> None:
        self._app = app
        self._server_conn = server_conn
        self._connection = connection
        self._head = head
        self._long_way: HTTPMessageDelegate | None = None

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> Awaitable[None] | None:
        if self._head is not None:
            self._head.since = None
        if self._can_be_fast(start_line, headers) and self._check_token(headers):
            return None
        self._long_way = self._app.start_long_way(self._server_conn, self._connection)
        return self._long_way.headers_received(start_line, headers)

    def _can_be_fast(self, start_line: RequestStartLine, headers: HTTPHeaders) -> bool:
        method, target, version = start_line
        if len(target) > _LONGEST_TARGET:
            return False
        self._path, _, self._query = target.partition("?")
        route = self._app.find_fast_route(self._path)
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
            self._answer_by_handler(_Handler.answer_refused, self._refusal)
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
            self._answer_by_handler(_Handler.answer_failed, exc)
        else:
            self._send(*answer)

    async def _wait_for(self, result: Awaitable[FastResult]) -> None:
        try:
            answer = self._format(await result)
        except (Exception, asyncio.CancelledError) as exc:  # as Tornado does
            self._answer_by_handler(_Handler.answer_failed, exc)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
        else:
            self._send(*answer)

    def _format(self, result: FastResult) -> tuple[int, bytes]:
        """The status, and everything that is sent."""
        answer = make_answer(result)
        headers, body = answer.encode()
        head = _format_head(answer.status, int(time.time()))
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
        self, answer: Callable[[_Handler, BaseException], None], error: BaseException | None
    ) -> None:
        assert error is not None
        try:
            answer(self._make_handler(), error)
        except Exception:  # without an answer the client would wait for ever
            log.exception("a request of the fast way could not be answered")
            self._connection.close()

    def _make_handler(self) -> _Handler:
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

    def __init__(self, make_handler: Callable[[], _Handler]) -> None:
        self._make_handler = make_handler

    @property
    def _handler(self) -> _Handler:  # type: ignore[override]
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


@lru_cache(64)
def _format_head(status: int, second: int) -> str:
    """The status line, and the headers that all answers have."""
    reason = responses.get(status, "Unknown")
    date = format_timestamp(second)
    return f"HTTP/1.1 {status} {reason}\r\nServer: TornadoServer/{version}\r\nDate: {date}\r\n"


def _make_specs(fast_routes: Mapping[tuple[str, str], FastFunction]) -> list[URLSpec]:
    functions: dict[str, dict[str, FastFunction]] = {}
    check_type(fast_routes, Mapping, "fast_routes")
    for route, function in fast_routes.items():
        check_type(route, tuple[str, str], "fast_routes")
        method, path = route
        if method not in BearerRequestHandler.SUPPORTED_METHODS:
            raise TypeError(f"{method} is no HTTP method in capitals, such as GET: {path}")
        if not callable(function):
            raise TypeError(f"the fast route {method} {path} is no function of a FastRequest")
        functions.setdefault(path, {})[method] = function
    return [_make_spec(path, by_method) for path, by_method in functions.items()]


def _make_method(function: FastFunction) -> Callable[..., Awaitable[None]]:
    async def call(self: _Handler, *path_args: str | None) -> None:
        await self.call(*path_args)

    # The scopes that `requires` demands, for the challenge if no token comes.
    call._required_scope = getattr(function, "_required_scope", "")  # type: ignore[attr-defined]
    return call


def _make_spec(path: str, functions: Mapping[str, FastFunction]) -> URLSpec:
    methods = {method.lower(): _make_method(function) for method, function in functions.items()}
    handler = type("FastRouteHandler", (_Handler,), {"functions": functions, **methods})
    spec = URLSpec(path, handler)
    if spec.regex.groupindex:
        raise TypeError(f"a fast route has groups without names: {path}")
    return spec
