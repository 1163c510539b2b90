"""KeySet: an issuer's usable keys by key ID and algorithm (RFC 7517 §5), and how it is parsed.

Three kinds of document are understood: a JWK Set, a map from key ID to X.509 certificate or public key, and an OpenID
Connect discovery document. They are read leniently: members that are not needed may have any value, and keys that
cannot be used are skipped and reported, as RFC 7517 §5 asks. One odd key must not make the others unusable.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ... import lenient_json
from ...errors import KeySetError
from ...lenient_json import LenientObject
from ..tokens.signature import Verify, build_verify
from .jwk import SigningKey, UnusableKey, key_from_jwk, key_from_pem

#: What tells a map of PEM texts from a document of another kind.
_PEM_MARKS = ("BEGIN CERTIFICATE", "BEGIN PUBLIC KEY")

#: A token without ``kid`` costs one signature check per key; no more keys than these are tried.
MAX_KEYS_WITHOUT_KID = 8
MAX_KEYS = 1000  # a document of 1 MiB could have more; no issuer's rotation does
#: Arrays and objects in a document, with room for a few beside each key's. They are counted before `json` parses
#: the text, as that holds the interpreter's lock while it makes them: 400 ms for 1 MiB of empty arrays.
_MAX_STRUCTURES = 10 * MAX_KEYS


@dataclass(frozen=True, slots=True)
class Discovery:
    """The two members of an OpenID Connect discovery document that matter here."""

    issuer: object
    jwks_uri: str


@dataclass(frozen=True, slots=True)
class SkippedKey:
    """A member that cannot be used, as an operator is told of it.

    name: its position and key ID. why: what is wrong with it.
    """

    name: str
    why: str


#: The check of a signature by one key, and the issuer to which that key is bound, or None.
_BoundVerify = tuple[Verify, str | None]


class KeySet:
    """The usable keys of one issuer. Immutable.

    size: the number of keys.
    skipped: the members that cannot be used.
    warnings: faults of the document that an operator has to know.
    fingerprint: equal for equal keys with equal key IDs, algorithms and issuers.
    """

    __slots__ = ("_kids", "_verifiers", "fingerprint", "size", "skipped", "warnings")

    def __init__(self, keys: Iterable[SigningKey], skipped: tuple[SkippedKey, ...] = ()) -> None:
        """Raises KeySetError where keys were skipped and no usable one is left.

        A set without any key, skipped or not, is valid: its issuer has withdrawn all of them.
        """
        verifiers: defaultdict[tuple[str | None, str], list[_BoundVerify]] = defaultdict(list)
        digests: set[bytes] = set()
        kids: set[str] = set()
        warnings: list[str] = []
        for key in keys:
            if key.was_private:
                warnings.append(f"the issuer publishes the PRIVATE part of the key {key.kid!r}")
            digest = _digest(key)
            if digest in digests:
                continue  # the same key twice
            digests.add(digest)
            if key.kid is not None:
                kids.add(key.kid)
            for alg in key.algorithms:
                verify = (build_verify(key.public_key, alg), key.issuer)
                if key.kid is not None:
                    verifiers[key.kid, alg].append(verify)
                verifiers[None, alg].append(verify)
        if skipped and not digests:
            raise KeySetError(
                "no usable key" + "".join(f"; {s.name}: {s.why}" for s in skipped[:3]),
                "no usable key",
            )
        #: {(kid, alg): checks}; with None as kid, those of all keys that fit alg.
        self._verifiers = {name: tuple(those) for name, those in verifiers.items()}
        self._kids = frozenset(kids)
        self.size = len(digests)
        self.skipped = skipped
        self.warnings = tuple(warnings)
        self.fingerprint = hashlib.sha256(b"".join(sorted(digests))).hexdigest()

    def find_candidates(
        self, kid: str | None, alg: str, issuers: Sequence[str] = (), tenant: object = None
    ) -> tuple[Verify, ...]:
        """The functions that check a signature with each key that may have signed a token.

        kid: the token's key ID; None tries every key that fits `alg`, up to MAX_KEYS_WITHOUT_KID.
        issuers: the spellings of the token's issuer; keys that are bound to another issuer are left out.
        tenant: the token's ``tid``, for keys whose issuer contains ``{tenantid}``.
        """
        entries = self._verifiers.get((kid, alg), ())
        if len(entries) == 1 and entries[0][1] is None:  # as nearly always
            return entries[0][:1]
        verifiers = tuple(
            [
                verify
                for verify, bound_to in entries
                if bound_to is None or _fill_in(bound_to, tenant) in issuers
            ]
        )
        return verifiers[:MAX_KEYS_WITHOUT_KID] if kid is None else verifiers

    def has_key(self, kid: str | None, alg: str) -> bool:
        """Whether a key of any issuer fits. kid: as for find_candidates."""
        return (kid, alg) in self._verifiers

    def has_kid(self, kid: str) -> bool:
        """Whether a key of any algorithm has this key ID."""
        return kid in self._kids


def parse_document(body: bytes) -> KeySet | Discovery:
    """Parse what was fetched. Its members tell which kind of document it is, not the Content-Type.

    Takes up to a second for MAX_KEYS: run it on a thread. Raises KeySetError, with a text for the operator.
    """
    if body.count(b"{") + body.count(b"[") > _MAX_STRUCTURES:
        raise KeySetError(f"the answer has more than {_MAX_STRUCTURES} arrays and objects")
    try:
        document = lenient_json.loads(body)
    except ValueError as exc:
        hint = " (it looks like an HTML page)" if body.lstrip()[:1] == b"<" else ""
        raise KeySetError(f"the answer cannot be parsed{hint}: {exc}") from None
    if not isinstance(document, LenientObject):
        raise KeySetError("the answer is not a JSON object")
    if "keys" in document.repeated:
        raise KeySetError("the answer has the member keys more than once")
    if "keys" in document and not isinstance(document["keys"], str):
        if document["keys"] == [] and not lenient_json.is_well_formed(body):
            raise KeySetError("the answer has no keys, and is not well-formed JSON")
        return _parse_jwk_set(document["keys"])
    if isinstance(document.get("jwks_uri"), str):
        return _parse_discovery(document)
    return _parse_map(document)


#: Members of a JWK that are secret (RFC 7518 §6.2.2, §6.3.2, §6.4).
_SECRET_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")


def remove_secrets(body: bytes) -> bytes:
    """The document of a key set without the private and symmetric keys in it; unchanged where it has none.

    With the secrets, oddities that make a key unusable may be lost: compare the fingerprints.
    Raises KeySetError where a document with secrets is too odd to be written again without them.
    """
    if not _list_secrets(lenient_json.loads(body)):
        return body
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise KeySetError("it cannot be written without the secrets that are in it") from None
    for members, name in _list_secrets(document):
        del members[name]
    return json.dumps(document).encode("ascii")


def _list_secrets(document: Any) -> list[tuple[dict[str, Any], str]]:
    """Where the secrets are: (the object, the name of its member)."""
    if not isinstance(document, dict):
        return []
    keys = document.get("keys")
    if isinstance(keys, list):
        jwks = [member for member in keys if isinstance(member, dict)]
        return [(jwk, name) for jwk in jwks for name in _SECRET_MEMBERS if name in jwk]
    pems = document.items()
    return [(document, name) for name, pem in pems if isinstance(pem, str) and "PRIVATE KEY" in pem]


def _parse_discovery(document: LenientObject) -> Discovery:
    for name in ("issuer", "jwks_uri"):
        if document.repeated.get(name):
            continue  # twice the same is not ambiguous
        if problem := lenient_json.find_oddity(document, name):
            raise KeySetError(f"the discovery document cannot be used: {problem}")
    return Discovery(issuer=document.get("issuer"), jwks_uri=document["jwks_uri"])


def _parse_jwk_set(members: Any) -> KeySet:
    if not isinstance(members, list):
        raise KeySetError("the member keys is not a list")
    return _collect(
        (
            (f"key {i} {_describe_kid(member)}", partial(key_from_jwk, member))
            for i, member in enumerate(members)
        ),
        len(members),
    )


def _parse_map(document: LenientObject) -> KeySet:
    if not any(
        isinstance(v, str) and any(mark in v for mark in _PEM_MARKS) for v in document.values()
    ):
        raise KeySetError(
            "neither a key set, nor a map of certificates or keys, nor a discovery document"
        )
    return _collect(
        ((f"key {kid!r:.60}", partial(_build_from_map, document, kid)) for kid in document),
        len(document),
    )


def _build_from_map(document: LenientObject, kid: str) -> SigningKey:
    if kid in document.repeated:
        raise UnusableKey("its key ID occurs more than once")
    return key_from_pem(kid, document[kid])


def _collect(members: Iterable[tuple[str, Callable[[], SigningKey]]], count: int) -> KeySet:
    """Build the keys from `count` pairs of (name, builder), and skip unusable ones."""
    if count > MAX_KEYS:
        raise KeySetError(f"{count} keys; at most {MAX_KEYS} are accepted")
    keys: list[SigningKey] = []
    skipped: list[SkippedKey] = []
    for name, build in members:
        try:
            keys.append(build())
        except UnusableKey as exc:
            skipped.append(SkippedKey(name, str(exc)))
    return KeySet(keys, tuple(skipped))


def _fill_in(issuer: str, tenant: object) -> str:
    """The issuer with the token's ``tid`` in place of ``{tenantid}``, which Entra ID's keys for all tenants contain."""
    return issuer.replace("{tenantid}", tenant) if isinstance(tenant, str) else issuer


def _describe_kid(member: object) -> str:
    kid = member.get("kid") if isinstance(member, dict) else None
    return f"kid {kid!r:.60}" if isinstance(kid, str) else "without kid"


def _digest(key: SigningKey) -> bytes:
    """A digest of key ID, key, and the algorithms and the issuer to which the key is bound."""
    digest = hashlib.sha256()
    for part in (
        b"-" if key.kid is None else b"+" + key.kid.encode("utf-8"),
        b"-" if key.issuer is None else b"+" + key.issuer.encode("utf-8"),
        " ".join(sorted(key.algorithms)).encode("ascii"),
        key.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ):
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.digest()
