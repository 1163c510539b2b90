"""Handlers as applications write them, correct and careless ones, and what their refusals look like."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
from tornado.web import Application, RequestHandler, StaticFileHandler, stream_request_body
from tornado.websocket import WebSocketHandler

from kms_tornado.web.bearer.auth import BearerAuth
from kms_tornado.web.bearer.fast_request import (
    FastAnswer,
    FastFunction,
    FastRequest,
    FastResult,
)
from kms_tornado.web.bearer.fast_routes.application import BearerApplication
from kms_tornado.web.bearer.mixin import BearerAuthMixin, BearerRequestHandler
from kms_tornado.web.bearer.required_claims import requires

from ...issuer import Issuer
from ...support import Client, Response, running

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Calls:
    """What of a handler ran, for tests that want nothing of it to run."""

    ran: ClassVar[list[str]] = []


class Orders(BearerRequestHandler):
    """As an application writes it."""

    async def get(self) -> None:
        who = self.current_user
        self.write({"user": who.name, "claims": who.claims, "type": type(who).__name__})

    def post(self) -> None:
        Calls.ran.append("post")
        self.write({"user": self.current_user.name, "body": self.request.body.decode("latin-1")})

    head = delete = put = patch = options = post


class MyBase(RequestHandler):
    """An application's own base class."""

    def prepare(self) -> None:
        Calls.ran.append(f"prepare for {self.current_user and self.current_user.name}")

    def get(self, *args: str) -> None:
        self.write("base")


class MixinFirst(BearerAuthMixin, MyBase):
    def get(self, *args: str) -> None:
        Calls.ran.append("get")
        self.write(self.current_user.name)


class MixinLast(MyBase, BearerAuthMixin):
    def get(self, *args: str) -> None:
        Calls.ran.append("get")
        self.write(self.current_user.name)


class Inherited(BearerAuthMixin, MyBase):
    """Defines no method at all: its base's are guarded."""


class ForgetsEverything(BearerRequestHandler):
    """No super() anywhere."""

    def initialize(self) -> None:
        pass

    def prepare(self) -> None:
        Calls.ran.append("prepare")

    def on_finish(self) -> None:
        pass

    def set_default_headers(self) -> None:
        self.set_header("X-Mine", "1")

    def get_current_user(self) -> Any:
        return "somebody"

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish("mine")

    def data_received(self, chunk: bytes) -> None:
        pass

    def get(self) -> None:
        Calls.ran.append("get")
        self.write(str(self.current_user))


class AsyncPrepare(BearerRequestHandler):
    async def prepare(self) -> None:
        await asyncio.sleep(0)
        Calls.ran.append(f"prepare for {self.current_user.name}")

    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write(self.current_user.name)


class GrandChild(Orders):
    async def get(self) -> None:
        await super().get()


class Public(BearerRequestHandler):
    public_methods = ("GET", "OPTIONS")

    def get_current_user(self) -> Any:
        return "somebody"

    def get(self) -> None:
        self.write({"user": self.current_user})

    def options(self) -> None:
        self.set_status(204)

    def post(self) -> None:
        self.write(self.current_user.name)


class Scoped(BearerRequestHandler):
    def get(self) -> None:
        self.write("read")

    @requires(scope="orders:write")
    def post(self) -> None:
        Calls.ran.append("post")
        self.write("written")

    @requires(scope="a b", tenant=7, admin=True)
    async def put(self) -> None:
        self.write("all")


class PublicScoped(BearerRequestHandler):
    public_methods = ("GET",)

    @requires(scope="x")
    def get(self) -> None:
        Calls.ran.append("get")


class Names(BearerRequestHandler):
    def get(self, name: str, other: str = "") -> None:
        self.write(name)


class Dav(BearerRequestHandler):
    SUPPORTED_METHODS = (*BearerRequestHandler.SUPPORTED_METHODS, "PROPFIND")

    def propfind(self) -> None:
        self.write(self.current_user.name)


@stream_request_body
class Upload(BearerRequestHandler):
    def prepare(self) -> None:
        self.received = 0

    def data_received(self, chunk: bytes) -> None:
        Calls.ran.append("data")
        self.received += len(chunk)

    def post(self) -> None:
        self.write(f"{self.current_user.name} {self.received}")


class Echo(BearerAuthMixin, WebSocketHandler):
    def open(self, *args: str) -> None:
        Calls.ran.append("open")
        self.write_message(f"hello {self.current_user.name}")

    def on_message(self, message: str | bytes) -> None:
        self.write_message(f"{self.current_user.name}: {message!r}")


