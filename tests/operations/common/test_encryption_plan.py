"""What Encrypt and Decrypt decide before they compute, as tables: a request → its plan, or its refusal."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from kms_tornado.crypto.policy import CryptoPolicy, Technique
from kms_tornado.domain.nonces import NonceSource
from kms_tornado.errors import (
    BadCryptographicParameters,
    InvalidField,
    InvalidMessage,
    MissingInitializationVector,
    UnsupportedCryptographicParameters,
    WrongNonceSource,
)
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import BlockCipherMode, CryptographicAlgorithm, PaddingMethod
from kms_tornado.kmip.payloads import DecryptRequest, EncryptRequest
from kms_tornado.kmip.structures import CryptographicParameters
from kms_tornado.operations.common.client_profile import BARE_OPERATION, MESSAGE_2
from kms_tornado.operations.common.encryption_plan import plan_decryption, plan_encryption

from ...rows import each_row

A, M, P = CryptographicAlgorithm, BlockCipherMode, CryptographicParameters
CONSERVATIVE, PERMISSIVE = CryptoPolicy.CONSERVATIVE, CryptoPolicy.PERMISSIVE
AAD = b"invoice 7"
IV8, IV12, IV16 = b"8 bytes.", b"twelve bytes", b"sixteen bytes iv"
PADDED = {"padding_method": PaddingMethod.PKCS5}


def made(length):
    """In place of random bytes: as many as were asked for, and recognisable."""
    return bytes(range(200, 200 + length))


def encryption(
    parameters=None,
    *,
    iv=None,
    aad=None,
    key=A.AES,
    own=None,
    source=None,
    policy=CONSERVATIVE,
    client=BARE_OPERATION,
):
    """own: the key's Cryptographic Parameters. source: the one of its nonces."""
    request = EncryptRequest(
        "uid",
        parameters,
        b"data",
        iv_counter_nonce=iv,
        authenticated_encryption_additional_data=aad,
    )
    attributes = Attributes(cryptographic_algorithm=key, cryptographic_parameters=own)
    return plan_encryption(request, attributes, source, policy, client, made)


def decryption(
    parameters=None,
    *,
    iv=None,
    aad=None,
    key=A.AES,
    own=None,
    policy=CONSERVATIVE,
    client=BARE_OPERATION,
):
    request = DecryptRequest(
        "uid",
        parameters,
        b"data",
        iv_counter_nonce=iv,
        authenticated_encryption_additional_data=aad,
    )
    attributes = Attributes(cryptographic_algorithm=key, cryptographic_parameters=own)
    return plan_decryption(request, attributes, policy, client)


def mode(block_cipher_mode, **others):
    return P(block_cipher_mode=block_cipher_mode, **others)


# --- what is planned ----------------------------------------------------------------------------


