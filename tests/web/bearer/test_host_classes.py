"""A refused request ends, whatever the application's handler overrides: answered, logged once, and soon.

`host_classes` makes the handlers: each overrides one method of Tornado's, with or without super(), in a way
that fails unless `prepare` has run, which it has not where the token was refused.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.web import Application

from kms_tornado import BearerAuth, BearerRequestHandler, RefreshPolicy
from kms_tornado.auth.issuers.issuer import TrustedIssuer, TrustSettings

from ...issuer import Issuer
from ...support import AppClient, Response, running
from .handlers import parse_response
from .host_classes import HOOKS, MADE_BY, NOTHING_ABOVE, HostClass, host_classes, make_handler
from .records import SOON_S, Records

CLASSES = list(host_classes())
BEFORE_PREPARE = ("decode_argument",)  # Tornado calls these before, with a good token, too


class Server:
    """An application of host classes."""

    def __init__(self, client: AppClient, issuer: Issuer, records: Records) -> None:
        self.client, self.issuer, self.records = client, issuer, records
        self.numbers = itertools.count()

    def token(self, **changes: Any) -> str:
        """One that was never seen before."""
        return self.issuer.token(**{"aud": "kms", "jti": str(next(self.numbers)), **changes})

    def send(
        self, method: str, path: str, *authorization: str, content_type: str = "text/plain"
    ) -> Response | None:
        """The answer; None where the connection was closed instead."""
        lines = "".join(f"Authorization: {value}\r\n" for value in authorization)
        lines += f"Content-Type: {content_type}\r\n"
        request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n{lines}\r\nbody"
        with socket.create_connection(("127.0.0.1", self.client.port), timeout=SOON_S) as sock:
            sock.sendall(request.encode())
            received = b""
            with contextlib.suppress(ConnectionError):
                while not is_whole(received, method):
                    chunk = sock.recv(65536)  # TimeoutError: the client was left without an answer
                    if not chunk:
                        break
                    received += chunk
        return parse_response(received) if received else None


def is_whole(received: bytes, method: str) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return False
    length = next(
        (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )  # fmt: skip
    return method == "HEAD" or len(body) >= length


class Plain(BearerRequestHandler):
    def get(self) -> None:
        self.write(self.current_user.name)


def routes_for(classes: list[HostClass]) -> list[Any]:
    static = {"path": "/nowhere"}
    return [
        ("/plain", Plain),
        *((f"{c.path}()", make_handler(c), static if c.arrangement == "static files" else {}) for c in classes),
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def _only_records_of_this_test(server: Server) -> None:
    server.records.take(server.client)


@pytest.fixture(scope="module")
def records() -> Iterator[Records]:
    handler, root = Records(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="module")
def server(module_issuer: Issuer, records: Records) -> Iterator[Server]:
    auth = BearerAuth(
        TrustSettings(
            issuers=(TrustedIssuer(module_issuer.uri, audiences=frozenset({"kms"})),),
            refresh=RefreshPolicy(cooldown_s=0),  # an unknown kid is always waited for
        )
    )
    with running(lambda: Application(routes_for(CLASSES), bearer_auth=auth), auth) as client:
        server = Server(client, module_issuer, records)
        assert client.get("/plain", token=server.token()).status == 200
        records.take(client)
        yield server


@pytest.fixture(scope="module")
def server_without_keys(module_issuer: Issuer, records: Records) -> Iterator[Server]:
    auth = BearerAuth.from_issuer(module_issuer.uri, audience="kms")  # not started
    with running(lambda: Application(routes_for(CLASSES), bearer_auth=auth)) as client:
        yield Server(client, module_issuer, records)


def check_refusal(server: Server, host: HostClass, method: str, status: int, *values: str) -> None:
    """The request is answered and logged once; its log line tells of nothing else that went wrong.

    Unless the hook is one that a refusal calls: then that line has its exception.
    """
    answer = server.send(method, host.path, *values)
    assert answer is not None
    assert answer.status == status, host
    if status == 503:
        assert "Retry-After" in answer.headers
    else:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert set(answer.json()) == {"error", "error_description"}
    logged = server.records.take(server.client)
    assert [record.name for record in logged] == ["kms_tornado.auth"], (host, logged)
    assert "\n" not in logged[0].getMessage()
    fails = logged[0].exc_info is not None
    assert (logged[0].levelno == logging.ERROR) is fails
    if fails:
        assert f"; a hook of {make_handler(host).__name__} failed" in logged[0].getMessage()


@pytest.mark.parametrize("hook", HOOKS + MADE_BY)
def test_refused_request_is_answered_whatever_its_handler_overrides(
    server: Server, server_without_keys: Server, hook: str
) -> None:
    for host in (host for host in CLASSES if host.hook == hook):
        bad = server.token(aud="other")
        check_refusal(server, host, "GET", 401)
        check_refusal(server, host, "POST", 401)
        check_refusal(server, host, "GET", 400, "Bearer")
        check_refusal(server, host, "POST", 400, "Bearer x", "Bearer y")
        check_refusal(server, host, "GET", 401, f"Bearer {bad}")
        check_refusal(server, host, "POST", 401, f"Bearer {bad}")
        check_refusal(server_without_keys, host, "GET", 503, f"Bearer {server.token()}")
        unknown = server.token(header={"kid": "unknown"})
        check_refusal(server, host, "GET", 401, f"Bearer {unknown}")  # after a refresh of the keys
    assert server.client.get("/plain", token=server.token()).text == "alice"


def test_refusal_of_a_streamed_body_waits_for_none_of_it(server: Server) -> None:
    for host in (host for host in CLASSES if host.arrangement == "streamed"):
        for sent in (b"", b"x" * 1000):
            with socket.create_connection(
                ("127.0.0.1", server.client.port), timeout=SOON_S
            ) as sock:
                head = f"POST {host.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"
                sock.sendall(head.encode() + sent)
                assert sock.recv(100).startswith(b"HTTP/1.1 401"), host
                logged = server.records.take(server.client)
                assert [record.name for record in logged] == ["kms_tornado.auth"], host
        server.records.take(server.client)
    assert server.client.get("/plain", token=server.token()).text == "alice"


@pytest.mark.parametrize("hook", HOOKS + MADE_BY)
def test_token_without_the_scope_is_answered_whatever_its_handler_overrides(
    server: Server, hook: str
) -> None:
    """`prepare` has run here, and the override may still call no super()."""
    for host in (host for host in CLASSES if host.hook == hook):
        for method in ("PUT", "PATCH") if hook not in BEFORE_PREPARE else ():
            token = server.token(scope="r")
            for _ in ("cold", "warm"):
                check_refusal(server, host, method, 403, f"Bearer {token}")


@pytest.mark.parametrize("hook", HOOKS + MADE_BY)
def test_good_token_is_served_cold_and_warm(server: Server, hook: str) -> None:
    """The twins: an override that calls super() and has what it needs is no obstacle."""
    for host in (host for host in CLASSES if host.hook == hook):
        if (not host.calls_super and hook not in NOTHING_ABOVE) or hook in BEFORE_PREPARE:
            continue  # Tornado alone would not serve it either
        for method in ("POST",) if host.arrangement == "static files" else ("GET", "POST"):
            token = server.token()
            for _ in ("cold", "warm"):
                answer = server.send(method, host.path, f"Bearer {token}")
                assert answer is not None
                assert (answer.status, answer.text) == (200, "hello session"), host
    assert server.records.take(server.client) == []


@pytest.mark.parametrize("hook", sorted({*HOOKS, *MADE_BY} - {"_handle_request_exception"}))
def test_refusal_of_tornados_own_before_prepare_ends_as_well(server: Server, hook: str) -> None:
    """Strangers reach public methods; holders of a good token, methods that do not exist."""
    for host in (host for host in CLASSES if host.hook == hook):
        token = f"Bearer {server.token()}"
        multipart = "multipart/form-data"  # without a boundary
        if host.arrangement != "streamed":  # it parses no body
            answer = server.send("DELETE", host.path, content_type=multipart)
            assert answer is None or answer.status in {400, 500}, host
            answer = server.send("GET", host.path, token, content_type=multipart)
            assert answer is None or answer.status in {400, 500}, host
        answer = server.send("FETCH", host.path, token)
        assert answer is None or answer.status in {405, 500}, host
    assert server.client.get("/plain", token=server.token()).text == "alice"
