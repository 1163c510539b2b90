"""A whole document of an issuer: three shapes, bad members skipped, keys found by kid and alg."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.auth.issuers.jwk import MAX_PEM_LENGTH
from kms_tornado.auth.issuers.keyset import MAX_KEYS_WITHOUT_KID, Discovery, KeySet, parse_document
from kms_tornado.errors import KeySetError

from ...keys import b64, certificate, jwk, private_key, rsa_key, sign
from ...rows import each_row
from ..samples import document, key_set

OCT = {"kty": "oct", "k": b64(bytes(32)), "kid": "shared"}


def number(keys: KeySet, kid: str | None, alg: str) -> int:
    return len(keys.find_candidates(kid, alg))


def parse(value: Any) -> KeySet | Discovery:
    return parse_document(value if isinstance(value, bytes) else json.dumps(value).encode())


# --- finding a key ----------------------------------------------------------------------------------


def test_a_key_is_found_by_its_kid_and_algorithm_only() -> None:
    keys = key_set(jwk("RS256", "a"), jwk("ES256", "b"))
    assert number(keys, "a", "RS256") == 1
    assert number(keys, "b", "ES256") == 1
    for kid, alg in (
        ("a", "ES256"),
        ("b", "RS256"),
        ("a", "RS512"),
        ("c", "RS256"),
        ("A", "RS256"),
        ("a ", "RS256"),
    ):
        assert number(keys, kid, alg) == 0, (kid, alg)
    assert keys.has_kid("a")
    assert not keys.has_kid("c")


def test_keys_that_share_a_kid_are_told_apart_by_type_and_alg() -> None:
    keys = key_set(jwk("RS256", "k"), jwk("RS512", "k"), jwk("ES256", "k"), jwk("EdDSA", "k"))
    assert keys.size == 4
    for alg in ("RS256", "RS512", "ES256", "EdDSA"):
        (check,) = keys.find_candidates("k", alg)
        assert check(b"m", sign(b"m", alg, private_key(alg)))
    assert number(keys, "k", "RS384") == 0


def test_two_keys_of_one_type_may_share_a_kid() -> None:
    keys = key_set(jwk("ES256", "k", "first"), jwk("ES256", "k", "second"))
    assert number(keys, "k", "ES256") == 2


def test_keys_without_kid_serve_only_tokens_without_kid() -> None:
    keys = key_set(jwk("ES256", None), jwk("RS256", "a"))
    assert number(keys, None, "ES256") == 1
    assert number(keys, "a", "ES256") == 0
    assert not keys.has_kid("a" * 3)
    assert not keys.has_kid("None")
    assert not keys.has_kid("")


def test_a_token_without_kid_is_tried_with_all_keys_that_fit_alg() -> None:
    keys = key_set(
        jwk("ES256", "a", "1"), jwk("ES256", None, "2"), jwk("ES384", "c"), jwk("RS256", "d")
    )
    assert number(keys, None, "ES256") == 2
    assert number(keys, None, "ES384") == 1
    assert number(keys, None, "PS256") == 0


def test_a_token_without_kid_is_tried_with_at_most_eight_keys() -> None:
    keys = key_set(*(jwk("EdDSA", f"k{i}", str(i)) for i in range(12)))
    assert number(keys, None, "EdDSA") == MAX_KEYS_WITHOUT_KID == 8
    assert all(number(keys, f"k{i}", "EdDSA") == 1 for i in range(12))


def test_the_same_key_twice_counts_once_and_under_two_kids_twice() -> None:
    assert key_set(jwk("ES256", "a"), jwk("ES256", "a")).size == 1
    twice = key_set(jwk("ES256", "a"), jwk("ES256", "b"))
    assert (twice.size, number(twice, "a", "ES256"), number(twice, "b", "ES256")) == (2, 1, 1)


def test_a_kid_is_just_a_name() -> None:
    for kid in (
        "../../etc/passwd",
        "' OR 1=1 --",
        "\u00e9",
        "a b",
        "0",
        "https://evil.example/k",
        "__class__",
    ):
        keys = key_set(jwk("ES256", kid))
        assert number(keys, kid, "ES256") == 1


def test_equal_fingerprints_mean_equal_keys() -> None:
    a, b = jwk("ES256", "a"), jwk("RS256", "b")
    first = key_set(a, b).fingerprint
    assert key_set(b, a).fingerprint == first, "order"
    assert key_set(a, b, a).fingerprint == first, "the same key twice"
    assert key_set(a, b, OCT).fingerprint == first, "skipped keys"
    assert key_set(a | {"x5t": "x"}, b).fingerprint == first, "what is not read"
    for others in ([a], [b], [a | {"kid": "c"}, b], [a | {"issuer": "i"}, b], [a, b | {"alg": "PS256"}], [jwk("ES256", "a", "x"), b],
                   [jwk("ES256", None), b]):  # fmt: skip
        assert key_set(*others).fingerprint != first


# --- odd members ------------------------------------------------------------------------------------


@each_row(
    "odd",
    [
        pytest.param(OCT, id="a shared secret"),
        pytest.param(jwk("RS256", "odd") | {"use": "enc", "alg": "RSA-OAEP"}, id="Keycloak's key for encryption"),
        pytest.param({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}, id="a type of the future"),
        pytest.param({}, id="an empty object"),
        pytest.param(None, id="null"),
        pytest.param("text", id="a string"),
        pytest.param([], id="a list"),
        pytest.param({"kty": "RSA", "e": "AQAB"}, id="RSA without n: TypeError in python-jose"),
        pytest.param({"kty": "RSA", "n": "!!", "e": "AQAB"}, id="no base64: ValueError in python-jose"),
        pytest.param({"kty": "RSA", "n": "\u00e9", "e": "AQAB"}, id="beyond ASCII: UnicodeEncodeError there"),
        pytest.param({"kty": "RSA", "n": "AQAB", "e": 3}, id="e a number"),
        pytest.param({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}, id="secp256k1: KeyError there"),
        pytest.param(jwk("ES256", "odd") | {"y": b64(bytes(32))}, id="off the curve"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(32))}, id="small order"),
        pytest.param(jwk("ES256", "odd") | {"kid": 7}, id="kid a number"),
    ],
)  # fmt: skip
@each_row("place", ["before", "behind"])
def test_one_odd_key_is_skipped_and_named_and_the_others_serve(odd: Any, place: str) -> None:
    good = jwk("ES256", "good")
    keys = parse({"keys": [odd, good] if place == "before" else [good, odd]})
    assert isinstance(keys, KeySet)
    assert number(keys, "good", "ES256") == 1
    (skipped,) = keys.skipped
    assert skipped.name.startswith("key 0" if place == "before" else "key 1")
    assert skipped.why


#: Text of an odd member value, whatever the member is.
ODD_VALUES = {
    "NaN": "NaN",
    "a huge number": "1e999",
    "a number of 5000 digits": "7" * 5000,
    "a lone surrogate": '"\\ud800"',
    "deep nesting": "[" * 5000 + "]" * 5000,
    "nesting near Python's limit": "[" * 900 + "]" * 900,
    "a duplicate further in": '{"a": 1, "a": 2}',
}
NOT_READ = ("x5t", "x5c", "nbf", "oth", "zzz", "tfp", "")
COUNTS = {
    "RS256": ("kty", "kid", "use", "key_ops", "alg", "issuer", "n", "e"),
    "ES256": ("kty", "kid", "use", "key_ops", "alg", "issuer", "crv", "x", "y"),
    "EdDSA": ("kty", "kid", "use", "key_ops", "alg", "issuer", "crv", "x"),
}


def with_member(alg: str, kid: str, name: str, value: str) -> bytes:
    """A good key with one more member in front of it, and a twin of its own behind where it has one."""
    return json.dumps(jwk(alg, kid)).replace("{", f'{{"{name}": {value}, ', 1).encode()


def with_value(alg: str, kid: str, name: str, value: str) -> bytes:
    """A good key of which one member has another value."""
    return json.dumps(jwk(alg, kid) | {name: "PLACE"}).replace('"PLACE"', value, 1).encode()


def set_of(*keys: bytes) -> bytes:
    return b'{"keys": [' + b", ".join(keys) + b"]}"


@each_row("odd", ODD_VALUES)
@each_row("name", NOT_READ)
def test_an_odd_member_that_nobody_reads_costs_nothing(name: str, odd: str) -> None:
    keys = parse(set_of(with_member("ES256", "a", name, ODD_VALUES[odd])))
    assert isinstance(keys, KeySet)
    assert number(keys, "a", "ES256") == 1
    assert keys.skipped == ()
    twice = with_member("ES256", "a", name, ODD_VALUES[odd])
    twice = twice.replace(b"{", b'{"' + name.encode() + b'": 1, ', 1)
    assert parse(set_of(twice)).size == 1  # type: ignore[union-attr]


@each_row("odd", ODD_VALUES)
@each_row(("alg", "name"), [(alg, name) for alg, names in COUNTS.items() for name in names])
def test_an_odd_member_that_counts_skips_that_key_alone_and_names_it(
    alg: str, name: str, odd: str
) -> None:
    good = json.dumps(jwk("RS256", "good")).encode()
    keys = parse(set_of(with_value(alg, "odd", name, ODD_VALUES[odd]), good))
    assert isinstance(keys, KeySet)
    assert (keys.size, number(keys, "good", "RS256")) == (1, 1)
    (skipped,) = keys.skipped
    assert skipped.name.startswith("key 0")
    assert name == "kid" or "'odd'" in skipped.name
    assert f"its member {name}" in skipped.why


@each_row("is_same", [True, False])
@each_row(("alg", "name"), [(alg, name) for alg, names in COUNTS.items() for name in names])
def test_a_member_that_counts_and_occurs_twice_skips_that_key_alone(
    alg: str, name: str, is_same: bool
) -> None:
    value = json.dumps(jwk(alg, "odd").get(name, ["verify"])) if is_same else '"other"'
    odd = with_member(alg, "odd", name, value)
    if name in {"key_ops", "issuer"}:  # jwk() has none
        odd = odd.replace(b"{", b'{"' + name.encode() + b'": ["verify"], ', 1)
    keys = parse(set_of(json.dumps(jwk("RS256", "good")).encode(), odd))
    assert isinstance(keys, KeySet)
    assert (keys.size, number(keys, "good", "RS256")) == (1, 1)
    assert [(s.name, s.why) for s in keys.skipped] == [
        ("key 1 kid 'odd'", f"its member {name} occurs more than once")
    ]


@each_row("octets", [b"\xff", b"\xed\xa0\x80", "\u00e9".encode("latin-1")])
def test_octets_that_are_no_utf_8_skip_a_key_only_in_a_member_that_counts(octets: bytes) -> None:
    good = json.dumps(jwk("ES256", "good")).encode()
    for name, size in (("zzz", 2), ("kid", 1)):
        odd = with_value("ES256", "odd", name, '"PLACE"').replace(b"PLACE", octets)
        assert parse(set_of(odd, good)).size == size  # type: ignore[union-attr]


@each_row("odd", ODD_VALUES)
def test_odd_members_of_the_document_itself_that_nobody_reads_cost_nothing(odd: str) -> None:
    value = ODD_VALUES[odd].encode()
    keys = document(jwk("ES256", "a"))
    for text in (
        keys[:-1] + b', "zzz": ' + value + b"}",
        b'{"zzz": 1, "zzz": ' + value + b", " + keys[1:],
    ):
        assert parse(text).size == 1  # type: ignore[union-attr]


def test_a_byte_order_mark_before_any_of_the_three_documents_is_passed_over() -> None:
    for text in (
        document(jwk("ES256", "a")),
        json.dumps({"a": certificate(private_key("RS256")).decode()}).encode(),
        b'{"issuer": "https://i/", "jwks_uri": "https://i/k"}',
    ):
        assert type(parse(b"\xef\xbb\xbf" + text)) is type(parse(text))


def test_a_shared_secret_is_never_a_candidate() -> None:
    keys = key_set(OCT | {"alg": "HS256"}, jwk("ES256", "good"))
    for alg in ("HS256", "HS384", "HS512", "none", "ES256"):
        assert number(keys, "shared", alg) == 0
    assert not keys.has_kid("shared")


@pytest.mark.parametrize("order", [0, 1])
def test_a_published_private_key_is_warned_of_loudly(order: int) -> None:
    """Also beside its public twin, which makes it a duplicate."""
    private = jwk("ES256", "a") | {"d": b64(bytes(32))}
    assert len(key_set(private).warnings) == 1
    both = [private, jwk("ES256", "a")]
    keys = key_set(*(both if order else both[::-1]))
    assert keys.size == 1
    assert "PRIVATE" in keys.warnings[0]
    assert key_set(jwk("ES256", "a")).warnings == ()


@each_row(
    "value",
    [
        pytest.param({"keys": [OCT]}, id="a shared secret alone"),
        pytest.param({"keys": [jwk("RS256") | {"use": "enc"}]}, id="a key for encryption alone"),
        pytest.param({"keys": [None, 5, []]}, id="no key at all"),
        pytest.param({"keys": None}, id="keys null"),
        pytest.param({"keys": {}}, id="keys an object"),
        pytest.param({"keys": 5}, id="keys a number"),
        pytest.param({"keys": [jwk("ES256")] * 1001}, id="more keys than anybody has"),
        pytest.param({"keys": "text"}, id="keys a string that is no certificate"),
        pytest.param({}, id="an empty object"),
        pytest.param({"error": "not_found"}, id="an error as JSON"),
        pytest.param({"a": "b"}, id="a map of no certificates"),
        pytest.param({"a": "-----BEGIN CERTIFICATE-----"}, id="a map of a broken certificate"),
        pytest.param({"jwks_uri": 5, "issuer": "x"}, id="a discovery document without keys"),
        pytest.param([], id="a list"),
        pytest.param([jwk("ES256")], id="a list of keys"),
        pytest.param(jwk("ES256"), id="a bare key"),
        pytest.param("text", id="a string"),
        pytest.param(None, id="null"),
        pytest.param(b"", id="empty"),
        pytest.param(b"<!DOCTYPE html><html></html>", id="HTML"),
        pytest.param(b'{"keys":[', id="cut off"),
        pytest.param(b'{"keys":[],"keys":[]}', id="duplicate member"),
        pytest.param(b'{"keys":[{}],"keys":' + document(jwk("ES256"))[8:], id="two sets in one"),
        pytest.param(document(jwk("ES256"))[:-1] + b',"keys":"text"}', id="a set and a text in one"),
        pytest.param(document(jwk("ES256")).decode().encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"keys":' + b"[" * 100_000, id="very deep"),
        pytest.param(b'{"keys":' + b"[" * 30 + b"]" * 30 + b"}", id="deep"),
        pytest.param(b'{"keys":NaN}', id="keys NaN"),
        pytest.param(b'{"issuer":"https://i/","jwks_uri":"https://i/k","jwks_uri":"https://e/k"}', id="two key set URIs"),
        pytest.param(b'{"issuer":"https://i/","issuer":"https://e/","jwks_uri":"https://i/k"}', id="two issuers"),
        pytest.param(b'{"issuer":"https://i/","jwks_uri":"https://i/k\\ud800"}', id="a surrogate in the key set URI"),
        pytest.param(b'{"issuer":' + b"[" * 900 + b"]" * 900 + b',"jwks_uri":"https://i/k"}', id="a deep issuer"),
        pytest.param(b"\x1f\x8b\x08", id="compressed"),
    ],
)  # fmt: skip
def test_a_document_without_usable_keys_is_an_error(value: Any) -> None:
    with pytest.raises(KeySetError):
        parse(value)


@each_row(
    "text",
    [
        b'{"keys":[]}',
        b' \n{ "keys" : [ ] }\r\n',
        b'\xef\xbb\xbf{"keys":[]}',
        b'{"keys":[],"x":"\\ud800","x":1e999,"y":' + b"7" * 5000 + b"}",
        b'{"keys":[],"jwks_uri":"https://i/k","issuer":"https://i/"}',
    ],
)
def test_a_well_formed_empty_set_is_a_set_in_which_no_key_is_found(text: bytes) -> None:
    keys = parse(text)
    assert isinstance(keys, KeySet)
    assert (keys.size, keys.skipped) == (0, ())
    assert not keys.has_kid("a")
    assert keys.find_candidates(None, "ES256") == ()
    assert keys.fingerprint != key_set(jwk("ES256")).fingerprint


@each_row(
    "text",
    [
        b'{"keys":[]', b'{"keys":[}', b'{"keys":[],}', b'{"keys":[]}}', b'{"keys":[]} x', b'{"keys":[],"x":NaN}', b'{"keys":[],"x":-Infinity}',
        b'{"keys":[],"x":"\xff"}', b'{"keys":[],"x":"\n"}', b'{"keys":[],"keys":[]}', b'{"keys":[{}],"keys":[]}', b"{'keys':[]}",
        b'{"keys":[,]}', b'{"Keys":[]}', b"[]", b'{"keys":{}}', b'{"keys":null}', b'{"keys":""}', b'{"keys":0}', b'{"keys":false}',
        b'{"keys":[null]}', b'{"keys":[{}]}', b'{"keys":[[]]}', b'{"keys":[],"x":' + b"[" * 99_999 + b"]" * 99_999 + b"}",
    ],
)  # fmt: skip
def test_what_only_resembles_an_empty_set_is_an_error(text: bytes) -> None:
    with pytest.raises(KeySetError):
        parse(text)


def test_the_error_tells_an_operator_what_came() -> None:
    with pytest.raises(KeySetError, match="looks like an HTML page"):
        parse(b"\n <html>")
    with pytest.raises(KeySetError, match="key type 'oct'"):
        parse({"keys": [OCT]})
    with pytest.raises(KeySetError, match="keys is not a list"):
        parse({"keys": {}})


# --- certificates and discovery -----------------------------------------------------------------------


def test_a_map_of_certificates_is_read_as_firebase_has_it() -> None:
    keys = parse(
        {
            "a": certificate(private_key("RS256")).decode(),
            "b": certificate(private_key("ES256")).decode(),
        }
    )
    assert isinstance(keys, KeySet)
    (check,) = keys.find_candidates("a", "RS256")
    assert check(b"m", sign(b"m", "RS256", private_key("RS256")))
    assert number(keys, "b", "ES256") == 1
    assert number(keys, "a", "ES256") == 0


def pem(key: Any) -> str:
    public = key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_map_of_public_keys_is_read_as_identity_aware_proxy_has_it() -> None:
    """https://www.gstatic.com/iap/verify/public_key; certificates may stand beside them."""
    keys = parse(
        {
            "f9R3yg": pem(private_key("ES256")),
            "2nMJtw": pem(private_key("ES256", "other")).replace("\n", "\r\n"),
            "rsa": "\n" + pem(private_key("RS256")),
            "ed": pem(private_key("EdDSA")),
            "certificate": certificate(private_key("ES384")).decode(),
        }
    )
    assert isinstance(keys, KeySet)
    (check,) = keys.find_candidates("f9R3yg", "ES256")
    assert check(b"m", sign(b"m", "ES256", private_key("ES256")))
    (check,) = keys.find_candidates("2nMJtw", "ES256")
    assert check(b"m", sign(b"m", "ES256", private_key("ES256", "other")))
    assert number(keys, "rsa", "PS512") == number(keys, "ed", "EdDSA") == 1
    assert number(keys, "certificate", "ES384") == 1
    assert keys.skipped == ()


