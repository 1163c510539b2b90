"""One compact JWS, one spelling (RFC 7515 §7.1), and what its header may say."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.auth.tokens.compact import MAX_DEPTH, MAX_TOKEN_LENGTH, decode_segment, parse_token
from kms_tornado.errors import MalformedToken

from ...keys import b64
from ...rows import each_row
from ..samples import ABSENT, changed

SIGNATURE = b64(b"signature")


def spelled(header: Any = None, payload: Any = None, signature: str = SIGNATURE) -> str:
    """Unsigned: only the form counts here."""
    parts = [
        b64(part if isinstance(part, bytes) else json.dumps(part).encode())
        for part in (header or {"alg": "ES256"}, payload if payload is not None else {"a": 1})
    ]
    return ".".join([*parts, signature])


def test_the_parts_of_a_token_are_told_apart() -> None:
    token = spelled({"alg": "ES256", "kid": "k", "typ": "JWT"}, {"sub": "alice"})
    read = parse_token(token)
    assert (read.header.alg, read.header.kid, read.header.typ) == ("ES256", "k", "jwt")
    assert read.claims == {"sub": "alice"}
    assert read.signing_input == token.rpartition(".")[0].encode()
    assert read.signature == b"signature"


@each_row(
    "token",
    [
        pytest.param("", id="nothing"),
        pytest.param("a", id="one part"),
        pytest.param("a.b", id="two parts"),
        pytest.param("..", id="three empty parts"),
        pytest.param(spelled() + ".", id="an empty fourth part"),
        pytest.param("." + spelled(), id="an empty part before"),
        pytest.param(spelled() + ".x.y", id="five parts, as a JWE has"),
        pytest.param(json.dumps({"payload": "Zm9v", "signatures": []}), id="JSON serialisation"),
        pytest.param(spelled(signature=""), id="no signature"),
        pytest.param("." + spelled().partition(".")[2], id="no header"),
        pytest.param(spelled().replace(".", ". ", 1), id="a space"),
        pytest.param(spelled() + "\n", id="a newline behind"),
        pytest.param(" " + spelled(), id="a space before"),
        pytest.param("Bearer " + spelled(), id="its scheme"),
        pytest.param(spelled() + "=", id="padding"),
        pytest.param(spelled(signature="QUI="), id="a padded signature"),
        pytest.param(spelled(signature="QUI\u00e9"), id="no ASCII"),
        pytest.param(spelled(signature="QUI\ud800"), id="a lone surrogate"),
        pytest.param(spelled(signature="QQ\x00"), id="NUL"),
        pytest.param("x" * 200_000, id="very long"),
    ],
)
def test_what_is_no_compact_jws_is_malformed(token: str) -> None:
    with pytest.raises(MalformedToken):
        parse_token(token)


def test_a_token_of_16_kib_is_read_and_a_longer_one_is_not() -> None:
    short = spelled(payload={"ab": 1}, signature="")
    assert (MAX_TOKEN_LENGTH - len(short)) % 4 != 1, "no base64url has this length"
    fits = short.ljust(MAX_TOKEN_LENGTH, "A")
    assert len(fits) == 16384
    parse_token(fits)
    with pytest.raises(MalformedToken) as refused:
        parse_token(fits + "A" * 4)
    assert refused.value.detail == "the token is longer than 16384 characters"


@each_row(
    ("segment", "octets"),
    [
        pytest.param(b"AA", b"\0", id="one octet"),
        pytest.param(b"AAA", b"\0\0", id="two octets"),
        pytest.param(b"AAAA", b"\0\0\0", id="three octets"),
        pytest.param(b"-_-_", b"\xfb\xff\xbf", id="the alphabet of base64url"),
        pytest.param(b"_w", b"\xff", id="one octet of ones"),
    ],
)
def test_base64url_is_decoded(segment: bytes, octets: bytes) -> None:
    assert decode_segment(segment) == octets


@each_row(
    "segment",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"A", id="one character"),
        pytest.param(b"AAAAA", id="five characters"),
        pytest.param(b"AA==", id="padded"),
        pytest.param(b"AA=", id="half padded"),
        pytest.param(b"AAA=", id="padded with one"),
        pytest.param(b"AAAA====", id="padded for nothing"),
        pytest.param(b"====", id="padding alone"),
        pytest.param(b"=AAA", id="padding before"),
        pytest.param(b"AB", id="unused bits are set, of one octet"),
        pytest.param(b"AP", id="all unused bits are set"),
        pytest.param(b"AAB", id="unused bits are set, of two octets"),
        pytest.param(b"+/+/", id="the alphabet of base64"),
        pytest.param(b"AA+A", id="plus"),
        pytest.param(b"AA/A", id="slash"),
        pytest.param(b"AA A", id="space"),
        pytest.param(b"AAAA\n", id="newline"),
        pytest.param(b"AA\r\nAA", id="line break"),
        pytest.param(b"AA!A", id="exclamation mark"),
        pytest.param(b"AA.A", id="dot"),
        pytest.param(b"AA%41", id="percent"),
        pytest.param(b"AA\x00A", id="NUL"),
        pytest.param(b"AA\xffA", id="eighth bit"),
    ],
)
def test_other_spellings_of_base64url_are_refused(segment: bytes) -> None:
    with pytest.raises(MalformedToken):
        decode_segment(segment)


@given(st.binary(min_size=1, max_size=40))
def test_every_octet_string_has_exactly_one_spelling(octets: bytes) -> None:
    spelling = base64.urlsafe_b64encode(octets).rstrip(b"=")
    assert decode_segment(spelling) == octets
    accepted = []
    for last in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        try:
            if decode_segment(spelling[:-1] + bytes([last])) == octets:
                accepted.append(last)
        except MalformedToken:
            pass
    assert accepted == [spelling[-1]]


@given(st.binary(min_size=1, max_size=24))
def test_what_is_decoded_encodes_to_the_same_characters(segment: bytes) -> None:
    try:
        octets = decode_segment(segment)
    except MalformedToken:
        return
    assert base64.urlsafe_b64encode(octets).rstrip(b"=") == segment


HEADER = {"alg": "ES256", "typ": "JWT", "kid": "k1"}


@each_row(
    "changes",
    [
        pytest.param({}, id="alg, typ, kid"),
        pytest.param({"typ": ABSENT}, id="no typ"),
        pytest.param({"kid": ABSENT}, id="no kid"),
        pytest.param({"kid": "x" * 256}, id="kid of 256 characters"),
        pytest.param({"kid": "../../etc/passwd"}, id="kid is only a name"),
        pytest.param({"cty": "JSON"}, id="cty"),
        pytest.param({"jwk": {"kty": "EC"}}, id="jwk is ignored"),
        pytest.param({"jku": "https://evil.example/"}, id="jku is ignored"),
        pytest.param({"x5u": "https://evil.example/"}, id="x5u is ignored"),
        pytest.param({"x5c": ["MII"]}, id="x5c is ignored"),
        pytest.param({"x5t": 5}, id="x5t is ignored"),
        pytest.param({"anything": [1]}, id="an unknown member is ignored (RFC 7515 \u00a74)"),
        pytest.param({"ALG": "none"}, id="names count with their case"),
    ],
)
def test_a_good_header_is_read(changes: dict[str, Any]) -> None:
    assert parse_token(spelled(changed(HEADER, changes))).header.alg == "ES256"


@each_row(
    "changes",
    [
        pytest.param({"alg": ABSENT}, id="no alg"),
        pytest.param({"alg": None}, id="alg null"),
        pytest.param({"alg": ["ES256"]}, id="alg a list"),
        pytest.param({"alg": {"a": 1}}, id="alg an object"),
        pytest.param({"alg": True}, id="alg a boolean"),
        pytest.param({"alg": 256}, id="alg a number"),
        pytest.param({"kid": ""}, id="kid empty"),
        pytest.param({"kid": None}, id="kid null"),
        pytest.param({"kid": 5}, id="kid a number"),
        pytest.param({"kid": ["k1"]}, id="kid a list"),
        pytest.param({"kid": {"k1": 1}}, id="kid an object"),
        pytest.param({"kid": "x" * 257}, id="kid of 257 characters"),
        pytest.param({"typ": None}, id="typ null"),
        pytest.param({"typ": 5}, id="typ a number"),
        pytest.param({"typ": ["JWT"]}, id="typ a list"),
        pytest.param({"crit": ["exp"]}, id="crit"),
        pytest.param({"crit": ["b64"], "b64": False}, id="crit and b64"),
        pytest.param({"crit": []}, id="crit empty"),
        pytest.param({"crit": None}, id="crit null"),
        pytest.param({"crit": "exp"}, id="crit a string"),
        pytest.param({"b64": True}, id="b64 true"),
        pytest.param({"b64": False}, id="b64 false"),
        pytest.param({"b64": None}, id="b64 null"),
    ],
)
def test_a_header_of_wrong_types_or_with_extensions_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedToken):
        parse_token(spelled(changed(HEADER, changes)))


ODD_OBJECTS = [
    pytest.param(b"", id="empty"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b'"text"', id="a string"),
    pytest.param(b"5", id="a number"),
    pytest.param(b"null", id="null"),
    pytest.param(b"true", id="true"),
    pytest.param(b"{", id="cut off"),
    pytest.param(b'{"alg":"ES256"}x', id="something behind"),
    pytest.param(b'{"alg":"ES256"}{"alg":"ES256"}', id="two objects"),
    pytest.param(b'{"alg":"none","alg":"ES256"}', id="duplicate member"),
    pytest.param(b'{"alg":"ES256","x":NaN}', id="NaN"),
    pytest.param(b'{"alg":"ES256","x":1e999}', id="an infinite number"),
    pytest.param(b'\xef\xbb\xbf{"alg":"ES256"}', id="byte order mark"),
    pytest.param('{"alg":"ES256"}'.encode("utf-16"), id="UTF-16"),
    pytest.param(b'{"alg":"ES256","x":"\xff"}', id="no UTF-8"),
    pytest.param(b'{"alg":"ES256","x":"\\ud800"}', id="lone surrogate"),
    pytest.param(b'{"alg":"ES256","x":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", id="too deep"),
    pytest.param(b'{"alg":"ES256","x":' + b"[" * 6000, id="as deep as 16 KiB allow"),
]  # fmt: skip


@each_row("octets", ODD_OBJECTS)
def test_a_header_that_is_no_strict_json_object_is_malformed(octets: bytes) -> None:
    with pytest.raises(MalformedToken):
        parse_token(f"{b64(octets)}.{b64(b'{}')}.{SIGNATURE}")


@each_row("octets", ODD_OBJECTS)
def test_a_payload_that_is_no_strict_json_object_is_malformed(octets: bytes) -> None:
    with pytest.raises(MalformedToken):
        parse_token(f"{b64(json.dumps(HEADER).encode())}.{b64(octets)}.{SIGNATURE}")


def test_a_payload_as_deep_as_allowed_is_read() -> None:
    inner = b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1)
    assert parse_token(spelled(payload=b'{"x":' + inner + b"}")).claims["x"] is not None


def test_the_error_says_nothing_of_the_token() -> None:
    with pytest.raises(MalformedToken) as refused:
        parse_token(spelled({"alg": "ES256", "kid": 5, "x": "secret"}))
    assert str(refused.value) == "token malformed"
    assert "secret" not in refused.value.detail


@given(
    st.text(max_size=60)
    | st.lists(st.binary(max_size=20).map(b64), min_size=3, max_size=3).map(".".join)
)
def test_any_text_is_a_token_or_malformed(text: str) -> None:
    try:
        parse_token(text)
    except MalformedToken:
        return
