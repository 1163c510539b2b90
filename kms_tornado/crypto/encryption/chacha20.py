"""ChaCha20 and Poly1305 where `cryptography` lacks them: bare, in parts, and with short tags."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.poly1305 import Poly1305

_BLOCK = 64
_POLY1305_KEY = 32
# Bytes of the nonce → bytes of the counter: Bernstein's original, and RFC 8439.
_COUNTER_BYTES = {8: 8, 12: 4}


def start_chacha20(key: bytes, nonce: bytes, counter: int = 0) -> CipherContext:
    """The cipher without authentication, starting at block number `counter`.

    nonce: 8 bytes (Bernstein's original, which the OASIS cases use) or 12 (RFC 8439 §2.4).
    """
    start = counter.to_bytes(_COUNTER_BYTES[len(nonce)], "little") + nonce
    return Cipher(algorithms.ChaCha20(key, start), mode=None).encryptor()


class ChaCha20Poly1305Encryptor:
    """RFC 8439 §2.8, part by part. tag_bytes: the length of the tag, truncated where it is under 16."""

    def __init__(self, key: bytes, nonce: bytes, aad: bytes, tag_bytes: int) -> None:
        self._stream = start_chacha20(key, nonce)
        self._poly1305 = Poly1305(self._stream.update(bytes(_BLOCK))[:_POLY1305_KEY])
        self._poly1305.update(aad + _make_padding(len(aad)))
        self._aad_length = len(aad)
        self._length = 0
        self._tag_bytes = tag_bytes

    def update(self, data: bytes) -> bytes:
        ciphertext = self._stream.update(data)
        self._poly1305.update(ciphertext)
        self._length += len(data)
        return ciphertext

    def finish(self) -> tuple[bytes, bytes]:
        lengths = self._aad_length.to_bytes(8, "little") + self._length.to_bytes(8, "little")
        self._poly1305.update(_make_padding(self._length) + lengths)
        return b"", self._poly1305.finalize()[: self._tag_bytes]


def decrypt_with_short_tag(key: bytes, nonce: bytes, data: bytes, tag: bytes, aad: bytes) -> bytes:
    """The plaintext, if the tag is a truncation of the correct one. Raises InvalidTag.

    The library verifies only whole tags, so the correct one is computed by encrypting the plaintext
    again.
    """
    plaintext = start_chacha20(key, nonce, 1).update(data)
    correct_tag = ChaCha20Poly1305(key).encrypt(nonce, plaintext, aad)[len(data) :]
    if not bytes_eq(correct_tag[: len(tag)], tag):
        raise InvalidTag
    return plaintext


def _make_padding(length: int) -> bytes:
    return bytes(-length % 16)
