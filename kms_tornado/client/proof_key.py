"""ProofKey: the private key of DPoP proofs, and the proofs that it signs (RFC 9449 §4.2).

A token that is bound to such a key is of no use to whoever steals the token alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from .errors import InvalidSettings

#: A shorter key of RSA is accepted by nobody; a longer one takes longer to make.
_RSA_BITS = 2048

#: {algorithm of RFC 7518 §3.1: curve and hash}
_CURVES: Final[Mapping[str, tuple[type[ec.EllipticCurve], type[HashAlgorithm]]]] = {
    "ES256": (ec.SECP256R1, SHA256),
    "ES384": (ec.SECP384R1, SHA384),
    "ES512": (ec.SECP521R1, SHA512),
}

#: {algorithm: what makes a key for it}, the preferred one first: every issuer that takes proofs takes ES256.
_GENERATORS: Final[Mapping[str, Callable[[], Any]]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "RS256": lambda: rsa.generate_private_key(65537, _RSA_BITS),
}

#: The algorithms that sign proofs, the preferred one first.
ALGORITHMS: Final = tuple(_GENERATORS)

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class ProofKey:
    """The private key for DPoP proofs.

    private_key: of the package cryptography: EC (P-256, P-384, P-521), Ed25519, or RSA with at least 2048 bits. Its
    type determines the algorithm that signs. Raises InvalidSettings for any other key.
    """

    private_key: PrivateKey = field(repr=False, compare=False)  # the public key tells keys apart
    algorithm: str = field(init=False)
    public_jwk: Mapping[str, str] = field(init=False, repr=False, hash=False)

    def __post_init__(self) -> None:
        algorithm, jwk = _describe(self.private_key)
        object.__setattr__(self, "algorithm", algorithm)
        object.__setattr__(self, "public_jwk", jwk)

    @classmethod
    def generate(cls, algorithm: str = ALGORITHMS[0]) -> Self:
        """A new key. algorithm: one of `ALGORITHMS`. Raises InvalidSettings for another one."""
        generate = _GENERATORS.get(algorithm)
        if generate is None:
            raise InvalidSettings(f"proofs are signed by none but {', '.join(ALGORITHMS)}")
        return cls(generate())

    @classmethod
    def from_pem(cls, pem: bytes, password: bytes | None = None) -> Self:
        """The key in a PEM file (PKCS #8). Raises InvalidSettings, whose text contains nothing of it."""
        try:
            key: Any = load_pem_private_key(pem, password)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise InvalidSettings(
                "the proof key cannot be read: give a private key in PEM, with its password if it has one"
            ) from None
        return cls(key)

    def to_pem(self) -> bytes:
        """The private key in PEM (PKCS #8), without a password."""
        return self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def thumbprint(self) -> str:
        """The SHA-256 thumbprint (RFC 7638) in base64url; it is ``jkt`` in tokens that are bound to the key."""
        return _encode(hashlib.sha256(_format(dict(sorted(self.public_jwk.items())))).digest())

    def make_proof(
        self,
        method: str,
        url: str,
        *,
        access_token: str | None = None,
        nonce: str | None = None,
        now: float | None = None,
    ) -> str:
        """The value of the header ``DPoP`` for one request. It works once: a repeated request needs another one.

        url: its query and fragment are left out.
        access_token: the one in the request; None for a request to the token endpoint.
        nonce: the last one that the other side gave.
        now: seconds since the Unix epoch; the clock's time unless given.
        """
        header = {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.public_jwk}
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),  # RFC 9449 §4.2: 96 random bits at least
            "htm": method,
            "htu": urlsplit(url)._replace(query="", fragment="").geturl(),
            "iat": int(time.time() if now is None else now),
        }
        if access_token is not None:
            claims["ath"] = _encode(hashlib.sha256(access_token.encode("ascii")).digest())
        if nonce is not None:
            claims["nonce"] = nonce
        signed = f"{_encode(_format(header))}.{_encode(_format(claims))}"
        return f"{signed}.{_encode(self._sign(signed.encode()))}"

    def _sign(self, data: bytes) -> bytes:
        key = self.private_key
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(data)
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(data, padding.PKCS1v15(), SHA256())
        digest = _CURVES[self.algorithm][1]()
        width = _width(key)
        pair = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
        return b"".join(number.to_bytes(width, "big") for number in pair)  # RFC 7518 §3.4


def _describe(key: PrivateKey) -> tuple[str, dict[str, str]]:
    """The algorithm, and the members of the public JWK from which its thumbprint is made (RFC 7638 §3.2)."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        point = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return "EdDSA", {"kty": "OKP", "crv": "Ed25519", "x": _encode(point)}
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _RSA_BITS:
        public = key.public_key().public_numbers()
        return "RS256", {"kty": "RSA", "n": _encode_number(public.n), "e": _encode_number(public.e)}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        width = _width(key)
        for algorithm, (curve, _) in _CURVES.items():
            if isinstance(key.curve, curve):
                name = f"P-{key.curve.key_size}"
                x, y = _encode(point[1 : 1 + width]), _encode(point[1 + width :])
                return algorithm, {"kty": "EC", "crv": name, "x": x, "y": y}
    raise InvalidSettings(
        "the proof key serves no algorithm of DPoP: take an EC key of P-256, an Ed25519 key, or RSA of "
        f"{_RSA_BITS} bits at least"
    )


def _width(key: ec.EllipticCurvePrivateKey) -> int:
    """The number of octets of a coordinate."""
    return (key.curve.key_size + 7) // 8


def _encode_number(number: int) -> str:
    return _encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _format(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