@each_row(
    "odd",
    [
        "-----BEGIN PUBLIC KEY-----\nMII=\n-----END PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----",
        pem(rsa_key(1024)),
        pem(ec.generate_private_key(ec.SECP256K1())),
        private_key("ES256")
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode(),
        pem(private_key("RS256")).replace("PUBLIC", "RSA PUBLIC"),
        {"a": pem(private_key("RS256"))},
    ],
    ids=["broken", "cut off", "weak", "another curve", "private", "PKCS#1", "nested"],
)
def test_one_public_key_that_cannot_be_used_is_skipped(odd: Any) -> None:
    keys = parse({"odd": odd, "good": pem(private_key("RS256"))})
    assert isinstance(keys, KeySet)
    assert number(keys, "good", "RS256") == 1
    assert [s.name for s in keys.skipped] == ["key 'odd'"]
    assert ("a PRIVATE key" in keys.skipped[0].why) is ("PRIVATE" in odd)


def test_one_odd_certificate_is_skipped() -> None:
    good = certificate(private_key("RS256")).decode()
    for odd in (
        "junk",
        "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----",
        5,
        None,
        {"a": good},
    ):
        keys = parse({"odd": odd, "good": good})
        assert isinstance(keys, KeySet)
        assert number(keys, "good", "RS256") == 1
        assert [s.name for s in keys.skipped] == ["key 'odd'"]


