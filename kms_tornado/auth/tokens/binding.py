"""What a token is bound to (RFC 7800): a client certificate (RFC 8705 §3.1), or the key of DPoP proofs (RFC 9449 §6.1).

Pure. A bound token is of no use to a thief, who has neither the certificate's key nor the other one.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from ...errors import CertificateMissing, UnboundToken, UnknownBinding, WrongCertificate

#: What is done about bindings. ``off`` reads none: whoever holds a bound token can use it. ``checked`` checks those
#: that there are. ``required`` refuses tokens without one.
BINDING_RULES = ("off", "checked", "required")

#: A SHA-256 digest in base64url, of which the last character has two bits of no use.
_DIGEST = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


@dataclass(frozen=True, slots=True)
class Binding:
    """What a token is bound to: a certificate, a key, or both. All of it has to be proven.

    certificate: the SHA-256 digest of the client certificate, in base64url (``x5t#S256``).
    key: the SHA-256 thumbprint of the key (RFC 7638), in base64url (``jkt``).
    """

    certificate: str | None = None
    key: str | None = None


def read_binding(claims: Mapping[str, Any], rule: str) -> Binding | None:
    """What the claim ``cnf`` binds the token to; None for a token that is bound to nothing.

    rule: one of BINDING_RULES.
    A token is refused if any part of ``cnf`` cannot be checked: to ignore it would let in whoever stole the token.
    Raises UnknownBinding, UnboundToken.
    """
    if rule == "off":
        return None
    if "cnf" not in claims:
        if rule == "required":
            raise UnboundToken("cnf is absent")
        return None
    confirmation = claims["cnf"]
    if not isinstance(confirmation, dict) or not confirmation:
        raise UnknownBinding("cnf is not an object with a member")
    confirmations: dict[str, str] = {}
    for name, value in confirmation.items():
        field = _MEMBERS.get(name)
        if field is None:
            raise UnknownBinding("cnf has a member beside x5t#S256 and jkt")
        if not isinstance(value, str) or not _DIGEST.fullmatch(value):
            raise UnknownBinding(f"{name} in cnf is not a SHA-256 digest in base64url")
        confirmations[field] = value
    return Binding(**confirmations)


_MEMBERS = {"x5t#S256": "certificate", "jkt": "key"}


def check_certificate(binding: Binding, certificate: bytes | None) -> None:
    """Check the certificate if the token is bound to one.

    certificate: the client's, in DER; None where none came.
    Raises CertificateMissing, WrongCertificate.
    """
    if binding.certificate is None:
        return
    if certificate is None:
        raise CertificateMissing("no client certificate came with the token")
    if not compare_digest(binding.certificate, encode_digest(certificate)):
        raise WrongCertificate("x5t#S256 in cnf is another certificate's")


def encode_digest(octets: bytes) -> str:
    """The SHA-256 digest in base64url without padding: 43 characters."""
    return encode_base64url(hashlib.sha256(octets).digest())


def encode_base64url(octets: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
