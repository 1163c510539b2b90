"""What one token check costs, beside the bare signature verification and other libraries."""

from __future__ import annotations

import time
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jose import jwt as jose_jwt

from kms_tornado.auth.authenticator import Authenticator
from kms_tornado.auth.compact import decode_segment
from kms_tornado.auth.issuer import RefreshPolicy, TrustedIssuer, TrustSettings
from kms_tornado.auth.jwk import key_from_jwk
from kms_tornado.auth.key_cache import KeyCache
from kms_tornado.auth.key_source import LoadedKeys
from kms_tornado.auth.keyset import KeySet
from kms_tornado.auth.token_policy import TokenPolicy
from kms_tornado.auth.verifier import TokenVerifier
from tests.bench.ratios import best_of, print_table
from tests.keys import compact, jwk, private_key

ISSUER = "https://issuer.example/"
AUDIENCE = "kms"


def token(alg: str, number: int = 0) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": f"auth0|{number:024d}",
        "aud": [AUDIENCE, "https://issuer.example/userinfo"],
        "iat": now,
        "exp": now + 36000,
        "azp": "a-client-of-usual-length-in-ids",
        "scope": "openid profile email offline_access",
    }
    return compact({"alg": alg, "typ": "JWT", "kid": "k1"}, claims, alg, private_key(alg, "first"))


def bare(alg: str, text: str) -> Any:
    """The signature alone, by `cryptography`, with everything prepared."""
    signing_input, _, signature_part = text.rpartition(".")
    data, signature = signing_input.encode(), decode_segment(signature_part.encode())
    key = private_key(alg, "first").public_key()
    if alg == "RS256":
        scheme, digest = padding.PKCS1v15(), hashes.SHA256()
        return lambda: key.verify(signature, data, scheme, digest)
    if alg == "ES256":
        half = len(signature) // 2
        der = encode_dss_signature(
            int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        )
        scheme = ec.ECDSA(hashes.SHA256())
        return lambda: key.verify(der, data, scheme)
    return lambda: key.verify(signature, data)


def ours(alg: str, text: str) -> dict[str, Any]:
    settings = TrustSettings(
        issuers=(TrustedIssuer(ISSUER, audiences=frozenset({AUDIENCE})),), policy=TokenPolicy()
    )
    key_set = KeySet([key_from_jwk(jwk(alg))])
    verifier = TokenVerifier(settings)

    def cold() -> object:
        unverified, issuer = verifier.parse(text)
        return verifier.verify(unverified, issuer, key_set, now=time.time())

    async def load() -> LoadedKeys:
        return LoadedKeys(key_set, None)

    cache = KeyCache(settings.issuers[0], load, RefreshPolicy())
    cache._record_success(LoadedKeys(key_set, None))
    authenticator = Authenticator(settings, {ISSUER: cache})
    return {
        "kms_tornado, every check": cold,
        "kms_tornado, remembered": lambda: authenticator.check_now(text),
    }


def others(alg: str, text: str) -> dict[str, Any]:
    """Peers with their keys prepared as their documentation has it; those that are installed."""
    candidates: dict[str, Any] = {}
    public = private_key(alg, "first").public_key()
    if alg != "EdDSA":  # python-jose has none by itself
        key = jwk(alg)
        candidates["jose.jwt.decode, JWK"] = lambda: jose_jwt.decode(
            text, key, algorithms=[alg], issuer=ISSUER, audience=AUDIENCE
        )
    try:
        import jwt

        candidates["PyJWT, key prepared"] = lambda: jwt.decode(
            text, public, algorithms=[alg], issuer=ISSUER, audience=AUDIENCE
        )
    except ImportError:
        pass
    try:
        from joserfc import jwt as joserfc_jwt
        from joserfc.jwk import ECKey, OKPKey, RSAKey

        kind = {"RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey}[alg]
        imported = kind.import_key(jwk(alg))
        registry = joserfc_jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE}
        )
        candidates["joserfc, key prepared"] = lambda: registry.validate(
            joserfc_jwt.decode(text, imported, algorithms=[alg]).claims
        )
    except ImportError:
        pass
    return candidates


def main() -> None:
    for alg in ("RS256", "ES256", "EdDSA"):
        text = token(alg)
        floor = "bare cryptography verification"
        times = best_of({floor: bare(alg, text), **ours(alg, text), **others(alg, text)})
        print_table(f"one {alg} token of {len(text)} bytes", times, floor=floor)


if __name__ == "__main__":
    main()