@each_row(
    ("request_fields", "technique", "iv", "recorded_nonce", "returned_iv"),
    [
        pytest.param({}, "AES_GCM", made(12), None, made(12), id="nothing: AES-GCM, a new IV"),
        pytest.param({"iv": IV12}, "AES_GCM", IV12, IV12, IV12, id="an IV: recorded, repeated"),
        pytest.param(
            {"iv": IV16, "policy": PERMISSIVE}, "AES_GCM", IV16, IV16, IV16, id="a longer IV of GCM"
        ),
        pytest.param(
            {"iv": IV12, "client": MESSAGE_2}, "AES_GCM", IV12, IV12, None,
            id="an IV in a message: recorded, not repeated",
        ),
        pytest.param(
            {"client": MESSAGE_2}, "AES_GCM", made(12), None, made(12), id="a new IV in a message"
        ),
        pytest.param({"parameters": mode(M.AEAD)}, "AES_GCM", made(12), None, made(12), id="AEAD"),
        pytest.param(
            {"key": A.CHACHA20}, "CHACHA20_POLY1305", made(12), None, made(12), id="ChaCha20"
        ),
        pytest.param(
            {"key": A.CHACHA20, "iv": IV8, "policy": PERMISSIVE},
            "CHACHA20", IV8, bytes(4) + IV8, IV8,
            id="bare ChaCha20: recorded as the RFC's nonce",
        ),
        pytest.param(
            {"parameters": mode(M.CTR), "policy": PERMISSIVE},
            "AES_CTR", made(12) + bytes(4), None, made(12) + bytes(4),
            id="CTR: a new nonce, and a counter of 0",
        ),
        pytest.param(
            {"parameters": mode(M.CTR), "iv": IV16, "policy": PERMISSIVE},
            "AES_CTR", IV16, IV16[:12], IV16,
            id="CTR: the nonce is recorded without its counter",
        ),
        pytest.param(
            {"parameters": mode(M.CBC, **PADDED), "policy": PERMISSIVE},
            "AES_CBC", made(16), None, made(16),
            id="CBC",
        ),
        pytest.param(
            {"parameters": mode(M.CBC), "iv": IV16, "policy": PERMISSIVE},
            "AES_CBC", IV16, None, IV16,
            id="CBC: its IV is no nonce",
        ),
        pytest.param(
            {"parameters": mode(M.ECB), "policy": PERMISSIVE},
            "AES_ECB", None, None, None,
            id="ECB has no IV",
        ),
        pytest.param(
            {"parameters": mode(M.ECB, random_iv=False), "policy": PERMISSIVE},
            "AES_ECB", None, None, None,
            id="ECB does not miss one",
        ),
        pytest.param(
            {"key": A.THREE_DES, "parameters": mode(M.CBC), "policy": PERMISSIVE},
            "TDES_CBC", made(8), None, made(8),
            id="3DES",
        ),
        pytest.param(
            {"own": mode(M.CBC), "policy": PERMISSIVE},
            "AES_CBC", made(16), None, made(16),
            id="parameters of the key",
        ),
        pytest.param(
            {"own": mode(M.CBC), "parameters": P(), "policy": PERMISSIVE},
            "AES_CBC", made(16), None, made(16),
            id="empty parameters leave the key's",
        ),
        pytest.param(
            {"parameters": P(random_iv=False), "iv": IV12},
            "AES_GCM", IV12, IV12, IV12,
            id="RandomIV false with an IV",
        ),
        pytest.param(
            {"parameters": P(random_iv=True), "iv": IV12},
            "AES_GCM", IV12, IV12, IV12,
            id="an IV counts more than RandomIV true",
        ),
    ],
)  # fmt: skip
def test_encryption_is_planned(request_fields, technique, iv, recorded_nonce, returned_iv):
    plan = encryption(**request_fields)
    assert plan.suite.technique is Technique[technique]
    assert (plan.iv, plan.recorded_nonce, plan.returned_iv) == (iv, recorded_nonce, returned_iv)
    assert plan.aad == b""


@each_row(
    ("request_fields", "technique", "iv"),
    [
        pytest.param({"iv": IV12}, "AES_GCM", IV12, id="AES-GCM"),
        pytest.param({"iv": IV12, "client": MESSAGE_2}, "AES_GCM", IV12, id="in a message"),
        pytest.param({"iv": b""}, "AES_GCM", b"", id="an IV of no length fails with the data"),
        pytest.param({"iv": bytes(65)}, "AES_GCM", bytes(65), id="a long one too"),
        pytest.param({"key": A.CHACHA20, "iv": IV12}, "CHACHA20_POLY1305", IV12, id="ChaCha20"),
        pytest.param(
            {"key": A.CHACHA20, "iv": IV8, "policy": PERMISSIVE}, "CHACHA20", IV8, id="bare ChaCha20"
        ),
        pytest.param(
            {"own": mode(M.CTR), "iv": IV16, "policy": PERMISSIVE}, "AES_CTR", IV16, id="of the key"
        ),
        pytest.param(
            {"parameters": mode(M.ECB), "policy": PERMISSIVE}, "AES_ECB", None, id="ECB has no IV"
        ),
        pytest.param(
            {"parameters": P(random_iv=False), "iv": IV12}, "AES_GCM", IV12, id="RandomIV false"
        ),
    ],
)  # fmt: skip
def test_decryption_is_planned(request_fields, technique, iv):
    plan = decryption(**request_fields)
    assert (plan.suite.technique, plan.iv, plan.aad) == (Technique[technique], iv, b"")