class EchoLast(WebSocketHandler, BearerAuthMixin):
    def open(self, *args: str) -> None:
        Calls.ran.append("open")
        self.write_message(f"hello {self.current_user.name}")

    def on_message(self, message: str | bytes) -> None:
        self.write_message(f"{self.current_user.name}: {message!r}")


class Files(BearerAuthMixin, StaticFileHandler):
    pass


class FilesLast(StaticFileHandler, BearerAuthMixin):
    pass


class Bypassed(BearerRequestHandler):
    """Its authentication is gone, as after a Tornado that no longer calls `_execute`."""

    _execute = RequestHandler._execute

    def get(self) -> None:
        Calls.ran.append("get")

    head = post = put = patch = delete = options = get


def order(request: FastRequest) -> FastResult:
    """As `Orders` does."""
    who = request.principal
    if request.method == "GET":
        return {"user": who.name, "claims": who.claims, "type": type(who).__name__}
    Calls.ran.append("post")
    return {"user": who.name, "body": request.body.decode("latin-1")}


async def read(request: FastRequest) -> FastResult:
    return "read"


@requires(scope="orders:write")
def write(request: FastRequest) -> FastResult:
    Calls.ran.append("post")
    return b"written"


@requires(scope="a b", tenant=7, admin=True)
async def write_all(request: FastRequest) -> FastResult:
    await asyncio.sleep(0)
    return FastAnswer("all")


#: In the place of handlers of `routes`, whose tests they pass.
FAST_ROUTES: dict[tuple[str, str], FastFunction] = {
    **{(method, "/orders"): order for method in METHODS},
    ("GET", "/scoped"): read,
    ("POST", "/scoped"): write,
    ("PUT", "/scoped"): write_all,
    ("GET", "/path/([^/]*)"): lambda request: request.path_args[0],
}


class Host:
    """A server under test and its issuer."""

    def __init__(self, issuer: Issuer, client: Client, auth: BearerAuth) -> None:
        self.issuer, self.client, self.auth = issuer, client, auth

    def token(self, **changes: Any) -> str:
        return self.issuer.token(**{"aud": "kms", **changes})


def routes(directory: str) -> list[Any]:
    return [
        ("/orders", Orders), ("/first", MixinFirst), ("/last", MixinLast), ("/inherited", Inherited),
        ("/forgets", ForgetsEverything), ("/async", AsyncPrepare), ("/child", GrandChild), ("/public", Public),
        ("/scoped", Scoped), ("/publicscoped", PublicScoped), ("/path/([^/]*)", Names), ("/dav", Dav),
        ("/upload", Upload), ("/echo", Echo), ("/echolast", EchoLast), ("/bypassed", Bypassed),
        ("/files/(.*)", Files, {"path": directory}), ("/fileslast/(.*)", FilesLast, {"path": directory}),
    ]  # fmt: skip


@contextlib.contextmanager
def hosting(
    tmp_path_factory: pytest.TempPathFactory, fast_routes: Mapping[tuple[str, str], FastFunction]
) -> Iterator[Host]:
    directory = tmp_path_factory.mktemp("files")
    (directory / "a.txt").write_text("content")
    with Issuer("ES256") as issuer:
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")

        def make_app() -> Application:
            handlers = routes(str(directory))
            if not fast_routes:
                return Application(handlers, bearer_auth=auth)
            return BearerApplication(handlers, fast_routes=fast_routes, bearer_auth=auth)

        with running(make_app, auth) as client:
            yield Host(issuer, client, auth)
        assert client.tasks_left == [], "tasks that outlive stop()"


def is_refused(answer: Response, status: int, error: str | None) -> None:
    assert answer.status == status, answer.body
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="kms"')
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    if error is None:
        assert "error" not in challenge
    else:
        assert f'error="{error}"' in challenge
    if answer.body:
        body = answer.json()
        assert set(body) == {"error", "error_description"}
        if error is not None:
            assert body["error"] == error
            assert f'error_description="{body["error_description"]}"' in challenge


def parse_response(data: bytes) -> Response:
    class Sock:
        def makefile(self, *_: Any) -> Any:
            return io.BytesIO(data)

    answer = http.client.HTTPResponse(Sock())  # type: ignore[arg-type]
    answer.begin()
    return Response(answer.status, answer.headers, answer.read())
