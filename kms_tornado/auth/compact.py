"""One compact JWS read strictly (RFC 7515 §7.1, RFC 7519 §7.2): text in, unverified parts out.

Every token has exactly one accepted spelling: a lenient reader would let a cache or a deny list be
walked around by respelling, and would disagree with stricter readers about what was signed.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from .. import strict_json
from ..errors import MalformedToken
from .issuer import normalised_type

#: Tokens over 16 KiB are refused unread (CVE-2025-61920: a peer decoded 500 MB first).
MAX_TOKEN_LENGTH = 16 * 1024
MAX_DEPTH = 16  # claim sets nest for groups and roles, never this deep
MAX_KID_LENGTH = 256

# base64url to base64; what base64url has not, padding included, becomes a character that neither has.
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
# The last character of a segment may only use the bits that make up a whole byte.
_CANONICAL_ENDS = {2: frozenset(b"AQgw"), 3: frozenset(b"AEIMQUYcgkosw048")}


@dataclass(frozen=True, slots=True)
class UnverifiedHeader:
    """A JOSE header that is well-formed; what it says is not believed yet.

    typ: lower case, without ``application/``; None where absent.
    """

    alg: str
    kid: str | None
    typ: str | None


class UnverifiedToken(NamedTuple):  # made for every new token: twice as fast as a dataclass
    """The parts of a compact JWS. Nothing here is believed before `signature` was checked."""

    header: UnverifiedHeader
    claims: dict[str, Any]
    signing_input: bytes
    signature: bytes


def parse_token(token: str) -> UnverifiedToken:
    """Read a compact JWS; raises MalformedToken for anything that is not exactly one."""
    if len(token) > MAX_TOKEN_LENGTH:
        raise MalformedToken("the token is too long")
    try:
        raw = token.encode("ascii")
    except UnicodeEncodeError:
        raise MalformedToken("not ASCII") from None
    parts = raw.split(b".")
    if len(parts) != 3:
        raise MalformedToken("not three parts")
    header_part, payload_part, signature_part = parts
    return UnverifiedToken(
        header=_parse_header(header_part),
        claims=_parse_object(payload_part, "payload"),
        signing_input=raw[: -len(signature_part) - 1],
        signature=decode_segment(signature_part),
    )


def decode_segment(segment: bytes) -> bytes:
    """Base64url without padding, canonical: the unused bits of the last character are zero."""
    length = len(segment)
    used = length % 4
    if not segment or used == 1:
        raise MalformedToken("not base64url")
    if used and segment[-1] not in _CANONICAL_ENDS[used]:
        raise MalformedToken("not canonical base64url")
    try:
        return binascii.a2b_base64(
            segment.translate(_TO_STANDARD) + b"=" * (-length % 4), strict_mode=True
        )
    except binascii.Error:
        raise MalformedToken("not base64url") from None


def _parse_object(segment: bytes, what: str) -> dict[str, Any]:
    try:
        value = strict_json.loads(decode_segment(segment), max_depth=MAX_DEPTH)
    except ValueError as exc:
        raise MalformedToken(f"the {what} is no strict JSON: {exc}") from None
    if not isinstance(value, dict):
        raise MalformedToken(f"the {what} is no JSON object")
    return value


# An issuer signs all its tokens with one or two headers. Pure, and only good headers are kept:
# lru_cache remembers no exception. 256 headers of at most 16 KiB bound what a flood can hold.
@lru_cache(maxsize=256)
def _parse_header(segment: bytes) -> UnverifiedHeader:
    header = _parse_object(segment, "header")
    if "crit" in header or "b64" in header:
        # RFC 7515 §4.1.11: what is critical and not understood must be refused; we understand none.
        raise MalformedToken("the header asks for an extension (crit, b64)")
    alg = header.get("alg")
    if not isinstance(alg, str):
        raise MalformedToken("alg is absent or no string")
    kid = header.get("kid")
    if "kid" in header and not (isinstance(kid, str) and 0 < len(kid) <= MAX_KID_LENGTH):
        raise MalformedToken("kid is no string of 1 to 256 characters")
    typ = header.get("typ")
    if "typ" in header and not isinstance(typ, str):
        raise MalformedToken("typ is no string")
    # jwk, jku, x5u and x5c name a key of the sender's choice: ignored, never followed (RFC 8725 §3.10).
    return UnverifiedHeader(alg=alg, kid=kid, typ=normalised_type(typ))
