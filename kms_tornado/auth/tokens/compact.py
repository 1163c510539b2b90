"""A strict parser of the compact JWS (RFC 7515 §7.1, RFC 7519 §7.2): text in, unverified parts out."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ... import strict_json
from ...errors import MalformedToken
from .token_policy import normalise_algorithm, normalise_type

# Why this is parsed by hand
#
# python-jose 3.5.0 decodes leniently: it takes padded and unpadded base64url, ignores characters that
# are not in the alphabet, and takes a last character whose unused bits are set. So one signed token
# has many spellings that all verify. A cache or a deny list that is keyed by the token's text could be
# evaded by respelling the token, and a stricter reader (a proxy, an audit tool) would disagree with us
# about what was signed. The standard library's base64 and json are lenient, too: json accepts NaN, and
# of two members with the same name the last one wins, which is how an attacker makes two parsers see
# two different claim sets. RFC 7515 §10.12 and RFC 8725 §2.6 and §3.7 warn of this.
#
# Here every token has exactly one accepted spelling. `decode_segment` accepts canonical base64url
# only; `strict_json` refuses duplicate members, non-finite numbers, encodings other than UTF-8 and deep
# nesting (on which python-jose 3.5.0 ends with a RecursionError).

#: Tokens over 16 KiB are refused unread (CVE-2025-61920: Authlib decoded 500 MB first).
MAX_TOKEN_LENGTH = 16 * 1024
MAX_DEPTH = 16  # claim sets nest for groups and roles, never this deep
MAX_KID_LENGTH = 256

# base64url to base64. The characters that only base64 has, and padding, become one that neither has.
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
# The last characters, by segment length modulo 4, whose bits beyond the last whole byte are zero.
_CANONICAL_ENDS = {2: frozenset(b"AQgw"), 3: frozenset(b"AEIMQUYcgkosw048")}


@dataclass(frozen=True, slots=True)
class UnverifiedHeader:
    """A well-formed JOSE header. Nothing in it is trusted yet.

    alg: EdDSA also where the header says Ed25519.
    kid: None where absent.
    typ: in lower case, without ``application/``; None where absent.
    """

    alg: str
    kid: str | None
    typ: str | None


class UnverifiedToken(NamedTuple):  # made for every new token, twice as fast as a dataclass
    """The parts of a compact JWS. None of them is trusted until the signature has been checked."""

    header: UnverifiedHeader
    claims: dict[str, Any]
    signing_input: bytes
    signature: bytes


def split_compact(text: str, max_length: int, what: str) -> tuple[bytes, bytes, bytes, bytes]:
    """(header, payload and signature, each still in base64url; the part of the text that the signature covers).

    text: a compact JWS.
    max_length: in characters.
    what: what an error calls it.
    Raises MalformedToken.
    """
    if len(text) > max_length:
        raise MalformedToken(f"the {what} is longer than {max_length} characters")
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError:
        raise MalformedToken("not ASCII") from None
    signing_input, _, signature = raw.rpartition(b".")
    header, dot, payload = signing_input.partition(b".")
    if not dot or b"." in payload:
        raise MalformedToken("not three parts")
    return header, payload, signature, signing_input


def parse_header(segment: bytes) -> UnverifiedHeader:
    """Parse the first part of a compact JWS. Raises MalformedToken."""
    header = parse_object(segment, "header")
    if "crit" in header or "b64" in header:
        # RFC 7515 §4.1.11: a critical extension that is not understood must be refused. We know none.
        raise MalformedToken("the header asks for an extension (crit, b64)")
    alg = header.get("alg")
    if not isinstance(alg, str):
        raise MalformedToken("alg is absent or not a string")
    kid = header.get("kid")
    if "kid" in header and not (isinstance(kid, str) and 0 < len(kid) <= MAX_KID_LENGTH):
        raise MalformedToken("kid is not a string of 1 to 256 characters")
    typ = header.get("typ")
    if "typ" in header and not isinstance(typ, str):
        raise MalformedToken("typ is not a string")
    # jwk, jku, x5u and x5c name a key of the sender's choice: ignored, never followed (RFC 8725 §3.10).
    return UnverifiedHeader(alg=normalise_algorithm(alg), kid=kid, typ=normalise_type(typ))


def parse_token(
    token: str, parse_header: Callable[[bytes], UnverifiedHeader] = parse_header
) -> UnverifiedToken:
    """Parse a compact JWS. Raises MalformedToken for anything that is not exactly one.

    parse_header: a caller may pass one that remembers headers.
    """
    header, payload, signature, signing_input = split_compact(token, MAX_TOKEN_LENGTH, "token")
    return UnverifiedToken(
        parse_header(header),
        parse_object(payload, "payload"),
        signing_input,
        decode_segment(signature),
    )


def decode_segment(segment: bytes) -> bytes:
    """Decode canonical base64url: no padding, the unused bits of the last character zero.

    Raises MalformedToken, also for an empty segment.
    """
    length = len(segment)
    remainder = length % 4
    if not segment or remainder == 1:
        raise MalformedToken("not base64url")
    if remainder and segment[-1] not in _CANONICAL_ENDS[remainder]:
        raise MalformedToken("not canonical base64url")
    try:
        return binascii.a2b_base64(
            segment.translate(_TO_STANDARD) + b"=" * (-length % 4), strict_mode=True
        )
    except binascii.Error:
        raise MalformedToken("not base64url") from None


def parse_object(segment: bytes, what: str) -> dict[str, Any]:
    """The JSON object that a part of a compact JWS encodes.

    what: what an error calls the part. Raises MalformedToken.
    """
    try:
        value = strict_json.loads(decode_segment(segment), max_depth=MAX_DEPTH)
    except ValueError as exc:
        raise MalformedToken(f"the {what} cannot be parsed: {exc}") from None
    if not isinstance(value, dict):
        raise MalformedToken(f"the {what} is not a JSON object")
    return value
