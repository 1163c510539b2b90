"""Signing of throw-away tokens for --dev: a key that lives as long as the process.

Nothing of the server's token check uses this module.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jws

ALGORITHM = "ES256"
_SIZE = 32


class DevSigner:
    """An ES256 key pair: `jwks` publishes the public part, `mint` signs claims."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self._kid = f"dev-{secrets.token_hex(4)}"
        self._pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._public = key.public_key().public_numbers()

    def jwks(self) -> dict[str, Any]:
        """The key set (RFC 7517 §5)."""
        return {
            "keys": [
                {
                    "kty": "EC",
                    "crv": "P-256",
                    "x": _base64url(self._public.x),
                    "y": _base64url(self._public.y),
                    "kid": self._kid,
                    "use": "sig",
                    "alg": ALGORITHM,
                }
            ]
        }

    def mint(self, claims: dict[str, Any]) -> str:
        """A compact JWS of the claims as they are; exp and the rest are the caller's."""
        token: str = jws.sign(
            claims, self._pem.decode("ascii"), headers={"kid": self._kid}, algorithm=ALGORITHM
        )
        return token


def _base64url(coordinate: int) -> str:
    return base64.urlsafe_b64encode(coordinate.to_bytes(_SIZE, "big")).rstrip(b"=").decode("ascii")
