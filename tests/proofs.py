"""DPoP proofs (RFC 9449 §4.2) as a client makes them, and changes to them."""

from __future__ import annotations

import base64
import hashlib
import itertools
import time
from typing import Any

from .auth.samples import ABSENT, changed
from .keys import b64, compact, jwk, private_key

_numbers = itertools.count()

__all__ = ["ABSENT", "client_jwk", "dpop_headers", "make_proof", "thumbprint"]


def client_jwk(alg: str = "ES256", name: str = "client", /, **members: Any) -> dict[str, Any]:
    """The public key of a client, as stands in the header of its proofs; a member that is None is left out."""
    key = {**jwk(alg, None, name, use=None), "alg": None, **members}
    return {name: value for name, value in key.items() if value is not None}


def thumbprint(alg: str = "ES256", name: str = "client") -> str:
    """By RFC 7638 §3, written anew for the tests."""
    members = client_jwk(alg, name)
    text = ",".join(f'"{member}":"{members[member]}"' for member in sorted(members))
    return b64(hashlib.sha256(f"{{{text}}}".encode()).digest())


def make_proof(
    method: str,
    url: str,
    token: str,
    *,
    alg: str = "ES256",
    name: str = "client",
    header: dict[str, Any] | None = None,
    **claims: Any,
) -> str:
    """A good proof; header and claims change it. Another one each time, as ``jti`` counts."""
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    good_header = {"typ": "dpop+jwt", "alg": alg, "jwk": client_jwk(alg, name)}
    good_claims = {
        "jti": f"proof-{next(_numbers)}",
        "htm": method,
        "htu": url,
        "iat": int(time.time()),
        "ath": ath,
    }
    return compact(
        changed(good_header, header or {}),
        changed(good_claims, claims),
        alg,
        private_key(alg, name),
    )


def dpop_headers(method: str, url: str, token: str, **changes: Any) -> dict[str, str]:
    """The header fields of a request with a good proof."""
    return {"Authorization": f"DPoP {token}", "DPoP": make_proof(method, url, token, **changes)}