def test_a_certificate_may_even_be_called_keys() -> None:
    keys = parse({"keys": certificate(private_key("RS256")).decode()})
    assert isinstance(keys, KeySet)
    assert number(keys, "keys", "RS256") == 1


def test_a_discovery_document_is_told_by_its_jwks_uri() -> None:
    document = parse(
        {"issuer": "https://i/", "jwks_uri": "https://i/k", "authorization_endpoint": "x"}
    )
    assert document == Discovery("https://i/", "https://i/k")


@each_row(
    "more",
    [
        b'"scopes_supported": ["a"], "scopes_supported": ["b"]',
        b'"issuer": "https://i/"',
        b'"jwks_uri": "https://i/k"',
        b'"x": NaN',
        b'"x": 1e999',
        b'"x": "\\ud800"',
        b'"x": "\xff"',
        b'"x": {"issuer": 1, "issuer": 2}',
        b'"x": ' + b"[" * 5000 + b"]" * 5000,
    ],
)
@each_row("start", [b"", b"\xef\xbb\xbf"])
def test_oddities_of_a_discovery_document_that_leave_no_doubt_cost_nothing(
    start: bytes, more: bytes
) -> None:
    text = start + b'{"issuer": "https://i/", "jwks_uri": "https://i/k", ' + more + b"}"
    assert parse(text) == Discovery("https://i/", "https://i/k")


