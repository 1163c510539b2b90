"""BearerApplication: an application in which some routes bypass Tornado's request handlers."""

# How a fast route works
# ======================
#
# Tornado hands each request of a connection to an `HTTPServerConnectionDelegate`. An `Application` is one: it
# parses the query, finds a route, makes a `RequestHandler`, and runs it in a task. For a small answer this takes
# a third of the whole time. So `BearerApplication` looks at the head of a request first, and by that alone decides
# which of two ways it goes:
#
#     connection ─ FastExchange ─┬─ the fast way: the function ─────────────────────────────┬─ answer
#                                └─ the long way: Application ─ FastRouteHandler: function ─┘
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
# tests/web/bearer/fast_routes/test_application.py sends the same requests both ways and compares the answers.

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tornado.httputil import HTTPMessageDelegate
from tornado.web import Application, OutputTransform

from ..fast_request import FastFunction
from ..tornado_internals import FAST_ROUTES, check_tornado
from .exchange import FastExchange
from .handler import FastRouteHandler, make_specs
from .head_timeouts import HeadTimeouts

_REMEMBERED_PATHS = 1024


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
        specs = make_specs(fast_routes)
        super().__init__([*specs, *(handlers or [])], default_host, transforms, **settings)

        @lru_cache(_REMEMBERED_PATHS)
        def find(path: str) -> tuple[type[FastRouteHandler], tuple[str, ...]] | None:
            for spec in specs:
                if match := spec.regex.match(path):
                    return spec.handler_class, tuple([group or "" for group in match.groups()])
            return None

        self._find_fast_route = find
        self._head_timeouts = HeadTimeouts()

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        """Called by Tornado for each request."""
        head = self._head_timeouts.start(server_conn, request_conn)
        return FastExchange(
            self, self._find_fast_route, self.start_long_way, server_conn, request_conn, head
        )

    def start_long_way(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        """What Tornado does for each request."""
        return super().start_request(server_conn, request_conn)
