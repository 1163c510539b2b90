"""What programs ask the issuer of --dev: tokens, device codes, revocation, and the document that names them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .browser import (
    ALICE,
    CLIENT,
    PAGE,
    REDIRECT,
    VERIFIER,
    Visitor,
    claims_of,
    dev_issuer,
)


@pytest.fixture(scope="module")
def visitor() -> Iterator[Visitor]:
    with dev_issuer() as running:
        yield running


def refused(answer) -> str:
    """The error of a refusal as RFC 6749 §5.2 has it."""
    assert answer.status == 400, answer.text
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    document = answer.json()
    assert set(document) == {"error", "error_description"}
    return str(document["error"])


# --- tokens -------------------------------------------------------------------------------------


def test_access_token_is_for_the_server_and_the_id_token_for_the_program(visitor: Visitor) -> None:
    answer = visitor.sign_in()
    assert (answer["token_type"], answer["scope"]) == ("Bearer", "openid kms")
    access, identity = claims_of(answer["access_token"]), claims_of(answer["id_token"])
    assert (access["aud"], access["scope"], access["client_id"]) == (
        "kms_tornado",
        "openid kms",
        CLIENT,
    )
    assert (identity["aud"], identity["nonce"]) == (CLIENT, "n-1")
    for claims in (access, identity):
        assert (claims["iss"], claims["sub"], claims["email"]) == (visitor.uri, ALICE, ALICE)
        assert claims["exp"] - claims["iat"] == answer["expires_in"]


def test_id_token_is_for_who_asks_with_openid(visitor: Visitor) -> None:
    assert "id_token" not in visitor.sign_in(scope="kms")
    assert "scope" not in claims_of(visitor.sign_in(scope=None)["access_token"])
    assert "nonce" not in claims_of(visitor.sign_in(nonce=None)["id_token"])


def test_replayed_code_is_refused_and_revokes_what_it_brought(visitor: Visitor) -> None:
    code = visitor.code()
    tokens = visitor.redeem(code).json()
    assert refused(visitor.redeem(code)) == "invalid_grant"
    assert refused(visitor.refresh(tokens["refresh_token"])) == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"code_verifier": "another-" * 6}, id="wrong verifier"),
        pytest.param({"client_id": "another"}, id="wrong client"),
        pytest.param({"redirect_uri": REDIRECT + "/"}, id="wrong redirect_uri"),
    ],
)
def test_stolen_code_is_worth_nothing(visitor: Visitor, changes: dict[str, str]) -> None:
    code = visitor.code()
    assert refused(visitor.redeem(code, **changes)) == "invalid_grant"
    assert refused(visitor.redeem(code)) == "invalid_grant"  # who tried it spent it
    assert visitor.redeem(visitor.code()).status == 200  # the twin that passes


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"code_verifier": ""}, "invalid_request", id="no verifier"),
        pytest.param({"client_id": ""}, "invalid_request", id="no client"),
        pytest.param({"grant_type": ""}, "invalid_request", id="no grant type"),
        pytest.param({"grant_type": "password"}, "unsupported_grant_type", id="password"),
    ],
)
def test_token_request_is_whole(visitor: Visitor, changes: dict[str, str], error: str) -> None:
    assert refused(visitor.redeem(visitor.code(), **changes)) == error


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:9998", "http://[::1]:9998"])
def test_page_of_the_server_reads_its_tokens(visitor: Visitor, origin: str) -> None:
    answer = visitor.post("/token", {"grant_type": "x", "client_id": CLIENT}, Origin=origin)
    assert answer.status == 400
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    ["http://127.0.0.1:9999", "https://127.0.0.1:9998", "http://evil.example:9998", "null"],
)
def test_no_other_page_is_answered(visitor: Visitor, origin: str) -> None:
    form = {
        "grant_type": "authorization_code",
        "code": visitor.code(),
        "client_id": CLIENT,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }
    answer = visitor.post("/token", form, Origin=origin)
    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert visitor.post("/token", form, Origin=PAGE).status == 200  # the twin that passes


def test_page_of_the_server_does_nothing_but_fetch_tokens(visitor: Visitor) -> None:
    for path in ("/authorize", "/device_authorization", "/revoke"):
        assert visitor.post(path, {"client_id": CLIENT}, Origin=PAGE).status == 403


def test_unknown_code_is_refused(visitor: Visitor) -> None:
    assert refused(visitor.redeem("unknown")) == "invalid_grant"


def test_parameters_count_in_a_form_alone_and_once(visitor: Visitor) -> None:
    form = f"grant_type=authorization_code&client_id={CLIENT}&redirect_uri={REDIRECT}"
    form += f"&code_verifier={VERIFIER}&code={visitor.code()}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    twice = visitor.request("POST", "/token", f"{form}&client_id=x", headers)
    assert refused(twice) == "invalid_request"
    json_body = visitor.request("POST", "/token", json.dumps({}), {"Content-Type": "text/json"})
    assert refused(json_body) == "invalid_request"
    assert visitor.request("GET", f"/token?{form}", None, {}).status == 405
    assert visitor.request("POST", "/token", form, headers).status == 200


def test_client_with_a_secret_is_refused_with_what_to_do(visitor: Visitor) -> None:
    by_form = visitor.redeem(visitor.code(), client_secret="s3cret")
    by_header = visitor.post("/token", {"client_id": CLIENT}, Authorization="Basic eDp5")
    for answer in (by_form, by_header):
        assert (answer.status, answer.json()["error"]) == (401, "invalid_client")
        assert "public clients only" in answer.json()["error_description"]
    assert by_header.headers["WWW-Authenticate"].startswith("Basic ")


# --- refresh tokens -----------------------------------------------------------------------------


def test_refresh_token_brings_another_access_token(visitor: Visitor) -> None:
    first = visitor.sign_in()
    second = visitor.refresh(first["refresh_token"]).json()
    third = visitor.refresh(second["refresh_token"]).json()
    tokens = {answer["access_token"] for answer in (first, second, third)}
    assert len(tokens) == 3
    assert claims_of(third["access_token"])["sub"] == ALICE
    assert "nonce" not in claims_of(third["id_token"])


def test_refresh_token_that_comes_again_revokes_all_that_came_from_it(visitor: Visitor) -> None:
    first = visitor.sign_in()["refresh_token"]
    second = visitor.refresh(first).json()["refresh_token"]
    assert refused(visitor.refresh(first)) == "invalid_grant"
    assert refused(visitor.refresh(second)) == "invalid_grant"


def test_refresh_token_is_its_client_s(visitor: Visitor) -> None:
    token = visitor.sign_in()["refresh_token"]
    assert refused(visitor.refresh(token, client_id="another")) == "invalid_grant"
    assert visitor.refresh(token).status == 200


def test_scope_gets_smaller_by_a_refresh_and_not_larger(visitor: Visitor) -> None:
    token = visitor.sign_in()["refresh_token"]
    assert refused(visitor.refresh(token, scope="openid admin")) == "invalid_scope"
    smaller = visitor.refresh(token, scope="kms").json()
    assert claims_of(smaller["access_token"])["scope"] == "kms"


# --- device codes -------------------------------------------------------------------------------


def test_device_code_is_answered_once(visitor: Visitor) -> None:
    device = visitor.start_device()
    page = visitor.get("/device", {"user_code": device["user_code"]})
    visitor.choose(page, ALICE)
    code = device["device_code"]
    assert refused(visitor.poll(code, client_id="another")) == "invalid_grant"
    assert visitor.poll(code).status == 200
    assert refused(visitor.poll(code)) == "invalid_grant"


def test_device_that_asks_too_often_is_told_to_slow_down(visitor: Visitor) -> None:
    device = visitor.start_device()
    assert refused(visitor.poll(device["device_code"])) == "authorization_pending"
    assert refused(visitor.poll(device["device_code"])) == "slow_down"


def test_device_authorization_says_how_long_and_where(visitor: Visitor) -> None:
    device = visitor.start_device()
    assert device["verification_uri"] == f"{visitor.uri}/device"
    assert device["verification_uri_complete"].endswith(f"?user_code={device['user_code']}")
    assert (device["expires_in"], device["interval"]) == (600, 1)
    assert refused(visitor.post("/device_authorization", {})) == "invalid_request"


# --- revocation ---------------------------------------------------------------------------------


def test_revoked_refresh_token_and_its_descendants_are_over(visitor: Visitor) -> None:
    first = visitor.sign_in()["refresh_token"]
    second = visitor.refresh(first).json()["refresh_token"]
    assert visitor.post("/revoke", {"token": first, "client_id": CLIENT}).status == 200
    assert refused(visitor.refresh(second)) == "invalid_grant"


def test_unknown_token_is_revoked_already(visitor: Visitor) -> None:
    assert visitor.post("/revoke", {"token": "unknown", "client_id": CLIENT}).status == 200


def test_token_is_revoked_by_its_own_client_alone(visitor: Visitor) -> None:
    token = visitor.sign_in()["refresh_token"]
    answer = visitor.post("/revoke", {"token": token, "client_id": "another"})
    assert refused(answer) == "invalid_grant"
    assert visitor.refresh(token).status == 200


def test_access_token_that_stays_good_is_not_said_to_be_revoked(visitor: Visitor) -> None:
    token = visitor.sign_in()["access_token"]
    answer = visitor.post("/revoke", {"token": token, "client_id": CLIENT})
    assert refused(answer) == "unsupported_token_type"


# --- discovery ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["openid-configuration", "oauth-authorization-server"])
def test_discovery_document_names_endpoints_that_are_there(visitor: Visitor, name: str) -> None:
    document = visitor.get(f"/.well-known/{name}").json()
    assert document["issuer"] == visitor.uri
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["token_endpoint_auth_methods_supported"] == ["none"]
    endpoints = [value for key, value in document.items() if key.endswith("_endpoint")]
    assert len(endpoints) == 4
    for endpoint in endpoints:
        assert visitor.post(endpoint.removeprefix(visitor.uri), {}).status == 400
