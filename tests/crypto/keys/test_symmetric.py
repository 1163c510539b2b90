"""Symmetric keys: the lengths that each algorithm has, and new ones."""

from __future__ import annotations

import pytest

from kms_tornado.crypto.keys.symmetric import (
    KEY_LENGTHS,
    check_key_length,
    count_octets,
    generate_key,
    list_lengths,
    set_odd_parity,
)
from kms_tornado.errors import InvalidAttributeValue, UnsupportedCryptographicParameters
from kms_tornado.kmip.enums import CryptographicAlgorithm
from kms_tornado.kmip.tables import format_name

from ...rows import each_row

AES = CryptographicAlgorithm.AES
CHACHA20 = CryptographicAlgorithm.CHACHA20
CHACHA20_POLY1305 = CryptographicAlgorithm.CHACHA20_POLY1305
THREE_DES = CryptographicAlgorithm.THREE_DES
HMAC_SHA256 = CryptographicAlgorithm.HMAC_SHA256


@each_row(
    ("algorithm", "length"),
    [
        (AES, 128),
        (AES, 192),
        (AES, 256),
        (CHACHA20, 256),
        (CHACHA20_POLY1305, 256),
        (HMAC_SHA256, 112),
        (HMAC_SHA256, 256),
        (HMAC_SHA256, 512),
    ],
)
def test_generated_keys_have_their_length_and_differ(algorithm, length):
    one, two = generate_key(algorithm, length), generate_key(algorithm, length)
    assert one.bits == two.bits == length
    assert one != two
    check_key_length(algorithm, length)


@pytest.mark.parametrize("length", [168, 192], ids=["without parity", "with parity"])
def test_3des_keys_have_three_parts_and_odd_parity(length):
    key = generate_key(THREE_DES, length)
    assert key.bits == 192
    assert all(each.bit_count() % 2 for each in key.reveal())


@pytest.mark.parametrize(
    ("algorithm", "length", "octets"),
    [
        (THREE_DES, 168, 24),
        (THREE_DES, 192, 24),
        (THREE_DES, 112, 16),
        (THREE_DES, 128, 16),
        (AES, 128, 16),
        (HMAC_SHA256, 112, 14),
    ],
)
def test_key_of_a_length_has_so_many_octets(algorithm, length, octets):
    assert count_octets(algorithm, length) == octets
    assert length in list_lengths(algorithm, octets * 8)


def test_parity_changes_the_lowest_bit_alone():
    assert set_odd_parity(bytes([0, 1, 2, 3, 0xFE, 0xFF])) == bytes([1, 1, 2, 2, 0xFE, 0xFE])


@each_row(
    ("algorithm", "length"),
    [
        pytest.param(AES, 0, id="AES-0"),
        pytest.param(AES, 64, id="AES-64"),
        pytest.param(AES, 129, id="AES-129"),
        pytest.param(AES, 512, id="AES-512"),
        pytest.param(AES, -256, id="a negative length"),
        pytest.param(CHACHA20, 128, id="ChaCha20-128"),
        pytest.param(CHACHA20_POLY1305, 512, id="ChaCha20-Poly1305-512"),
        pytest.param(THREE_DES, 64, id="single DES"),
        pytest.param(HMAC_SHA256, 0, id="HMAC-0"),
        pytest.param(HMAC_SHA256, 129, id="HMAC-129"),
        pytest.param(HMAC_SHA256, 2**31 - 8, id="an HMAC key of 256 MiB"),
    ],
)
def test_keys_of_no_legal_length_are_refused(algorithm, length):
    with pytest.raises(InvalidAttributeValue, match="bits"):
        generate_key(algorithm, length)
    with pytest.raises(InvalidAttributeValue):
        check_key_length(algorithm, length)


@pytest.mark.parametrize(("algorithm", "length"), [(THREE_DES, 128), (HMAC_SHA256, 32)])
def test_weak_key_is_taken_from_outside_and_not_made(algorithm, length):
    check_key_length(algorithm, length)
    with pytest.raises(InvalidAttributeValue):
        generate_key(algorithm, length)


def test_keys_of_another_algorithm_are_not_generated():
    for algorithm in set(CryptographicAlgorithm) - set(KEY_LENGTHS):
        with pytest.raises(UnsupportedCryptographicParameters, match=format_name(algorithm)):
            generate_key(algorithm, 256)
