"""A handler's own page for a refusal: its body, headers and cookies are sent; status and challenge stay."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.web import Application

from kms_tornado import BearerRequestHandler, requires
from kms_tornado.errors import AuthenticationError, Unavailable
from kms_tornado.testing import TestIssuer

from ...server import eventually
from ...support import Client, running

ISSUER = TestIssuer()
PAGES = ["write", "finish", "render", "returned"]


class Paged(BearerRequestHandler):
    def get(self, way: str) -> None:
        self.write(self.current_user.name)

    head = get

    @requires(scope="w")
    def put(self, way: str) -> None:
        self.write("never")

    def get_template_path(self) -> str:
        return self.settings["templates"]

    def write_refusal(self, error: AuthenticationError | Unavailable) -> Any:
        self.set_header("X-Page", "mine")
        self.set_header("WWW-Authenticate", "Basic")
        self.set_header("Cache-Control", "public")
        self.set_cookie("next", "here")
        page = f"<p>{self.get_status()} {error} {self.current_user and self.current_user.name}</p>"
        way = self.request.path.rpartition("/")[2]
        self.set_status(200)
        match way:
            case "write":
                self.write(page[:5])
                self.flush()
                self.write(page[5:])
            case "finish":
                self.finish(page)
            case "render":
                self.render("page.html", page=page)
            case "returned":
                self.write(page)
                return self.finish()
            case "error":
                self.send_error(404)
            case "dict":
                self.write({"login": "/login"})
            case "half":
                self.write("half a page")
                raise KeyError("session")
        return None

    def finish(self, chunk: Any = None) -> Any:
        assert self.current_user is not None, "not for a refusal"
        return super().finish(chunk)


class BrokenWrite(Paged):
    def write(self, chunk: Any) -> None:
        assert self.current_user is not None
        super().write(chunk)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    templates = tmp_path_factory.mktemp("templates")
    (templates / "page.html").write_text("{% raw page %}")
    routes: list[Any] = [("/page/(.*)", Paged), ("/broken/(.*)", BrokenWrite)]
    auth = ISSUER.auth()
    with running(lambda: Application(routes, bearer_auth=auth, templates=str(templates))) as client:
        yield client


@pytest.mark.parametrize("way", PAGES)
def test_page_is_sent_with_the_status_and_the_challenge_of_the_refusal(
    client: Client, way: str
) -> None:
    answer = client.get(f"/page/{way}")
    assert (answer.status, answer.text) == (401, "<p>401 bearer token required None</p>")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="kms"'
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.headers["X-Page"], answer.headers["Set-Cookie"]) == ("mine", "next=here; Path=/")
    assert answer.headers["Content-Length"] == str(len(answer.body))


@pytest.mark.parametrize("way", PAGES)
def test_page_of_a_missing_scope_knows_the_user(client: Client, way: str) -> None:
    answer = client.request("PUT", f"/page/{way}", token=ISSUER.token("alice"), body=b"")
    assert answer.status == 403
    assert answer.text == "<p>403 a required claim or scope is missing alice</p>"
    assert 'scope="w"' in answer.headers["WWW-Authenticate"]


def test_page_may_be_json_or_that_of_an_error_of_tornado(client: Client) -> None:
    answer = client.get("/page/dict", token="x.y.z")
    assert (answer.status, answer.json()) == (401, {"login": "/login"})
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    answer = client.get("/page/error")
    assert answer.status == 401
    assert "404" in answer.text


def test_handler_that_writes_no_page_is_answered_by_json(client: Client) -> None:
    answer = client.get("/page/nothing")
    assert (answer.status, answer.json()["error"]) == (401, "unauthorized")
    assert answer.headers["X-Page"] == "mine"


@pytest.mark.parametrize("path", ["/page/half", "/broken/write"])
def test_page_that_fails_is_logged_and_json_is_the_answer(
    client: Client, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "kms_tornado.auth"):
        answer = client.get(path)
    assert (answer.status, answer.json()["error"]) == (401, "unauthorized")
    assert "X-Page" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    eventually(lambda: "a hook of" in caplog.text)  # the line comes after the answer


def test_head_has_the_headers_of_the_page_alone(client: Client) -> None:
    answer = client.request("HEAD", "/page/write")
    assert (answer.status, answer.body, answer.headers["X-Page"]) == (401, b"", "mine")


def test_request_that_is_not_refused_has_none_of_it(client: Client) -> None:
    answer = client.get("/page/write", token=ISSUER.token("alice"))
    assert (answer.status, answer.text) == (200, "alice")
    assert "X-Page" not in answer.headers


def test_page_is_no_coroutine() -> None:
    async def write_refusal(self: Any, error: Exception) -> None: ...

    with pytest.raises(TypeError, match=r"Mine\.write_refusal must not be a coroutine"):
        type("Mine", (BearerRequestHandler,), {"write_refusal": write_refusal})
