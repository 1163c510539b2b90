"""KeySet: an issuer's usable keys, found by key ID and algorithm (RFC 7517 §5).

Three shapes are read: a JWK Set, a map of key ID to X.509 certificate, an OpenID Connect discovery
document. Members that cannot be used are skipped and counted, as RFC 7517 §5 asks: one odd key must
not take the others down.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .. import strict_json
from ..errors import KeySetError
from .jwk import SigningKey, UnusableKey, key_from_certificate, key_from_jwk
from .signature import Verify, build_verify

#: A token without ``kid`` costs one signature check a key: more than these are not tried.
MAX_KEYS_WITHOUT_KID = 8
MAX_KEYS = 1000  # a document of 1 MiB could name more; nobody's rotation does
_MAX_DEPTH = 16


@dataclass(frozen=True, slots=True)
class Discovery:
    """The two members of an OpenID Connect discovery document that matter here."""

    issuer: object
    jwks_uri: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A member that was left out, for the operator: its kid or place, and why."""

    name: str
    why: str


class KeySet:
    """Usable keys of one issuer. Immutable; equal fingerprints mean equal keys."""

    __slots__ = ("_by_kid", "_kids", "_without_kid", "fingerprint", "size", "skipped", "warnings")

    def __init__(self, keys: Iterable[SigningKey], skipped: tuple[Skipped, ...] = ()) -> None:
        """Raises KeySetError where no usable key is left."""
        by_kid: defaultdict[tuple[str, str], list[Verify]] = defaultdict(list)
        any_kid: defaultdict[str, list[Verify]] = defaultdict(list)
        digests: set[bytes] = set()
        kids: set[str] = set()
        warnings: list[str] = []
        for key in keys:
            if key.was_private:
                warnings.append(f"the issuer publishes the PRIVATE part of key {key.kid!r}")
            digest = _digest(key)
            if digest in digests:
                continue  # the same key twice
            digests.add(digest)
            if key.kid is not None:
                kids.add(key.kid)
            for alg in key.algorithms:
                verify = build_verify(key.public_key, alg)
                if key.kid is not None:
                    by_kid[key.kid, alg].append(verify)
                any_kid[alg].append(verify)
        if not digests:
            raise KeySetError(
                "no usable key" + "".join(f"; {s.name}: {s.why}" for s in skipped[:3])
            )
        self._by_kid = {name: tuple(found) for name, found in by_kid.items()}
        self._without_kid = {
            alg: tuple(found[:MAX_KEYS_WITHOUT_KID]) for alg, found in any_kid.items()
        }
        self._kids = frozenset(kids)
        self.size = len(digests)
        self.skipped = skipped
        self.warnings = tuple(warnings)
        self.fingerprint = hashlib.sha256(b"".join(sorted(digests))).hexdigest()

    def candidates(self, kid: str | None, alg: str) -> tuple[Verify, ...]:
        """The keys that may have signed: by key ID, or all that fit where the token names none."""
        if kid is None:
            return self._without_kid.get(alg, ())
        return self._by_kid.get((kid, alg), ())

    def knows(self, kid: str) -> bool:
        """Whether any key, of whatever algorithm, has this key ID."""
        return kid in self._kids


def parse_document(body: bytes) -> KeySet | Discovery:
    """Tell what was fetched by its shape; the Content-Type is not looked at.

    Raises KeySetError, with a text for the operator.
    """
    try:
        document = strict_json.loads(body, max_depth=_MAX_DEPTH)
    except ValueError as exc:
        hint = " (it looks like an HTML page)" if body.lstrip()[:1] == b"<" else ""
        raise KeySetError(f"the answer is no JSON{hint}: {exc}") from None
    if not isinstance(document, dict):
        raise KeySetError("the answer is no JSON object")
    if "keys" in document and not isinstance(document["keys"], str):
        return _parse_jwk_set(document["keys"])
    jwks_uri = document.get("jwks_uri")
    if isinstance(jwks_uri, str):
        return Discovery(issuer=document.get("issuer"), jwks_uri=jwks_uri)
    return _parse_certificates(document)


def _parse_jwk_set(members: Any) -> KeySet:
    if not isinstance(members, list):
        raise KeySetError("the member keys is no list")
    return _collect(
        (
            (f"key {i} {_kid_of(member)}", lambda member=member: key_from_jwk(member))
            for i, member in enumerate(members)
        ),
        len(members),
    )


def _parse_certificates(document: Mapping[str, Any]) -> KeySet:
    if not any(isinstance(v, str) and "BEGIN CERTIFICATE" in v for v in document.values()):
        raise KeySetError("neither a key set, nor certificates, nor a discovery document")
    return _collect(
        (
            (f"key {kid!r:.60}", lambda kid=kid, pem=pem: key_from_certificate(kid, pem))
            for kid, pem in document.items()
        ),
        len(document),
    )


def _collect(members: Iterable[tuple[str, Any]], count: int) -> KeySet:
    if count > MAX_KEYS:
        raise KeySetError(f"{count} keys; at most {MAX_KEYS} are read")
    keys: list[SigningKey] = []
    skipped: list[Skipped] = []
    for name, build in members:
        try:
            keys.append(build())
        except UnusableKey as exc:
            skipped.append(Skipped(name, str(exc)))
    return KeySet(keys, tuple(skipped))


def _kid_of(member: object) -> str:
    kid = member.get("kid") if isinstance(member, dict) else None
    return f"kid {kid!r:.60}" if isinstance(kid, str) else "without kid"


def _digest(key: SigningKey) -> bytes:
    """Identifies key ID, key and the algorithms it is bound to."""
    digest = hashlib.sha256()
    for part in (
        b"-" if key.kid is None else b"+" + key.kid.encode("utf-8"),
        " ".join(sorted(key.algorithms)).encode("ascii"),
        key.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ):
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.digest()
