"""ChaCha20 and Poly1305 where `cryptography` has no whole of them: bare, in parts, with short tags."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.poly1305 import Poly1305

_BLOCK = 64
_POLY1305_KEY = 32
_COUNTER = {8: 8, 12: 4}  # nonce → counter, in bytes: Bernstein's original, and RFC 8439


def start_chacha20(key: bytes, nonce: bytes, counter: int = 0) -> CipherContext:
    """The cipher without authentication, from block number `counter` on.

    nonce: 8 bytes (D. J. Bernstein, as the OASIS cases have it) or 12 (RFC 8439 §2.4).
    """
    start = counter.to_bytes(_COUNTER[len(nonce)], "little") + nonce
    return Cipher(algorithms.ChaCha20(key, start), mode=None).encryptor()


class ChaCha20Poly1305Encryptor:
    """RFC 8439 §2.8 part by part. tag: how many of its 16 bytes are given."""

    def __init__(self, key: bytes, nonce: bytes, aad: bytes, tag: int) -> None:
        self._stream = start_chacha20(key, nonce)
        self._poly1305 = Poly1305(self._stream.update(bytes(_BLOCK))[:_POLY1305_KEY])
        self._poly1305.update(aad + _make_padding(len(aad)))
        self._aad_length = len(aad)
        self._length = 0
        self._tag = tag

    def update(self, data: bytes) -> bytes:
        ciphertext = self._stream.update(data)
        self._poly1305.update(ciphertext)
        self._length += len(data)
        return ciphertext

    def finish(self) -> tuple[bytes, bytes]:
        lengths = self._aad_length.to_bytes(8, "little") + self._length.to_bytes(8, "little")
        self._poly1305.update(_make_padding(self._length) + lengths)
        return b"", self._poly1305.finalize()[: self._tag]


def decrypt_with_short_tag(key: bytes, nonce: bytes, data: bytes, tag: bytes, aad: bytes) -> bytes:
    """The plaintext, if the tag is the beginning of the right one. Raises InvalidTag.

    The library verifies whole tags alone: encrypting the plaintext again gives the right one.
    """
    plaintext = start_chacha20(key, nonce, 1).update(data)
    right = ChaCha20Poly1305(key).encrypt(nonce, plaintext, aad)[len(data) :]
    if not bytes_eq(right[: len(tag)], tag):
        raise InvalidTag
    return plaintext


def _make_padding(length: int) -> bytes:
    return bytes(-length % 16)
