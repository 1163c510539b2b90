"""Signing in, in a real browser: at the issuer, by a pasted token, and how it ends."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ...client.oauth_issuer import Answer, OAuthIssuer
from ...server import ServerProcess, eventually
from ..process.dev.browser import ALICE, BOB, Printed
from .browser import leave_for_issuer, paste_token, revisit, sign_in, visit


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess("--dev", cwd=tmp_path_factory.mktemp("sign-in")) as server:
        server.printed = Printed(server)
        yield server


@pytest.mark.parametrize("user", [ALICE, BOB])
def test_user_of_dev_signs_in_at_the_issuer(tab: Any, server: Any, user: str) -> None:
    page = revisit(tab, server.port)
    sign_in(page, user)
    assert page.get_by_text(user).is_visible()
    assert "code=" not in page.url
    assert page.complaints == []


def test_pasted_token_signs_in_and_is_nowhere_but_in_memory(tab: Any, server: Any) -> None:
    page = revisit(tab, server.port)
    paste_token(page, server.printed.alice)
    page.get_by_text("Sign out").wait_for()
    kept = page.evaluate(
        "JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])"
    )
    assert server.printed.alice.split(".")[1] not in kept
    page.reload()
    page.get_by_role("heading", name="Sign in").wait_for()
    assert page.complaints == []


def test_enter_signs_in_with_the_pasted_token(tab: Any, server: Any) -> None:
    page = revisit(tab, server.port)
    paste_token(page, server.printed.alice, press="Enter")
    page.get_by_text("Sign out").wait_for()
    assert page.complaints == []


def test_token_that_is_none_is_refused_with_what_to_do(tab: Any, server: Any) -> None:
    page = revisit(tab, server.port)
    paste_token(page, "eyJub25lIn0.e30.")
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "did not accept your token" in alert.inner_text()
    assert page.complaints == []


def test_refused_sign_in_is_told(tab: Any, server: Any) -> None:
    page = revisit(tab, server.port)
    leave_for_issuer(page)
    page.get_by_role("button", name="Refuse").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "The issuer did not sign you in" in alert.inner_text()
    assert "error=" not in page.url


def test_code_that_another_tab_asked_for_is_not_redeemed(tab: Any, server: Any) -> None:
    """A link with the attacker's own code would sign the victim in as the attacker (RFC 9700 §4.7)."""
    page = revisit(tab, server.port, "?code=stolen&state=guessed")
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "not begun in this tab" in alert.inner_text()
    assert "code=" not in page.url


# --- at an issuer of one's own --------------------------------------------------------------------


class PageIssuer(OAuthIssuer):
    """Lets a page of another origin ask for tokens, as issuers do for clients that are registered so.

    token_moved_to: a path to which a request for tokens is redirected.
    """

    token_moved_to: str | None = None

    def respond(
        self, path: str, parameters: dict[str, str], authorization: str, proof: str = ""
    ) -> Answer:
        status, headers, body = super().respond(path, parameters, authorization, proof)
        if path == "/token" and self.token_moved_to is not None:
            status, headers, body = 307, {"Location": self.token_moved_to}, b""
        return status, {**headers, "Access-Control-Allow-Origin": "*"}, body


@pytest.fixture
def issuer() -> Iterator[PageIssuer]:
    with PageIssuer() as running:
        yield running


@pytest.fixture
def trusting_server(issuer: PageIssuer, tmp_path: Path) -> Iterator[ServerProcess]:
    options = (
        "--jwt-issuer-uri",
        issuer.uri,
        "--jwt-audience",
        "kms",
        "--ui",
        "--ui-client-id",
        "kms-page",
    )
    with ServerProcess(*options, "--jwks-cooldown", "0", cwd=tmp_path) as server:
        yield server


