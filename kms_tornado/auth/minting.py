"""The tokens of --dev and of tests, signed with a key that exists only as long as the process.

The token check does not use this module.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jws

from .tokens.token_policy import DEV_ALGORITHM

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
                    "alg": DEV_ALGORITHM,
                }
            ]
        }

    def mint(self, claims: dict[str, Any], header: Mapping[str, Any] | None = None) -> str:
        """Sign the claims as they are, without adding any: a compact JWS.

        header: members beside ``alg`` and ``kid``, or in place of ``kid`` and ``typ``.
        """
        token: str = jws.sign(
            claims,
            self._pem.decode("ascii"),
            headers={"kid": self._kid, **(header or {})},
            algorithm=DEV_ALGORITHM,
        )
        return token


class DevMint:
    """Makes the claims of both kinds of token, and has them signed.

    issuer: the ``iss`` of all tokens.
    audience: the ``aud`` of access tokens; the ``aud`` of an ID token is the client (OpenID Connect Core 1.0 §2).
    """

    def __init__(self, signer: DevSigner, issuer: str, audience: str) -> None:
        self._signer = signer
        self._issuer = issuer
        self._audience = audience

    def mint_access_token(
        self,
        user: str,
        *,
        now: int,
        lifetime_s: int,
        client_id: str = "",
        scope: str = "",
        key: str = "",
    ) -> str:
        """An access token.

        now: seconds since the Unix epoch. client_id and scope become claims only where they are given.
        key: the thumbprint of the key to which it is bound (RFC 9449 §6.1); it is bound to none where it is empty.
        """
        optional = {"client_id": client_id, "scope": scope}
        return self._signer.mint(
            self._claims(user, self._audience, now, lifetime_s)
            # Two tokens of one second would be the same text otherwise, and no one could tell them apart.
            | {"jti": secrets.token_urlsafe(12)}
            | {name: value for name, value in optional.items() if value}
            | ({"cnf": {"jkt": key}} if key else {})
        )

    def mint_id_token(
        self, user: str, *, now: int, lifetime_s: int, client_id: str, nonce: str = ""
    ) -> str:
        """An ID token.

        nonce: the one in the authorization request; the claim is left out where the request had none.
        """
        return self._signer.mint(
            self._claims(user, client_id, now, lifetime_s) | ({"nonce": nonce} if nonce else {})
        )

    def _claims(self, user: str, audience: str, now: int, lifetime_s: int) -> dict[str, Any]:
        return {
            "iss": self._issuer,
            "sub": user,
            "aud": audience,
            "email": user,
            "email_verified": True,
            "iat": now,
            "exp": now + lifetime_s,
        }


def _encode_coordinate(coordinate: int) -> str:
    return (
        base64.urlsafe_b64encode(coordinate.to_bytes(_COORDINATE_BYTES, "big"))
        .rstrip(b"=")
        .decode("ascii")
    )
