"""Encrypted files that no server has a part in: the data key is at hand."""

from __future__ import annotations

import io

from kms_tornado.client.files.container import DataKey, Header, WrappedDataKey
from kms_tornado.client.files.encrypted_file import decrypt_stream, encrypt_stream

DATA_KEY = DataKey(bytes(range(32)))
WRAPPED = WrappedDataKey(key_identifier="k", ciphertext=b"c" * 32, nonce=b"n" * 12, tag=b"t" * 16)
#: The smallest chunks that there are, so that small files have several.
CHUNK_SIZE_LOG2 = 12
CHUNK_SIZE = 1 << CHUNK_SIZE_LOG2
TAG_BYTES = 16


def header(salt: bytes = b"s" * 32) -> Header:
    return Header(salt=salt, wrapped=WRAPPED, chunk_size_log2=CHUNK_SIZE_LOG2)


def encrypted(plaintext: bytes, *, salt: bytes = b"s" * 32, data_key: DataKey = DATA_KEY) -> bytes:
    target = io.BytesIO()
    encrypt_stream(io.BytesIO(plaintext), target, header(salt), data_key, nobody)
    return target.getvalue()


def decrypted(data: bytes, data_key: DataKey = DATA_KEY) -> bytes:
    """Raises UntrueFile."""
    target = io.BytesIO()
    decrypt_stream(io.BytesIO(data), target, lambda _: data_key, nobody)
    return target.getvalue()


def split(data: bytes) -> tuple[bytes, list[bytes]]:
    """(the header, the sealed chunks)"""
    length = int.from_bytes(data[12:14])
    size = CHUNK_SIZE + TAG_BYTES
    return data[:length], [data[start : start + size] for start in range(length, len(data), size)]


def nobody(done: int) -> None:
    """Observes nothing."""
