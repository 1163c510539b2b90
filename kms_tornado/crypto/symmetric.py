"""Authenticated symmetric ciphers: AES-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439).

Nothing here encrypts without authentication. The tag is always 16 bytes and kept apart from the
ciphertext, as KMIP has a field for each.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from ..errors import (
    CryptographicFailure,
    InvalidAttributeValue,
    InvalidField,
    MissingInitializationVector,
    UnsupportedCryptographicParameters,
)
from ..kmip.enums import BlockCipherMode, CryptographicAlgorithm
from .material import KeyMaterial

TAG_BYTES = 16


@dataclass(frozen=True, slots=True)
class Cipher:
    """An AEAD of `cryptography` with the rules that the library leaves to us. Lengths in bytes."""

    aead: type[AESGCM] | type[ChaCha20Poly1305]
    key_lengths: frozenset[int]
    new_iv: int
    longest_iv: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """What an encryption gives. The ciphertext is as long as the data; the tag has 16 bytes."""

    iv: bytes
    ciphertext: bytes
    tag: bytes


# Key lengths in bits. What is no key of ours to make stands in no row.
KEY_LENGTHS: Mapping[CryptographicAlgorithm, tuple[int, ...]] = MappingProxyType(
    {
        CryptographicAlgorithm.AES: (128, 192, 256),
        CryptographicAlgorithm.CHACHA20: (256,),
        CryptographicAlgorithm.CHACHA20_POLY1305: (256,),
    }
)

# An IV under 12 bytes is refused although GCM defines it: the library takes 8, and short ones
# repeat, and one repeat under a key gives the authentication key away. 12 bytes is what everybody
# should send; up to 64 are legal GCM, as NIST's own vectors have 60.
_AES_GCM = Cipher(AESGCM, frozenset({16, 24, 32}), new_iv=12, longest_iv=64)
_CHACHA20_POLY1305 = Cipher(ChaCha20Poly1305, frozenset({32}), new_iv=12, longest_iv=12)

# A None in place of the mode: the request names none, the key's algorithm decides (KMIP.md §9).
SUPPORTED: Mapping[tuple[CryptographicAlgorithm, BlockCipherMode | None], Cipher] = (
    MappingProxyType(
        {
            (CryptographicAlgorithm.AES, None): _AES_GCM,
            (CryptographicAlgorithm.AES, BlockCipherMode.GCM): _AES_GCM,
            (CryptographicAlgorithm.AES, BlockCipherMode.AEAD): _AES_GCM,
            (CryptographicAlgorithm.CHACHA20, None): _CHACHA20_POLY1305,
            (CryptographicAlgorithm.CHACHA20, BlockCipherMode.AEAD): _CHACHA20_POLY1305,
            (CryptographicAlgorithm.CHACHA20_POLY1305, None): _CHACHA20_POLY1305,
            (CryptographicAlgorithm.CHACHA20_POLY1305, BlockCipherMode.AEAD): _CHACHA20_POLY1305,
        }
    )
)


def generate(algorithm: CryptographicAlgorithm, length: int) -> KeyMaterial:
    """A new random key. length is in bits.

    Raises UnsupportedCryptographicParameters for an algorithm that is not ours, and
    InvalidAttributeValue for a length that the algorithm does not have.
    """
    check_key_length(algorithm, length)
    return KeyMaterial(os.urandom(length // 8))


def check_key_length(algorithm: CryptographicAlgorithm, length: int) -> None:
    """Refuse a length in bits that no key of the algorithm has; errors as of `generate`."""
    lengths = KEY_LENGTHS.get(algorithm)
    if lengths is None:
        raise UnsupportedCryptographicParameters(
            f"{algorithm.name} is not a symmetric algorithm of this server"
        )
    if length not in lengths:
        legal = ", ".join(map(str, lengths))
        raise InvalidAttributeValue(f"the length of an {algorithm.name} key is {legal} bits")


def encrypt(
    algorithm: CryptographicAlgorithm,
    key: KeyMaterial,
    data: bytes,
    aad: bytes = b"",
    iv: bytes | None = None,
    *,
    mode: BlockCipherMode | None = None,
) -> Sealed:
    """Encrypt data and authenticate it together with aad. iv None: a fresh random one.

    Whether a caller may choose its IV is the operation's decision; a repeated one is not seen here.
    """
    cipher = cipher_for(algorithm, mode)
    _check_key(cipher, key)
    if iv is None:
        iv = os.urandom(cipher.new_iv)
    elif not _is_legal_iv(cipher, iv):
        raise InvalidField(f"the IV has {_iv_lengths(cipher)} bytes")
    both = cipher.aead(key.reveal()).encrypt(iv, data, aad)
    return Sealed(iv, both[:-TAG_BYTES], both[-TAG_BYTES:])


def decrypt(
    algorithm: CryptographicAlgorithm,
    key: KeyMaterial,
    data: bytes,
    iv: bytes | None,
    tag: bytes | None,
    aad: bytes = b"",
    *,
    mode: BlockCipherMode | None = None,
) -> bytes:
    """The plaintext of data, only if tag, aad, iv and key are those of its encryption.

    A missing, short or long tag, an IV of no legal length and a wrong tag are one and the same
    CryptographicFailure. iv None is MissingInitializationVector.
    """
    cipher = cipher_for(algorithm, mode)
    _check_key(cipher, key)
    if iv is None:
        raise MissingInitializationVector("decryption needs the IV that the encryption returned")
    # All 16 bytes: of a tag cut to 4 bytes, one forgery in 2^32 passes (SP 800-38D appendix C).
    if tag is None or len(tag) != TAG_BYTES or not _is_legal_iv(cipher, iv):
        raise _failure()
    try:
        return cipher.aead(key.reveal()).decrypt(iv, data + tag, aad)
    except InvalidTag:
        raise _failure() from None


def cipher_for(algorithm: CryptographicAlgorithm, mode: BlockCipherMode | None) -> Cipher:
    """Raises UnsupportedCryptographicParameters."""
    cipher = SUPPORTED.get((algorithm, mode))
    if cipher is None:
        named = algorithm.name if mode is None else f"{algorithm.name} in mode {mode.name}"
        raise UnsupportedCryptographicParameters(f"{named} is not offered")
    return cipher


def _check_key(cipher: Cipher, key: KeyMaterial) -> None:
    if len(key.reveal()) not in cipher.key_lengths:
        raise UnsupportedCryptographicParameters("the key's length does not fit the algorithm")


def _is_legal_iv(cipher: Cipher, iv: bytes) -> bool:
    return cipher.new_iv <= len(iv) <= cipher.longest_iv


def _iv_lengths(cipher: Cipher) -> str:
    if cipher.new_iv == cipher.longest_iv:
        return str(cipher.new_iv)
    return f"{cipher.new_iv} to {cipher.longest_iv}"


def _failure() -> CryptographicFailure:
    return CryptographicFailure("decryption failed")
