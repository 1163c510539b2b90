"""What one token check costs, beside the bare signature verification and other libraries."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Coroutine
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jose import jwt as jose_jwt

from kms_tornado.auth.authenticator import Authenticator
from kms_tornado.auth.bound.replays import SharedProofs
from kms_tornado.auth.credentials import Credentials
from kms_tornado.auth.issuers.issuer import RefreshPolicy, TrustedIssuer, TrustSettings
from kms_tornado.auth.issuers.jwk import key_from_jwk
from kms_tornado.auth.issuers.key_cache import KeyCache
from kms_tornado.auth.issuers.key_source import LoadedKeys
from kms_tornado.auth.issuers.keyset import KeySet
from kms_tornado.auth.rules.verifier import TokenVerifier
from kms_tornado.auth.tokens.compact import decode_segment
from kms_tornado.auth.tokens.token_policy import TokenPolicy
from tests.bench.ratios import best_of, print_table
from tests.keys import compact, jwk, private_key
from tests.proofs import make_proof, thumbprint

ISSUER = "https://issuer.example/"
AUDIENCE = "kms"
URL = "https://kms.example.com/kmip_2_1"


def token(alg: str, number: int = 0, **more: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": f"auth0|{number:024d}",
        "aud": [AUDIENCE, "https://issuer.example/userinfo"],
        "iat": now,
        "exp": now + 36000,
        "azp": "a-client-of-usual-length-in-ids",
        "scope": "openid profile email offline_access",
        **more,
    }
    header = {"alg": alg, "typ": "JWT", "kid": "k1"}
    # Without spaces, as issuers write it.
    header_text, claims_text = (
        json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)
    )
    return compact(header_text, claims_text, alg, private_key(alg, "first"))


def bare(alg: str, text: str, name: str = "first") -> Any:
    """The signature alone, by `cryptography`, with everything prepared."""
    signing_input, _, signature_part = text.rpartition(".")
    data, signature = signing_input.encode(), decode_segment(signature_part.encode())
    key = private_key(alg, name).public_key()
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

    authenticator = make_authenticator(alg)
    return {
        "kms_tornado, every check": cold,
        "kms_tornado, remembered": lambda: authenticator.check_now(text),
    }


def make_authenticator(alg: str, cache_size: int = 10_000) -> Authenticator:
    """One that has its issuer's keys, and remembers no proofs."""
    settings = TrustSettings(
        issuers=(TrustedIssuer(ISSUER, audiences=frozenset({AUDIENCE})),), cache_size=cache_size
    )
    loaded = LoadedKeys(KeySet([key_from_jwk(jwk(alg))]), None)

    async def load() -> LoadedKeys:
        return loaded

    cache = KeyCache(settings.issuers[0], load, RefreshPolicy())
    cache._record_success(loaded)
    shared = SharedProofs(_TakesAll(), bytes(32))
    return Authenticator(settings, {ISSUER: cache}, shared_proofs=shared)


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


class _Request:
    """Of a client with a proof."""

    def __init__(self, proof: str) -> None:
        self._proofs = [proof]

    def find_method(self) -> str:
        return "POST"

    def find_url(self) -> str:
        return URL

    def list_proofs(self) -> list[str]:
        return self._proofs

    def find_certificate(self) -> None:
        return None

    def check_admission(self, user: str) -> None:
        pass


class _TakesAll:
    """Remembers nothing: what that costs depends on the memory."""

    async def use(self, digest: bytes, until: float, user: str) -> bool:
        return True


def with_proof(token_alg: str, proof_alg: str) -> dict[str, float]:
    """Microseconds of a request with a DPoP proof, and of the bare verifications of both signatures."""
    text = token(token_alg, cnf={"jkt": thumbprint(proof_alg)})
    proof = make_proof("POST", URL, text, alg=proof_alg)
    floor_token, floor_proof = bare(token_alg, text), bare(proof_alg, proof, "client")
    authenticators = {
        "token new": make_authenticator(token_alg, cache_size=0),
        "token remembered": make_authenticator(token_alg),
    }

    def check(authenticator: Authenticator) -> Callable[[], object]:
        credentials = Credentials((), facts=_Request(proof))
        return lambda: run_through(authenticator.check_with_proof(text, credentials))

    return best_of(
        {
            "bare: both signatures": lambda: (floor_token(), floor_proof()),
            "bare: the proof's signature": floor_proof,
            **{name: check(one) for name, one in authenticators.items()},
        }
    )


def run_through(coroutine: Coroutine[Any, Any, object]) -> object:
    """The result of one that waits for nothing, without a loop, whose cost is no matter of the check."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("it waits")


def main() -> None:
    for alg in ("RS256", "ES256", "EdDSA"):
        text = token(alg)
        floor = "bare cryptography verification"
        times = best_of({floor: bare(alg, text), **ours(alg, text), **others(alg, text)})
        print_table(f"one {alg} token of {len(text)} bytes", times, floor=floor)
    for token_alg, proof_alg in (("RS256", "ES256"), ("ES256", "ES256"), ("RS256", "EdDSA")):
        times = with_proof(token_alg, proof_alg)
        floor = "bare: both signatures"
        print_table(f"{token_alg} token with a DPoP proof by {proof_alg}", times, floor=floor)
        new = times["token new"] - times[floor]
        known = times["token remembered"] - times["bare: the proof's signature"]
        print(f"beside the signatures: {new:.1f} µs new, {known:.1f} µs remembered")


if __name__ == "__main__":
    main()
