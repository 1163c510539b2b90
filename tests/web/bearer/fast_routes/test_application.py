"""A fast route answers as a request handler does, whichever way a request goes, and takes only what is plain.

../test_mixin.py has what a token must be: it runs with fast routes in the place of handlers, too.
"""

from __future__ import annotations

import asyncio
import functools
import http.client
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPMessageDelegate
from tornado.web import HTTPError, RequestHandler

from kms_tornado import BearerApplication, BearerAuth, FastAnswer, FastRequest, requires
from kms_tornado.errors import InsufficientScope, Unavailable
from kms_tornado.testing import TestIssuer, fake_auth
from kms_tornado.web.bearer.fast_routes import handler as fast_handler

from ....rows import each_row
from ....server import eventually
from ....support import Client, running
from ..handlers import is_refused

ISSUER = TestIssuer()
#: Of an hour: these tests may come long after this file is read.
TOKEN = ISSUER.token("alice", scope="read", exp=int(time.time()) + 3600)


def tell(request: FastRequest) -> dict[str, Any]:
    return {
        "name": request.principal.name,
        "token": request.principal.token == TOKEN,
        "path": request.path,
        "args": request.path_args,
        "query": request.query_arguments,
        "header": request.headers.get("x-mine"),
        "body": request.body.decode(),
        "method": request.method,
        "ip": request.remote_ip,
    }


async def tell_later(request: FastRequest) -> FastAnswer:
    await asyncio.sleep(0)
    return FastAnswer(tell(request), 201, {"x-mine": "caf\xe9", "cache-control": "no-store"})


@requires(scope="write")
def write(request: FastRequest) -> str:
    return "written"


@requires(scope="write")
async def write_later(request: FastRequest) -> str:
    return "written"


def fail(request: FastRequest) -> Any:
    """As the last part of the path says."""
    match request.path_args[0]:
        case "key":
            raise KeyError("k")
        case "404":
            raise HTTPError(404)
        case "scope":
            raise InsufficientScope("too little")
        case "unavailable":
            raise Unavailable("come again", retry_after_s=7)
        case "none":
            return None
        case "number":
            return 7
        case "object":
            return {"no": object()}
        case "list":
            return FastAnswer([])  # type: ignore[arg-type]
        case "body":
            return FastAnswer("x", 204)
        case "split":
            return FastAnswer("x", headers={"X-A": "b\r\nSet-Cookie: c=d"})
        case "long":
            return FastAnswer("x", headers={"content-length": "100"})
        case "cancelled":
            raise asyncio.CancelledError
    raise AssertionError


async def fail_later(request: FastRequest) -> Any:
    await asyncio.sleep(0)
    return fail(request)


FAST_ROUTES: Any = {
    ("GET", "/tell"): tell,
    ("POST", "/tell"): tell,
    ("HEAD", "/tell"): tell,
    ("GET", r"/tell/([^/]*)(/deep)?"): tell,
    ("PUT", "/later"): tell_later,
    ("GET", "/text"): lambda request: "caf\xe9",
    ("GET", "/bytes"): lambda request: b"\x00\xff",
    ("GET", "/empty"): lambda request: FastAnswer(status=204),
    ("GET", "/typed"): lambda request: FastAnswer("<p>", headers={"content-type": "text/html"}),
    ("GET", "/missing"): lambda request: FastAnswer("no such thing", 404),
    ("GET", "/write"): write,
    ("GET", "/write-later"): write_later,
    ("GET", "/fail/(.*)"): fail,
    ("GET", "/fail-later/(.*)"): fail_later,
}
FAILURES = [
    "key", "404", "scope", "unavailable", "none", "number", "object", "list", "body", "split", "long",
]  # fmt: skip


