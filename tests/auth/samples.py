"""Good tokens and small changes to them: what the tables in this directory are made of."""

from __future__ import annotations

import json
from typing import Any

from kms_tornado.auth.issuers.issuer import TrustedIssuer, TrustSettings
from kms_tornado.auth.issuers.keyset import KeySet, parse_document
from kms_tornado.auth.principal import Principal
from kms_tornado.auth.rules.verifier import TokenVerifier
from kms_tornado.auth.tokens.token_policy import TokenPolicy

from ..keys import compact, jwk, private_key

NOW = 1_700_000_000.0
ISSUER = "https://issuer.example/"
OTHER = "https://other.example/"
ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip

#: In place of a value: take the member away. None stays None, which is null in JSON.
ABSENT: Any = object()


def changed(members: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changes}.items() if value is not ABSENT}


def good_claims(**changes: Any) -> dict[str, Any]:
    return changed(
        {"iss": ISSUER, "sub": "alice", "aud": "kms", "iat": int(NOW), "exp": int(NOW) + 600},
        changes,
    )


def good_header(alg: str = "ES256", /, **changes: Any) -> dict[str, Any]:
    return changed({"alg": alg, "typ": "JWT", "kid": f"{alg}-1"}, changes)


def token(
    header: dict[str, Any] | bytes | None = None,
    claims: dict[str, Any] | bytes | None = None,
    *,
    alg: str = "ES256",
    name: str = "first",
) -> str:
    """A good token; `header` and `claims` change it, or replace it where they are bytes."""
    return compact(
        header if isinstance(header, bytes) else good_header(alg, **(header or {})),
        claims if isinstance(claims, bytes) else good_claims(**(claims or {})),
        alg,
        private_key(alg, name),
    )


def document(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


def key_set(*keys: dict[str, Any]) -> KeySet:
    parsed = parse_document(document(*keys))
    assert isinstance(parsed, KeySet)
    return parsed


def all_keys() -> KeySet:
    """One key an algorithm, ``<alg>-1``."""
    return key_set(*(jwk(alg, f"{alg}-1") for alg in ALGORITHMS))


def trust(
    *issuers: TrustedIssuer, audiences: frozenset[str] = frozenset({"kms"}), **policy: Any
) -> TrustSettings:
    return TrustSettings(
        issuers or (TrustedIssuer(ISSUER, audiences=audiences),), TokenPolicy(**policy)
    )


def verify(text: str, settings: TrustSettings, keys: dict[str, KeySet]) -> Principal:
    """Open and verify; `keys` are each issuer's."""
    verifier = TokenVerifier(settings)
    unverified, issuer = verifier.parse(text)
    return verifier.verify(unverified, issuer, keys[issuer.uri], now=NOW)
