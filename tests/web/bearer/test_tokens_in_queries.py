"""A token that a careless client puts into the query is in no log of an application with bearer handlers."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.log import LogFormatter
from tornado.web import Application, HTTPError, MissingArgumentError, RequestHandler
from tornado.websocket import WebSocketHandler

from kms_tornado import handlers
from kms_tornado.web.bearer.auth import BearerAuth
from kms_tornado.web.bearer.mixin import BearerAuthMixin, BearerRequestHandler

from ...issuer import Issuer
from ...support import running
from .handlers import Host

OPAQUE = "s3cr3t-0paque-t0ken"


class Fails(BearerRequestHandler):
    def get(self) -> None:
        raise ValueError(f"cannot serve {self.request.uri}")

    def post(self) -> None:
        raise HTTPError(400, "%s is wrong", self.request.uri)

    def put(self) -> None:
        raise MissingArgumentError("amount")


class Public(Fails):
    public_methods = ("GET", "POST", "PUT", "PATCH")


class Other(RequestHandler):
    """It knows nothing of tokens."""

    def get(self) -> None:
        raise ValueError(f"cannot serve {self.request.uri}")


class Socket(BearerAuthMixin, WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        pass


class Logs:
    """What two formatters write, Tornado's and the standard one."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.handlers = [logging.StreamHandler(self.stream), logging.StreamHandler(self.stream)]
        self.handlers[0].setFormatter(LogFormatter(color=False))
        self.handlers[1].setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))

    def take(self, host: Host) -> str:
        text = self.stream.getvalue()
        self.stream.seek(0)
        self.stream.truncate()
        return text


@pytest.fixture(scope="module")
def logs() -> Iterator[Logs]:
    logs, root = Logs(), logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    for handler in logs.handlers:
        root.addHandler(handler)
    yield logs
    for handler in logs.handlers:
        root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, logs: Logs) -> Iterator[Host]:
    with Issuer("ES256") as issuer:
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")
        kms = handlers("/kms", data_dir=tmp_path_factory.mktemp("queries") / "data")
        routes: list[Any] = [
            *kms, ("/fails", Fails), ("/public", Public), ("/other", Other), ("/socket", Socket),
        ]  # fmt: skip
        app = Application(routes, bearer_auth=auth, xsrf_cookies=True)
        with running(lambda: app, auth, kms) as client:
            yield Host(issuer, client, auth)


REQUESTS = [
    ("GET", "/kms/version"), ("GET", "/kms/whoami"), ("POST", "/kms/kmip_2_1"), ("GET", "/kms/access/owned"),
    ("GET", "/kms/openapi.json"), ("PUT", "/kms/version"), ("GET", "/kms/nothing"), ("GET", "/nothing"),
    ("GET", "/fails"), ("POST", "/fails"), ("PUT", "/fails"), ("PATCH", "/fails"), ("FETCH", "/fails"),
    ("GET", "/public"), ("POST", "/public"), ("GET", "/other"), ("POST", "/other"), ("GET", "/socket"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), REQUESTS)
@pytest.mark.parametrize("name", ["access_token", "id_token"])
def test_token_in_the_query_is_not_logged(
    host: Host, logs: Logs, method: str, path: str, name: str
) -> None:
    jws = host.token()
    for value in (OPAQUE, jws, f"{OPAQUE}'\"", "x" + OPAQUE):
        for token in (None, jws):
            host.client.request(method, f"{path}?a=1&{name}={value}&b=2", token=token)
    host.client.get("/kms/version?last")
    text = logs.take(host)
    assert "[token]" in text
    assert f"{path}?a=1&{name}=[token]" in text
    for secret in (OPAQUE, *jws.split(".")):
        assert secret not in text


def test_token_in_a_path_or_a_malformed_message_is_not_logged(host: Host, logs: Logs) -> None:
    jws = host.token()
    host.client.get(f"/kms/access/list/{jws}")
    host.client.get(f"/nothing/{jws}")
    for line in (f"Authorization: Bearer {OPAQUE}\x00", f"Authorization Bearer {OPAQUE}"):
        host.client.raw(
            f"GET /kms/version HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n".encode(), timeout_s=2
        )
    host.client.raw(f"Bearer {OPAQUE}\r\n\r\n".encode(), timeout_s=2)
    text = logs.take(host)
    assert "Malformed HTTP message from" in text
    for secret in (OPAQUE, *jws.split(".")):
        assert secret not in text


def test_applications_own_log_function_is_called_as_ever(tmp_path: Any) -> None:
    seen: list[str] = []
    kms = handlers("/kms", data_dir=tmp_path / "data")
    app = Application([*kms], log_function=lambda handler: seen.append(handler.request.uri or ""))
    with running(lambda: app, kms) as client:
        client.get("/kms/version?page=2")
        client.get("/kms/version?last")
    assert seen[0] == "/kms/version?page=2"
