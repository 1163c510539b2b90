"""AES-KW, AES-KWP and AES-GCM around keys, against published vectors."""

from __future__ import annotations

import pytest

from kms_tornado.crypto.encryption import key_wrapping
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.errors import (
    CryptographicFailure,
    InvalidField,
    UnsupportedCryptographicParameters,
)

from ...rows import each_row

KEK = KeyMaterial(bytes(range(32)))
ALGORITHMS = {
    "KW": (key_wrapping.wrap_kw, key_wrapping.unwrap_kw),
    "KWP": (key_wrapping.wrap_kwp, key_wrapping.unwrap_kwp),
    "GCM": (key_wrapping.wrap_gcm, key_wrapping.unwrap_gcm),
}


def material(text: str) -> KeyMaterial:
    return KeyMaterial(bytes.fromhex(text))


@pytest.mark.parametrize(
    ("wrap", "unwrap", "key", "octets", "wrapped"),
    [
        pytest.param(
            *ALGORITHMS["KW"],
            "000102030405060708090a0b0c0d0e0f",
            "00112233445566778899aabbccddeeff",
            "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5",
            id="RFC 3394 §4.1",
        ),
        pytest.param(
            *ALGORITHMS["KW"],
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
            "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21",
            id="RFC 3394 §4.6",
        ),
        pytest.param(
            *ALGORITHMS["KWP"],
            "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
            "c37b7e6492584340bed12207808941155068f738",
            "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
            id="RFC 5649 §6, 20 bytes",
        ),
        pytest.param(
            *ALGORITHMS["KWP"],
            "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
            "466f7250617369",
            "afbeb0f07dfbf5419200f2ccb50bb24f",
            id="RFC 5649 §6, 7 bytes",
        ),
    ],
)
def test_published_vectors(wrap, unwrap, key, octets, wrapped):
    assert wrap(material(key), bytes.fromhex(octets)).hex() == wrapped
    assert unwrap(material(key), bytes.fromhex(wrapped)).hex() == octets


@each_row("size", [16, 24, 32, 1024])
@each_row("algorithm", ALGORITHMS)
def test_what_was_wrapped_comes_back(algorithm, size):
    wrap, unwrap = ALGORITHMS[algorithm]
    octets = bytes(range(256)) * 4
    wrapped = wrap(KEK, octets[:size])
    assert octets[:size] not in wrapped
    assert unwrap(KEK, wrapped) == octets[:size]


@each_row("size", [1, 7, 8, 9, 15, 17, 1193])
@each_row("algorithm", ["KWP", "GCM"])
def test_kwp_and_gcm_wrap_any_length(algorithm, size):
    wrap, unwrap = ALGORITHMS[algorithm]
    assert unwrap(KEK, wrap(KEK, bytes(size))) == bytes(size)


@pytest.mark.parametrize("size", [0, 8, 15, 17, 31])
def test_kw_refuses_what_it_cannot_wrap_and_names_what_can(size):
    with pytest.raises(InvalidField, match="AES-KWP"):
        key_wrapping.wrap_kw(KEK, bytes(size))


@pytest.mark.parametrize("algorithm", ["KW", "KWP"])
def test_key_wrap_takes_no_more_than_it_wraps_in_a_moment(algorithm):
    """It holds the interpreter's lock meanwhile, on whatever thread it runs."""
    wrap, unwrap = ALGORITHMS[algorithm]
    most = bytes(key_wrapping.MAX_KEY_WRAP_BYTES)
    assert unwrap(KEK, wrap(KEK, most)) == most
    with pytest.raises(InvalidField, match="GCM"):
        wrap(KEK, most + bytes(8))
    with pytest.raises(InvalidField, match="GCM"):
        unwrap(KEK, most + bytes(24))


def test_kwp_refuses_nothing():
    with pytest.raises(InvalidField):
        key_wrapping.wrap_kwp(KEK, b"")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_fault_of_unwrapping_is_the_same_error(algorithm):
    wrap, unwrap = ALGORITHMS[algorithm]
    wrapped = wrap(KEK, bytes(32))
    faults = [
        b"",
        wrapped[:-1],
        wrapped[:-8],
        wrapped[:16],
        wrapped + bytes(8),
        bytes(len(wrapped)),
        wrapped[:-1] + bytes((wrapped[-1] ^ 1,)),
        bytes((wrapped[0] ^ 1,)) + wrapped[1:],
    ]
    said = set()
    for fault in faults:
        with pytest.raises(CryptographicFailure) as failure:
            unwrap(KEK, fault)
        said.add((str(failure.value), failure.value.__cause__))
    with pytest.raises(CryptographicFailure) as failure:
        unwrap(KeyMaterial(bytes(32)), wrapped)
    assert said == {(str(failure.value), None)}


def test_gcm_binds_additional_data_and_takes_a_new_nonce_each_time():
    first, second = (key_wrapping.wrap_gcm(KEK, bytes(32), b"a") for _ in range(2))
    assert first[:12] != second[:12]
    assert key_wrapping.unwrap_gcm(KEK, first, b"a") == bytes(32)
    with pytest.raises(CryptographicFailure):
        key_wrapping.unwrap_gcm(KEK, first, b"b")


@each_row("algorithm", ALGORITHMS)
@each_row("size", [0, 8, 15, 17, 33, 64])
def test_wrapping_key_that_is_no_aes_key_is_refused(algorithm, size):
    for function in ALGORITHMS[algorithm]:
        with pytest.raises(UnsupportedCryptographicParameters):
            function(KeyMaterial(bytes(size)), bytes(32))
