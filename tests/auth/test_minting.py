"""The tokens of --dev are tokens like any other."""

from __future__ import annotations

import pytest

from kms_tornado.auth.minting import DevMint, DevSigner
from kms_tornado.auth.tokens.compact import parse_token
from kms_tornado.auth.tokens.token_policy import DEV_ALGORITHM
from kms_tornado.errors import UnknownKey

from .samples import ISSUER, good_claims, key_set, trust, verify


def test_minted_token_verifies_with_the_published_key_set() -> None:
    signer = DevSigner()
    keys = {ISSUER: key_set(*signer.jwks()["keys"])}
    settings = trust(algorithms=frozenset({DEV_ALGORITHM}))
    assert verify(signer.mint(good_claims(sub="bob")), settings, keys).name == "bob"


def test_key_set_has_no_private_member() -> None:
    (key,) = DevSigner().jwks()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_key_of_another_process_verifies_nothing() -> None:
    keys = {ISSUER: key_set(*DevSigner().jwks()["keys"])}
    with pytest.raises(UnknownKey):
        verify(DevSigner().mint(good_claims()), trust(), keys)


def test_each_kind_of_token_is_for_who_reads_it() -> None:
    mint = DevMint(DevSigner(), "https://i.example", "kms")
    now, lifetime_s = 1000, 60
    access = parse_token(
        mint.mint_access_token("bob", now=now, lifetime_s=lifetime_s, client_id="c", scope="a b")
    ).claims
    identity = parse_token(
        mint.mint_id_token("bob", now=now, lifetime_s=lifetime_s, client_id="c", nonce="n")
    ).claims
    for claims in (access, identity):
        assert (claims["iss"], claims["sub"], claims["exp"]) == ("https://i.example", "bob", 1060)
    assert (access["aud"], access["client_id"], access["scope"]) == ("kms", "c", "a b")
    assert (identity["aud"], identity["nonce"]) == ("c", "n")


def test_claim_without_a_value_is_left_out() -> None:
    mint = DevMint(DevSigner(), "https://i.example", "kms")
    access = parse_token(mint.mint_access_token("bob", now=1, lifetime_s=1)).claims
    assert not {"scope", "client_id"} & set(access)
    assert (
        "nonce"
        not in parse_token(mint.mint_id_token("bob", now=1, lifetime_s=1, client_id="c")).claims
    )
