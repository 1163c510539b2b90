"""Handlers of applications whose overrides need what their `prepare` sets, in every arrangement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tornado.web import RequestHandler, StaticFileHandler, stream_request_body
from tornado.websocket import WebSocketHandler

from kms_tornado.web.bearer.mixin import BearerAuthMixin, BearerRequestHandler
from kms_tornado.web.bearer.required_claims import requires

#: Methods of Tornado's that an application overrides. Each override here fails before `prepare` has run.
HOOKS = (
    "finish", "write", "write_error", "send_error", "set_status", "set_header", "add_header", "clear_header",
    "flush", "on_finish", "log_exception", "get_current_user", "data_received", "on_connection_close",
    "compute_etag", "decode_argument", "check_xsrf_cookie", "_log", "_request_summary", "_handle_request_exception",
    "get_status", "render", "redirect", "xsrf_form_html", "current_user", "__getattr__",
)  # fmt: skip
#: No super() has them, or answers.
NOTHING_ABOVE = ("current_user", "__getattr__")
#: What Tornado calls while it makes the handler, so that an override that fails makes none.
MADE_BY = ("initialize", "set_default_headers", "clear")

ARRANGEMENTS = ("mixin first", "mixin last", "subclass", "WebSocket", "static files", "streamed")


@dataclass(frozen=True)
class HostClass:
    """hook: what is overridden. calls_super: whether what Tornado does is done as well."""

    hook: str
    calls_super: bool
    arrangement: str

    @property
    def path(self) -> str:
        words = f"{self.hook} {'super' if self.calls_super else 'alone'} {self.arrangement}"
        return "/" + words.replace(" ", "-")


def host_classes() -> Iterator[HostClass]:
    """Each override with and without super(), each in two arrangements, all of which come equally often."""
    kinds = [(hook, calls_super) for hook in HOOKS + MADE_BY for calls_super in (True, False)]
    for hook in NOTHING_ABOVE:
        kinds.remove((hook, True))
    for number, (hook, calls_super) in enumerate(kinds):
        arrangements = {ARRANGEMENTS[(number + step) % len(ARRANGEMENTS)] for step in (0, 3)}
        if hook in {"data_received", "on_connection_close"}:
            arrangements.add("streamed")  # Tornado calls them in no other
        for arrangement in sorted(arrangements):
            yield HostClass(hook, calls_super, arrangement)


def make_override(owner: list[type], hook: str, calls_super: bool) -> Any:
    """A function in place of `hook`, for the class that will be the one of `owner`."""

    def override(self: Any, *args: Any, **kwargs: Any) -> Any:
        if hook in MADE_BY and not hasattr(self, "_transforms"):
            return getattr(super(owner[0], self), hook)(*args, **kwargs)  # in the constructor
        assert self.session  # AttributeError before `prepare`
        return getattr(super(owner[0], self), hook)(*args, **kwargs) if calls_super else None

    if hook == "current_user":
        return property(lambda self: self.session)
    if hook == "__getattr__":  # before `prepare`, it asks itself for ever
        return lambda self, name: getattr(self.session, name)
    return override


def _methods() -> dict[str, Callable[..., Any]]:
    """The same for all: GET is synchronous, POST is not, PUT and PATCH need a scope, DELETE no token."""

    def get(self: Any, *args: str) -> None:
        self.write(f"hello {self.session}")

    async def post(self: Any, *args: str) -> None:
        await asyncio.sleep(0)
        self.write(f"hello {self.session}")

    def put(self: Any, *args: str) -> None:
        self.write("never")

    async def patch(self: Any, *args: str) -> None:
        self.write("never")

    return {
        "public_methods": ("DELETE",), "delete": get, "get": get, "post": post, "put": requires(scope="w")(put), "patch": requires(scope="w")(patch),
        "data_received": lambda self, chunk: None,
    }  # fmt: skip


def make_handler(host: HostClass) -> type[RequestHandler]:
    def prepare(self: Any) -> None:
        self.session = "session"

    async def prepare_later(self: Any) -> None:
        await asyncio.sleep(0)
        self.session = "session"

    owner: list[type] = []
    overrides = {
        "prepare": prepare_later if host.calls_super else prepare,
        host.hook: make_override(owner, host.hook, host.calls_super),
    }
    tornados = {"WebSocket": WebSocketHandler, "static files": StaticFileHandler}
    root: Any = tornados.get(host.arrangement, RequestHandler)
    methods = type("Methods", (RequestHandler,), _methods())
    if host.arrangement in {"subclass", "streamed"}:
        middle = type("Middle", (BearerRequestHandler,), _methods())
        owner.append(type("Host", (middle,), overrides))
        made = owner[0]
    else:
        bases = (methods,) if root is RequestHandler else (methods, root)
        owner.append(type("Base", bases, overrides))
        first = host.arrangement in {"mixin first", "static files"}
        pair = (BearerAuthMixin, owner[0]) if first else (owner[0], BearerAuthMixin)
        made = type("Host", pair, {"public_methods": ("DELETE",)})
    return stream_request_body(made) if host.arrangement == "streamed" else made
