"""Cosmian's format: where its parts stand, and that nothing untrue is taken for true."""

from __future__ import annotations

import io

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.client.files.ckms_algorithms import DataAlgorithm
from kms_tornado.client.files.ckms_format import (
    Message,
    decrypt_message,
    encrypt_message,
    parse_message,
    read_wrapped_key,
    render_message,
    render_wrapped_key,
)
from kms_tornado.client.files.errors import UntrueFile

from ...rows import each_row
from .samples import nobody

KEY, NONCE = bytes(range(32)), b"n" * 12
AEADS = {DataAlgorithm.AES_GCM: AESGCM, DataAlgorithm.CHACHA20_POLY1305: ChaCha20Poly1305}
ALGORITHMS = list(DataAlgorithm)


def encrypted(plaintext: bytes, algorithm: DataAlgorithm, additional_data: bytes = b"") -> bytes:
    target = io.BytesIO()
    encrypt_message(io.BytesIO(plaintext), target, KEY, NONCE, additional_data, algorithm, nobody)
    return target.getvalue()


def decrypted(data: bytes, algorithm: DataAlgorithm, additional_data: bytes = b"") -> bytes:
    target = io.BytesIO()
    decrypt_message(io.BytesIO(data), target, KEY, additional_data, algorithm, nobody)
    return target.getvalue()


def test_message_is_nonce_ciphertext_and_tag() -> None:
    message = Message(b"n" * 12, b"ciphertext", b"t" * 16)
    data = b"nnnnnnnnnnnn" + b"ciphertext" + b"tttttttttttttttt"
    assert render_message(message) == data
    assert parse_message(data) == message


def test_message_too_short_for_nonce_and_tag_is_refused() -> None:
    with pytest.raises(UntrueFile):
        parse_message(bytes(27))


@pytest.mark.parametrize("length", [0, 60, 127, 128, 256])
def test_wrapped_key_stands_behind_its_length(length: int) -> None:
    rendered = render_wrapped_key(b"w" * length)
    assert rendered[0] == (length if length < 128 else length % 128 + 128)
    assert read_wrapped_key(io.BytesIO(rendered + b"rest")) == b"w" * length


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80", b"\x3cshort", b"\xff\xff\xff\xff\x0f", b"\x80" * 20, b"\x81\x02"],
    ids=bytes.hex,
)
def test_length_that_does_not_fit_is_refused_before_anything_is_allocated(data: bytes) -> None:
    with pytest.raises(UntrueFile):
        read_wrapped_key(io.BytesIO(data))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(plaintext=st.binary(max_size=100), additional_data=st.binary(max_size=40))
def test_message_is_that_of_the_library(
    algorithm: DataAlgorithm, plaintext: bytes, additional_data: bytes
) -> None:
    sealed = AEADS[algorithm](KEY).encrypt(NONCE, plaintext, additional_data)
    assert encrypted(plaintext, algorithm, additional_data) == NONCE + sealed
    assert decrypted(NONCE + sealed, algorithm, additional_data) == plaintext


@each_row("algorithm", ALGORITHMS)
@each_row("more", [-17, -16, -1, 0, 1, 15, 16, 17])
def test_messages_longer_than_the_buffer_come_back(algorithm: DataAlgorithm, more: int) -> None:
    plaintext = bytes(2 * 256 * 1024 + more)
    assert decrypted(encrypted(plaintext, algorithm), algorithm) == plaintext


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_bit_counts(algorithm: DataAlgorithm) -> None:
    data = encrypted(b"a small secret", algorithm, b"aad")
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(UntrueFile):
            decrypted(bytes(flipped), algorithm, b"aad")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_truncated_message_is_refused(algorithm: DataAlgorithm) -> None:
    data = encrypted(b"a small secret", algorithm)
    for length in range(len(data)):
        with pytest.raises(UntrueFile):
            decrypted(data[:length], algorithm)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_other_authentication_data_is_refused(algorithm: DataAlgorithm) -> None:
    with pytest.raises(UntrueFile):
        decrypted(encrypted(b"secret", algorithm, b"a"), algorithm, b"b")
