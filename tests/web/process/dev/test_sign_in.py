"""The pages of the issuer of --dev: who signs in, what browsers are told, and what other sites may not do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ....rows import each_row
from .browser import (
    ALICE,
    BOB,
    CLIENT,
    REDIRECT,
    Visitor,
    asking,
    claims_of,
    dev_issuer,
    returned,
    ticket_of,
)


@pytest.fixture(scope="module")
def visitor() -> Iterator[Visitor]:
    with dev_issuer() as running:
        yield running


# --- authorization ------------------------------------------------------------------------------


@pytest.mark.parametrize("user", [ALICE, BOB])
def test_the_user_of_the_button_is_signed_in(visitor: Visitor, user: str) -> None:
    tokens = visitor.sign_in(user)
    assert claims_of(tokens["access_token"])["sub"] == user
    assert claims_of(tokens["id_token"])["sub"] == user


def test_browser_comes_back_with_the_state_and_the_issuer(visitor: Visitor) -> None:
    answer = visitor.choose(visitor.get("/authorize", asking()), ALICE)
    assert answer.headers["Location"].startswith(f"{REDIRECT}?")
    brought = returned(answer)
    assert brought.pop("code")
    assert brought == {"state": "st&te", "iss": visitor.uri}


def test_query_of_the_redirect_uri_is_kept(visitor: Visitor) -> None:
    address = "http://127.0.0.1:5/done?a=b"
    page = visitor.get("/authorize", asking(redirect_uri=address))
    assert visitor.choose(page, BOB).headers["Location"].startswith(f"{address}&code=")


def test_refusal_is_told_to_the_program(visitor: Visitor) -> None:
    brought = returned(visitor.choose(visitor.get("/authorize", asking()), "refuse"))
    assert (brought["error"], brought["state"]) == ("access_denied", "st&te")
    assert "code" not in brought


@pytest.mark.parametrize(
    ("hint", "first"),
    [(BOB, BOB), (ALICE, ALICE), ("carol@example.com", ALICE), (None, ALICE)],
)
def test_login_hint_puts_one_user_first(visitor: Visitor, hint: str | None, first: str) -> None:
    page = visitor.get("/authorize", asking(login_hint=hint)).text
    assert re.findall(r'value="([^"]+)"( class="chosen" autofocus)?>', page)[1:] == [
        (first, ' class="chosen" autofocus' if hint == first else ""),
        (BOB if first == ALICE else ALICE, ""),
        ("refuse", ""),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"redirect_uri": "https://evil.example/"}, id="foreign"),
        pytest.param({"redirect_uri": "http://192.0.2.1/"}, id="http to another host"),
        pytest.param({"redirect_uri": "http://127.0.0.1@evil.example/"}, id="a user name"),
        pytest.param({"redirect_uri": None}, id="none"),
        pytest.param({"client_id": None}, id="no client"),
    ],
)
def test_nobody_is_sent_to_an_address_that_is_not_a_program_s_own(
    visitor: Visitor, changes: dict[str, str | None]
) -> None:
    answer = visitor.get("/authorize", asking(**changes))
    assert answer.status == 400
    assert "Location" not in answer.headers
    assert "ticket" not in answer.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="implicit"),
        pytest.param({"response_type": None}, "invalid_request", id="no response type"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="plain"),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="plain by default"),
        pytest.param({"code_challenge": None}, "invalid_request", id="no PKCE"),
        pytest.param({"prompt": "none"}, "login_required", id="without a page"),
        pytest.param({"request": "ey"}, "request_not_supported", id="request object"),
    ],
)
def test_other_mistakes_are_told_to_the_program(
    visitor: Visitor, changes: dict[str, str | None], error: str
) -> None:
    brought = returned(visitor.get("/authorize", asking(**changes)))
    assert (brought["error"], brought["state"], brought["iss"]) == (error, "st&te", visitor.uri)


def test_ticket_of_a_page_is_good_once(visitor: Visitor) -> None:
    page = visitor.get("/authorize", asking())
    assert visitor.choose(page, ALICE).status == 303
    assert visitor.choose(page, ALICE).status == 400


@pytest.mark.parametrize("ticket", ["", "guessed"])
def test_form_without_a_ticket_of_ours_signs_nobody_in(visitor: Visitor, ticket: str) -> None:
    answer = visitor.post("/authorize", {"ticket": ticket, "user": ALICE}, Origin=visitor.uri)
    assert answer.status == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize("user", ["mallory@example.com", "", "ALICE@EXAMPLE.COM"])
def test_there_are_no_other_users(visitor: Visitor, user: str) -> None:
    assert visitor.choose(visitor.get("/authorize", asking()), user).status == 400


# --- device -------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", [ALICE, BOB])
def test_device_is_signed_in_as_the_user_of_the_button(visitor: Visitor, user: str) -> None:
    device = visitor.start_device()
    assert visitor.poll(device["device_code"]).json()["error"] == "authorization_pending"
    page = visitor.get(device["verification_uri_complete"].removeprefix(visitor.uri))
    assert device["user_code"] in page.text  # to compare with what the device shows
    assert f"The program acts for {user} now." in visitor.choose(page, user).text
    tokens = visitor.poll(device["device_code"]).json()
    assert claims_of(tokens["access_token"])["sub"] == user
    assert claims_of(tokens["id_token"])["aud"] == CLIENT


@pytest.mark.parametrize("dash", ["-", " ", "", "–"])
def test_user_code_is_typed_as_people_type(visitor: Visitor, dash: str) -> None:
    user_code = visitor.start_device()["user_code"]
    assert 'name="user_code"' in visitor.get("/device").text
    typed = user_code.lower().replace("-", dash)
    assert user_code in visitor.get("/device", {"user_code": typed}).text


def test_refused_device_is_told_so(visitor: Visitor) -> None:
    device = visitor.start_device()
    page = visitor.get("/device", {"user_code": device["user_code"]})
    assert "refused" in visitor.choose(page, "refuse").text
    assert visitor.poll(device["device_code"]).json()["error"] == "access_denied"


def test_device_is_decided_once(visitor: Visitor) -> None:
    device = visitor.start_device()
    pages = [visitor.get("/device", {"user_code": device["user_code"]}) for _ in range(2)]
    assert visitor.choose(pages[0], ALICE).status == 200
    assert visitor.choose(pages[0], BOB).status == 400  # its ticket is spent
    assert visitor.choose(pages[1], BOB).status == 400
    assert visitor.get("/device", {"user_code": device["user_code"]}).status == 400
    token = visitor.poll(device["device_code"]).json()["access_token"]
    assert claims_of(token)["sub"] == ALICE


def test_unknown_user_code_asks_again(visitor: Visitor) -> None:
    answer = visitor.get("/device", {"user_code": "<script>"})
    assert answer.status == 400
    assert 'name="user_code"' in answer.text
    assert "script" not in answer.text


def test_ticket_of_one_page_is_none_of_the_other(visitor: Visitor) -> None:
    device = visitor.start_device()
    sign_in = visitor.get("/authorize", asking())
    form = {"ticket": ticket_of(sign_in), "user": ALICE}
    assert visitor.post("/device", form, Origin=visitor.uri).status == 400
    assert visitor.poll(device["device_code"]).json()["error"] == "authorization_pending"


# --- other sites --------------------------------------------------------------------------------

EVIL = {"Origin": "https://evil.example"}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_form_of_another_site_signs_nobody_in(visitor: Visitor, origin: str) -> None:
    page = visitor.get("/authorize", asking())
    assert visitor.choose(page, ALICE, Origin=origin).status == 403
    assert visitor.choose(page, ALICE).status == 303  # the twin that passes


@pytest.mark.parametrize("path", ["/token", "/device_authorization", "/revoke", "/device"])
def test_no_endpoint_takes_what_another_site_posts(visitor: Visitor, path: str) -> None:
    assert visitor.post(path, {"client_id": CLIENT}, **EVIL).status == 403


@each_row(
    "path",
    [
        "/authorize",
        "/device",
        "/token",
        "/style.css",
        "/.well-known/jwks.json",
        "/.well-known/openid-configuration",
    ],
)
@each_row("host", ["evil.example", "localhost", "127.0.0.1:1", ""])
def test_name_that_was_made_to_mean_loopback_is_refused(
    visitor: Visitor, path: str, host: str
) -> None:
    port = visitor.uri.rpartition(":")[2]
    for name in (host, f"{host}:{port}"):
        assert visitor.get(path, asking(), Host=name).status in {400, 421}


def test_pages_are_in_nobody_s_frame_and_nobody_s_cache(visitor: Visitor) -> None:
    for page in (visitor.get("/authorize", asking()), visitor.get("/device")):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Cache-Control"] == "no-store"
        # With no-referrer a browser's Origin would be null, also for the page's own form.
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert not re.search(r"<script|style=|<style| on\w+=", page.text)


@pytest.mark.parametrize(
    ("address", "target"),
    [
        (REDIRECT, "http://127.0.0.1:4711"),
        ("http://localhost/x?y", "http://localhost"),
        ("http://[::1]:80/", "http: https:"),
    ],
)
def test_page_s_form_leads_to_the_program_alone(
    visitor: Visitor, address: str, target: str
) -> None:
    policy = visitor.get("/authorize", asking(redirect_uri=address)).headers[
        "Content-Security-Policy"
    ]
    assert policy.endswith(f"form-action 'self' {target}")


def test_style_sheet_of_the_pages_is_there(visitor: Visitor) -> None:
    assert 'href="/style.css"' in visitor.get("/device").text
    assert visitor.get("/style.css").headers["Content-Type"].startswith("text/css")


def test_name_of_the_program_is_text(visitor: Visitor) -> None:
    page = visitor.get("/authorize", asking(client_id='<b onclick="x">"'))
    assert "&lt;b onclick=&quot;x&quot;&gt;" in page.text
    assert "<b " not in page.text


@each_row("host", ["::1", "localhost", "LOCALHOST"])
def test_issuer_has_the_name_of_the_host_it_is_on(host: str) -> None:
    with dev_issuer(host) as visitor:
        assert visitor.sign_in()["access_token"]
