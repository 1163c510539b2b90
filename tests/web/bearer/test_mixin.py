"""What an application that embeds the token check can rely on (CONTRACT §3 and §6), over sockets."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import http.client
import io
import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tornado.httpclient import HTTPRequest
from tornado.web import Application, RequestHandler, StaticFileHandler, stream_request_body
from tornado.websocket import WebSocketHandler, websocket_connect

from kms_tornado.auth.issuer import RefreshPolicy, TrustedIssuer, TrustSettings
from kms_tornado.auth.principal import Principal
from kms_tornado.web.bearer.auth import BearerAuth
from kms_tornado.web.bearer.mixin import BearerAuthMixin, BearerRequestHandler, requires

from ...issuer import Issuer, response
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


@pytest.fixture(scope="module")
def module_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    directory = tmp_path_factory.mktemp("files")
    (directory / "a.txt").write_text("content")
    with Issuer("ES256") as issuer:
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")
        with running(lambda: Application(routes(str(directory)), bearer_auth=auth), auth) as client:
            yield Host(issuer, client, auth)
        assert client.state["left"] == [], "tasks that outlive stop()"  # type: ignore[attr-defined]


@pytest.fixture
def host(module_host: Host) -> Host:
    Calls.ran.clear()
    return module_host


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


# --- who gets in --------------------------------------------------------------------------------------


def test_a_good_token_makes_the_current_user_a_principal(host: Host) -> None:
    answer = host.client.get("/orders", token=host.token(roles=["a"], org={"id": 1}))
    assert answer.status == 200
    body = answer.json()
    assert (body["user"], body["type"]) == ("alice", "Principal")
    assert body["claims"]["roles"] == ["a"]
    assert dataclasses.is_dataclass(Principal)


@pytest.mark.parametrize("path", ["/orders", "/first", "/last", "/inherited", "/forgets", "/async", "/child", "/scoped",
                                  "/path/x", "/upload", "/echo", "/echolast", "/files/a.txt", "/fileslast/a.txt", "/dav"])  # fmt: skip
def test_without_a_token_nothing_of_any_handler_runs(host: Host, path: str) -> None:
    for method in METHODS:
        answer = host.client.request(method, path)
        is_refused(answer, 401, None)
    assert Calls.ran == []


@pytest.mark.parametrize(
    "path",
    [
        "/orders",
        "/first",
        "/last",
        "/forgets",
        "/async",
        "/child",
        "/files/a.txt",
        "/fileslast/a.txt",
        "/path/x",
    ],
)
def test_with_a_good_token_every_handler_runs(host: Host, path: str) -> None:
    answer = host.client.get(path, token=host.token())
    assert answer.status == 200
    assert b"alice" in answer.body or b"content" in answer.body or answer.body == b"x"
    assert "WWW-Authenticate" not in answer.headers


def test_the_check_runs_before_the_handlers_own_prepare(host: Host) -> None:
    for path in ("/first", "/last", "/async"):
        assert host.client.get(path, token=host.token()).status == 200
    assert [call for call in Calls.ran if call.startswith("prepare")] == ["prepare for alice"] * 3


def test_a_handler_without_methods_of_its_own_guards_those_of_its_base(host: Host) -> None:
    assert host.client.get("/inherited", token=host.token()).text == "base"
    is_refused(host.client.get("/inherited"), 401, None)


def test_get_current_user_of_a_subclass_lets_nobody_in(host: Host) -> None:
    is_refused(host.client.get("/forgets"), 401, None)
    assert "name='alice'" in host.client.get("/forgets", token=host.token()).text


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_method_reached_without_authentication_refuses_to_run(host: Host, method: str) -> None:
    """The second line of defence, alone."""
    for token in (None, host.token()):
        is_refused(host.client.request(method, "/bypassed", token=token), 401, None)
    assert Calls.ran == []


# --- the header ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "status", "error"),
    [
        pytest.param([], 401, None, id="no header"),
        pytest.param(["Basic YTpi"], 401, None, id="another scheme"),
        pytest.param(["TOKEN"], 401, None, id="a token without scheme"),
        pytest.param([""], 400, "invalid_request", id="an empty header"),
        pytest.param(["Bearer"], 400, "invalid_request", id="an empty token"),
        pytest.param(["Bearer TOKEN TOKEN"], 400, "invalid_request", id="two tokens"),
        pytest.param(["Bearer TOKEN,"], 400, "invalid_request", id="a comma"),
        pytest.param(["Bearer TOKEN", "Bearer TOKEN"], 400, "invalid_request", id="two headers"),
        pytest.param(["Basic YTpi", "Bearer TOKEN"], 400, "invalid_request", id="two headers, one good"),
        pytest.param(["Bearer TOKEN", ""], 400, "invalid_request", id="two headers, one empty"),
        pytest.param(["Bearer caf\xe9"], 400, "invalid_request", id="Latin-1"),
        pytest.param(["Bearer x.y.z"], 401, "invalid_token", id="no JWT"),
        pytest.param(["Bearer " + "A" * 20_000], 401, "invalid_token", id="a long token"),
        pytest.param(["Bearer TOKEN="], 401, "invalid_token", id="a padded token"),
    ],
)  # fmt: skip
def test_the_header_decides_the_status(
    host: Host, values: list[str], status: int, error: str | None
) -> None:
    is_refused(raw_get(host, values), status, error)


@pytest.mark.parametrize(
    "values", [["Bearer TOKEN"], ["bearer TOKEN"], ["BEARER   TOKEN"], ["  Bearer TOKEN  "]]
)
def test_the_twins_that_pass(host: Host, values: list[str]) -> None:
    assert raw_get(host, values).status == 200


def raw_get(host: Host, values: list[str]) -> Response:
    lines = "".join(f"Authorization: {v.replace('TOKEN', host.token())}\r\n" for v in values)
    return parsed(
        host.client.raw(
            f"GET /orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n".encode("latin-1")
        )
    )


def parsed(data: bytes) -> Response:
    class Sock:
        def makefile(self, *_: Any) -> Any:
            return io.BytesIO(data)

    answer = http.client.HTTPResponse(Sock())  # type: ignore[arg-type]
    answer.begin()
    return Response(answer.status, answer.headers, answer.read())


def test_tokens_in_the_query_the_body_or_a_cookie_are_not_read(host: Host) -> None:
    good = host.token()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for answer in (
        host.client.get(f"/orders?access_token={good}"),
        host.client.post("/orders", body=f"access_token={good}".encode(), headers=form),
        host.client.get("/orders", headers={"Cookie": f"access_token={good}; token={good}"}),
        host.client.get(
            "/orders", headers={"X-Access-Token": good, "Proxy-Authorization": f"Bearer {good}"}
        ),
    ):
        is_refused(answer, 401, None)
    both = host.client.get(f"/orders?access_token={host.token(sub='bob')}", token=good)
    assert both.json()["user"] == "alice"


# --- before the method and the body ---------------------------------------------------------------------


def test_the_token_is_checked_before_the_method(host: Host) -> None:
    for method in ("FOO", "PROPFIND", "CONNECT", "TRACE"):
        is_refused(host.client.request(method, "/orders"), 401, None)
        assert host.client.request(method, "/orders", token=host.token()).status == 405
    is_refused(host.client.post("/first"), 401, None)
    assert host.client.post("/first", token=host.token()).status == 405


def test_a_method_of_ones_own_is_guarded_too(host: Host) -> None:
    is_refused(host.client.request("PROPFIND", "/dav"), 401, None)
    assert host.client.request("PROPFIND", "/dav", token=host.token()).text == "alice"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
        ("multipart/form-data", b"no boundary"),
        ("application/x-www-form-urlencoded", b"a=%ff%&&;=\xff"),
        ("application/json", b"{"),
    ],
)
def test_the_token_is_checked_before_the_body(host: Host, content_type: str, body: bytes) -> None:
    headers = {"Content-Type": content_type}
    is_refused(host.client.post("/orders", body=body, headers=headers), 401, None)
    assert host.client.post("/orders", body=body, headers=headers, token=host.token()).status in {
        200,
        400,
    }


def test_the_token_is_checked_before_the_path_is_decoded(host: Host) -> None:
    is_refused(host.client.get("/path/%ff"), 401, None)
    assert host.client.get("/path/%ff", token=host.token()).status == 400
    assert host.client.get("/path/%20", token=host.token()).text == " "


def test_a_file_outside_the_directory_is_no_way_around(host: Host) -> None:
    for path in ("/files/../a.txt", "/files/%2e%2e/x", "/files//etc/passwd", "/files/absent"):
        is_refused(host.client.get(path), 401, None)
        assert host.client.get(path, token=host.token()).status in {403, 404}
    is_refused(
        host.client.get("/files/a.txt", headers={"If-None-Match": "*", "Range": "bytes=0-1"}),
        401,
        None,
    )
    is_refused(host.client.request("HEAD", "/files/a.txt"), 401, None)


def test_a_streamed_body_is_received_only_with_a_token(host: Host) -> None:
    body = b"x" * 300_000
    is_refused(host.client.post("/upload"), 401, None)
    answer = host.client.raw(
        b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
        + b"GET /orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )  # fmt: skip
    assert answer.startswith(b"HTTP/1.1 401")
    assert Calls.ran == []
    assert host.client.post("/upload", body=body, token=host.token()).text == f"alice {len(body)}"
    assert "data" in Calls.ran


def test_a_streamed_upload_is_refused_before_its_body_was_sent(host: Host) -> None:
    with socket.create_connection(("127.0.0.1", host.client.port), timeout=5) as sock:
        sock.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 401")


# --- public methods and scopes --------------------------------------------------------------------------


def test_public_methods_need_no_token_and_the_others_do(host: Host) -> None:
    for token in (None, host.token(), "x.y.z"):
        answer = host.client.get("/public", token=token)
        assert (answer.status, answer.json()) == (200, {"user": None})
    assert host.client.request("OPTIONS", "/public").status == 204
    for method in ("POST", "HEAD", "PUT", "DELETE", "PATCH", "get"):
        is_refused(host.client.request(method, "/public"), 401, None)
    assert host.client.post("/public", token=host.token()).text == "alice"


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"scope": "orders:write"}, 200), ({"scope": "orders:read orders:write"}, 200), ({"scp": "orders:write"}, 200),
        ({"scp": ["orders:write"]}, 200), ({}, 403), ({"scope": "orders:writer"}, 403), ({"scope": "orders"}, 403),
        ({"scope": ""}, 403), ({"scope": ["orders write"]}, 403), ({"roles": "orders:write"}, 403), ({"scope": {"orders:write": 1}}, 403),
    ],
)  # fmt: skip
def test_requires_guards_one_method(host: Host, claims: dict[str, Any], status: int) -> None:
    answer = host.client.post("/scoped", token=host.token(**claims))
    assert answer.status == status
    if status == 403:
        is_refused(answer, 403, "insufficient_scope")
    assert Calls.ran == (["post"] if status == 200 else [])
    assert host.client.get("/scoped", token=host.token(**claims)).text == "read", (
        "the others are as they were"
    )


def test_requires_wants_all_that_it_names(host: Host) -> None:
    good = {"scope": "b x a", "tenant": 7, "admin": True}
    assert host.client.request("PUT", "/scoped", token=host.token(**good)).text == "all"
    for change in (
        {"scope": "a"},
        {"scope": "b"},
        {"tenant": "7"},
        {"tenant": 8},
        {"admin": 1},
        {"admin": "true"},
        {"admin": False},
    ):
        is_refused(
            host.client.request("PUT", "/scoped", token=host.token(**{**good, **change})),
            403,
            "insufficient_scope",
        )


def test_requires_on_a_public_method_lets_nobody_in(host: Host) -> None:
    is_refused(host.client.get("/publicscoped"), 401, None)
    assert Calls.ran == []


def test_requires_without_a_token_is_401_not_403(host: Host) -> None:
    is_refused(host.client.post("/scoped"), 401, None)
    is_refused(host.client.post("/scoped", token=host.token(exp=1)), 401, "invalid_token")


# --- what is said ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exp": 1}, "token expired"), ({"aud": "x"}, "audience not accepted"), ({"aud": None}, "audience not accepted"),
        ({"iss": "https://evil.example/"}, "unknown issuer"), ({"nbf": 99_999_999_999}, "token not yet valid"),
        ({"sub": None}, "a required claim is missing"), ({"sub": ""}, "a claim has a wrong type or value"),
        ({"header": {"alg": "HS256"}}, "signature algorithm not accepted"), ({"header": {"typ": "x"}}, "token type not accepted"),
        ({"header": {"kid": "x"}}, "unknown signing key"), ({"header": {"crit": ["x"]}}, "token malformed"),
    ],
)  # fmt: skip
def test_a_few_fixed_words_say_which_check_failed(
    host: Host, changes: dict[str, Any], words: str
) -> None:
    answer = host.client.get("/orders", token=host.token(**changes))
    is_refused(answer, 401, "invalid_token")
    assert answer.json()["error_description"] == words


def test_neither_answers_nor_logs_hold_a_token_or_expected_values(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for changes in (
        {},
        {"exp": 1},
        {"aud": "their-audience"},
        {"iss": "https://evil.example/"},
        {"header": {"kid": "evil-kid"}},
    ):
        text = host.token(**changes)
        answer = host.client.get("/orders", token=text)
        for secret in (*text.split("."), "their-audience", "evil"):
            if answer.status != 200:
                assert secret not in answer.text + str(answer.headers)
            assert secret not in caplog.text
        assert "kms" not in answer.json().get("error_description", "")
    raw_get(host, ["Bearer TOKEN x"])
    raw_get(host, ["TOKEN"])
    assert host.token().split(".")[0] not in caplog.text


def test_a_realm_of_ones_own_and_the_metadata_are_in_the_challenge() -> None:
    class WithMetadata(Orders):
        def resource_metadata_url(self) -> str:
            return "https://api.example/.well-known/oauth-protected-resource"

    with Issuer("ES256") as issuer:
        auth = BearerAuth.from_issuer(issuer.uri, audience="a", realm="my realm")
        with running(lambda: Application([("/", WithMetadata)], bearer_auth=auth), auth) as client:
            assert client.get("/").headers["WWW-Authenticate"] == (
                'Bearer realm="my realm", '
                'resource_metadata="https://api.example/.well-known/oauth-protected-resource"'
            )


# --- web sockets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/echo", "/echolast"])
@pytest.mark.parametrize(
    ("offered", "status"),
    [
        pytest.param({}, 401, id="no token"),
        pytest.param({"Authorization": "Bearer x.y.z"}, 401, id="a bad token"),
        pytest.param({"Authorization": "Bearer"}, 400, id="an empty token"),
        pytest.param(
            {"Sec-WebSocket-Protocol": "bearer, TOKEN"}, 401, id="a token in the subprotocol"
        ),
        pytest.param({"Cookie": "token=TOKEN"}, 401, id="a token in a cookie"),
        pytest.param({"Authorization": "Bearer TOKEN"}, 101, id="the twin that passes"),
    ],
)
def test_a_web_socket_is_not_opened_without_a_token(
    host: Host, path: str, offered: dict[str, str], status: int
) -> None:
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **{name: value.replace("TOKEN", host.token()) for name, value in offered.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", host.client.port), timeout=5) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
        answer = sock.recv(65536)
        while status == 101 and b"hello alice" not in answer:
            answer += sock.recv(65536)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert (b"www-authenticate: bearer" in answer.lower()) is (status != 101)
    assert Calls.ran == (["open"] if status == 101 else [])


@pytest.mark.parametrize("path", ["/echo", "/echolast"])
def test_in_a_web_socket_the_current_user_is_the_principal(host: Host, path: str) -> None:
    async def talk() -> None:
        url = f"ws://127.0.0.1:{host.client.port}{path}"
        headers = {"Authorization": f"Bearer {host.token()}"}
        connection = await websocket_connect(HTTPRequest(url, headers=headers))
        assert await connection.read_message() == "hello alice"
        await connection.write_message("hi")
        assert await connection.read_message() == "alice: 'hi'"
        stream = connection.stream
        connection.close()
        assert await connection.read_message() is None
        stream.close()

    asyncio.run(talk())


# --- without keys, and set up wrongly ---------------------------------------------------------------------


@contextlib.contextmanager
def serving(auth: Any, *resources: Any, route: Any = Orders) -> Iterator[Client]:
    with running(lambda: Application([("/orders", route)], bearer_auth=auth), *resources) as client:
        yield client


def test_without_keys_the_answer_is_503_with_a_time_to_come_back() -> None:
    with Issuer("ES256") as issuer:
        issuer.answers[issuer.jwks_path] = response(b"{}", "500 Oops")
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")
        with serving(auth, auth) as client:
            answer = client.get("/orders", token=issuer.token(aud="kms"))
            assert answer.status == 503
            assert "WWW-Authenticate" not in answer.headers
            assert 1 <= int(answer.headers["Retry-After"]) <= 30
            assert set(answer.json()) == {"error", "error_description"}
            is_refused(client.get("/orders"), 401, None)
            is_refused(
                client.get("/orders", token=issuer.token(iss="https://evil.example/")),
                401,
                "invalid_token",
            )
            is_refused(client.get("/orders", token="x.y.z"), 401, "invalid_token")
            is_refused(
                client.get("/orders", headers={"Authorization": "Bearer"}), 400, "invalid_request"
            )
        assert issuer.fetches == 1


def test_the_first_request_waits_for_the_first_keys() -> None:
    with Issuer("ES256") as issuer:

        async def late(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.2)
            writer.write(response({"keys": issuer.keys}))

        issuer.answers[issuer.jwks_path] = late
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")
        with serving(auth, auth) as client:
            assert client.get("/orders", token=issuer.token(aud="kms")).status == 200
        assert issuer.fetches == 1


def test_a_request_waits_no_longer_than_the_timeout_for_keys() -> None:
    with Issuer("ES256") as issuer:
        issuer.answers[issuer.jwks_path] = Issuer.silent
        auth = BearerAuth.from_issuer(
            issuer.uri, audience="kms", refresh=RefreshPolicy(timeout_s=0.3)
        )
        with serving(auth, auth) as client:
            begun = time.monotonic()
            assert client.get("/orders", token=issuer.token(aud="kms")).status == 503
            assert time.monotonic() - begun < 5


def test_not_started_it_refuses_every_token() -> None:
    with Issuer("ES256") as issuer:
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")
        with serving(auth) as client:
            assert client.get("/orders", token=issuer.token(aud="kms")).status == 503
            is_refused(client.get("/orders"), 401, None)
        assert issuer.fetches == 0


@pytest.mark.parametrize("setting", [None, "text", object(), 5])
def test_settings_without_a_bearer_auth_answer_500_and_never_run_the_handler(
    setting: Any, caplog: pytest.LogCaptureFixture
) -> None:
    Calls.ran.clear()
    with serving(setting) as client:
        assert client.post("/orders", timeout_s=5).status == 500
        assert client.post("/orders", token="x.y.z", timeout_s=5).status == 500
    assert Calls.ran == []
    assert any(record.levelno >= logging.ERROR for record in caplog.records)


def test_a_client_that_leaves_while_keys_are_fetched_disturbs_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Issuer("ES256") as issuer:

        async def late(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.3)
            writer.write(response({"keys": issuer.keys}))

        issuer.answers[issuer.jwks_path] = late
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")
        with serving(auth, auth) as client:
            with socket.create_connection(("127.0.0.1", client.port)) as sock:
                head = f"GET /orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {issuer.token(aud='kms')}\r\n\r\n"
                sock.sendall(head.encode())
            assert client.get("/orders", token=issuer.token(aud="kms")).status == 200
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_two_bearer_auths_in_one_process_do_not_know_each_other() -> None:
    with Issuer("ES256") as first, Issuer("ES256") as second:
        second.key_name = "second"
        second.rotate(keep_old=False)
        one = BearerAuth.from_issuer(first.uri, audience="kms")
        two = BearerAuth.from_issuer(second.uri, audience="kms")
        with serving(one, one) as a, serving(two, two) as b:
            assert a.get("/orders", token=first.token(aud="kms")).status == 200
            assert b.get("/orders", token=second.token(aud="kms")).status == 200
            is_refused(a.get("/orders", token=second.token(aud="kms")), 401, "invalid_token")
            is_refused(b.get("/orders", token=first.token(aud="kms")), 401, "invalid_token")


def test_several_issuers_behind_one_application() -> None:
    with Issuer("ES256") as first, Issuer("RS256") as second:
        auth = BearerAuth(
            TrustSettings(
                (TrustedIssuer(first.uri), TrustedIssuer(second.uri, audiences=frozenset({"b"})))
            )
        )
        with serving(auth, auth) as client:
            assert client.get("/orders", token=first.token()).status == 200
            assert client.get("/orders", token=second.token(aud="b")).status == 200
            is_refused(client.get("/orders", token=second.token(aud="a")), 401, "invalid_token")
            is_refused(
                client.get("/orders", token=first.token(iss=second.uri, aud="b")),
                401,
                "invalid_token",
            )


def test_a_flood_of_unknown_kids_reaches_the_issuer_once() -> None:
    with Issuer("ES256") as issuer:
        auth = BearerAuth.from_issuer(
            issuer.uri, audience="kms", refresh=RefreshPolicy(cooldown_s=0.5)
        )
        with serving(auth, auth) as client:
            good = issuer.token(aud="kms")
            assert client.get("/orders", token=good).status == 200
            time.sleep(0.55)
            before = issuer.fetches
            begun = time.monotonic()
            for number in range(100):
                is_refused(
                    client.get(
                        "/orders", token=issuer.token(aud="kms", header={"kid": f"x{number}"})
                    ),
                    401,
                    "invalid_token",
                )
            spent = time.monotonic() - begun
            assert 1 <= issuer.fetches - before <= 1 + spent / 0.5 + 1
            assert client.get("/orders", token=good).status == 200


def test_a_rotation_needs_no_restart_and_no_failed_request() -> None:
    with Issuer("ES256") as issuer:
        auth = BearerAuth.from_issuer(
            issuer.uri, audience="kms", refresh=RefreshPolicy(cooldown_s=0)
        )
        with serving(auth, auth) as client:
            for _ in range(5):
                assert client.get("/orders", token=issuer.token(aud="kms")).status == 200
                issuer.rotate()


# --- light ----------------------------------------------------------------------------------------------


def test_embedding_loads_no_kmip_no_database_and_no_option_parser() -> None:
    script = """
