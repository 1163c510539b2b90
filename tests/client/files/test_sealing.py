"""Chunks: their nonces, their sizes, and sources and targets that take or give little at once."""

from __future__ import annotations

import io

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.client.files.errors import UntrueFile
from kms_tornado.client.files.sealing import TAG_BYTES, open_stream, seal_stream

from .samples import nobody

KEY = bytes(range(32))
SIZE = 16


def sealed(plaintext: bytes) -> bytes:
    target = io.BytesIO()
    assert seal_stream(io.BytesIO(plaintext), target, KEY, SIZE, nobody) == len(plaintext)
    return target.getvalue()


def opened(data: bytes) -> bytes:
    target = io.BytesIO()
    assert open_stream(io.BytesIO(data), target, KEY, SIZE, nobody) == len(target.getvalue())
    return target.getvalue()


class Trickle(io.RawIOBase):
    """Gives and takes a byte at a time, as a pipe may."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        buffer[: len(self.data[:1])] = self.data[:1]
        count = len(self.data[:1])
        del self.data[:1]
        return count

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        self.data += data[:1]
        return 1


@given(st.binary(max_size=5 * SIZE))
def test_what_was_sealed_is_opened(plaintext: bytes) -> None:
    assert opened(sealed(plaintext)) == plaintext


@pytest.mark.parametrize("length", [0, 1, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE])
def test_pipes_that_give_and_take_little_at_once_change_nothing(length: int) -> None:
    plaintext = bytes(range(length))
    seal_stream(Trickle(plaintext), target := Trickle(), KEY, SIZE, nobody)
    assert target.data == sealed(plaintext)
    open_stream(Trickle(target.data), plain := Trickle(), KEY, SIZE, nobody)
    assert plain.data == plaintext


def test_nonce_is_the_counter_and_the_flag_of_the_last_chunk() -> None:
    cipher = AESGCM(KEY)
    first, last = bytes(12), bytes(10) + b"\x01\x01"
    assert sealed(b"a" * SIZE + b"b") == (
        cipher.encrypt(first, b"a" * SIZE, None) + cipher.encrypt(last, b"b", None)
    )


def test_empty_source_is_one_empty_last_chunk() -> None:
    assert sealed(b"") == AESGCM(KEY).encrypt(bytes(11) + b"\x01", b"", None)


def test_full_last_chunk_has_no_empty_one_behind_it() -> None:
    assert len(sealed(b"a" * SIZE)) == SIZE + TAG_BYTES


def test_empty_chunk_behind_others_is_refused_though_its_tag_is_true() -> None:
    cipher = AESGCM(KEY)
    first = cipher.encrypt(bytes(12), b"a" * SIZE, None)
    with pytest.raises(UntrueFile):
        opened(first + cipher.encrypt(bytes(10) + b"\x01\x01", b"", None))


def test_short_chunk_before_the_last_is_refused_though_its_tag_is_true() -> None:
    cipher = AESGCM(KEY)
    short = cipher.encrypt(bytes(12), b"a", None)
    with pytest.raises(UntrueFile):
        opened(short + cipher.encrypt(bytes(10) + b"\x01\x01", b"b" * SIZE, None))


def test_observer_hears_of_every_chunk() -> None:
    heard: list[int] = []
    seal_stream(io.BytesIO(b"a" * 40), io.BytesIO(), KEY, SIZE, heard.append)
    assert heard == [16, 32, 40]


def test_target_gets_authentic_chunks_and_nothing_of_the_one_that_is_not() -> None:
    data = bytearray(sealed(b"a" * SIZE + b"b" * SIZE + b"c"))
    data[SIZE + TAG_BYTES] ^= 1
    target = io.BytesIO()
    with pytest.raises(UntrueFile, match="chunk 2, after 16 good bytes"):
        open_stream(io.BytesIO(data), target, KEY, SIZE, nobody)
    assert target.getvalue() == b"a" * SIZE