@pytest.mark.parametrize("plan", [encryption, decryption])
def test_suite_has_the_tag_length_and_padding_of_the_request(plan):
    short = plan(P(tag_length=13), iv=IV12, policy=PERMISSIVE)
    assert (short.suite.tag_bytes, short.suite.technique) == (13, Technique.AES_GCM)
    assert plan(mode(M.CBC, **PADDED), iv=IV16, policy=PERMISSIVE).suite.is_padded
    assert not plan(mode(M.CBC), iv=IV16, policy=PERMISSIVE).suite.is_padded


@pytest.mark.parametrize("plan", [encryption, decryption])
def test_additional_data_is_part_of_the_plan_and_of_no_repr(plan):
    with_aad = plan(iv=IV12, aad=AAD)
    assert with_aad.aad == AAD
    assert "invoice" not in repr(with_aad)


@pytest.mark.parametrize("plan", [encryption, decryption])
def test_plan_does_not_change(plan):
    with pytest.raises(AttributeError):
        plan(iv=IV12).iv = IV16


# --- whose nonces -------------------------------------------------------------------------------

SERVER, CALLER, UNRECORDED = NonceSource.SERVER, NonceSource.CALLER, NonceSource.SERVER_UNRECORDED


@each_row(
    ("request_fields", "makes_nonce"),
    [
        pytest.param({}, True, id="AES-GCM"),
        pytest.param({"iv": IV12}, False, id="AES-GCM with the caller's"),
        pytest.param({"key": A.CHACHA20}, True, id="ChaCha20-Poly1305"),
        pytest.param({"key": A.CHACHA20, "iv": IV12}, False, id="ChaCha20-Poly1305 with an IV"),
        pytest.param({"key": A.CHACHA20, "iv": IV8}, False, id="bare ChaCha20"),
        pytest.param({"parameters": mode(M.CTR)}, True, id="CTR"),
        pytest.param({"parameters": mode(M.CTR), "iv": IV16}, False, id="CTR with an IV"),
        pytest.param({"parameters": mode(M.CBC)}, False, id="an IV of CBC is no nonce"),
        pytest.param({"parameters": mode(M.ECB)}, False, id="ECB has none"),
    ],
)
def test_nonces_that_the_server_makes_are_counted(request_fields, makes_nonce):
    plan = encryption(**request_fields, policy=PERMISSIVE)
    assert plan.makes_nonce is makes_nonce
    assert not (plan.makes_nonce and plan.recorded_nonce)


@each_row(
    ("source", "iv", "is_allowed"),
    [
        pytest.param(None, None, True, id="first, by the server"),
        pytest.param(None, IV12, True, id="first, by the caller"),
        pytest.param(SERVER, None, True, id="the server again"),
        pytest.param(SERVER, IV12, False, id="the caller after the server"),
        pytest.param(CALLER, IV12, True, id="the caller again"),
        pytest.param(CALLER, None, False, id="the server after the caller"),
        pytest.param(UNRECORDED, None, True, id="the server, with an old key"),
        pytest.param(UNRECORDED, IV12, False, id="the caller, with an old key"),
    ],
)
@each_row(
    "others",
    [
        pytest.param({}, id="AES-GCM"),
        pytest.param({"key": A.CHACHA20}, id="ChaCha20-Poly1305"),
        pytest.param({"parameters": mode(M.CTR), "policy": PERMISSIVE}, id="CTR"),
    ],
)
def test_key_takes_nonces_from_one_source_only(source, iv, is_allowed, others):
    if iv is not None and "parameters" in others:
        iv = IV16
    with nullcontext() if is_allowed else pytest.raises(WrongNonceSource, match="ReKey"):
        encryption(iv=iv, source=source, **others)


@pytest.mark.parametrize("source", [SERVER, CALLER])
@pytest.mark.parametrize("iv", [None, IV16])
def test_modes_without_a_nonce_do_not_mind_the_source(source, iv):
    encryption(mode(M.CBC), iv=iv, source=source, policy=PERMISSIVE)