class Application(BearerApplication):
    """Notes which way its requests go."""

    def __init__(self, *, is_fast: bool, **settings: Any) -> None:
        super().__init__([("/slow", Slow)], fast_routes=FAST_ROUTES, **settings)
        self.is_fast, self.long_way = is_fast, 0

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        if not self.is_fast:
            return self.start_long_way(server_conn, request_conn)
        return super().start_request(server_conn, request_conn)

    def start_long_way(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        self.long_way += 1
        return super().start_long_way(server_conn, request_conn)


class Slow(RequestHandler):
    def get(self) -> None:
        self.write("slow")


class Server:
    def __init__(self, app: Application, client: Client) -> None:
        self.app, self.client = app, client

    def went_fast(self, method: str, path: str, **kwargs: Any) -> Any:
        """The answer to a request, which is asserted to go the fast way."""
        before = self.app.long_way
        answer = self.client.request(method, path, token=TOKEN, **kwargs)
        assert self.app.long_way == before
        return answer


def serve(*, is_fast: bool, **settings: Any) -> Iterator[Server]:
    app = Application(is_fast=is_fast, bearer_auth=ISSUER.auth(), **settings)
    with running(lambda: app) as client:
        client.get("/tell", token=TOKEN)
        yield Server(app, client)


@pytest.fixture(scope="module")
def fast() -> Iterator[Server]:
    yield from serve(is_fast=True)


@pytest.fixture(scope="module")
def slow() -> Iterator[Server]:
    yield from serve(is_fast=False)


REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/tell", {}),
    ("GET", "/tell?a=1&a=%202&b=&c", {"headers": {"X-Mine": "m"}}),
    ("GET", "/tell/x", {}),
    ("GET", "/tell//deep", {}),
    ("POST", "/tell", {"body": "caf\xe9".encode()}),
    ("POST", "/tell", {"body": b"x" * 100_000}),
    ("POST", "/tell", {}),
    ("HEAD", "/tell", {}),
    ("PUT", "/later", {"body": b"x"}),
    *(("GET", path, {}) for path in ("/text", "/bytes", "/empty", "/typed", "/missing", "/write", "/write-later")),
    *(("GET", f"/fail/{way}", {}) for way in FAILURES),
    *(("GET", f"/fail-later/{way}", {}) for way in [*FAILURES, "cancelled"]),
]  # fmt: skip


@each_row(("method", "path", "more"), REQUESTS)
def test_both_ways_have_the_same_answer(
    fast: Server, slow: Server, method: str, path: str, more: dict[str, Any]
) -> None:
    expected = slow.client.request(method, path, token=TOKEN, **more)
    answer = fast.went_fast(method, path, **more)
    assert (answer.status, answer.body) == (expected.status, expected.body)
    changing = {"date", "x-request-id"}
    headers = [
        {
            name.title(): value
            for name, value in each.headers.items()
            if name.lower() not in changing
        }
        for each in (answer, expected)
    ]
    assert headers[0] == headers[1]
    assert "Date" in answer.headers


@each_row(
    ("request_line", "headers", "status"),
    [
        pytest.param("GET /tell HTTP/1.0", "Host: x", 200, id="HTTP/1.0"),
        pytest.param("GET /tell HTTP/1.1", "Host: x\r\nConnection: close", 200, id="the last"),
        pytest.param("GET /tell/%41 HTTP/1.1", "Host: x", 200, id="a path with escapes"),
        pytest.param("GET /tell/%ff HTTP/1.1", "Host: x", 400, id="a path that is no UTF-8"),
        pytest.param("GET /tell HTTP/1.1", "Host: x\r\nHost: y", 400, id="two hosts"),
        pytest.param("GET /tell HTTP/1.1", "X: y", 400, id="no host"),
        pytest.param("GET /tell HTTP/1.1", "Host: x y", 400, id="a host that is none"),
        pytest.param("POST /tell HTTP/1.1", "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n0", 200, id="chunks"),
        pytest.param("POST /tell HTTP/1.1", "Host: x\r\nExpect: 100-continue\r\nContent-Length: 0", 100, id="100"),
        pytest.param("POST /tell HTTP/1.1", "Host: x\r\nContent-Type: multipart/form-data", 400, id="a form"),
        pytest.param("DELETE /tell HTTP/1.1", "Host: x", 405, id="another method"),
        pytest.param("GET /tell/ HTTP/1.1", "Host: x\r\nUpgrade: websocket", 200, id="an upgrade"),
        pytest.param(f"GET /tell?{'&' * 2000} HTTP/1.1", "Host: x", 400, id="too many fields"),
        pytest.param(f"GET /tell/{'x' * 1000} HTTP/1.1", "Host: x", 200, id="a long path"),
        pytest.param("GET /slow HTTP/1.1", "Host: x", 200, id="a handler"),
        pytest.param("GET /nothing HTTP/1.1", "Host: x", 404, id="nothing"),
        pytest.param("GET http://x/tell HTTP/1.1", "Host: x", 404, id="absolute"),
    ],
)  # fmt: skip
def test_what_is_unusual_is_answered_by_tornado(
    fast: Server, slow: Server, request_line: str, headers: str, status: int
) -> None:
    sent = f"{request_line}\r\nAuthorization: Bearer {TOKEN}\r\n{headers}\r\n\r\n".encode()
    before = fast.app.long_way
    answers = []
    for server in (fast, slow):
        with socket.create_connection(("127.0.0.1", server.client.port), timeout=10) as sock:
            sock.sendall(sent)
            answers.append(sock.recv(65536).partition(b"\r\n")[0])
    assert answers[0] == answers[1]
    assert answers[0].split()[1] == str(status).encode()
    is_upgrade = "Upgrade" in headers  # of which nothing here takes notice
    assert fast.app.long_way == before + (not is_upgrade)