def test_a_certificate_whose_key_id_is_odd_is_skipped_alone() -> None:
    pem = json.dumps(certificate(private_key("RS256")).decode()).encode()
    for odd in (b'"\\ud800": ' + pem, b'"\xff": ' + pem, b'"odd": 1, "odd": ' + pem, b'"odd": NaN'):
        keys = parse(b'{"good": ' + pem + b", " + odd + b"}")
        assert isinstance(keys, KeySet)
        assert (keys.size, len(keys.skipped)) == (1, 1)
        assert number(keys, "good", "RS256") == 1


def test_a_document_with_keys_is_a_key_set_whatever_else_it_says() -> None:
    assert isinstance(
        parse({"keys": [jwk("ES256")], "jwks_uri": "https://evil/", "issuer": 1}), KeySet
    )


# --- anything ---------------------------------------------------------------------------------------

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
_MEMBER = st.sampled_from([jwk("ES256"), jwk("EdDSA"), jwk("RS256"), OCT, jwk("ES256", None)]).flatmap(
    lambda key: st.dictionaries(st.sampled_from(sorted({*key, "d", "key_ops"})), _JSON, max_size=2).map(lambda c: {**key, **c})
)  # fmt: skip


@given(st.one_of(
    _JSON,
    st.lists(_MEMBER | _JSON, max_size=4).map(lambda keys: {"keys": keys}),
    st.dictionaries(st.text(max_size=5), st.just("-----BEGIN CERTIFICATE-----") | _JSON, max_size=3),
    st.fixed_dictionaries({"jwks_uri": _JSON}, optional={"issuer": _JSON, "keys": _JSON}),
))  # fmt: skip
def test_any_json_is_a_key_set_a_discovery_or_an_error(value: Any) -> None:
    try:
        document = parse(value)
    except KeySetError:
        return
    assert isinstance(document, (KeySet, Discovery))
    if isinstance(document, KeySet):
        assert (document.size > 0) == (value["keys"] != [] if "keys" in value else True)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_key_set_or_an_error(data: bytes) -> None:
    with pytest.raises(KeySetError):
        parse(data)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"keys":[],"x":[' + b"[]," * 20_000 + b"[]]}", id="arrays"),
        pytest.param(b'{"keys":[],"x":[' + b"{}," * 20_000 + b"{}]}", id="objects"),
    ],
)
def test_document_of_more_parts_than_a_thousand_keys_have_is_refused_before_it_is_parsed(
    body: bytes,
) -> None:
    """To parse 1 MiB of them holds the interpreter's lock for 0.4 s."""
    with pytest.raises(KeySetError, match="more than 10000 arrays and objects"):
        parse_document(body)


def test_certificate_of_a_size_that_no_certificate_has_is_skipped_unread() -> None:
    pem = "-----BEGIN CERTIFICATE-----\n" + "A" * MAX_PEM_LENGTH
    keys = parse({"a": pem, "b": certificate(private_key("RS256")).decode()})
    assert isinstance(keys, KeySet)
    assert [skipped.why for skipped in keys.skipped] == [
        f"its PEM has more than {MAX_PEM_LENGTH} characters"
    ]
    assert keys.has_kid("b")