@each_row(
    ("request_fields", "needs_decrypt"),
    [
        pytest.param({}, False, id="the server's nonce"),
        pytest.param({"iv": IV12}, True, id="a nonce of the caller's"),
        pytest.param({"key": A.CHACHA20, "iv": IV12}, True, id="one of ChaCha20-Poly1305"),
        pytest.param({"parameters": mode(M.CTR)}, False, id="CTR with the server's nonce"),
        pytest.param({"parameters": mode(M.CTR), "iv": IV16}, True, id="CTR with one's own"),
        pytest.param({"parameters": mode(M.ECB)}, True, id="ECB where the key names no mode"),
        pytest.param({"parameters": mode(M.CBC)}, True, id="CBC where the key names no mode"),
        pytest.param({"parameters": mode(M.CBC), "own": P()}, True, id="or other parameters only"),
        pytest.param({"own": mode(M.CBC)}, False, id="CBC of the key"),
        pytest.param(
            {"own": mode(M.CBC), "iv": IV16}, True, id="CBC of the key, with one's own IV"
        ),
        pytest.param({"own": mode(M.ECB)}, False, id="ECB of the key"),
    ],
)
def test_right_to_decrypt_is_needed_where_encryption_could_read(request_fields, needs_decrypt):
    assert encryption(**request_fields, policy=PERMISSIVE).needs_decrypt is needs_decrypt


@pytest.mark.parametrize(
    ("request_fields", "needs_encrypt"),
    [
        pytest.param({"iv": IV12}, False, id="AES-GCM"),
        pytest.param({"key": A.CHACHA20, "iv": IV12}, False, id="ChaCha20-Poly1305"),
        pytest.param({"parameters": mode(M.CBC), "iv": IV16}, False, id="CBC"),
        pytest.param({"parameters": mode(M.ECB)}, False, id="ECB"),
        pytest.param({"parameters": mode(M.CTR), "iv": IV16}, True, id="CTR"),
        pytest.param({"own": mode(M.CTR), "iv": IV16}, True, id="CTR of the key"),
        pytest.param({"key": A.CHACHA20, "iv": IV8}, True, id="bare ChaCha20"),
    ],
)
def test_right_to_encrypt_is_needed_where_decryption_is_encryption(request_fields, needs_encrypt):
    assert decryption(**request_fields, policy=PERMISSIVE).needs_encrypt is needs_encrypt


# --- what is refused ----------------------------------------------------------------------------

REFUSED_BY_POLICY = [
    pytest.param({"parameters": mode(M.CBC)}, "AES-CBC", id="CBC"),
    pytest.param({"parameters": mode(M.CTR)}, "AES-CTR", id="CTR"),
    pytest.param({"parameters": mode(M.ECB)}, "AES-ECB", id="ECB"),
    pytest.param({"own": mode(M.CBC)}, "AES-CBC", id="CBC by the key's parameters"),
    pytest.param(
        {"parameters": P(tag_length=12)}, "an authentication tag under 16 bytes", id="a short tag"
    ),
    pytest.param({"iv": IV8}, "a GCM nonce under 12 bytes", id="a short nonce"),
    pytest.param(
        {"key": A.CHACHA20, "iv": IV8}, "ChaCha20 without Poly1305", id="bare ChaCha20"
    ),
    pytest.param({"key": A.THREE_DES, "parameters": mode(M.CBC)}, "3DES-CBC", id="3DES"),
]  # fmt: skip


@each_row("plan", [encryption, decryption])
@each_row(("request_fields", "technique"), REFUSED_BY_POLICY)
def test_conservative_policy_refuses_before_the_iv_is_looked_at(plan, request_fields, technique):
    with pytest.raises(UnsupportedCryptographicParameters, match=f"^{technique}: off, as "):
        plan(**request_fields)