@pytest.mark.parametrize("is_fast", [True, False])
def test_what_a_proxy_says_of_the_client_holds_until_the_answer(
    is_fast: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Tornado takes it back at the end of the request's body: an address on this machine may be let do more."""
    caplog.set_level(logging.INFO)
    app = Application(is_fast=is_fast, bearer_auth=ISSUER.auth())
    with running(lambda: HTTPServer(app, xheaders=True)) as client:
        headers = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
        answers = [
            client.get("/tell", token=token, headers=headers) for token in (TOKEN, "no token")
        ]
        assert answers[0].json()["ip"] == "192.0.2.7"
        assert answers[1].status == 400
        eventually(lambda: "refused GET /tell from 192.0.2.7" in caplog.text)
        assert (app.long_way == 0) is is_fast


def test_connection_serves_both_ways_in_turn(fast: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", fast.client.port, timeout=10)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for path, status in [("/tell", 200), ("/slow", 200), ("/fail/key", 500), ("/tell", 200), ("/fail/scope", 403),
                         ("/fail-later/404", 404), ("/empty", 204), ("/write", 403), ("/text", 200)]:  # fmt: skip
        connection.request("GET", path, headers=headers)
        sock = connection.sock
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
        assert connection.sock is sock
    connection.close()


def test_requests_that_come_at_once_are_answered_in_their_order(fast: Server) -> None:
    one = f"GET /tell/PATH HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    last = one.replace("Host: x", "Host: x\r\nConnection: close")
    paths = [f"n{number}" for number in range(20)]
    sent = "".join(one.replace("PATH", path) for path in paths) + last.replace("PATH", "last")
    received = fast.client.raw(sent.encode()).decode()
    found = [part.partition('"')[0] for part in received.split('"path": "/tell/')[1:]]
    assert found == [*paths, "last"]


def test_only_a_token_that_has_to_wait_for_keys_goes_the_long_way(fast: Server) -> None:
    before = fast.app.long_way
    outcomes = dict(fast.app.settings["bearer_auth"].authenticator.outcomes)
    for claims, status in [({}, 200), ({}, 200), ({"exp": 1}, 401), ({"aud": "x"}, 401)]:
        answer = fast.client.get("/tell", token=ISSUER.token("bob", **claims))
        assert answer.status == status
    assert fast.app.long_way == before
    unknown = ISSUER.token("bob", header={"kid": "unknown"})
    is_refused(fast.client.get("/tell", token=unknown), 401, "invalid_token")
    assert fast.app.long_way == before + 1
    now = fast.app.settings["bearer_auth"].authenticator.outcomes
    counted = {reason: now[reason] - outcomes.get(reason, 0) for reason in now}
    expected = {"ok": 2, "expired": 1, "audience": 1, "key": 1}
    assert {reason: count for reason, count in counted.items() if count} == expected


@pytest.mark.parametrize(
    ("confirmation", "words"),
    [({"x5t#S256": "A" * 43}, "needs its client certificate"), ({"jkt": "A" * 43}, "needs a DPoP proof")],
)  # fmt: skip
def test_bound_token_alone_is_refused(
    fast: Server, slow: Server, confirmation: dict[str, str], words: str
) -> None:
    token = ISSUER.token("alice", cnf=confirmation)
    for server in (fast, slow):
        for _ in ("cold", "warm"):
            answer = server.client.get("/tell", token=token)
            assert answer.status == 401
            assert words in answer.json()["error_description"]


def test_challenge_for_want_of_a_good_token_names_the_scope_too(fast: Server) -> None:
    for path in ("/write", "/write-later"):
        for token in (None, "x.y.z", ISSUER.token("alice", aud="another")):
            answer = fast.client.get(path, token=token)
            is_refused(answer, 401, None if token is None else "invalid_token")
            for challenge in answer.headers.get_all("WWW-Authenticate") or ():
                assert 'scope="write"' in challenge


def test_method_that_requires_a_scope_runs_with_it(fast: Server) -> None:
    token = ISSUER.token("alice", scope="read write")
    for path in ("/write", "/write-later"):
        for _ in ("cold", "warm"):
            assert fast.client.get(path, token=token).text == "written"
        refusal = fast.went_fast("GET", path)
        is_refused(refusal, 403, "insufficient_scope")
        assert 'scope="write"' in refusal.headers["WWW-Authenticate"]


def test_remembered_token_is_refused_when_it_is_denied_or_expires(tmp_path: Path) -> None:
    path = tmp_path / "deny"
    path.write_text("")
    like = BearerAuth.from_issuer(ISSUER.uri, audience=ISSUER.audience, deny_file=path)
    auth = ISSUER.auth(like)
    app = Application(is_fast=True, bearer_auth=auth)
    with running(lambda: app, auth) as client:
        for _ in range(2):
            assert client.get("/tell", token=TOKEN).status == 200
        assert app.long_way == 0
        path.write_text("sub=alice\n")
        eventually(lambda: client.get("/tell", token=TOKEN).status == 401)
        bob = ISSUER.token("bob")
        assert client.get("/tell", token=bob).status == 200
        auth.authenticator._now = lambda: 1e12
        is_refused(client.get("/tell", token=bob), 401, "invalid_token")


@each_row("auth", [None, "no check", BearerAuth])
def test_application_without_a_check_lets_nobody_in(auth: Any) -> None:
    with running(lambda: Application(is_fast=True, bearer_auth=auth)) as client:
        answer = client.get("/tell", token=TOKEN)
        assert (answer.status, answer.json()["error"]) == (500, "server_error")


def test_stand_in_of_a_test_serves_fast_routes() -> None:
    with running(lambda: Application(is_fast=True, bearer_auth=fake_auth("carol"))) as client:
        assert client.get("/tell").json()["name"] == "carol"
        assert client.get("/tell", token="x").json()["name"] == "carol"


def test_access_log_has_the_requests_of_both_ways_alike(
    fast: Server, slow: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tornado.access")

    def lines() -> list[str]:
        return [record.getMessage().rpartition(" ")[0] for record in caplog.records if record.name == "tornado.access"]  # fmt: skip

    logged = []
    for server in (fast, slow):
        caplog.clear()
        for path in ("/tell?a=b", "/missing", "/fail/key", "/write"):
            server.client.get(path, token=TOKEN)
        logged.append(eventually(lambda: len(lines()) == 4 and lines()))
    assert logged[0] == logged[1]
    assert logged[0][0] == "200 GET /tell?a=b (127.0.0.1)"


def test_log_function_is_given_a_handler_that_knows_the_request() -> None:
    seen: list[tuple[Any, ...]] = []

    def log(handler: RequestHandler) -> None:
        user, request = handler.current_user, handler.request
        seen.append((handler.get_status(), user and user.name, request.uri, request.request_time() < 60))  # fmt: skip

    app = Application(is_fast=True, bearer_auth=ISSUER.auth(), log_function=log)
    with running(lambda: app) as client:
        for path in ("/tell", "/tell?a", "/fail/key"):
            client.get(path, token=TOKEN)
        assert app.long_way == 0
        eventually(lambda: len(seen) == 3)
    assert seen == [
        (200, "alice", "/tell", True),
        (200, "alice", "/tell?a", True),
        (500, "alice", "/fail/key", True),
    ]


def test_client_that_leaves_before_the_answer_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    may_answer = asyncio.Event()
    left = asyncio.Event()

    async def wait(request: FastRequest) -> str:
        left.set()
        await may_answer.wait()
        return "too late"

    auth = ISSUER.auth()
    app = BearerApplication(fast_routes={("GET", "/wait"): wait, ("GET", "/tell"): tell}, bearer_auth=auth)  # fmt: skip
    with running(lambda: app) as client:
        client.get("/tell", token=TOKEN)
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as sock:
            sock.sendall(f"GET /wait HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())  # fmt: skip
            eventually(left.is_set)
        client.loop.call_soon_threadsafe(may_answer.set)
        assert client.get("/tell", token=TOKEN).status == 200
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_refusal_that_cannot_be_made_ends_the_connection(
    fast: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fast_handler, "refuse", None)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        fast.client.get("/tell", token="x.y.z")
    assert "could not be answered" in caplog.text


@each_row(
    ("routes", "words"),
    [
        ({("get", "/x"): tell}, "get is no HTTP method in capitals"),
        ({("FETCH", "/x"): tell}, "FETCH is no HTTP method"),
        ({("GET", "/x"): "tell"}, "GET /x is no function"),
        ({("GET", "/x"): RequestHandler}, "GET /x is no function"),
        ({("GET", "/(?P<n>.*)"): tell}, "groups without names"),
    ],
)
def test_route_that_is_none_is_told(routes: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words.replace("(", r"\(")):
        BearerApplication(fast_routes=routes)


def test_first_route_whose_path_fits_counts_as_in_tornado() -> None:
    routes: Any = {("GET", "/a/(.*)"): lambda request: "pattern", ("GET", "/a/b"): lambda request: "exact"}  # fmt: skip
    apps = [BearerApplication(fast_routes=routes, bearer_auth=ISSUER.auth()) for _ in range(2)]
    apps[1].start_request = apps[1].start_long_way  # type: ignore[method-assign]
    for app in apps:
        with running(functools.partial(lambda app: app, app)) as client:
            assert {client.get("/a/b", token=TOKEN).text for _ in range(2)} == {"pattern"}
