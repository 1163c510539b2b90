"""Encryption that authenticates nothing, for --crypto-policy permissive: CBC, ECB, CTR, bare ChaCha20.

Each class has the methods of `ciphers.Encryptor` or `ciphers.Decryptor`.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from ..errors import CryptographicFailure, InvalidField
from ..kmip.enums import BlockCipherMode
from .chacha20 import start_chacha20
from .policy import Technique
from .suites import Suite, check_data_length

#: A counter block of CTR: 12 bytes that no other encryption has, then the number of the block.
CTR_NONCE_BYTES = 12
CTR_BLOCK_BYTES = 16

_CHACHA20_BLOCK = 64


def decryption_error() -> CryptographicFailure:
    """One error for all that can be wrong with data, tag, IV and padding."""
    return CryptographicFailure("decryption failed")


# --- CBC, ECB -----------------------------------------------------------------------------------


class BlockEncryptor:
    """Whole blocks, the last one filled up where the suite pads."""

    def __init__(self, suite: Suite, key: bytes, iv: bytes | None) -> None:
        self._context = _block_cipher(suite, key, iv).encryptor()
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
    """Wrong padding and a wrong length are one error.

    That there was one is all that a padding oracle needs, and no server of such a mode can hide it.
    """

    def __init__(self, suite: Suite, key: bytes, iv: bytes | None) -> None:
        self._context = _block_cipher(suite, key, iv).decryptor()
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


def _block_cipher(suite: Suite, key: bytes, iv: bytes | None) -> Cipher[Any]:
    is_aes = suite.technique in {Technique.AES_CBC, Technique.AES_ECB}
    if not is_aes and len(key) == 16:
        key += key[:8]  # two-key 3DES: the first key is the third, too
    algorithm = algorithms.AES(key) if is_aes else TripleDES(key)
    if iv is None:
        return Cipher(algorithm, modes.ECB())  # noqa: S305  the policy says whether
    return Cipher(algorithm, modes.CBC(iv))


# --- CTR, bare ChaCha20 -------------------------------------------------------------------------


class KeyStream:
    """The same in both directions."""

    def __init__(self, suite: Suite, key: bytes, iv: bytes) -> None:
        if suite.mode is BlockCipherMode.CTR:
            self._context = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
            counter = int.from_bytes(iv[CTR_NONCE_BYTES:], "big")
            self._left = CTR_BLOCK_BYTES * (2**32 - counter)
        else:
            self._context = start_chacha20(key, iv, suite.initial_counter)
            self._left = _CHACHA20_BLOCK * (2**32 - suite.initial_counter)

    def update(self, data: bytes) -> bytes:
        # A counter that runs over goes on with the key stream of another nonce.
        self._left -= len(data)
        if self._left < 0:
            raise InvalidField("the data is longer than the counter in the IV can count")
        return self._context.update(data)

    def finish(self) -> tuple[bytes, None]:
        return b"", None


class KeyStreamDecryptor:
    """A key stream that ends without a tag."""

    def __init__(self, stream: KeyStream) -> None:
        self.update = stream.update

    def finish(self, tag: bytes | None) -> bytes:
        return b""
