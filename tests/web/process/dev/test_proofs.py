"""Tokens of the issuer of --dev that are bound to a key by a DPoP proof (RFC 9449 §5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kms_tornado.auth.bound.replays import ProcessReplays
from kms_tornado.errors import Unavailable
from kms_tornado.web.process.dev.proofs import TokenProofs
from kms_tornado.web.process.dev.requests import OAuthError

from ....keys import b64
from ....proofs import ABSENT, client_jwk, make_proof, thumbprint
from ....rows import each_row
from ....support import Response
from .browser import (
    ALICE,
    CLIENT,
    DEVICE_GRANT,
    REDIRECT,
    VERIFIER,
    Visitor,
    asking,
    claims_of,
    dev_issuer,
    returned,
)


@pytest.fixture(scope="module")
def visitor() -> Iterator[Visitor]:
    with dev_issuer() as running:
        yield running


def proof(visitor: Visitor, **changes: Any) -> str:
    return make_proof("POST", f"{visitor.uri}/token", "", **{"ath": ABSENT, **changes})


def redeem(visitor: Visitor, code: str, *proofs: str) -> Response:
    return ask(visitor, *proofs, grant_type="authorization_code", code=code, redirect_uri=REDIRECT, code_verifier=VERIFIER)  # fmt: skip


def refresh(visitor: Visitor, token: str, *proofs: str) -> Response:
    return ask(visitor, *proofs, grant_type="refresh_token", refresh_token=token)


def ask(visitor: Visitor, *proofs: str, **form: str) -> Response:
    headers = {"DPoP": proofs[0]} if proofs else {}
    return visitor.post("/token", {"client_id": CLIENT, **form}, **headers)


def error_of(answer: Response) -> str:
    assert answer.status == 400, answer.text
    return str(answer.json()["error"])


def test_tokens_are_bound_to_the_key_of_the_proof(visitor: Visitor) -> None:
    answer = redeem(visitor, visitor.code(), proof(visitor)).json()
    assert answer["token_type"] == "DPoP"
    assert claims_of(answer["access_token"])["cnf"] == {"jkt": thumbprint()}
    assert "cnf" not in claims_of(answer["id_token"])


def test_without_a_proof_they_are_bearer_tokens(visitor: Visitor) -> None:
    answer = redeem(visitor, visitor.code()).json()
    assert answer["token_type"] == "Bearer"
    assert "cnf" not in claims_of(answer["access_token"])


def test_metadata_say_what_proofs_may_be_signed_with(visitor: Visitor) -> None:
    for path in ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"):
        algorithms = visitor.get(path).json()["dpop_signing_alg_values_supported"]
        assert {"ES256", "EdDSA", "Ed25519", "RS256"} <= set(algorithms)
        assert not {"none", "HS256"} & set(algorithms)


@each_row("alg", ["ES256", "EdDSA", "RS256", "PS512"])
def test_every_kind_of_key_is_taken(visitor: Visitor, alg: str) -> None:
    answer = redeem(visitor, visitor.code(), proof(visitor, alg=alg)).json()
    assert claims_of(answer["access_token"])["cnf"] == {"jkt": thumbprint(alg)}


@each_row(
    "changes",
    [
        pytest.param({"htm": "GET"}, id="another method"),
        pytest.param({"htu": "http://127.0.0.1/token"}, id="another port"),
        pytest.param({"htu": "/token"}, id="a path"),
        pytest.param({"jti": ABSENT}, id="no jti"),
        pytest.param({"iat": ABSENT}, id="no time"),
        pytest.param({"header": {"typ": "JWT"}}, id="another type"),
        pytest.param({"header": {"alg": "none"}}, id="none"),
        pytest.param({"header": {"jwk": client_jwk(d=b64(b"x"))}}, id="a private key"),
        pytest.param({"header": {"jwk": client_jwk("ES256", "thief")}}, id="another's signature"),
    ],
)
def test_bad_proof_is_refused_and_the_code_is_not_spent(
    visitor: Visitor, changes: dict[str, Any]
) -> None:
    code = visitor.code()
    assert error_of(redeem(visitor, code, proof(visitor, **changes))) == "invalid_dpop_proof"
    assert redeem(visitor, code, proof(visitor)).status == 200


def test_proof_is_good_once(visitor: Visitor) -> None:
    used = proof(visitor)
    assert redeem(visitor, visitor.code(), used).status == 200
    assert error_of(redeem(visitor, visitor.code(), used)) == "invalid_dpop_proof"


def test_more_than_one_proof_is_refused(visitor: Visitor) -> None:
    both = f"{proof(visitor)},{proof(visitor)}"
    assert error_of(redeem(visitor, visitor.code(), both)) == "invalid_dpop_proof"
    assert error_of(redeem(visitor, visitor.code(), "")) == "invalid_dpop_proof"


def test_client_whose_clock_is_wrong_is_given_a_nonce(visitor: Visitor) -> None:
    code, iat = visitor.code(), int(time.time()) - 3600
    late = redeem(visitor, code, proof(visitor, iat=iat))
    assert error_of(late) == "use_dpop_nonce"
    again = redeem(visitor, code, proof(visitor, iat=iat, nonce=late.headers["DPoP-Nonce"]))
    assert again.json()["token_type"] == "DPoP"


# --- refresh tokens -----------------------------------------------------------------------------


def test_refresh_token_is_bound_to_the_key(visitor: Visitor) -> None:
    token = redeem(visitor, visitor.code(), proof(visitor)).json()["refresh_token"]
    assert error_of(refresh(visitor, token)) == "invalid_grant"
    assert error_of(refresh(visitor, token, proof(visitor, name="thief"))) == "invalid_grant"
    answer = refresh(visitor, token, proof(visitor)).json()  # what the thief tried ended nothing
    assert answer["token_type"] == "DPoP"
    assert claims_of(answer["access_token"])["cnf"] == {"jkt": thumbprint()}
    newest = answer["refresh_token"]
    assert error_of(refresh(visitor, newest, proof(visitor, name="thief"))) == "invalid_grant"
    assert refresh(visitor, newest, proof(visitor)).status == 200


def test_spent_refresh_token_ends_nothing_without_the_key(visitor: Visitor) -> None:
    old = redeem(visitor, visitor.code(), proof(visitor)).json()["refresh_token"]
    newest = refresh(visitor, old, proof(visitor)).json()["refresh_token"]
    assert error_of(refresh(visitor, old)) == "invalid_grant"
    assert refresh(visitor, newest, proof(visitor)).status == 200
    assert (
        error_of(refresh(visitor, old, proof(visitor))) == "invalid_grant"
    )  # the twin that ends it
    assert error_of(refresh(visitor, newest, proof(visitor))) == "invalid_grant"


def test_refresh_token_of_a_client_that_begins_with_proofs_is_bound_from_then_on(
    visitor: Visitor,
) -> None:
    token = redeem(visitor, visitor.code()).json()["refresh_token"]
    answer = refresh(visitor, token, proof(visitor)).json()
    assert answer["token_type"] == "DPoP"
    assert error_of(refresh(visitor, answer["refresh_token"])) == "invalid_grant"


# --- codes --------------------------------------------------------------------------------------


def test_code_that_was_asked_for_with_a_key_is_for_that_key(visitor: Visitor) -> None:
    for proofs in ((), (proof(visitor, name="thief"),)):
        code = visitor.code(dpop_jkt=thumbprint())
        assert error_of(redeem(visitor, code, *proofs)) == "invalid_grant"
    assert redeem(visitor, visitor.code(dpop_jkt=thumbprint()), proof(visitor)).status == 200


def test_code_cannot_be_asked_for_with_what_is_no_thumbprint(visitor: Visitor) -> None:
    answer = visitor.get("/authorize", asking(dpop_jkt="short"))
    assert returned(answer)["error"] == "invalid_request"


def test_device_is_bound_to_its_key(visitor: Visitor) -> None:
    started = visitor.start_device()
    page = visitor.get("/device", {"user_code": started["user_code"]})
    assert visitor.choose(page, ALICE).status == 200
    form = {"grant_type": DEVICE_GRANT, "device_code": started["device_code"]}
    answer = ask(visitor, proof(visitor), **form).json()
    assert claims_of(answer["access_token"])["cnf"] == {"jkt": thumbprint()}


# --- limits -------------------------------------------------------------------------------------


def test_proof_that_cannot_be_remembered_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(self: ProcessReplays, *arguments: object) -> bool:
        raise Unavailable("too many requests with DPoP proofs", detail="full")

    monkeypatch.setattr(ProcessReplays, "use", use)
    url = "http://127.0.0.1:1/token"
    with pytest.raises(OAuthError) as refused:
        asyncio.run(TokenProofs(url).find_key([make_proof("POST", url, "", ath=ABSENT)]))
    assert (refused.value.error, refused.value.status) == ("temporarily_unavailable", 503)
