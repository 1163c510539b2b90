"""Which suite parameters and keys mean, and which they cannot mean."""

from __future__ import annotations

import pytest

from kms_tornado.crypto.encryption.suites import SUITES, CipherKind, check_aad, choose_suite
from kms_tornado.crypto.policy import Technique
from kms_tornado.errors import (
    BadCryptographicParameters,
    ImpossibleTagLength,
    InvalidField,
    UnsupportedCryptographicParameters,
)
from kms_tornado.kmip.enums import BlockCipherMode, CryptographicAlgorithm, PaddingMethod
from kms_tornado.kmip.structures import CryptographicParameters
from kms_tornado.kmip.tables import format_name

from ...rows import each_row
from ..suites import AES, CBC, CHACHA20, CTR, THREE_DES, suite


@each_row(
    ("algorithm", "mode"),
    [
        pytest.param(AES, BlockCipherMode.CFB, id="AES-CFB"),
        pytest.param(AES, BlockCipherMode.OFB, id="AES-OFB"),
        pytest.param(AES, BlockCipherMode.XTS, id="AES-XTS"),
        pytest.param(AES, BlockCipherMode.GCM_SIV, id="AES-GCM-SIV"),
        # Else whoever may decrypt could unwrap, past the rules of wrapped keys.
        pytest.param(AES, BlockCipherMode.NIST_KEY_WRAP, id="AES-KW"),
        pytest.param(AES, BlockCipherMode.AES_KEY_WRAP_PADDING, id="AES-KWP"),
        pytest.param(CHACHA20, BlockCipherMode.GCM, id="ChaCha20 in GCM"),
        pytest.param(THREE_DES, None, id="3DES without a mode"),
        pytest.param(THREE_DES, CTR, id="3DES-CTR"),
        pytest.param(CryptographicAlgorithm.RSA, None, id="RSA"),
        pytest.param(CryptographicAlgorithm.HMAC_SHA256, None, id="HMAC"),
    ],
)
def test_what_is_not_offered_is_refused(algorithm, mode):
    with pytest.raises(
        UnsupportedCryptographicParameters, match=f"{format_name(algorithm)}.* not offered"
    ):
        suite(algorithm, mode=mode)


def test_key_without_an_algorithm_encrypts_nothing():
    with pytest.raises(UnsupportedCryptographicParameters, match="no algorithm"):
        choose_suite(None, None, None)


@pytest.mark.parametrize(
    ("algorithm", "parameters"),
    [
        pytest.param(AES, {"cryptographic_algorithm": CHACHA20}, id="another algorithm"),
        pytest.param(AES, {"iv_length": 16}, id="a new GCM IV of 16 bytes"),
        pytest.param(AES, {"counter_length": 4}, id="counter length"),
        pytest.param(AES, {"fixed_field_length": 4}, id="a new GCM IV with a fixed field"),
        pytest.param(AES, {"invocation_field_length": 8}, id="a new GCM IV that counts"),
        pytest.param(AES, {"initial_counter_value": 1}, id="a counter for GCM"),
        pytest.param(
            AES, {"block_cipher_mode": CTR, "initial_counter_value": 1}, id="a counter for CTR"
        ),
        pytest.param(
            AES, {"block_cipher_mode": CBC, "padding_method": PaddingMethod.ZEROS}, id="zeros"
        ),
        pytest.param(
            AES, {"block_cipher_mode": CBC, "padding_method": PaddingMethod.OAEP}, id="OAEP"
        ),
    ],
)
def test_parameters_that_would_not_be_honoured_are_refused(algorithm, parameters):
    with pytest.raises(UnsupportedCryptographicParameters):
        choose_suite(algorithm, CryptographicParameters(**parameters), None)


def test_fields_of_an_iv_that_its_caller_made_are_the_callers_business():
    parameters = CryptographicParameters(fixed_field_length=4, invocation_field_length=8)
    assert choose_suite(AES, parameters, bytes(12)) is choose_suite(AES, None, bytes(12))


@each_row("length", [-1, 0, 1, 4, 8, 11, 17, 32, 128])
@each_row("algorithm", [AES, CHACHA20])
def test_tag_of_no_safe_length_is_refused(algorithm, length):
    with pytest.raises(BadCryptographicParameters, match="12 to 16") as caught:
        suite(algorithm, tag_length=length)
    assert isinstance(caught.value, ImpossibleTagLength) is (length not in {4, 8, 11})


@pytest.mark.parametrize("length", [8, 9, 10, 11])
def test_short_gcm_iv_asks_the_policy(length):
    assert Technique.GCM_SHORT_IV in suite(AES).list_techniques(bytes(length))
    assert Technique.GCM_SHORT_IV not in suite(AES).list_techniques(bytes(12))
    assert Technique.GCM_SHORT_IV not in suite(AES).list_techniques(None)


def test_suites_with_a_nonce_are_those_that_fall_apart_when_one_repeats():
    assert {s.technique for s in SUITES.values() if s.has_nonce} == {
        Technique.AES_GCM,
        Technique.AES_CTR,
        Technique.CHACHA20_POLY1305,
    }
    assert suite(CHACHA20, bytes(8)).has_nonce


def test_additional_data_needs_somebody_who_authenticates_it():
    with pytest.raises(InvalidField):
        check_aad(suite(AES, mode=CBC), b"a")
    check_aad(suite(AES, mode=CBC), b"")
    check_aad(suite(AES), b"a")


def test_every_kind_of_suite_has_its_row():
    assert {each.kind for each in SUITES.values()} == set(CipherKind)