@each_row(
    ("request_fields", "error"),
    [
        pytest.param({"key": None}, UnsupportedCryptographicParameters, id="no algorithm"),
        pytest.param({"key": A.RSA}, UnsupportedCryptographicParameters, id="RSA"),
        pytest.param({"key": A.HMAC_SHA256}, UnsupportedCryptographicParameters, id="HMAC"),
        pytest.param(
            {"parameters": mode(M.XTS)}, UnsupportedCryptographicParameters, id="unknown mode"
        ),
        pytest.param(
            {"parameters": P(cryptographic_algorithm=A.CHACHA20)},
            UnsupportedCryptographicParameters,
            id="another algorithm",
        ),
        pytest.param(
            {"parameters": P(iv_length=16)}, UnsupportedCryptographicParameters, id="IV length"
        ),
        pytest.param(
            {"parameters": P(counter_length=4)}, UnsupportedCryptographicParameters, id="counter"
        ),
        pytest.param(
            {"parameters": P(tag_length=11)}, BadCryptographicParameters, id="tag of 11 bytes"
        ),
        pytest.param(
            {"parameters": P(tag_length=17)}, BadCryptographicParameters, id="tag of 17 bytes"
        ),
        pytest.param(
            {"parameters": mode(M.CBC), "iv": IV16, "aad": AAD, "policy": PERMISSIVE},
            InvalidField,
            id="additional data that nothing authenticates",
        ),
    ],
)
@each_row("plan", [encryption, decryption])
def test_both_directions_refuse(plan, request_fields, error):
    with pytest.raises(error):
        plan(**request_fields)


@pytest.mark.parametrize("length", [8, 9, 11, 13, 16, 32, 64])
def test_conservative_policy_takes_nonces_of_twelve_bytes_only(length):
    with pytest.raises(UnsupportedCryptographicParameters, match=r"^a GCM nonce \w+ 12 bytes: off"):
        encryption(iv=bytes(length))
    encryption(iv=bytes(length), policy=PERMISSIVE)
    encryption(iv=bytes(12))


def test_what_was_encrypted_under_a_longer_nonce_stays_readable():
    assert decryption(iv=bytes(16)).iv == bytes(16)


@pytest.mark.parametrize(
    ("iv", "parameters", "error"),
    [
        pytest.param(b"", None, InvalidField, id="empty"),
        pytest.param(bytes(7), None, InvalidField, id="7 bytes"),
        pytest.param(bytes(65), None, InvalidField, id="65 bytes"),
        pytest.param(IV12, mode(M.CTR), InvalidField, id="12 bytes of CTR"),
        pytest.param(IV16, mode(M.ECB), InvalidField, id="ECB"),
        pytest.param(IV16, mode(M.CBC), None, id="16 bytes of CBC"),
        pytest.param(IV8, None, None, id="8 bytes of GCM, by the permissive policy"),
    ],
)
def test_encryption_measures_the_iv_of_a_caller(iv, parameters, error):
    with pytest.raises(error) if error else nullcontext():
        encryption(parameters, iv=iv, policy=PERMISSIVE)


@pytest.mark.parametrize(
    ("client", "error"),
    [
        pytest.param(BARE_OPERATION, MissingInitializationVector, id="bare operation"),
        pytest.param(MESSAGE_2, InvalidMessage, id="message: OASIS cases CS-BC-M-11 to 13"),
    ],
)
@pytest.mark.parametrize("key", [A.AES, A.CHACHA20])
def test_missing_iv_has_the_error_that_the_client_expects(client, error, key):
    with pytest.raises(error, match="the IV that the encryption returned"):
        decryption(key=key, client=client)
    with pytest.raises(error, match="RandomIV is false"):
        encryption(P(random_iv=False), key=key, client=client)
    assert encryption(P(random_iv=True), key=key, client=client).iv == made(12)


def test_missing_iv_comes_before_additional_data_that_is_not_authenticated():
    with pytest.raises(MissingInitializationVector):
        decryption(mode(M.CBC), aad=AAD, policy=PERMISSIVE)
    with pytest.raises(MissingInitializationVector):
        encryption(mode(M.CBC, random_iv=False), aad=AAD, policy=PERMISSIVE)
