"""Tornado's protection against forged requests, in an application that uses it and has bearer handlers.

A browser sends cookies by itself, and never a bearer token: where the token was checked, nothing is forged.
"""

from __future__ import annotations

import http.cookies
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.web import Application, HTTPError, RequestHandler, StaticFileHandler
from tornado.websocket import WebSocketHandler

from kms_tornado import handlers
from kms_tornado.auth.no_auth import InsecureNoAuth
from kms_tornado.web.bearer.auth import BearerAuth
from kms_tornado.web.bearer.mixin import BearerAuthMixin, BearerRequestHandler
from kms_tornado.web.bearer.required_claims import requires

from ...issuer import Issuer
from ...rows import each_row
from ...server import CREATE
from ...support import Client, Response, running
from .handlers import Host, is_refused

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
ELSEWHERE = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}


class Writes:
    """Methods that change something."""

    def post(self, *args: str) -> None:
        self.write("done")  # type: ignore[attr-defined]

    put = patch = delete = post


class Plain(BearerRequestHandler):
    def post(self) -> None:
        self.write("done")

    put = patch = delete = post


class Base(Writes, RequestHandler):
    pass


class MixinFirst(BearerAuthMixin, Base):
    pass


class MixinLast(Base, BearerAuthMixin):
    pass


class Socket(Writes, BearerAuthMixin, WebSocketHandler):  # type: ignore[misc]
    def on_message(self, message: str | bytes) -> None:
        pass


class Files(Writes, StaticFileHandler, BearerAuthMixin):  # type: ignore[misc]
    pass


class Scoped(BearerRequestHandler):
    @requires(scope="w")
    async def post(self) -> None:
        self.write("done")

    put = patch = delete = post


class RefusingBase(RequestHandler):
    """The host's own check: a header that its pages send."""

    def check_xsrf_cookie(self) -> None:
        if "X-Page" not in self.request.headers:
            raise HTTPError(403)

    def check_trusted_origin(self, origin: str) -> bool:
        return False


class OwnCheckFirst(Writes, RefusingBase, BearerAuthMixin):  # type: ignore[misc]
    pass


class OwnCheckLast(BearerAuthMixin, Writes, RefusingBase):  # type: ignore[misc]
    pass


class OwnCheckHere(BearerRequestHandler):
    def check_xsrf_cookie(self) -> None:
        raise HTTPError(403)

    def post(self) -> None:
        self.write("done")

    put = patch = delete = post


class Form(BearerRequestHandler):
    """Its POST needs no token: whoever is signed in by a cookie may send it."""

    public_methods = ("GET", "POST")

    def get(self) -> None:
        self.write(self.xsrf_token)

    def post(self) -> None:
        self.write("done")

    put = post


class OwnForm(OwnCheckHere):
    public_methods = ("POST",)


class OwnFormFirst(OwnCheckFirst):
    public_methods = ("POST",)


BEARER = {
    "/plain": Plain, "/first": MixinFirst, "/last": MixinLast, "/socket": Socket, "/scoped": Scoped,
    "/own-first": OwnCheckFirst, "/own-last": OwnCheckLast, "/own-here": OwnCheckHere,
}  # fmt: skip
PATHS = [*BEARER, "/files/a.txt"]


