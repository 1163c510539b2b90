"""The header of a proof, and thumbprints (RFC 7638)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kms_tornado.auth.bound.proof_key import compute_thumbprint, parse_proof_header
from kms_tornado.auth.tokens.token_policy import ALGORITHMS
from kms_tornado.errors import (
    MalformedProof,
    ProofAlgorithmNotAllowed,
    ProofKeyRefused,
    WrongProofKey,
)

from ...keys import b64, private_key, rsa_key
from ...proofs import ABSENT, client_jwk, thumbprint
from ...rows import each_row
from ..samples import changed

#: RFC 7638 §3.1.
RFC_7638_KEY = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
    "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5"
    "hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
#: RFC 8037 appendix A.3.
RFC_8037_KEY = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param(RFC_7638_KEY, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", id="RFC 7638"),
        pytest.param(RFC_8037_KEY, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", id="RFC 8037"),
    ],
)
def test_published_thumbprints(key: dict[str, Any], expected: str) -> None:
    assert compute_thumbprint(key) == expected


@each_row("alg", ["RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA"])
def test_a_key_of_each_kind_is_read_with_its_thumbprint(alg: str) -> None:
    header = {"typ": "dpop+jwt", "alg": alg, "jwk": client_jwk(alg)}
    assert parse(header).thumbprint == thumbprint(alg)


def parse(header: Any, *algorithms: str) -> Any:
    segment = header if isinstance(header, bytes) else b64(json.dumps(header).encode()).encode()
    return parse_proof_header(segment, frozenset(algorithms or ALGORITHMS))


PRIVATE = private_key("ES256", "client").private_numbers().private_value
SECP256K1 = {"crv": "secp256k1"}

REFUSED: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "no typ": ({"typ": ABSENT}, MalformedProof),
    "a token's typ": ({"typ": "at+jwt"}, MalformedProof),
    "JWT": ({"typ": "JWT"}, MalformedProof),
    "a typ that is no text": ({"typ": ["dpop+jwt"]}, MalformedProof),
    "no alg": ({"alg": ABSENT}, MalformedProof),
    "a list of algs": ({"alg": ["ES256"]}, MalformedProof),
    "none": ({"alg": "none"}, ProofAlgorithmNotAllowed),
    "HS256": ({"alg": "HS256"}, ProofAlgorithmNotAllowed),
    "HS256 with a shared secret": (
        {"alg": "HS256", "jwk": {"kty": "oct", "k": "c2VjcmV0"}},
        ProofAlgorithmNotAllowed,
    ),
    "alg of another curve": ({"alg": "ES384"}, ProofAlgorithmNotAllowed),
    "alg of another kind": ({"alg": "RS256"}, ProofAlgorithmNotAllowed),
    "no jwk": ({"jwk": ABSENT}, MalformedProof),
    "a jwk that is null": ({"jwk": None}, MalformedProof),
    "a jwk that is a text": ({"jwk": json.dumps(client_jwk())}, MalformedProof),
    "only the name of a key": ({"jwk": ABSENT, "kid": "k1"}, MalformedProof),
    "only certificates": ({"jwk": ABSENT, "x5c": ["MIIB"]}, MalformedProof),
    "only the address of a key": ({"jwk": ABSENT, "jku": "https://evil.example"}, MalformedProof),
    "an extension": ({"crit": ["exp"]}, MalformedProof),
    "b64": ({"b64": False}, MalformedProof),
    "a private key": ({"jwk": client_jwk(d=b64(PRIVATE.to_bytes(32, "big")))}, ProofKeyRefused),
    "an empty private key": ({"jwk": client_jwk(d="")}, ProofKeyRefused),
    "a part of a private key": ({"jwk": client_jwk(p="AQAB")}, ProofKeyRefused),
    "a secret beside the key": ({"jwk": client_jwk(k="c2VjcmV0")}, ProofKeyRefused),
    "a shared secret": ({"jwk": {"kty": "oct", "k": "c2VjcmV0"}}, ProofKeyRefused),
    "another curve": ({"jwk": client_jwk(**SECP256K1)}, ProofKeyRefused),
    "no curve": ({"jwk": client_jwk(crv=None)}, ProofKeyRefused),
    "a point that is not on the curve": ({"jwk": client_jwk(y=client_jwk()["x"])}, ProofKeyRefused),
    "a coordinate with padding": (
        {"jwk": client_jwk(x=client_jwk()["x"] + "=")},
        ProofKeyRefused,
    ),
    "a key for encryption": ({"jwk": client_jwk(use="enc")}, ProofKeyRefused),
    "a key of another algorithm": ({"jwk": client_jwk(alg="ES384")}, ProofKeyRefused),
    "a weak key": (
        {
            "alg": "RS256",
            "jwk": {**client_jwk("RS256"), "n": b64(rsa_key(1024).public_key().public_numbers().n.to_bytes(128, "big"))},
        },
        ProofKeyRefused,
    ),
    "a huge key": (
        {"alg": "RS256", "jwk": {**client_jwk("RS256"), "n": b64(b"\xff" * 1025)}},
        ProofKeyRefused,
    ),
    "a slow exponent": (
        {"alg": "RS256", "jwk": {**client_jwk("RS256"), "e": b64(b"\xff" * 256)}},
        ProofKeyRefused,
    ),
    "a point of small order": (
        {"alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64(b"\1" + bytes(31))}},
        ProofKeyRefused,
    ),
}  # fmt: skip


@each_row(("changes", "error"), [pytest.param(*row, id=name) for name, row in REFUSED.items()])
def test_headers_that_are_refused(changes: dict[str, Any], error: type[Exception]) -> None:
    header = changed({"typ": "dpop+jwt", "alg": "ES256", "jwk": client_jwk()}, changes)
    with pytest.raises(error):
        parse(header)


def test_the_key_is_made_only_where_it_is_the_one_that_is_expected() -> None:
    """A point that is not on the curve is found when the key is made."""
    broken = client_jwk(y=client_jwk()["x"])
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": broken}
    segment = b64(json.dumps(header).encode()).encode()
    with pytest.raises(WrongProofKey):
        parse_proof_header(segment, frozenset(ALGORITHMS), thumbprint())
    with pytest.raises(ProofKeyRefused):
        parse_proof_header(segment, frozenset(ALGORITHMS), compute_thumbprint(broken))


@each_row("kty", [["EC"], {"EC": 1}, None, 5, "ec"])
def test_a_kind_that_is_none_is_refused_without_the_key_too(kty: Any) -> None:
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": {**client_jwk(), "kty": kty}}
    segment = b64(json.dumps(header).encode()).encode()
    for expected in (None, thumbprint()):
        with pytest.raises(ProofKeyRefused):
            parse_proof_header(segment, frozenset(ALGORITHMS), expected)


@each_row(
    "segment",
    [
        b"",
        b"!",
        b64(b"[]").encode(),
        b64(b"{").encode(),
        b64(b'{"typ":"dpop+jwt","typ":"dpop+jwt"}').encode(),
        b64(b'{"a":' * 200 + b"1" + b"}" * 200).encode(),
        b64(b"\xff").encode(),
    ],
)
def test_what_is_no_json_object_is_malformed(segment: bytes) -> None:
    with pytest.raises(MalformedProof):
        parse(segment)


@each_row(
    "changes",
    [
        pytest.param({"typ": "application/DPoP+JWT"}, id="the whole media type"),
        pytest.param({"kid": "k1", "x5c": ["MIIB"], "jku": "https://evil.example"}, id="others"),
        pytest.param({"jwk": client_jwk(kid="k1", x5c=["MIIB"])}, id="others in the key"),
        pytest.param({"jwk": client_jwk(use="sig", key_ops=["verify"])}, id="what it is for"),
    ],
)
def test_members_that_change_nothing(changes: dict[str, Any]) -> None:
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": client_jwk(), **changes}
    assert parse(header).thumbprint == thumbprint()


def test_only_allowed_algorithms_are_taken() -> None:
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": client_jwk()}
    with pytest.raises(ProofAlgorithmNotAllowed):
        parse(header, "RS256")


def test_ed25519_is_eddsa() -> None:
    header = {"typ": "dpop+jwt", "alg": "Ed25519", "jwk": client_jwk("EdDSA")}
    assert parse(header).thumbprint == thumbprint("EdDSA")
