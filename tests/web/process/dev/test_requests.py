"""What the issuer of --dev takes from clients, without a network."""

from __future__ import annotations

import pytest

from kms_tornado.web.process.dev.requests import (
    OAuthError,
    Parameters,
    is_verifier_of,
    parse_client_id,
    parse_return_address,
    parse_scope,
    parse_sign_in_request,
)

from ....rows import each_row
from .browser import asking


def parameters(values: dict[str, str]) -> Parameters:
    return Parameters({name: [value.encode()] for name, value in values.items()})


@each_row(
    "uri",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1:1",
        "http://127.0.0.1:65535/call/back",
        "http://[::1]:4711/",
        "http://localhost:8000/cb?a=b%20c&d",
        "https://127.0.0.1:9998/ui/",  # the page of a server with TLS
    ],
)
def test_redirect_uri_is_a_loopback_address_with_any_port(uri: str) -> None:
    assert parse_return_address(parameters(asking(redirect_uri=uri))).redirect_uri == uri


@each_row(
    "uri",
    [
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1@evil.example/",
        "http://127.0.0.1:80@evil.example/",
        "http://evil.example/127.0.0.1",
        "http://localhost.evil.example/",
        "http://127.0.0.1\\@evil.example/",
        "http://evil.example\\@127.0.0.1/",
        "http://127.0.0.1#@evil.example/",
        "http://127.0.0.1/#fragment",
        "http://127.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://0.0.0.0/",
        "http://192.0.2.1/",
        "http://[::ffff:192.0.2.1]/",
        "http://LOCALHOST.:1/",
        "http://127.0.0.1:1/\r\nSet-Cookie: a=b",
        "http://127.0.0.1:1/ x",
        "http://127.0.0.1:123456/",
        "//127.0.0.1/",
        "javascript:alert(1)//http://127.0.0.1/",
        "com.example.app:/done",
        "urn:ietf:wg:oauth:2.0:oob",
        "",
    ],
)
def test_any_other_redirect_uri_is_refused(uri: str) -> None:
    with pytest.raises(OAuthError, match="redirect_uri"):
        parse_return_address(parameters(asking(redirect_uri=uri)))


@each_row(
    "changes",
    [
        pytest.param({"code_challenge_method": "plain"}, id="plain"),
        pytest.param({"code_challenge_method": "s256"}, id="another spelling"),
        pytest.param({"code_challenge": "A" * 42}, id="too short"),
        pytest.param({"code_challenge": "A" * 43 + "="}, id="padded"),
        pytest.param({"code_challenge": "A" * 42 + "+"}, id="plain base64"),
        pytest.param({"response_mode": "fragment"}, id="fragment"),
        pytest.param({"nonce": "n" * 1001}, id="long nonce"),
        pytest.param({"scope": 'a"b'}, id="odd scope"),
        pytest.param({"scope": "a  b"}, id="two spaces"),
        pytest.param({"request_uri": "https://evil.example/"}, id="request by reference"),
    ],
)
def test_request_that_is_less_than_pkce_is_refused(changes: dict[str, str]) -> None:
    given = parameters(asking(**changes))
    with pytest.raises(OAuthError):
        parse_sign_in_request(given, parse_return_address(given))


def test_good_request_is_read_whole() -> None:
    given = parameters(asking(login_hint="bob@example.com"))
    request = parse_sign_in_request(given, parse_return_address(given))
    assert (request.scope, request.nonce, request.login_hint) == (
        "openid kms",
        "n-1",
        "bob@example.com",
    )
    assert (request.back.client_id, request.back.state) == ("kmsctl", "st&te")


def test_state_comes_back_so_it_is_bounded() -> None:
    with pytest.raises(OAuthError, match="state"):
        parse_return_address(parameters(asking(state="s" * 1001)))


@each_row("client_id", ["", "a\nb", "é", "a" * 256])
def test_name_of_a_client_is_printable_and_short(client_id: str) -> None:
    with pytest.raises(OAuthError, match="client_id"):
        parse_client_id(parameters({"client_id": client_id}))


@pytest.mark.parametrize("name", ["client_secret", "client_assertion"])
def test_client_that_brings_a_secret_is_none_of_ours(name: str) -> None:
    with pytest.raises(OAuthError, match="public clients only") as refusal:
        parse_client_id(parameters({"client_id": "a", name: "s"}))
    assert refusal.value.status == 401


def test_parameter_is_there_once_and_short_and_an_empty_one_is_absent() -> None:
    with pytest.raises(OAuthError, match="twice"):
        Parameters({"scope": [b"a", b"a"]})
    assert Parameters({"scope": [b"", b"a"]}).get("scope") == "a"
    with pytest.raises(OAuthError, match="scope is missing"):
        Parameters({"scope": [b""]}).require("scope")
    with pytest.raises(OAuthError, match="too long"):
        Parameters({"redirect_uri": [b"http://127.0.0.1/" + b"a" * 4096]})
    with pytest.raises(OAuthError, match="UTF-8"):
        Parameters({"scope": [b"\xff"]})


def test_scope_is_granted_as_it_was_asked_for() -> None:
    assert parse_scope(parameters({"scope": "a b:c"})) == "a b:c"
    assert parse_scope(parameters({})) == ""


# RFC 7636 appendix B
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@each_row(
    ("verifier", "fits"),
    [
        pytest.param(VERIFIER, True, id="its own"),
        pytest.param(VERIFIER[:-1] + "l", False, id="another"),
        pytest.param(CHALLENGE, False, id="the challenge itself: plain"),
        pytest.param("", False, id="none"),
        pytest.param("short", False, id="too short to be secret"),
        pytest.param("ü" * 43, False, id="not ASCII"),
    ],
)
def test_verifier_is_the_one_of_the_challenge(verifier: str, fits: bool) -> None:
    assert is_verifier_of(verifier, CHALLENGE) is fits