@pytest.fixture(scope="module", params=["xsrf_cookies", "cross_origin_protection", "both"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    directory = tmp_path_factory.mktemp("xsrf")
    names = (
        ("xsrf_cookies", "cross_origin_protection") if request.param == "both" else (request.param,)
    )
    settings: dict[str, Any] = dict.fromkeys(names, True)
    with Issuer("ES256") as issuer:
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")
        kms = handlers("/kms", data_dir=directory / "data")
        routes: list[Any] = [
            *kms, *BEARER.items(), ("/form", Form), ("/own-form", OwnForm),
            ("/own-form-first", OwnFormFirst), ("/files/(.*)", Files, {"path": str(directory)}),
        ]  # fmt: skip
        with running(
            lambda: Application(routes, bearer_auth=auth, **settings), auth, kms
        ) as client:
            yield Host(issuer, client, auth)


def send(client: Client, method: str, path: str, token: str | None, **headers: str) -> Response:
    """As a page elsewhere could have it sent, if it knew the token."""
    fields = {**ELSEWHERE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return client.request(method, path, token=token, headers=fields, body=b"x=1")


@each_row("method", UNSAFE)
@each_row("path", PATHS)
def test_request_whose_token_was_checked_needs_no_proof_of_its_origin(
    host: Host, path: str, method: str
) -> None:
    token = host.token(scope="w")
    for headers in ({}, {"Cookie": "_xsrf=abc; session=alice"}, {"X_Xsrftoken": "wrong"}):
        answer = send(host.client, method, path, token, **headers)
        assert (answer.status, answer.text) == (200, "done")


@each_row("scheme", ["bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_recognised_as_the_token_check_does(host: Host, scheme: str) -> None:
    answer = send(host.client, "POST", "/plain", None, Authorization=f"{scheme} {host.token()}")
    assert answer.status == 200


@each_row("path", PATHS)
def test_without_a_good_token_the_answer_is_401_whatever_the_cookies(host: Host, path: str) -> None:
    for token in (None, "x.y.z"):
        for headers in ({}, {"Cookie": "_xsrf=abc", "X_Xsrftoken": "abc"}):
            answer = send(host.client, "POST", path, token, **headers)
            is_refused(answer, 401, token and "invalid_token")


def test_mounted_kms_takes_every_request_with_a_good_token(host: Host) -> None:
    token = host.token()
    for headers in ({}, {"Cookie": "_xsrf=abc"}, ELSEWHERE):
        made = host.client.post("/kms/kmip_2_1", token=token, body=CREATE, headers=headers)
        assert made.status == 200, made.text
    (uid,) = [item["value"] for item in made.json()["value"] if item["tag"] == "UniqueIdentifier"]
    grant = {"unique_identifier": uid, "user_id": "bob", "operation_types": ["get"]}
    answer = host.client.post("/kms/access/grant", token=token, body=grant, headers=ELSEWHERE)
    assert answer.status == 200, answer.text
    is_refused(host.client.post("/kms/access/grant", body=grant, headers=ELSEWHERE), 401, None)


def test_mounted_kms_answers_a_wrong_method_as_the_server_does(host: Host) -> None:
    for path in ("/kms/version", "/kms/health", "/kms/openapi.json"):
        assert host.client.post(path, body=b"", headers=ELSEWHERE).status == 405
    assert host.client.post("/kms/owned", body=b"").status == 404


def test_public_method_keeps_the_protection_whatever_token_is_sent(host: Host) -> None:
    """It reads no token, so what lets a request in may be a cookie."""
    for token in (None, host.token(), "x.y.z"):
        assert send(host.client, "POST", "/form", token).status == 403
        assert send(host.client, "POST", "/own-form", token).status == 403
        assert send(host.client, "POST", "/own-form-first", token).status == 403
    assert send(host.client, "PUT", "/form", host.token()).status == 200  # a protected method


def test_public_method_takes_what_the_applications_own_page_sends(host: Host) -> None:
    page = host.client.get("/form")
    cookies = http.cookies.SimpleCookie(page.headers["Set-Cookie"])
    headers = {
        "Cookie": f"_xsrf={cookies['_xsrf'].value}", "X-Xsrftoken": page.text,
        "Sec-Fetch-Site": "same-origin",
    }  # fmt: skip
    assert host.client.post("/form", body=b"", headers=headers).text == "done"


def test_principal_without_a_token_of_the_request_keeps_the_protection(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whoever lets requests in by something else (here: nothing) must not lose it."""
    kms = handlers("/kms", data_dir=tmp_path_factory.mktemp("kms") / "data")
    routes: list[Any] = [*kms, *BEARER.items()]
    app = Application(routes, bearer_auth=InsecureNoAuth("somebody"), xsrf_cookies=True)
    with running(lambda: app, kms) as client:
        for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Negotiate x"}):
            for path in (
                "/plain", "/first", "/last", "/own-first", "/own-here", "/kms/kmip_2_1", "/kms/access/grant"
            ):  # fmt: skip
                assert client.post(path, headers=headers, body=b"").status == 403
        assert client.post("/plain", token="whatever", body=b"").status == 200
