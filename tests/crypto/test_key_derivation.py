"""What derivations refuse: sizes, iterations, results that would be too short; vectors: test_vectors."""

from __future__ import annotations

import pytest

from kms_tornado.crypto import key_derivation
from kms_tornado.crypto.hashes import BLOCK_BYTES
from kms_tornado.crypto.key_derivation import DerivationInputs
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.errors import InvalidField, UnsupportedCryptographicParameters
from kms_tornado.kmip.enums import HashingAlgorithm

KEY = KeyMaterial(bytes(range(32)))
SHA_256 = HashingAlgorithm.SHA_256


@pytest.mark.parametrize("length", [-1, 0, key_derivation.MAX_DERIVED_BYTES + 1, 2**31])
def test_length_of_what_is_derived_is_bounded(length):
    with pytest.raises(InvalidField, match="1 to 1024 bytes"):
        DerivationInputs(length, SHA_256)


@pytest.mark.parametrize("field", ["data", "salt"])
def test_length_of_what_it_is_derived_with_is_bounded(field):
    assert DerivationInputs(16, SHA_256, **{field: bytes(key_derivation.MAX_INPUT_BYTES)})
    with pytest.raises(InvalidField):
        DerivationInputs(16, SHA_256, **{field: bytes(key_derivation.MAX_INPUT_BYTES + 1)})


def test_hash_must_be_one_of_ours():
    with pytest.raises(UnsupportedCryptographicParameters):
        DerivationInputs(16, HashingAlgorithm.MD5)


@pytest.mark.parametrize(
    ("length", "iterations"),
    [
        (32, 0),
        (32, -1),
        (32, key_derivation.MAX_PBKDF2_ROUNDS + 1),
        (33, key_derivation.MAX_PBKDF2_ROUNDS // 2 + 1),
        (1024, key_derivation.MAX_PBKDF2_ROUNDS // 32 + 1),
        (32, 2**31 - 1),
    ],
)
def test_work_of_pbkdf2_is_bounded_over_all_its_blocks(length, iterations):
    with pytest.raises(InvalidField, match="IterationCount"):
        key_derivation.derive_by_pbkdf2(
            KEY, DerivationInputs(length, SHA_256, salt=b"x"), iterations
        )


@pytest.mark.parametrize("function", [key_derivation.derive_by_hash, key_derivation.derive_by_hmac])
def test_hash_is_cut_and_never_filled_up(function):
    whole = function(KEY, DerivationInputs(32, SHA_256, b"x")).reveal()
    assert function(KEY, DerivationInputs(5, SHA_256, b"x")).reveal() == whole[:5]
    with pytest.raises(InvalidField, match="32 bytes at most"):
        function(KEY, DerivationInputs(33, SHA_256, b"x"))


@pytest.mark.parametrize(
    "function",
    [
        key_derivation.derive_by_hmac,
        key_derivation.derive_by_hkdf,
        key_derivation.derive_by_nist_800_108,
    ],
)
def test_key_data_and_hash_all_count(function):
    found = {
        function(key, DerivationInputs(16, algorithm, data)).reveal()
        for key in (KEY, KeyMaterial(bytes(32)))
        for algorithm in (SHA_256, HashingAlgorithm.SHA_512)
        for data in (b"a", b"b")
    }
    assert len(found) == 8


@pytest.mark.parametrize("function", ["HMAC", "PBKDF2", "NIST SP 800-108"])
@pytest.mark.parametrize("algorithm", [SHA_256, HashingAlgorithm.SHA3_512])
def test_key_that_would_be_hashed_first_derives_nothing(function, algorithm):
    inputs = DerivationInputs(16, algorithm, b"data", b"salt")
    functions = {
        "HMAC": lambda key: key_derivation.derive_by_hmac(key, inputs),
        "PBKDF2": lambda key: key_derivation.derive_by_pbkdf2(key, inputs, 1),
        "NIST SP 800-108": lambda key: key_derivation.derive_by_nist_800_108(key, inputs),
    }
    longest = BLOCK_BYTES[algorithm]
    assert functions[function](KeyMaterial(b"k" * longest))
    for octets in (b"k" * (longest + 1), b""):
        with pytest.raises(UnsupportedCryptographicParameters):
            functions[function](KeyMaterial(octets))


def test_hkdf_takes_a_secret_of_any_length():
    """It is the message of an HMAC there, not its key (RFC 5869 §2.2)."""
    assert key_derivation.derive_by_hkdf(KeyMaterial(bytes(1000)), DerivationInputs(16, SHA_256))
