"""The header of a DPoP proof (RFC 9449 §4.2): the key that signed it, and that key's thumbprint (RFC 7638)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import (
    MalformedProof,
    MalformedToken,
    ProofAlgorithmNotAllowed,
    ProofKeyRefused,
    WrongProofKey,
)
from ..issuers.jwk import UnusableKey, key_from_jwk
from ..tokens.binding import encode_digest
from ..tokens.compact import parse_object
from ..tokens.signature import Verify, build_verify
from ..tokens.token_policy import normalise_algorithm, normalise_type

PROOF_TYPE = "dpop+jwt"

#: The members that a thumbprint is made of, in the order of their names (RFC 7638 §3.2, RFC 8037 §2).
_REQUIRED_MEMBERS = {
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "RSA": ("e", "kty", "n"),
}


@dataclass(frozen=True, slots=True)
class ProofKey:
    """The public key of a proof.

    thumbprint: in the form of ``jkt``.
    verify: checks a signature with this key and the algorithm of the proof's header.
    """

    thumbprint: str
    verify: Verify = field(repr=False)


def list_proof_algorithms(algorithms: Collection[str]) -> list[str]:
    """What proofs may be signed with, as metadata and challenges name it: EdDSA also by its newer name (RFC 9864)."""
    return [*sorted(algorithms), *(["Ed25519"] if "EdDSA" in algorithms else [])]


def compute_thumbprint(jwk: Mapping[str, Any]) -> str:
    """The SHA-256 thumbprint of a public key, in base64url.

    Raises LookupError where the JWK is not a public key, or lacks a member. The types of members are not checked.
    """
    members = {name: jwk[name] for name in _REQUIRED_MEMBERS[jwk["kty"]]}
    return encode_digest(json.dumps(members, separators=(",", ":")).encode())


def parse_proof_header(
    segment: bytes, algorithms: frozenset[str], thumbprint: str | None = None
) -> ProofKey:
    """Read the first part of a proof.

    algorithms: the algorithms that are allowed.
    thumbprint: the thumbprint of the expected key; None where any key is accepted.
    Members that the RFC does not name are ignored: a ``kid``, ``jku``, ``x5u`` or ``x5c`` is never followed.
    Raises MalformedProof, ProofAlgorithmNotAllowed, WrongProofKey, ProofKeyRefused.
    """
    try:
        header = parse_object(segment, "header of the proof")
    except MalformedToken as exc:
        raise MalformedProof(exc.detail) from None
    typ, alg, jwk = header.get("typ"), header.get("alg"), header.get("jwk")
    if not isinstance(typ, str) or normalise_type(typ) != PROOF_TYPE:
        raise MalformedProof(f"typ is not {PROOF_TYPE}")
    if "crit" in header or "b64" in header:  # RFC 7515 §4.1.11: none is understood here
        raise MalformedProof("the header asks for an extension (crit, b64)")
    if not isinstance(alg, str):
        raise MalformedProof("alg is absent or not a string")
    if normalise_algorithm(alg) not in algorithms:
        raise ProofAlgorithmNotAllowed("alg is not in the allow-list")
    if not isinstance(jwk, dict):
        raise MalformedProof("jwk is absent or not an object")
    header_thumbprint = _read_thumbprint(jwk)
    if thumbprint is not None and header_thumbprint != thumbprint:  # neither is secret
        # This is checked before the key is loaded, which takes ten times as long: a thief of a token can make any
        # number of keys.
        raise WrongProofKey("the proof's key is not the one in cnf")
    return ProofKey(header_thumbprint, _build_verify(jwk, normalise_algorithm(alg)))


def _read_thumbprint(jwk: Mapping[str, Any]) -> str:
    try:
        return compute_thumbprint(jwk)
    except (LookupError, TypeError):  # TypeError: `kty` is a list or an object
        raise ProofKeyRefused("jwk is of another kind, or lacks a member") from None


def _build_verify(jwk: Mapping[str, Any], alg: str) -> Verify:
    try:
        key = key_from_jwk(jwk)
    except UnusableKey as exc:
        raise ProofKeyRefused(str(exc)) from None
    if key.was_private or "k" in jwk:
        # Whoever saw the proof could make others (RFC 9449 §4.3, step 7).
        raise ProofKeyRefused("jwk has members of a private key")
    if alg not in key.algorithms:
        raise ProofAlgorithmNotAllowed("the key cannot serve alg")
    return build_verify(key.public_key, alg)
