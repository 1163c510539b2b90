"""One signature under one key, for each algorithm; and what we lean on in python-jose."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given
from hypothesis import strategies as st
from jose import jwk as jose_jwk
from jose.backends import ECKey, RSAKey
from jose.exceptions import JOSEError

from kms_tornado.auth.tokens import signature
from kms_tornado.auth.tokens.signature import build_verify, check_backend, list_algorithms
from kms_tornado.errors import ConfigurationError

from ...keys import CURVES, HASHES, private_key, sign
from ...rows import each_row
from ..samples import ALGORITHMS

MESSAGE = b"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9"
RSA = [alg for alg in ALGORITHMS if alg[:2] in {"RS", "PS"}]
EC = list(CURVES)


def good(alg: str, name: str = "first") -> bytes:
    return sign(MESSAGE, alg, private_key(alg, name))


def check(alg: str) -> Any:
    return build_verify(private_key(alg).public_key(), alg)


@each_row("alg", ALGORITHMS)
def test_the_keys_own_signature_is_good(alg: str) -> None:
    assert check(alg)(MESSAGE, good(alg)) is True


@each_row("alg", ALGORITHMS)
def test_every_other_algorithm_refuses_it(alg: str) -> None:
    for other in ALGORITHMS:
        if other != alg:
            assert check(other)(MESSAGE, good(alg)) is False, other


@each_row("alg", ALGORITHMS)
@each_row(
    "change",
    [
        pytest.param(lambda s: b"", id="empty"),
        pytest.param(lambda s: s[:-1], id="an octet short"),
        pytest.param(lambda s: s[1:], id="the first octet missing"),
        pytest.param(lambda s: s + b"\0", id="a zero behind"),
        pytest.param(lambda s: b"\0" + s, id="a zero before"),
        pytest.param(lambda s: s + s, id="twice"),
        pytest.param(lambda s: s[::-1], id="reversed"),
        pytest.param(lambda s: bytes(len(s)), id="zeros"),
        pytest.param(lambda s: b"\xff" * len(s), id="ones"),
        pytest.param(lambda s: bytes(len(s) - 1) + b"\1", id="the number one"),
        pytest.param(lambda s: s[:-1] + bytes([s[-1] ^ 1]), id="last bit"),
        pytest.param(lambda s: bytes([s[0] ^ 1]) + s[1:], id="a bit of the first octet"),
        pytest.param(lambda s: s[: len(s) // 2] * 2, id="the first half twice"),
        pytest.param(lambda s: bytes(len(s) // 2) + s[len(s) // 2 :], id="the first half zero"),
        pytest.param(lambda s: s[: len(s) // 2] + bytes(len(s) - len(s) // 2), id="the second half zero"),
        pytest.param(lambda s: s * 1000, id="very long"),
    ],
)  # fmt: skip
def test_an_altered_signature_is_not_good(alg: str, change: Any) -> None:
    assert check(alg)(MESSAGE, change(good(alg))) is False


@each_row("alg", ALGORITHMS)
def test_another_keys_signature_is_not_good(alg: str) -> None:
    assert check(alg)(MESSAGE, good(alg, "second")) is False


@each_row("alg", ALGORITHMS)
@each_row("message", [b"", MESSAGE[:-1], MESSAGE + b".", MESSAGE[::-1], MESSAGE.upper()])
def test_the_signature_of_another_message_is_not_good(alg: str, message: bytes) -> None:
    assert check(alg)(message, good(alg)) is False


@each_row("alg", EC)
def test_an_ecdsa_signature_in_der_is_not_good(alg: str) -> None:
    """RFC 7518 §3.4 has r and s side by side; DER would be a second spelling."""
    der = private_key(alg).sign(MESSAGE, ec.ECDSA(HASHES[alg[2:]]))
    assert check(alg)(MESSAGE, der) is False
    size = (CURVES[alg].key_size + 7) // 8
    r, s = (int.from_bytes(part, "big") for part in (good(alg)[:size], good(alg)[size:]))
    assert check(alg)(MESSAGE, encode_dss_signature(r, s)) is False


@each_row("alg", EC)
def test_an_ecdsa_signature_with_r_or_s_out_of_range_is_not_good(alg: str) -> None:
    """r = 0 or s = 0 is CVE-2022-21449."""
    size = (CURVES[alg].key_size + 7) // 8
    order = {
        "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        "ES384": int("F" * 48 + "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16),
        "ES512": int("1" + "F" * 65 + "A51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
    }[alg]  # fmt: skip
    one = (1).to_bytes(size, "big")
    n = order.to_bytes(size, "big")
    r, s = good(alg)[:size], good(alg)[size:]
    zero = bytes(size)
    for forged in (
        zero + zero,
        zero + s,
        r + zero,
        zero + one,
        one + zero,
        n + s,
        r + n,
        n + n,
        one + one,
    ):
        assert check(alg)(MESSAGE, forged) is False


@each_row("alg", EC)
def test_an_ecdsa_signature_over_another_hash_is_not_good(alg: str) -> None:
    size = (CURVES[alg].key_size + 7) // 8
    for bits, digest in HASHES.items():
        r, s = decode_dss_signature(private_key(alg).sign(MESSAGE, ec.ECDSA(digest)))
        assert check(alg)(MESSAGE, r.to_bytes(size, "big") + s.to_bytes(size, "big")) is (
            bits == alg[2:]
        )


@each_row("alg", [alg for alg in RSA if alg.startswith("PS")])
def test_pss_wants_a_salt_as_long_as_the_hash_and_the_same_hash_in_mgf1(alg: str) -> None:
    """RFC 7518 §3.5."""
    key, digest = private_key(alg), HASHES[alg[2:]]
    for salt in (0, 20, digest.digest_size - 1, digest.digest_size + 1, padding.PSS.MAX_LENGTH):
        forged = key.sign(MESSAGE, padding.PSS(padding.MGF1(digest), salt), digest)
        assert check(alg)(MESSAGE, forged) is False, salt
    other = hashes.SHA512() if alg == "PS256" else hashes.SHA256()
    forged = key.sign(MESSAGE, padding.PSS(padding.MGF1(other), digest.digest_size), digest)
    assert check(alg)(MESSAGE, forged) is False


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_an_rsa_signature_without_its_leading_zero_is_not_good(alg: str) -> None:
    """RFC 8017 §8.1.2 step 1. OpenSSL takes the shorter one for PSS: one token, two spellings."""
    message, signed = MESSAGE, b""
    for number in range(5000):
        message = MESSAGE + str(number).encode()
        signed = sign(message, alg, private_key(alg))
        if signed[0] == 0:
            break
    assert signed[0] == 0
    assert check(alg)(message, signed) is True, "the twin"
    assert check(alg)(message, signed[1:]) is False


def test_rs256_refuses_sha1_and_a_bare_hash() -> None:
    key = private_key("RS256")
    assert check("RS256")(MESSAGE, key.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA1())) is False
    with pytest.raises(ValueError):
        build_verify(key.public_key(), "RS1")


def test_an_ed25519_signature_with_the_order_added_to_s_is_not_good() -> None:
    """RFC 8032 §5.1.7: S is below the order L, or one signature has two spellings."""
    order = 2**252 + 27742317777372353535851937790883648493
    raw = good("EdDSA")
    s = int.from_bytes(raw[32:], "little") + order
    assert check("EdDSA")(MESSAGE, raw[:32] + s.to_bytes(32, "little")) is False


@given(st.sampled_from(["ES256", "ES512", "EdDSA", "RS256", "PS256"]), st.binary(max_size=300))
def test_no_random_signature_is_good_and_none_raises(alg: str, forged: bytes) -> None:
    assert check(alg)(MESSAGE, forged) is False


@given(st.sampled_from(["ES256", "EdDSA", "RS256"]), st.integers(0, 2047))
def test_no_bit_of_a_signature_may_flip(alg: str, bit: int) -> None:
    raw = bytearray(good(alg))
    raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    assert check(alg)(MESSAGE, bytes(raw)) is False


@each_row("odd", [None, 5, "text", [], {}, bytearray(b"x")])
def test_nothing_raises_whatever_is_called_a_signature(odd: Any) -> None:
    for alg in ("RS256", "PS256", "EdDSA"):
        assert check(alg)(MESSAGE, odd) is False


# --- a key serves what it can -----------------------------------------------------------------------


@each_row("alg", ALGORITHMS)
def test_a_key_cannot_be_built_for_an_algorithm_that_is_not_its_own(alg: str) -> None:
    key = private_key(alg).public_key()
    for other in (*ALGORITHMS, "HS256", "HS512", "none", "ES256K", "RSA-OAEP", "dir", ""):
        if other not in list_algorithms(key):
            with pytest.raises(ValueError):
                build_verify(key, other)


def test_curves_serve_one_algorithm_each() -> None:
    assert [sorted(list_algorithms(private_key(alg).public_key())) for alg in EC] == [
        [a] for a in EC
    ]
    k1 = ec.generate_private_key(ec.SECP256K1()).public_key()
    assert list_algorithms(k1) == frozenset()


# --- backstops: what python-jose must go on doing -----------------------------------------------------


def test_backstop_python_jose_runs_on_cryptography() -> None:
    check_backend()
    assert "cryptography" in RSAKey.__module__
    assert "cryptography" in ECKey.__module__


def test_the_pure_python_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        __module__ = "jose.backends.rsa_backend"

    monkeypatch.setattr("jose.backends.RSAKey", Slow)
    with pytest.raises(ConfigurationError, match="cryptography"):
        check_backend()
    monkeypatch.setattr("jose.backends.RSAKey", None)
    with pytest.raises(ConfigurationError):
        check_backend()


@each_row("alg", ALGORITHMS)
def test_backstop_construct_takes_a_public_key_object(alg: str) -> None:
    key = jose_jwk.construct(private_key(alg).public_key(), alg)
    assert key.verify(MESSAGE, good(alg))
    assert not key.verify(MESSAGE + b"x", good(alg))


@each_row("alg", [*(a for a in RSA if a[0] == "P"), "EdDSA"])
def test_backstop_what_is_registered_is_what_construct_uses(alg: str) -> None:
    key_class = signature.PSSKey if alg.startswith("PS") else signature.EdDSAKey
    assert type(jose_jwk.construct(private_key(alg).public_key(), alg)) is key_class


@each_row("alg", EC)
def test_backstop_python_jose_answers_false_to_ecdsa_of_wrong_length(alg: str) -> None:
    """We look at the length first; a python-jose that raised would still be caught."""
    key = jose_jwk.construct(private_key(alg).public_key(), alg)
    assert not key.verify(MESSAGE, b"")
    assert not key.verify(MESSAGE, good(alg)[:-1])


def test_an_exception_inside_python_jose_is_a_bad_signature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        def verify(self, message: bytes, forged: bytes) -> bool:
            raise OverflowError

    monkeypatch.setattr(signature.jwk, "construct", lambda key, alg: Broken())
    assert check("RS256")(MESSAGE, good("RS256")) is False


@each_row(
    ("key", "alg"), [("ES256", "PS256"), ("EdDSA", "PS256"), ("RS256", "EdDSA"), ("ES256", "EdDSA")]
)
def test_our_own_key_classes_take_only_their_type(key: str, alg: str) -> None:
    with pytest.raises(JOSEError):
        jose_jwk.construct(private_key(key).public_key(), alg)
