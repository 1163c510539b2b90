"""DevSigner: signs the tokens of --dev with a key that lives as long as the process.

The token check does not use this module.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jws

ALGORITHM = "ES256"
_COORDINATE_BYTES = 32


class DevSigner:
    """An ES256 key pair: `jwks` returns the public part, `mint` signs claims with the private one."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self._kid = f"dev-{secrets.token_hex(4)}"
        self._pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._public = key.public_key().public_numbers()

    def jwks(self) -> dict[str, Any]:
        """The key set to publish (RFC 7517 §5)."""
        return {
            "keys": [
                {
                    "kty": "EC",
                    "crv": "P-256",
                    "x": _encode_coordinate(self._public.x),
                    "y": _encode_coordinate(self._public.y),
                    "kid": self._kid,
                    "use": "sig",
                    "alg": ALGORITHM,
                }
            ]
        }

    def mint(self, claims: dict[str, Any]) -> str:
        """Sign the claims as they are, without adding any: a compact JWS."""
        token: str = jws.sign(
            claims, self._pem.decode("ascii"), headers={"kid": self._kid}, algorithm=ALGORITHM
        )
        return token


def _encode_coordinate(coordinate: int) -> str:
    return (
        base64.urlsafe_b64encode(coordinate.to_bytes(_COORDINATE_BYTES, "big"))
        .rstrip(b"=")
        .decode("ascii")
    )
