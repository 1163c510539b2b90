"""The check of a DPoP proof (RFC 9449 §4.3): whoever sends a bound token must hold the key to which it is bound.

Pure: time, request and nonces are arguments. Whether a proof was used before is checked last of all, by a memory of
used proofs (`replays`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from ...errors import (
    InvalidToken,
    MalformedProof,
    MalformedToken,
    NonceNeeded,
    ProofMissing,
    ProofNotFresh,
    WrongProofMethod,
    WrongProofSignature,
    WrongProofToken,
    WrongProofURL,
)
from ..request_url import normalise_url
from ..rules.claims import parse_numeric_date
from ..tokens.binding import encode_base64url
from ..tokens.compact import decode_segment, parse_object, split_compact
from .proof_key import ProofKey, parse_proof_header
from .proof_nonces import ProofNonces

#: The header fields of RFC 9449 §4.1 and §8.
PROOF_HEADER, NONCE_HEADER = "DPoP", "DPoP-Nonce"

#: The longest proof, in characters. A key of RSA with 8192 bits and its signature take 3,000.
MAX_PROOF_LENGTH = 8 * 1024

#: Seconds after its ``iat`` for which a proof is good, beside the leeway: a client makes one for each request.
PROOF_LIFETIME_S = 60

#: Remembered headers of proofs: at most 1024 of at most 8 KiB. A client has one header for all its proofs.
_REMEMBERED_HEADERS = 1024


@dataclass(slots=True)
class ProvenRequest:
    """The request for which a proof has to be made.

    proofs: the values of the ``DPoP`` header fields, in the order received.
    method: the HTTP method as it was sent.
    url: the URL by which the client reached the server, in any spelling; None where it is not known.
    token_digest: the SHA-256 digest of the access token; None where the request is for a token.
    """

    proofs: Sequence[str]
    method: str
    url: str | None
    token_digest: bytes | None


class UsedProof(NamedTuple):
    """A proof that is good, provided that it was not used before.

    digest: a digest of the proof's key and its ``jti``, 32 bytes.
    until: when the proof stops being good, in seconds since the Unix epoch.
    nonce: the server's nonce with which the proof was made; empty without one.
    thumbprint: the thumbprint of the proof's key.
    """

    digest: bytes
    until: float
    nonce: str
    thumbprint: str


class ProofVerifier:
    """Checks proofs, except for whether they were used before.

    algorithms: the algorithms by which proofs may be signed.
    needs_nonce: whether each proof must have one of the `nonces`.
    """

    def __init__(
        self,
        nonces: ProofNonces,
        *,
        algorithms: frozenset[str],
        leeway_s: float,
        needs_nonce: bool = False,
    ) -> None:
        self.nonces = nonces
        self._leeway_s = leeway_s
        self._needs_nonce = needs_nonce
        # Only keys that are accepted are remembered: lru_cache keeps no exception.
        self._parse_header = lru_cache(_REMEMBERED_HEADERS)(
            lambda segment, thumbprint: parse_proof_header(segment, algorithms, thumbprint)
        )

    def verify(self, request: ProvenRequest, thumbprint: str | None, *, now: float) -> UsedProof:
        """Check everything about a proof that needs no memory.

        thumbprint: the thumbprint of the key to which the token is bound; None where there is no token yet.
        Raises ProofMissing, WrongProofKey, InvalidProof, and NonceNeeded with its nonce set.
        """
        proof = _require_one(request.proofs)
        try:
            header, payload, signature, signing_input = split_compact(
                proof, MAX_PROOF_LENGTH, "proof"
            )
            key: ProofKey = self._parse_header(header, thumbprint)
            if not key.verify(signing_input, decode_segment(signature)):
                raise WrongProofSignature("its key does not verify the signature")
            claims = parse_object(payload, "payload of the proof")
        except MalformedToken as exc:
            raise MalformedProof(exc.detail) from None
        _check_request(claims, request)
        jti = _require_text(claims, "jti")
        until, nonce = self._check_freshness(claims, now)
        return UsedProof(_digest_use(key.thumbprint, jti), until, nonce, key.thumbprint)

    def _check_freshness(self, claims: Mapping[str, Any], now: float) -> tuple[float, str]:
        """(when the proof stops being good, the nonce that it has).

        A proof with a nonce is as fresh as its nonce; the client's clock then does not count (RFC 9449 §4.3, step
        11).
        """
        issued_at = _require_time(claims)
        if "nonce" in claims:
            nonce = _require_text(claims, "nonce")
            end = self.nonces.find_end(nonce, now)
            if end is None:
                raise self._ask_for_nonce(NonceNeeded("its nonce is too old, or not ours"), now)
            return end, nonce
        if self._needs_nonce:
            raise self._ask_for_nonce(NonceNeeded("it has no nonce"), now)
        end = issued_at + PROOF_LIFETIME_S + self._leeway_s
        if not issued_at - self._leeway_s <= now < end:
            raise self._ask_for_nonce(ProofNotFresh(f"iat is {now - issued_at:.0f} s ago"), now)
        return end, ""

    def _ask_for_nonce(self, error: NonceNeeded, now: float) -> NonceNeeded:
        error.nonce = self.nonces.make(now)
        return error


def _require_one(proofs: Sequence[str]) -> str:
    if not proofs:
        raise ProofMissing("no DPoP header came with the token")
    if len(proofs) > 1:
        # Two proxies on the way may each have looked at a different proof.
        raise MalformedProof("more than one DPoP header", "more than one DPoP header")
    return proofs[0].strip(" \t")


def _check_request(claims: Mapping[str, Any], request: ProvenRequest) -> None:
    """Steps 8, 9 and 12: the proof is for this method, this URL and this token."""
    if _require_text(claims, "htm") != request.method:
        raise WrongProofMethod("htm is another method")
    proven = normalise_url(_require_text(claims, "htu"), removes_dots=True)
    request_url = _normalise_asked(request.url)
    if proven is None or proven != request_url:
        known = (
            f"htu is not {request_url}"
            if request_url
            else "the URL by which clients reach this server is not known"
        )
        raise WrongProofURL(known)
    digest = request.token_digest  # the digest is not secret
    if digest is not None and _require_text(claims, "ath") != encode_base64url(digest):
        raise WrongProofToken("ath is another token's")


def _normalise_asked(url: str | None) -> str | None:
    """The request's URL in normal form; None where no proof can name it.

    That is so for a URL that is too long, since it would be remembered, and for one with a fragment. A request target
    may have 64 KiB, and to the server that answers, a ``#`` in it is part of the path.
    """
    if url is None or len(url) > MAX_PROOF_LENGTH or "#" in url:
        return None
    return normalise_url(url)


def _require_text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedProof(f"{name} is absent, empty or not a string")
    return value


def _require_time(claims: Mapping[str, Any]) -> float:
    try:
        return parse_numeric_date(claims, "iat")
    except InvalidToken as exc:
        raise MalformedProof(exc.detail) from None


def _digest_use(thumbprint: str, jti: str) -> bytes:
    """The digest by which a proof is remembered.

    The key is part of it, because another client may choose the same ``jti``.
    A digest is used because a ``jti`` may have thousands of characters.
    """
    return hashlib.sha256(f"{thumbprint} {jti}".encode()).digest()
