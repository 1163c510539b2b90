"""The tokens of --dev are tokens like any other."""

from __future__ import annotations

import pytest

from kms_tornado.auth.minting import ALGORITHM, DevSigner
from kms_tornado.errors import UnknownKey

from .samples import ISSUER, good_claims, key_set, trust, verify


def test_minted_token_verifies_with_the_published_key_set() -> None:
    signer = DevSigner()
    keys = {ISSUER: key_set(*signer.jwks()["keys"])}
    settings = trust(algorithms=frozenset({ALGORITHM}))
    assert verify(signer.mint(good_claims(sub="bob")), settings, keys).name == "bob"


def test_key_set_has_no_private_member() -> None:
    (key,) = DevSigner().jwks()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_key_of_another_process_verifies_nothing() -> None:
    keys = {ISSUER: key_set(*DevSigner().jwks()["keys"])}
    with pytest.raises(UnknownKey):
        verify(DevSigner().mint(good_claims()), trust(), keys)
