"""The check of one signature with one key: the only use of python-jose in the token check.

python-jose 3.5.0 is lenient about keys, algorithms and claims: an absent ``aud`` passes, one odd key
makes a whole set unusable, a deeply nested header raises RecursionError (docs/security.md,
"python-jose"). So it gets a public key and an algorithm that were chosen and checked elsewhere, and
answers yes or no. PS256, PS384, PS512 and EdDSA, which it lacks, are registered with it here.
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

from ...errors import ConfigurationError

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

#: (signing input, signature) → whether the signature is this key's.
Verify = Callable[[bytes, bytes], bool]

_PSS_HASHES = {"PS256": hashes.SHA256(), "PS384": hashes.SHA384(), "PS512": hashes.SHA512()}
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}


class PSSKey(Key):
    """A key for RSASSA-PSS (RFC 7518 §3.5): MGF1 uses the same hash, and the salt is as long as the hash."""

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
    """A key for EdDSA with Ed25519 (RFC 8037 §3.1)."""

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


# python-jose finds key classes in a registry of its own, one for the whole process.
for _name in _PSS_HASHES:
    jwk.register_key(_name, PSSKey)
jwk.register_key("EdDSA", EdDSAKey)


def list_algorithms(key: PublicKey) -> frozenset[str]:
    """The algorithms that a key can serve. They follow from its type and, for elliptic curves, its curve."""
    if isinstance(key, rsa.RSAPublicKey):
        return frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
    if isinstance(key, ec.EllipticCurvePublicKey):
        return frozenset(alg for alg, curve in _CURVES.items() if curve == key.curve.name)
    return frozenset({"EdDSA"})


def _compute_signature_length(key: PublicKey) -> int:
    """The length in bytes of every signature of the key.

    RSA: as long as the modulus (RFC 8017 §8.1.2). OpenSSL accepts a PSS signature without its
    leading zeros as well, which would be a second spelling of the same token.
    ECDSA: r and s, each as long as the curve's order (RFC 7518 §3.4). Ed25519: 64 (RFC 8032 §5.1.6).
    """
    if isinstance(key, rsa.RSAPublicKey):
        return (key.key_size + 7) // 8
    if isinstance(key, ec.EllipticCurvePublicKey):
        return 2 * ((key.curve.key_size + 7) // 8)
    return 64


def build_verify(key: PublicKey, algorithm: str) -> Verify:
    """Prepare the check of signatures by one key with one algorithm; once per refresh, not once per token.

    The check returns False for anything that is not a valid signature, and raises nothing.
    Raises ValueError where the key cannot serve the algorithm.
    """
    if algorithm not in list_algorithms(key):
        raise ValueError(f"the key cannot serve {algorithm}")
    # `construct` accepts key objects, whatever its type stubs say: our keys bypass its JWK parsing.
    verify = jwk.construct(key, algorithm).verify  # type: ignore[arg-type]
    signature_length = _compute_signature_length(key)

    def verify_signature(signing_input: bytes, signature: bytes) -> bool:
        try:
            return len(signature) == signature_length and bool(verify(signing_input, signature))
        except Exception:
            # Whatever python-jose raises for what a stranger sent: it is no good signature.
            return False

    return verify_signature


def check_backend() -> None:
    """Raise ConfigurationError unless python-jose uses its cryptography backend.

    Its pure-Python backend is 10 to 35 times slower, and is not maintained.
    """
    from jose.backends import ECKey, RSAKey

    for key_class in (RSAKey, ECKey):
        if key_class is None or "cryptography" not in key_class.__module__:
            raise ConfigurationError(
                "python-jose runs without its cryptography backend: install python-jose[cryptography]"
            )