import sys
import kms_tornado
from kms_tornado.web.bearer.mixin import BearerRequestHandler, requires
from kms_tornado.web.bearer.auth import BearerAuth
from tornado.web import Application
class Orders(BearerRequestHandler):
    @requires(scope="x")
    def get(self): pass
Application([("/", Orders)], bearer_auth=BearerAuth.from_issuer("https://issuer.example/", audience="a"))
heavy = ("sqlalchemy", "alembic", "configargparse", "kms_tornado.kmip", "kms_tornado.store", "kms_tornado.domain",
         "kms_tornado.operations", "kms_tornado.options", "kms_tornado.settings", "kms_tornado.crypto", "psycopg", "sqlite3",
         "kms_tornado.web.app", "kms_tornado.auth.minting")
print(sorted(name for name in sys.modules if name.startswith(heavy)))
"""  # fmt: skip
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
    assert done.stderr == ""


def test_importing_the_package_alone_loads_not_even_tornado() -> None:
    script = "import sys, kms_tornado; print(kms_tornado.__version__, [n for n in sys.modules if n.split('.')[0] in ('tornado', 'jose', 'cryptography')])"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stdout.endswith("[]\n"), done.stdout + done.stderr


def test_every_method_of_every_handler_here_is_guarded() -> None:
    """A walk over the classes, so that a new way to build one is seen."""

    def subclasses(cls: type) -> set[type]:
        return {cls}.union(*map(subclasses, cls.__subclasses__()))

    for cls in subclasses(BearerAuthMixin) - {BearerAuthMixin}:
        for name in cls.SUPPORTED_METHODS:  # type: ignore[attr-defined]
            method: Callable[..., Any] = getattr(cls, name.lower())
            assert getattr(method, "_guard", None) is method, f"{cls.__name__}.{name}"


def test_the_answer_to_a_refusal_is_json_that_parses(host: Host) -> None:
    json.loads(host.client.get("/orders").body)
