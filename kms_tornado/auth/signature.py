"""One signature, one key: what python-jose is used for, and all that it is used for.

python-jose 3.5.0 picks keys, algorithms and claims leniently (an absent ``aud`` passes, one odd key
breaks a whole set, a deep header raises RecursionError), so it gets a public key and an algorithm
that were chosen and checked elsewhere, and answers yes or no. What it lacks, PS* and EdDSA, is
registered with it here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from jose import jwk
from jose.backends.base import Key
from jose.exceptions import JOSEError

from ..errors import ConfigurationError

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

#: (signing input, signature) → whether the signature is this key's.
Verify = Callable[[bytes, bytes], bool]

_PSS_HASHES = {"PS256": hashes.SHA256(), "PS384": hashes.SHA384(), "PS512": hashes.SHA512()}
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}


class PSSKey(Key):
    """RSASSA-PSS (RFC 7518 §3.5): MGF1 with the same hash, a salt as long as the hash."""

    def __init__(self, key: Any, algorithm: str) -> None:
        super().__init__(key, algorithm)
        if not isinstance(key, rsa.RSAPublicKey):
            raise JOSEError("an RSA public key is needed")
        hash_algorithm = _PSS_HASHES[algorithm]
        self._hash = hash_algorithm
        self._padding = padding.PSS(padding.MGF1(hash_algorithm), hash_algorithm.digest_size)
        self._key = key

    def verify(self, msg: bytes, sig: bytes) -> bool:
        try:
            self._key.verify(sig, msg, self._padding, self._hash)
        except InvalidSignature:
            return False
        return True


class EdDSAKey(Key):
    """EdDSA with Ed25519 (RFC 8037 §3.1)."""

    def __init__(self, key: Any, algorithm: str) -> None:
        super().__init__(key, algorithm)
        if not isinstance(key, ed25519.Ed25519PublicKey):
            raise JOSEError("an Ed25519 public key is needed")
        self._key = key

    def verify(self, msg: bytes, sig: bytes) -> bool:
        try:
            self._key.verify(sig, msg)
        except InvalidSignature:
            return False
        return True


for _name in _PSS_HASHES:
    jwk.register_key(_name, PSSKey)
jwk.register_key("EdDSA", EdDSAKey)


def algorithms_of(key: PublicKey) -> frozenset[str]:
    """The algorithms a key can serve: its type and, for elliptic curves, its curve decide."""
    if isinstance(key, rsa.RSAPublicKey):
        return frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
    if isinstance(key, ec.EllipticCurvePublicKey):
        return frozenset(alg for alg, curve in _CURVES.items() if curve == key.curve.name)
    return frozenset({"EdDSA"})


def _signature_bytes(key: PublicKey) -> int:
    """How long every signature of the key is.

    RFC 8017 §8.1.2 for RSA: OpenSSL takes a PSS signature without its leading zeros, which would be
    a second spelling. RFC 7518 §3.4 for ECDSA: r and s, each as long as the curve's order.
    """
    if isinstance(key, rsa.RSAPublicKey):
        return (key.key_size + 7) // 8
    if isinstance(key, ec.EllipticCurvePublicKey):
        return 2 * ((key.curve.key_size + 7) // 8)
    return 64


def build_verify(key: PublicKey, algorithm: str) -> Verify:
    """Prepare the check of one key under one algorithm; done once a refresh, not once a token.

    The answer is False for everything that is not a valid signature; nothing is raised.
    Raises ValueError where the key cannot serve the algorithm.
    """
    if algorithm not in algorithms_of(key):
        raise ValueError(f"the key cannot serve {algorithm}")
    # Takes key objects, whatever its stubs say; a key of ours never goes through its JWK parsing.
    verify = jwk.construct(key, algorithm).verify  # type: ignore[arg-type]
    wanted_bytes = _signature_bytes(key)

    def check(signing_input: bytes, signature: bytes) -> bool:
        try:
            return len(signature) == wanted_bytes and bool(verify(signing_input, signature))
        except Exception:
            # python-jose lets ValueError and TypeError through; a signature is good or not
            return False

    return check


def check_backend() -> None:
    """Refuse python-jose's pure-Python backend: 10 to 35 times slower, and not maintained.

    Raises ConfigurationError.
    """
    from jose.backends import ECKey, RSAKey

    for key_class in (RSAKey, ECKey):
        if key_class is None or "cryptography" not in key_class.__module__:
            raise ConfigurationError(
                "python-jose runs without its cryptography backend: install python-jose[cryptography]"
            )
