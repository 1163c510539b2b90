"""Checks of id tokens, each beside its twin that passes."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from kms_tornado import lenient_json
from kms_tornado.client.login.id_tokens import ExpectedIDToken, check_id_token, read_claims
from kms_tornado.client.login.login_errors import LoginFailed

from ...keys import b64, compact, jwk, private_key
from ...rows import each_row

ISSUER = "https://issuer.example"
ACCESS_TOKEN = "an access token"
NOW = 1_800_000_000
EXPECTED = ExpectedIDToken(
    client_id="kmsctl",
    issuer=ISSUER,
    nonce="n",
    key_set={"keys": [jwk("ES256", "k1")]},
    algorithms=frozenset({"ES256", "RS256", "EdDSA"}),
)
AT_HASH = b64(hashlib.sha256(ACCESS_TOKEN.encode()).digest()[:16])


def id_token(
    *, alg: str = "ES256", key_name: str = "first", kid: str | None = "k1", **changes: Any
) -> str:
    claims = {
        "iss": ISSUER, "sub": "alice", "aud": "kmsctl", "nonce": "n", "iat": NOW, "exp": NOW + 60,
        **changes,
    }  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not None}
    header = {"alg": alg, **({"kid": kid} if kid else {})}
    return compact(header, claims, alg, private_key(alg, key_name))


def check(token: str, expected: ExpectedIDToken = EXPECTED) -> Any:
    return check_id_token(token, expected, access_token=ACCESS_TOKEN, now=NOW)


@each_row(
    ("changes", "error"),
    [
        pytest.param({}, None, id="as it should be"),
        pytest.param({"kid": None}, None, id="one key, not named"),
        pytest.param({"at_hash": AT_HASH}, None, id="bound to the access token"),
        pytest.param({"aud": ["kmsctl", "other"], "azp": "kmsctl"}, None, id="several audiences"),
        pytest.param({"exp": NOW - 30}, None, id="expired within the clocks' difference"),
        pytest.param({"key_name": "another"}, "bad_signature", id="signed by another key"),
        pytest.param({"kid": "k2"}, "k2", id="a key that the issuer does not have"),
        pytest.param({"alg": "RS256"}, "not valid", id="another key of another type"),
        pytest.param({"iss": "https://evil.example"}, "iss", id="another issuer"),
        pytest.param({"iss": None}, "iss", id="no issuer"),
        pytest.param({"aud": "another"}, "aud", id="another client"),
        pytest.param({"aud": None}, "aud", id="no audience"),
        pytest.param({"aud": ["kmsctl", "other"], "azp": "other"}, "azp", id="another party"),
        pytest.param({"nonce": "m"}, "nonce", id="nonce of another sign-in"),
        pytest.param({"nonce": None}, "nonce", id="no nonce"),
        pytest.param({"exp": NOW - 61}, "exp", id="expired"),
        pytest.param({"exp": None}, "exp", id="no expiry"),
        pytest.param({"exp": "tomorrow"}, "exp", id="expiry that is no number"),
        pytest.param({"sub": None}, "sub", id="nobody"),
        pytest.param({"at_hash": "AAAA"}, "at_hash", id="bound to another access token"),
    ],
)
def test_id_token_is_checked(changes: dict[str, Any], error: str | None) -> None:
    with pytest.raises(LoginFailed, match=error) if error else contextlib.nullcontext():
        assert check(id_token(**changes))["sub"] == "alice"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("no-token", id="no JWT"),
        pytest.param("a.b.c", id="three parts of nothing"),
        pytest.param(
            compact(
                {"alg": "none"}, {"iss": ISSUER, "sub": "alice"}, "ES256", private_key("ES256")
            ),
            id="algorithm none",
        ),
        pytest.param(
            compact({"alg": "HS256", "kid": "k1"}, {"sub": "alice"}, "ES256", private_key("ES256")),
            id="symmetric algorithm",
        ),
    ],
)
def test_what_is_no_signed_token_is_refused_without_quoting_it(token: str) -> None:
    with pytest.raises(LoginFailed) as refusal:
        check(token)
    assert token not in str(refusal.value)


def test_key_of_an_unknown_type_beside_the_signing_one_is_passed_over() -> None:
    keys = [{"kty": "AKP", "alg": "ML-DSA-44"}, "damaged", jwk("ES256", "k1")]
    assert check(id_token(), replace(EXPECTED, key_set={"keys": keys}))


@pytest.mark.parametrize(
    "odd",
    [
        b'{"kty": "EC", "kid": "a", "kid": "b"}',
        b'{"kty": "EC", "kid": "a", "crv": "P-256", "x": NaN, "y": "x"}',
        b'{"kty": "RSA", "kid": "a", "n": "", "e": "AQAB"}',
        b'{"kty": "EC", "kid": "\\ud800"}',
        b"[" * 5000 + b"]" * 5000,
    ],
    ids=["a duplicate", "NaN", "no modulus", "a lone surrogate", "nesting"],
)
def test_odd_key_beside_the_signing_one_is_passed_over(odd: bytes) -> None:
    """Documents are read as leniently as the server reads them."""
    good = json.dumps(jwk("ES256", "k1")).encode()
    key_set = lenient_json.loads(
        b'\xef\xbb\xbf{"keys": [' + odd + b", " + good + b'], "x": 1, "x": 2}'
    )
    assert check(id_token(), replace(EXPECTED, key_set=key_set))


@pytest.mark.parametrize("key_set", [{}, {"keys": None}, {"keys": []}, {"keys": [{"kty": "EC"}]}])
def test_damaged_key_set_verifies_nothing(key_set: dict[str, Any]) -> None:
    with pytest.raises(LoginFailed):
        check(id_token(), replace(EXPECTED, key_set=key_set))


def test_eddsa_is_verified_without_a_warning() -> None:
    token = id_token(alg="EdDSA")
    assert check(token, replace(EXPECTED, key_set={"keys": [jwk("EdDSA", "k1")]}))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({}, None, id="as it should be"),
        pytest.param({"aud": "another"}, "aud", id="another client"),
        pytest.param({"nonce": "m"}, "nonce", id="nonce of another sign-in"),
        pytest.param({"exp": NOW - 61}, "exp", id="expired"),
    ],
)
def test_without_a_key_set_the_claims_are_checked_all_the_same(
    changes: dict[str, Any], error: str | None
) -> None:
    expected = replace(EXPECTED, key_set=None, issuer=None)
    with pytest.raises(LoginFailed, match=error) if error else contextlib.nullcontext():
        check(id_token(at_hash="AAAA", **changes), expected)


def test_renewed_id_token_is_of_the_same_person() -> None:
    assert check(id_token(), replace(EXPECTED, subject="alice"))
    with pytest.raises(LoginFailed, match="sub"):
        check(id_token(), replace(EXPECTED, subject="bob"))


def test_claims_of_an_own_token_are_read_and_of_an_opaque_one_are_none() -> None:
    assert read_claims(id_token())["sub"] == "alice"
    for opaque in ("", "abc", "a.b.c", "a.bm8.c", "1.2.3.4.5", "é.é.é"):
        assert read_claims(opaque) == {}
