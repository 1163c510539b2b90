"""How a key's CryptographicParameters bind a request: every field, in every combination."""

from __future__ import annotations

import dataclasses

import pytest

from kms_tornado.domain.key_parameters import SYNONYMS, bind_parameters
from kms_tornado.errors import BadCryptographicParameters
from kms_tornado.kmip.enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    DigitalSignatureAlgorithm,
    HashingAlgorithm,
    MaskGenerator,
    PaddingMethod,
)
from kms_tornado.kmip.schema import tag_of
from kms_tornado.kmip.structures import CryptographicParameters

from ..rows import each_row

P = CryptographicParameters
A, M, H = CryptographicAlgorithm, BlockCipherMode, HashingAlgorithm

#: Field → two values that are not the same.
VALUES = {
    "block_cipher_mode": (M.GCM, M.ECB),
    "padding_method": (PaddingMethod.OAEP, PaddingMethod.PKCS1_V1_5),
    "hashing_algorithm": (H.SHA_256, H.SHA_1),
    "key_role_type": (1, 2),
    "digital_signature_algorithm": tuple(DigitalSignatureAlgorithm)[:2],
    "cryptographic_algorithm": (A.AES, A.HMAC_SHA256),
    "random_iv": (True, False),
    "iv_length": (12, 16),
    "tag_length": (16, 12),
    "fixed_field_length": (4, 8),
    "invocation_field_length": (8, 4),
    "counter_length": (4, 8),
    "initial_counter_value": (0, 1),
    "salt_length": (32, 0),
    "mask_generator": (MaskGenerator.MGF1, 99),
    "mask_generator_hashing_algorithm": (H.SHA_256, H.SHA_1),
    "p_source": (b"label", b""),
    "trailer_field": (1, 2),
}
FIELDS = [field.name for field in dataclasses.fields(P)]


def test_table_has_every_field():
    assert list(VALUES) == FIELDS


@each_row("field", FIELDS)
def test_field_that_the_key_sets_is_repeated_or_left_out_and_never_changed(field):
    value, other = VALUES[field]
    for own, requested in ((value, other), (other, value)):
        key = P(**{field: own})
        for request in (None, P(), P(**{field: own})):
            assert getattr(bind_parameters(key, request), field) == own
        with pytest.raises(BadCryptographicParameters, match=f"set {tag_of(P, field)} to "):
            bind_parameters(key, P(**{field: requested}))


@each_row("field", FIELDS)
def test_field_that_the_key_leaves_open_is_the_request_s(field):
    others = [name for name in FIELDS if name != field]
    key = P(**{name: VALUES[name][0] for name in others})
    for value in VALUES[field]:
        bound = bind_parameters(key, P(**{field: value}))
        assert bound == dataclasses.replace(key, **{field: value})


def test_key_without_parameters_leaves_all_to_the_request():
    request = P(M.GCM, tag_length=12)
    assert bind_parameters(None, request) is request
    assert bind_parameters(None, None) is None


def test_parameters_that_were_read_from_a_message_bind_like_any_others():
    """Those instances hold only the fields that were sent."""
    key, request = object.__new__(P), object.__new__(P)
    vars(key).update(block_cipher_mode=M.GCM)
    vars(request).update(tag_length=16)
    assert bind_parameters(key, request) == P(M.GCM, tag_length=16)
    vars(request).update(block_cipher_mode=M.CTR)
    with pytest.raises(BadCryptographicParameters):
        bind_parameters(key, request)


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("block_cipher_mode", M.GCM, M.AEAD),
        ("block_cipher_mode", M.AES_KEY_WRAP_PADDING, M.COSMIAN_NIST_KEY_WRAP),
        ("cryptographic_algorithm", A.CHACHA20, A.CHACHA20_POLY1305),
        ("cryptographic_algorithm", A.EC, A.ECDSA),
        ("cryptographic_algorithm", A.EC, A.ED25519),
    ],
)
def test_of_two_names_for_one_thing_the_key_s_counts(field, one, other):
    for own, requested in ((one, other), (other, one)):
        bound = bind_parameters(P(**{field: own}), P(**{field: requested}))
        assert getattr(bound, field) is own


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("block_cipher_mode", M.NIST_KEY_WRAP, M.AES_KEY_WRAP_PADDING),
        ("block_cipher_mode", M.GCM, M.GCM_SIV),
        ("cryptographic_algorithm", A.ECDSA, A.ED25519),
        ("cryptographic_algorithm", A.EC, A.ECDH),
    ],
)
def test_names_that_only_look_alike_are_different_things(field, one, other):
    assert not any({one, other} <= group for group in SYNONYMS[field])
    with pytest.raises(BadCryptographicParameters):
        bind_parameters(P(**{field: one}), P(**{field: other}))
