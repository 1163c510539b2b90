"""examples/browser_application.py: people sign in with a browser, and its web socket ends with the token."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from .example_programs import example
from .support import Client
from .web.process.dev.browser import Visitor, dev_issuer
from .web.ui.browser import launch


class Place(NamedTuple):
    issuer: Visitor
    client: Client
    deny_file: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    deny_file = tmp_path_factory.mktemp("browser-example") / "deny"
    deny_file.write_text("")
    with (
        dev_issuer() as issuer,
        example(
            "browser_application.py",
            issuer.uri,
            AUDIENCE="kms_tornado",
            DENY_FILE=str(deny_file),
        ) as client,
    ):
        yield Place(issuer, client, deny_file)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from launch()


def test_stranger_is_shown_where_to_sign_in(place: Place) -> None:
    answer = place.client.get("/")
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="kms"')
    assert '<a href="/sign-in">' in answer.text
    assert place.client.post("/sign-out", body=b"").status == 401


def test_request_for_a_code_has_a_challenge_whose_verifier_is_in_the_cookie(place: Place) -> None:
    answer = place.client.get("/sign-in")
    assert answer.status == 302
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    state, _, verifier = cookie.partition(";")[0].partition("=")[2].strip('"').partition(".")
    assert asked["state"] == [state]
    digest = hashlib.sha256(verifier.encode()).digest()
    assert asked["code_challenge"] == [base64.urlsafe_b64encode(digest).decode().rstrip("=")]


@pytest.mark.parametrize(
    ("query", "cookie", "status"),
    [
        ("code=x&state=s", None, 400),
        ("code=x&state=s", "sign-in=other.v", 400),
        ("code=x&state=", "sign-in=.v", 400),
        ("code=x&state=%C3%A4", "sign-in=s.v", 400),
        ("error=access_denied&state=s", "sign-in=s.v", 200),
    ],
)
def test_code_that_nobody_here_asked_for_is_not_taken(
    place: Place, query: str, cookie: str | None, status: int
) -> None:
    headers = {} if cookie is None else {"Cookie": cookie}
    answer = place.client.get(f"/callback?{query}", headers=headers)
    assert answer.status == status
    assert "token=" not in str(answer.headers.get_all("Set-Cookie"))


def test_person_signs_in_talks_and_signs_out_and_a_denied_token_ends_it(
    place: Place, browser: Any
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(60_000)

    def sign_in(user: str) -> None:
        page.goto(f"http://127.0.0.1:{place.client.port}/")
        page.get_by_role("link", name="Sign in").click()
        page.wait_for_url("**/authorize?**")
        page.get_by_role("button", name=user).click()
        page.get_by_text(f"You are {user}.").wait_for()

    def say(text: str) -> None:
        page.get_by_label("Say").fill(text)
        page.get_by_role("button", name="Send").click()

    sign_in("bob@example.com")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_text("bearer token required").wait_for()

    sign_in("alice@example.com")
    (cookie,) = [each for each in context.cookies() if each["name"] == "token"]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    say("hi <b>there</b>")
    page.get_by_text("alice@example.com: hi <b>there</b>").wait_for()

    place.deny_file.write_text("sub=alice@example.com\n")
    page.wait_for_url(
        "**/authorize?**"
    )  # the socket was closed with 4401, and the page went to sign in
    context.close()