def test_configured_issuer_signs_in_by_code_and_renews_unasked(
    tab: Any, issuer: PageIssuer, trusting_server: ServerProcess
) -> None:
    issuer.lifetime_s = 50  # which ends within a minute, so that it is renewed at once
    page = revisit(tab, trusting_server.port, "#/me")
    page.get_by_role("button", name=f"Sign in at 127.0.0.1:{issuer.port}").click()
    page.get_by_role("heading", name="Me", exact=True).wait_for()
    (asked,) = issuer.asked("/authorize")
    assert asked["client_id"] == "kms-page"
    assert asked["code_challenge_method"] == "S256"
    assert asked["audience"] == "kms"
    assert asked["redirect_uri"] == f"http://127.0.0.1:{trusting_server.port}/ui/"
    eventually(lambda: len(issuer.asked("/token")) >= 2)
    assert issuer.asked("/token")[1]["grant_type"] == "refresh_token"
    assert page.get_by_text("Sign out").is_visible()
    assert page.complaints == []


def test_id_token_is_taken_where_the_access_token_is_none(
    tab: Any, issuer: PageIssuer, trusting_server: ServerProcess
) -> None:
    issuer.is_opaque, issuer.claims = True, {"aud": "kms"}
    page = revisit(tab, trusting_server.port)
    page.get_by_role("button", name="Sign in at").click()
    page.get_by_text("Sign out").wait_for()


def test_code_and_verifier_follow_no_redirect(
    tab: Any, issuer: PageIssuer, trusting_server: ServerProcess
) -> None:
    issuer.token_moved_to = "/elsewhere"
    page = revisit(tab, trusting_server.port)
    page.get_by_role("button", name="Sign in at").click()
    page.get_by_text("cannot be reached from this page").wait_for()
    assert len(issuer.asked("/token")) == 1
    assert issuer.asked("/elsewhere") == []


def test_dead_issuer_is_told_and_a_token_still_signs_in(tab: Any, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{unused.getsockname()[1]}"
    options = ("--jwt-issuer-uri", uri, "--ui", "--ui-client-id", "kms-page")
    with ServerProcess(*options, cwd=tmp_path) as server:
        page = revisit(tab, server.port)
        page.get_by_text(f"The issuer {uri} does not answer").wait_for()
        assert page.get_by_label("A token of your issuer (a JWT)").is_visible()


def test_hostile_name_of_an_issuer_is_text_wherever_it_is_shown(
    tab: Any, issuer: PageIssuer, tmp_path: Path
) -> None:
    # Angle brackets are refused at the start.
    name = "'&lt;img src=x onerror=&quot;document.title='taken'&quot;&gt;"
    keys = ("--jwks-uri", f"{issuer.uri}/.well-known/jwks.json", "--jwks-allow-http", "127.0.0.1")
    options = ("--jwt-issuer-uri", name, *keys, "--jwt-audience", "kms", "--ui")
    with ServerProcess(*options, cwd=tmp_path) as server:
        page = revisit(tab, server.port, "#/me")
        paste_token(page, issuer.jwt(iss=name))
        page.get_by_role("heading", name="Me", exact=True).wait_for()
        page.get_by_text(name).first.wait_for()
        page.get_by_role("link", name="Overview").click()
        page.get_by_text(f"Issuer {name}").wait_for()
        assert page.locator("img").count() == 0
        assert "taken" not in page.title()
        assert page.complaints == []


def test_token_that_has_ended_signs_out_in_words(
    browser: Any, issuer: PageIssuer, trusting_server: ServerProcess
) -> None:
    page = visit(browser, trusting_server.port)  # whose clock is another one from then on
    paste_token(page, issuer.jwt(exp=int(time.time()) + 30))
    page.get_by_text("Your sign-in ends in less than two minutes.").wait_for()
    page.clock.install()
    page.clock.fast_forward(120_000)
    page.get_by_text("Your sign-in has ended").wait_for()
    assert page.get_by_role("heading", name="Sign in", exact=True).is_visible()
