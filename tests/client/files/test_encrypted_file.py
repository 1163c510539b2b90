"""Whole files: whatever is done to one, decryption finds out."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_tornado.client.files.container import DataKey
from kms_tornado.client.files.errors import UntrueFile

from ...rows import each_row
from .samples import CHUNK_SIZE, TAG_BYTES, decrypted, encrypted, split

#: Three chunks, the last of them short.
PLAINTEXT = bytes(range(256)) * 33
FILE = encrypted(PLAINTEXT)
HEADER, CHUNKS = split(FILE)
BOUNDARIES = [len(HEADER) + index * (CHUNK_SIZE + TAG_BYTES) for index in range(len(CHUNKS))]


@settings(max_examples=30)
@given(st.integers(0, 3 * CHUNK_SIZE))
def test_every_length_comes_back(length: int) -> None:
    assert decrypted(encrypted(bytes(length))) == bytes(length)


@each_row("count", [0, 1, 2, 3])
@each_row("more", [-1, 0, 1])
def test_lengths_around_the_chunks_come_back(count: int, more: int) -> None:
    plaintext = b"a" * max(count * CHUNK_SIZE + more, 0)
    assert decrypted(encrypted(plaintext)) == plaintext


@each_row(
    "length",
    sorted(
        {boundary + more for boundary in (0, *BOUNDARIES, len(FILE)) for more in (-1, 0, 1)}
        & set(range(len(FILE)))
    ),
)
def test_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(UntrueFile):
        decrypted(FILE[:length])


def test_extended_file_is_refused() -> None:
    for more in (b"\x00", CHUNKS[-1], CHUNKS[0], FILE, bytes(CHUNK_SIZE + TAG_BYTES)):
        with pytest.raises(UntrueFile):
            decrypted(FILE + more)


@pytest.mark.parametrize("length", range(5))
def test_chunks_that_are_missing_moved_or_doubled_are_refused(length: int) -> None:
    for order in itertools.product(range(3), repeat=length):
        if order != (0, 1, 2):
            with pytest.raises(UntrueFile):
                pytest.fail(f"{decrypted(HEADER + b''.join(CHUNKS[n] for n in order))!r}: {order}")


def test_whole_chunks_alone_are_no_file_either() -> None:
    header, chunks = split(encrypted(b"a" * 2 * CHUNK_SIZE))
    with pytest.raises(UntrueFile):
        decrypted(header + chunks[0])


def test_chunks_of_another_file_under_the_same_key_are_refused() -> None:
    _, others = split(encrypted(PLAINTEXT, salt=b"S" * 32))
    for index in range(3):
        mixed = [*CHUNKS]
        mixed[index] = others[index]
        with pytest.raises(UntrueFile):
            decrypted(HEADER + b"".join(mixed))


def test_header_of_another_file_under_the_same_key_is_refused() -> None:
    header, _ = split(encrypted(PLAINTEXT, salt=b"S" * 32))
    with pytest.raises(UntrueFile):
        decrypted(header + b"".join(CHUNKS))


def test_every_bit_of_a_small_file_counts() -> None:
    small = encrypted(b"a small secret")
    for bit in range(8 * len(small)):
        flipped = bytearray(small)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(UntrueFile):
            decrypted(bytes(flipped))


@given(st.data())
def test_any_edit_of_a_file_is_refused(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(FILE)))
    end = data.draw(st.integers(start, min(len(FILE), start + 20)))
    replacement = data.draw(st.binary(max_size=20))
    edited = FILE[:start] + replacement + FILE[end:]
    if edited != FILE:
        with pytest.raises(UntrueFile):
            decrypted(edited)


def test_another_data_key_opens_nothing() -> None:
    with pytest.raises(UntrueFile, match="another data key"):
        decrypted(FILE, DataKey(b"x" * 32))


def test_same_plaintext_is_never_sealed_alike() -> None:
    assert split(FILE)[1] != split(encrypted(PLAINTEXT, salt=b"S" * 32))[1]
