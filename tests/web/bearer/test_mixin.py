"""What an application that embeds the token check can rely on, over real sockets."""

from __future__ import annotations

import dataclasses
import http.client
import inspect
import json
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from kms_tornado.auth.principal import Principal
from kms_tornado.web.bearer.auth import BearerAuth
from kms_tornado.web.bearer.mixin import BearerAuthMixin

from ...issuer import Issuer
from ...rows import each_row
from ...server import eventually
from ...support import Response, running
from .handlers import FAST_ROUTES, METHODS, Calls, Host, MyBase, Orders, hosting, is_refused


@pytest.fixture(scope="module", params=["handlers", "fast routes"])
def module_host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    """With fast routes in the place of some handlers, everything is as without."""
    with hosting(tmp_path_factory, FAST_ROUTES if request.param == "fast routes" else {}) as host:
        yield host


# --- who gets in --------------------------------------------------------------------------------------


def test_a_good_token_makes_the_current_user_a_principal(host: Host) -> None:
    answer = host.client.get("/orders", token=host.token(roles=["a"], org={"id": 1}))
    assert answer.status == 200
    body = answer.json()
    assert (body["user"], body["type"]) == ("alice", "Principal")
    assert body["claims"]["roles"] == ["a"]
    assert dataclasses.is_dataclass(Principal)


@each_row("path", ["/orders", "/first", "/last", "/inherited", "/forgets", "/async", "/child", "/scoped",
                                  "/path/x", "/upload", "/echo", "/echolast", "/files/a.txt", "/fileslast/a.txt", "/dav"])  # fmt: skip
def test_without_a_token_nothing_of_any_handler_runs(host: Host, path: str) -> None:
    for method in METHODS:
        answer = host.client.request(method, path)
        is_refused(answer, 401, None)
    assert Calls.ran == []


@each_row(
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


class Shared(BearerAuthMixin):
    """Of an application, for several of its handlers; it has no method of its own."""


class Talk(Shared, WebSocketHandler):
    pass


class OfBase(Shared, MyBase):
    pass


class BelowBase(MyBase):
    def get(self, *args: str) -> None:
        self.write("below")


class BelowOfBase(OfBase, BelowBase):
    """Without the mixin, Python would take the method of BelowBase, too."""


class Switched(OfBase):
    get = None  # type: ignore[assignment]


def test_mixin_of_an_application_hides_no_method_of_the_classes_behind_it() -> None:
    found = [inspect.unwrap(handler.get) for handler in (Talk, OfBase, BelowOfBase)]
    assert found == [WebSocketHandler.get, MyBase.get, BelowBase.get]
    assert Switched.get is None
    for handler in (Shared, Talk, OfBase, BelowOfBase):
        assert handler.get._guard is handler.get  # type: ignore[attr-defined]


def test_get_current_user_of_a_subclass_lets_nobody_in(host: Host) -> None:
    is_refused(host.client.get("/forgets"), 401, None)
    assert "name='alice'" in host.client.get("/forgets", token=host.token()).text


@each_row("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_method_reached_without_authentication_refuses_to_run(host: Host, method: str) -> None:
    """The second line of defence, alone."""
    for token in (None, host.token()):
        is_refused(host.client.request(method, "/bypassed", token=token), 401, None)
    assert Calls.ran == []


# --- the header ---------------------------------------------------------------------------------------


@each_row(
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


@each_row("values", [["Bearer TOKEN"], ["bearer TOKEN"], ["BEARER   TOKEN"], ["  Bearer TOKEN  "]])
def test_the_twins_that_pass(host: Host, values: list[str]) -> None:
    assert raw_get(host, values).status == 200


def raw_get(host: Host, values: list[str]) -> Response:
    """Of a token that was seen before."""
    token = host.token()
    host.client.get("/orders", token=token)
    lines = "".join(f"Authorization: {v.replace('TOKEN', token)}\r\n" for v in values)
    with socket.create_connection(("127.0.0.1", host.client.port), timeout=10) as sock:
        sock.sendall(f"GET /orders HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode("latin-1"))
        answer = http.client.HTTPResponse(sock)
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


@each_row(
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


@each_row(
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
    """Of a refused token the log names the key, and the issuer where it is a trusted one."""
    caplog.set_level(logging.DEBUG)
    tokens = [
        host.token(**changes)
        for changes in (
            {},
            {"exp": 1},
            {"aud": "their-audience"},
            {"iss": "https://evil.example/"},
            {"header": {"kid": "evil-kid"}},
        )
    ]
    parts = {part for token in tokens for part in token.split(".")}
    for token in tokens:
        answer = host.client.get("/orders", token=token)
        shown = answer.text + str(answer.headers) if answer.status != 200 else ""
        assert not [part for part in (*parts, "their-audience", "evil") if part in shown]
        assert "kms" not in answer.json().get("error_description", "")
    raw_get(host, ["Bearer TOKEN x"])
    raw_get(host, ["TOKEN"])
    eventually(lambda: caplog.text.count("refused GET") >= 6)  # lines come after their answers
    assert not [part for part in (*parts, "their-audience", "evil.example") if part in caplog.text]
    assert "key_id=evil-kid" in caplog.text


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


# --- all handlers ---------------------------------------------------------------------------------


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
