"""HMAC and AES-CMAC: which one a key and its parameters mean, and in parts; vectors: test_vectors."""

from __future__ import annotations

import hmac

import pytest
from cryptography.hazmat.primitives.hmac import HMAC

from kms_tornado.crypto.hashes import BLOCK_BYTES, HASHES, compute_digest
from kms_tornado.crypto.keys.symmetric import KEY_LENGTHS
from kms_tornado.crypto.mac import (
    HMACS,
    MACContext,
    MACSuite,
    choose_mac_suite,
    compute_mac,
    is_same_mac,
)
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.policy import Technique
from kms_tornado.errors import UnsupportedCryptographicParameters
from kms_tornado.kmip.enums import BlockCipherMode, CryptographicAlgorithm, HashingAlgorithm
from kms_tornado.kmip.structures import CryptographicParameters

from ..rows import each_row

A, H = CryptographicAlgorithm, HashingAlgorithm
KEY = KeyMaterial(bytes(range(32)))


@pytest.mark.parametrize(
    ("algorithm", "parameters", "suite"),
    [
        pytest.param(A.HMAC_SHA256, None, MACSuite(H.SHA_256), id="an HMAC key has its own"),
        pytest.param(A.HMAC_SHA3_512, {}, MACSuite(H.SHA3_512), id="empty parameters"),
        pytest.param(A.AES, None, MACSuite(None), id="an AES key makes a CMAC"),
        pytest.param(
            A.AES, {"block_cipher_mode": BlockCipherMode.CMAC}, MACSuite(None), id="CMAC by name"
        ),
        pytest.param(
            A.AES,
            {"cryptographic_algorithm": A.HMAC_SHA256},
            MACSuite(H.SHA_256),
            id="an HMAC with an AES key: OASIS CS-AC-M-4",
        ),
        pytest.param(
            None, {"cryptographic_algorithm": A.HMAC_SHA1}, MACSuite(H.SHA_1), id="secret data"
        ),
        pytest.param(
            A.HMAC_SHA256,
            {"hashing_algorithm": H.SHA_256},
            MACSuite(H.SHA_256),
            id="the hash named once more",
        ),
    ],
)
def test_parameters_and_key_name_the_mac(algorithm, parameters, suite):
    wanted = None if parameters is None else CryptographicParameters(**parameters)
    assert choose_mac_suite(algorithm, wanted) == suite


@each_row(
    ("algorithm", "parameters"),
    [
        pytest.param(None, None, id="nothing named"),
        pytest.param(A.CHACHA20, None, id="ChaCha20"),
        pytest.param(A.THREE_DES, None, id="3DES"),
        pytest.param(A.RSA, None, id="RSA"),
        pytest.param(A.AES, {"cryptographic_algorithm": A.HMAC_MD5}, id="HMAC-MD5"),
        pytest.param(A.AES, {"cryptographic_algorithm": A.POLY1305}, id="Poly1305, a one-time MAC"),
        pytest.param(A.AES, {"block_cipher_mode": BlockCipherMode.GCM}, id="GMAC"),
        pytest.param(A.AES, {"block_cipher_mode": BlockCipherMode.CBC_MAC}, id="CBC-MAC"),
        pytest.param(A.AES, {"hashing_algorithm": H.SHA_256}, id="a hash for CMAC"),
        pytest.param(A.HMAC_SHA256, {"hashing_algorithm": H.SHA_1}, id="another hash"),
        pytest.param(
            A.HMAC_SHA256, {"block_cipher_mode": BlockCipherMode.CMAC}, id="CMAC with an HMAC key"
        ),
        pytest.param(A.HMAC_SHA256, {"cryptographic_algorithm": A.AES}, id="AES with an HMAC key"),
    ],
)
def test_what_names_no_mac_is_refused(algorithm, parameters):
    wanted = None if parameters is None else CryptographicParameters(**parameters)
    with pytest.raises(UnsupportedCryptographicParameters):
        choose_mac_suite(algorithm, wanted)


def test_techniques_for_the_policy():
    assert MACSuite(None).technique is Technique.AES_CMAC
    assert MACSuite(H.SHA_1).technique is Technique.HMAC


@each_row("algorithm", HMACS, ids=lambda each: each.name)
def test_every_hmac_is_that_of_python(algorithm):
    name = HMACS[algorithm].name.lower().replace("sha_", "sha")
    right = hmac.digest(KEY.reveal(), b"pay 12 EUR", name)
    assert compute_mac(choose_mac_suite(algorithm, None), KEY, b"pay 12 EUR") == right


@pytest.mark.parametrize("suite", [MACSuite(None), MACSuite(H.SHA_256)])
def test_parts_make_the_mac_of_the_whole(suite):
    context = MACContext(suite, KEY)
    for part in (b"pay ", b"", b"12 ", b"EUR"):
        context.update(part)
    assert context.finish() == compute_mac(suite, KEY, b"pay 12 EUR")


@pytest.mark.parametrize("size", [0, 1, 15, 17, 33, 64])
def test_cmac_takes_aes_keys_alone(size):
    with pytest.raises(UnsupportedCryptographicParameters):
        compute_mac(MACSuite(None), KeyMaterial(bytes(size)), b"")


def test_empty_key_authenticates_nothing():
    with pytest.raises(UnsupportedCryptographicParameters):
        compute_mac(MACSuite(H.SHA_256), KeyMaterial(b""), b"")


def test_cut_or_lengthened_mac_is_another_one():
    right = compute_mac(MACSuite(H.SHA_256), KEY, b"x")
    assert is_same_mac(right, right)
    for other in (b"", right[:1], right[:16], right[:-1], right + b"\0", bytes(32)):
        assert not is_same_mac(right, other)


@each_row("algorithm", HASHES, ids=lambda each: each.name)
def test_hmac_takes_no_key_that_it_would_hash_first(algorithm):
    """Whoever sees the hash of such a key has the key: RFC 2104 §2."""
    block = BLOCK_BYTES[algorithm]
    long, longest = KeyMaterial(b"k" * (block + 1)), KeyMaterial(b"k" * block)
    replaced = KeyMaterial(compute_digest(algorithm, long.reveal()))
    plain = HMAC(long.reveal(), HASHES[algorithm])
    plain.update(b"data")
    assert compute_mac(MACSuite(algorithm), replaced, b"data") == plain.finalize()
    assert compute_mac(MACSuite(algorithm), longest, b"data")
    for key in (long, KeyMaterial(b"")):
        with pytest.raises(UnsupportedCryptographicParameters):
            compute_mac(MACSuite(algorithm), key, b"data")


def test_every_hash_has_its_block():
    assert set(BLOCK_BYTES) == set(HASHES)


@each_row("algorithm", HMACS, ids=lambda each: each.name)
def test_new_hmac_keys_are_as_long_as_the_hmac_takes_them(algorithm):
    lengths = KEY_LENGTHS[algorithm].new
    block = 8 * BLOCK_BYTES[HMACS[algorithm]]
    assert block in lengths
    assert block + 8 not in lengths
