"""Signing in, in a real browser: at the issuer, by a pasted token, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ...server import ServerProcess
from ..process.dev_browser import ALICE, BOB, Printed
from .browser import launch, paste_token, sign_in, visit


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from launch()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess("--dev", cwd=tmp_path_factory.mktemp("sign-in")) as server:
        server.printed = Printed(server)
        yield server


@pytest.mark.parametrize("user", [ALICE, BOB])
def test_user_of_dev_signs_in_at_the_issuer(browser: Any, server: Any, user: str) -> None:
    page = visit(browser, server.port)
    sign_in(page, user)
    assert page.get_by_text(user).is_visible()
    assert "code=" not in page.url
    assert page.complaints == []


def test_pasted_token_signs_in_and_is_nowhere_but_in_memory(browser: Any, server: Any) -> None:
    page = visit(browser, server.port)
    paste_token(page, server.printed.alice)
    page.get_by_text("Sign out").wait_for()
    kept = page.evaluate(
        "JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])"
    )
    assert server.printed.alice.split(".")[1] not in kept
    page.reload()
    page.get_by_role("heading", name="Sign in").wait_for()
    assert page.complaints == []


def test_token_that_is_none_is_refused_with_what_to_do(browser: Any, server: Any) -> None:
    page = visit(browser, server.port)
    paste_token(page, "eyJub25lIn0.e30.")
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "did not accept your token" in alert.inner_text()
    assert page.complaints == []


def test_refused_sign_in_is_told(browser: Any, server: Any) -> None:
    page = visit(browser, server.port)
    page.get_by_role("button", name=ALICE).click()
    page.get_by_role("button", name="Refuse").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "The issuer did not sign you in" in alert.inner_text()
    assert "error=" not in page.url


def test_code_that_another_tab_asked_for_is_not_redeemed(browser: Any, server: Any) -> None:
    """A link with the attacker's own code would sign the victim in as the attacker (RFC 9700 §4.7)."""
    page = visit(browser, server.port, "?code=stolen&state=guessed")
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "not begun in this tab" in alert.inner_text()
    assert "code=" not in page.url
