"""Tokens that an issuer binds to a key by DPoP: at a sign-in, at a refresh, with a nonce and without."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from kms_tornado.client import DPoPToken, ProofKey
from kms_tornado.client.connection import ConnectionSettings
from kms_tornado.client.login.issuer import Issuer, bind_tokens, open_issuer
from kms_tornado.client.login.login import (
    refresh,
    sign_in_with_browser,
    start_device_sign_in,
    wait_for_device_sign_in,
)
from kms_tornado.client.login.login_errors import LoginFailed, SessionEnded
from kms_tornado.client.login.login_settings import LoginSettings
from kms_tornado.client.login.stored_tokens import StoredTokenSource
from kms_tornado.client.login.token_file import FileTokenStore
from kms_tornado.client.login.token_proofs import TokenProofs, load_proof_key
from kms_tornado.client.login.tokens import Tokens, format_tokens, parse_tokens

from ..oauth_issuer import Browser, OAuthIssuer, error, json_answer

CONNECTION = ConnectionSettings(server_url="https://kms.example")


@pytest.fixture
def issuer() -> Iterator[OAuthIssuer]:
    with OAuthIssuer() as listening:
        listening.proof_algorithms = ["ES256"]
        yield listening


@pytest.fixture
def key() -> ProofKey:
    return ProofKey.generate()


def sign_in(issuer: OAuthIssuer, browser: Browser, key: ProofKey, **more: Any) -> Tokens:
    settings = LoginSettings(client_id="kmsctl", issuer=issuer.uri, redirect_port=0, **more)
    with open_issuer(CONNECTION, settings) as opened:
        return sign_in_with_browser(bind_tokens(opened, key), browser.open, timeout_s=10)


def renew(issuer: OAuthIssuer, tokens: Tokens, **more: Any) -> Tokens:
    settings = LoginSettings(client_id="kmsctl", issuer=issuer.uri, redirect_port=0, **more)
    with open_issuer(CONNECTION, settings) as opened:
        return refresh(opened, tokens)


def test_sign_in_and_refresh_give_tokens_that_are_bound_to_the_key(
    issuer: OAuthIssuer, browser: Browser, key: ProofKey
) -> None:
    tokens = sign_in(issuer, browser, key)
    assert tokens.is_bound
    assert ProofKey.from_pem((tokens.proof_key or "").encode()).thumbprint == key.thumbprint
    renewed = renew(issuer, tokens)
    assert renewed.is_bound
    assert renewed.proof_key == tokens.proof_key
    assert renewed.access_token != tokens.access_token
    assert len(issuer.proofs) == 2


def test_code_is_bound_to_the_key_as_well(
    issuer: OAuthIssuer, browser: Browser, key: ProofKey
) -> None:
    sign_in(issuer, browser, key)
    assert dict(parse_qsl(urlsplit(browser.urls[0]).query))["dpop_jkt"] == key.thumbprint


def test_nonce_that_is_demanded_is_sent_and_remembered(
    issuer: OAuthIssuer, browser: Browser, key: ProofKey
) -> None:
    issuer.nonce = "one"
    tokens = sign_in(issuer, browser, key)
    assert [proof.get("nonce") for proof in issuer.proofs] == [None, "one"]
    issuer.nonce = "two"
    assert renew(issuer, tokens).is_bound
    assert [proof.get("nonce") for proof in issuer.proofs[2:]] == [None, "two"]


def test_device_polls_with_a_new_proof_each_time(issuer: OAuthIssuer, key: ProofKey) -> None:
    issuer.nonce = "n"
    settings = LoginSettings(client_id="kmsctl", issuer=issuer.uri)

    def sleep(_: float) -> None:
        issuer.is_approved = len(issuer.proofs) > 2

    with open_issuer(CONNECTION, settings) as opened:
        bound = bind_tokens(opened, key)
        tokens = wait_for_device_sign_in(bound, start_device_sign_in(bound), sleep=sleep)
    assert tokens.is_bound
    # The first one is told the nonce, which all others have.
    assert [proof.get("nonce") for proof in issuer.proofs][:3] == [None, "n", "n"]
    assert None not in [proof.get("nonce") for proof in issuer.proofs[1:]]


def test_issuer_that_answers_with_a_bearer_token_is_believed(
    issuer: OAuthIssuer, browser: Browser, key: ProofKey
) -> None:
    """Keycloak can bind refresh tokens alone: they need the key."""
    issuer.binds_access_tokens = False
    tokens = sign_in(issuer, browser, key)
    assert not tokens.is_bound
    assert renew(issuer, tokens).access_token != tokens.access_token
    assert len(issuer.proofs) == 2


def test_bearer_token_is_none_where_bound_ones_are_demanded(
    issuer: OAuthIssuer, browser: Browser, key: ProofKey
) -> None:
    issuer.binds_access_tokens = False
    with pytest.raises(LoginFailed, match="bound to no key: switch DPoP on"):
        sign_in(issuer, browser, key, dpop="always")


def test_bound_token_that_nobody_asked_for_is_refused(
    issuer: OAuthIssuer, browser: Browser
) -> None:
    issuer.scripted["/token"] = [lambda: json_answer(issuer.token_response(key="a-thumbprint"))]
    settings = LoginSettings(client_id="kmsctl", issuer=issuer.uri, redirect_port=0)
    with (
        open_issuer(CONNECTION, settings) as opened,
        pytest.raises(LoginFailed, match="none was shown to it"),
    ):
        sign_in_with_browser(opened, browser.open, timeout_s=10)


@pytest.mark.parametrize(
    ("skew_s", "said"),
    [
        pytest.param(300, "clock is (299|300|301) s behind the issuer's: set it", id="slow"),
        pytest.param(-300, "clock is (299|300|301) s ahead of the issuer's: set it", id="fast"),
    ],
)
def test_refusal_for_the_clock_says_so(
    issuer: OAuthIssuer, browser: Browser, key: ProofKey, skew_s: float, said: str
) -> None:
    issuer.skew_s = skew_s
    with pytest.raises(LoginFailed, match=rf"DPoP proof \(not fresh\): this machine's {said}"):
        sign_in(issuer, browser, key)


def test_proof_that_is_refused_for_anything_else_says_how_to_go_without(
    issuer: OAuthIssuer, browser: Browser, key: ProofKey
) -> None:
    issuer.scripted["/token"] = [error("invalid_dpop_proof")]
    with pytest.raises(LoginFailed, match='check this machine\'s clock, or set dpop = "never"'):
        sign_in(issuer, browser, key)


def test_demand_for_a_nonce_is_answered_once(
    issuer: OAuthIssuer, browser: Browser, key: ProofKey
) -> None:
    again = (
        400,
        {"DPoP-Nonce": "n", "Content-Type": "application/json"},
        b'{"error":"use_dpop_nonce"}',
    )
    issuer.scripted["/token"] = [again, again]
    with pytest.raises(LoginFailed, match="use_dpop_nonce"):
        sign_in(issuer, browser, key)
    assert len(issuer.asked("/token")) == 2


def test_spelling_of_the_url_makes_no_difference(key: ProofKey) -> None:
    """requests writes the host in lower case, whatever the metadata have."""
    proofs = TokenProofs(key, "https://LOGIN.example/a%2fb?tenant=1")
    assert set(proofs.make_fields("POST", "https://login.example/a%2Fb?tenant=1")) == {"DPoP"}
    assert proofs.make_fields("POST", "https://login.example/revoke") == {}


def test_no_endpoint_but_that_of_tokens_gets_proofs(
    issuer: OAuthIssuer, browser: Browser, key: ProofKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    proven: list[str] = []
    respond = issuer.respond

    def record(path: str, parameters: Any, authorization: str, proof: str = "") -> Any:
        proven.extend([path] if proof else [])
        return respond(path, parameters, authorization, proof)

    monkeypatch.setattr(issuer, "respond", record)
    sign_in(issuer, browser, key)
    assert proven == ["/token"]


def test_refresh_token_is_of_no_use_without_its_key(
    issuer: OAuthIssuer, browser: Browser, key: ProofKey
) -> None:
    tokens = sign_in(issuer, browser, key)
    stolen = replace(tokens, proof_key=None, token_type="Bearer")
    with pytest.raises(SessionEnded):
        renew(issuer, stolen)
    other = replace(tokens, proof_key=ProofKey.generate().to_pem().decode())
    with pytest.raises(SessionEnded):
        renew(issuer, other)
    assert renew(issuer, tokens).is_bound


# --- kept beside the tokens -----------------------------------------------------------------------


def bound_tokens(key: ProofKey | None, **changes: Any) -> Tokens:
    given = {
        "access_token": "token", "refresh_token": "refresh", "token_type": "DPoP",
        "proof_key": key.to_pem().decode() if key else None, **changes,
    }  # fmt: skip
    return Tokens(**given)


def test_key_is_kept_with_the_tokens_and_goes_with_them(tmp_path: Path, key: ProofKey) -> None:
    store = FileTokenStore("account", tmp_path)
    store.save(bound_tokens(key))
    assert store.load() == bound_tokens(key)
    assert (tmp_path / "tokens.json").stat().st_mode & 0o777 == 0o600
    store.forget()
    assert not (tmp_path / "tokens.json").exists()


def test_key_is_not_shown(key: ProofKey) -> None:
    assert "PRIVATE" not in repr(bound_tokens(key))


def test_tokens_of_an_older_kmsctl_are_bearer_tokens() -> None:
    members = format_tokens(Tokens(access_token="token"))
    del members["token_type"], members["proof_key"]
    tokens = parse_tokens(members)
    assert tokens is not None
    assert not tokens.is_bound


@pytest.mark.parametrize("members", [{"token_type": None}, {"token_type": 1}, {"proof_key": 1}])
def test_damaged_members_are_no_tokens(members: dict[str, Any]) -> None:
    assert parse_tokens({**format_tokens(Tokens(access_token="token")), **members}) is None


def source_of(tmp_path: Path, tokens: Tokens) -> StoredTokenSource:
    store = FileTokenStore("account", tmp_path)
    store.save(tokens)
    return StoredTokenSource(store, tokens, lambda _: tokens, now=time.time)


def test_source_gives_a_bound_token_with_its_key(tmp_path: Path, key: ProofKey) -> None:
    token = source_of(tmp_path, bound_tokens(key, access_token="a.b.c")).token()
    assert isinstance(token, DPoPToken)
    assert (token.value, token.key.thumbprint) == ("a.b.c", key.thumbprint)


def test_id_token_is_a_bearer_token(tmp_path: Path, key: ProofKey) -> None:
    assert source_of(tmp_path, bound_tokens(key, id_token="an.id.token")).token() == "an.id.token"


@pytest.mark.parametrize("pem", [None, "", "damaged", "\ud800"])
def test_key_that_is_missing_or_damaged_ends_the_session(pem: str | None) -> None:
    with pytest.raises(SessionEnded, match=r"missing or damaged .* run kmsctl login"):
        load_proof_key(bound_tokens(None, proof_key=pem))


def test_refresh_without_the_key_asks_the_issuer_for_nothing(issuer: OAuthIssuer) -> None:
    with pytest.raises(SessionEnded, match="missing or damaged"):
        renew(issuer, bound_tokens(None))
    assert issuer.asked("/token") == []


def test_issuer_keeps_its_key_out_of_its_repr(issuer: OAuthIssuer, key: ProofKey) -> None:
    settings = LoginSettings(client_id="kmsctl", issuer=issuer.uri)
    with open_issuer(CONNECTION, settings) as opened:
        bound: Issuer = bind_tokens(opened, key)
    assert "object at" not in repr(bound.proof_key)
