"""Encryption without authentication, for --crypto-policy permissive: CBC, ECB, CTR, bare ChaCha20.

Each class has the methods of `ciphers.Encryptor` or `ciphers.Decryptor`.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from ...errors import CryptographicFailure, InvalidField
from ...kmip.enums import BlockCipherMode
from ..policy import Technique
from .chacha20 import start_chacha20
from .suites import Suite, check_data_length

#: A counter block of CTR: a nonce of 12 bytes, then the number of the block.
CTR_NONCE_BYTES = 12
CTR_BLOCK_BYTES = 16

_CHACHA20_BLOCK = 64


def decryption_error() -> CryptographicFailure:
    """The same error whatever is wrong with data, tag, IV or padding."""
    return CryptographicFailure("decryption failed")


# --- CBC, ECB -----------------------------------------------------------------------------------


class BlockEncryptor:
    """CBC and ECB. The last block is padded where the suite says so."""

    def __init__(self, suite: Suite, key: bytes, iv: bytes | None) -> None:
        self._context = _make_block_cipher(suite, key, iv).encryptor()
        self._padder = PKCS7(8 * suite.block_bytes).padder() if suite.is_padded else None
        self._suite = suite
        self._length = 0

    def update(self, data: bytes) -> bytes:
        self._length += len(data)
        return self._context.update(self._padder.update(data) if self._padder else data)

    def finish(self) -> tuple[bytes, None]:
        if self._padder:
            return self._context.update(self._padder.finalize()) + self._context.finalize(), None
        check_data_length(self._suite, self._length)
        return self._context.finalize(), None


class BlockDecryptor:
    """CBC and ECB. Wrong padding and a wrong length raise the same error.

    Any error at all is enough for a padding oracle, and no server that offers these modes can hide it; that is why
    --crypto-policy conservative exists.
    """

    def __init__(self, suite: Suite, key: bytes, iv: bytes | None) -> None:
        self._context = _make_block_cipher(suite, key, iv).decryptor()
        self._unpadder = PKCS7(8 * suite.block_bytes).unpadder() if suite.is_padded else None

    def update(self, data: bytes) -> bytes:
        blocks = self._context.update(data)
        return self._unpadder.update(blocks) if self._unpadder else blocks

    def finish(self, tag: bytes | None) -> bytes:
        try:
            rest = self._context.finalize()
            if self._unpadder is None:
                return rest
            return self._unpadder.update(rest) + self._unpadder.finalize()
        except ValueError:
            raise decryption_error() from None


def _make_block_cipher(suite: Suite, key: bytes, iv: bytes | None) -> Cipher[Any]:
    is_aes = suite.technique in {Technique.AES_CBC, Technique.AES_ECB}
    if not is_aes and len(key) == 16:
        key += key[:8]  # two-key 3DES: the first key is also the third
    algorithm = algorithms.AES(key) if is_aes else TripleDES(key)
    if iv is None:
        return Cipher(algorithm, modes.ECB())  # noqa: S305  the crypto policy decides on ECB
    return Cipher(algorithm, modes.CBC(iv))


# --- CTR, bare ChaCha20 -------------------------------------------------------------------------


class KeyStream:
    """CTR and bare ChaCha20: encryption and decryption are the same computation."""

    def __init__(self, suite: Suite, key: bytes, iv: bytes) -> None:
        if suite.mode is BlockCipherMode.CTR:
            self._context = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
            counter = int.from_bytes(iv[CTR_NONCE_BYTES:], "big")
            self._bytes_left = CTR_BLOCK_BYTES * (2**32 - counter)
        else:
            self._context = start_chacha20(key, iv, suite.initial_counter)
            self._bytes_left = _CHACHA20_BLOCK * (2**32 - suite.initial_counter)

    def update(self, data: bytes) -> bytes:
        # A counter that overflows would continue with the key stream of another nonce.
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            raise InvalidField("the data is longer than the counter in the IV can count")
        return self._context.update(data)

    def finish(self) -> tuple[bytes, None]:
        return b"", None


class KeyStreamDecryptor:
    """A key stream with the interface of a decryptor; there is no tag to verify."""

    def __init__(self, stream: KeyStream) -> None:
        self.update = stream.update

    def finish(self, tag: bytes | None) -> bytes:
        return b""
