"""Symmetric keys: the lengths that each algorithm allows, and the generation of new keys."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ...errors import InvalidAttributeValue, UnsupportedCryptographicParameters
from ...kmip.enums import CryptographicAlgorithm
from ...kmip.tables import format_name
from ..material import KeyMaterial
from ..policy import Technique

_A = CryptographicAlgorithm


@dataclass(frozen=True, slots=True)
class KeyLengths:
    """The lengths that an algorithm allows, in bits.

    wording: how an error lists those of new keys.
    known: the lengths of any key.
    new: the lengths of a key that is generated here; a key from outside may be weaker.
    """

    known: Container[int]
    new: Container[int]
    wording: str

    @classmethod
    def of(cls, *lengths: int) -> KeyLengths:
        *others, last = map(str, lengths)
        return cls(lengths, lengths, f"{', '.join(others)} or {last}" if others else last)


# 3DES: KMIP counts the bits with or without parity. Two-key 3DES is for old data only.
_TDES = KeyLengths((112, 128, 168, 192), (168, 192), "168 or 192")


def _hmac_lengths(block: int) -> KeyLengths:
    """Any length may be stored (RFC 2104 §3), but no new key is shorter than 112 bits (SP 800-131A §10).

    block: of the hash, in bits. HMAC with this hash takes no longer keys here (`mac.check_hmac_key`).
    """
    return KeyLengths(
        range(8, 65_537, 8), range(112, block + 1, 8), f"112 to {block}, a multiple of 8,"
    )


KEY_LENGTHS: Mapping[CryptographicAlgorithm, KeyLengths] = MappingProxyType(
    {
        _A.AES: KeyLengths.of(128, 192, 256),
        _A.CHACHA20: KeyLengths.of(256),
        _A.CHACHA20_POLY1305: KeyLengths.of(256),
        _A.THREE_DES: _TDES,
        _A.HMAC_SHA1: _hmac_lengths(512),
        _A.HMAC_SHA224: _hmac_lengths(512),
        _A.HMAC_SHA256: _hmac_lengths(512),
        _A.HMAC_SHA384: _hmac_lengths(1024),
        _A.HMAC_SHA512: _hmac_lengths(1024),
        _A.HMAC_SHA3_224: _hmac_lengths(1152),
        _A.HMAC_SHA3_256: _hmac_lengths(1088),
        _A.HMAC_SHA3_384: _hmac_lengths(832),
        _A.HMAC_SHA3_512: _hmac_lengths(576),
    }
)

#: Algorithm of a new key → the technique that the crypto policy must allow.
NEW_KEY_TECHNIQUES: Mapping[CryptographicAlgorithm, Technique] = MappingProxyType(
    {_A.THREE_DES: Technique.TDES}
)


def generate_key(algorithm: CryptographicAlgorithm, length: int) -> KeyMaterial:
    """A new random key. length is in bits.

    Raises UnsupportedCryptographicParameters for an algorithm that this server does not have, and
    InvalidAttributeValue for a length that the algorithm does not have or that is too weak today.
    """
    lengths = _find_lengths(algorithm)
    if length not in lengths.new:
        raise _length_error(algorithm, lengths)
    if algorithm is _A.THREE_DES:
        return KeyMaterial(set_odd_parity(os.urandom(24)))
    return KeyMaterial(os.urandom(length // 8))


def check_key_length(algorithm: CryptographicAlgorithm, length: int) -> None:
    """Refuse a length in bits that no key of the algorithm has.

    Raises the errors of `generate_key`.
    """
    lengths = _find_lengths(algorithm)
    if length not in lengths.known:
        raise _length_error(algorithm, lengths)


def list_lengths(algorithm: CryptographicAlgorithm, bits: int) -> tuple[int, ...]:
    """The lengths that a key of so many bits may be said to have, the usual one first.

    KMIP counts the bits of 3DES without those of parity (profile case SKFF-M-12), and many clients with them.
    """
    if algorithm is _A.THREE_DES:
        return (bits // 8 * 7, bits)
    return (bits,)


def count_octets(algorithm: CryptographicAlgorithm, length: int) -> int:
    """The number of octets of a key with this length in bits. A 3DES key contains its parity bits, counted or not."""
    if algorithm is _A.THREE_DES and length % 7 == 0:
        return length // 7
    return length // 8


def set_odd_parity(octets: bytes) -> bytes:
    """A DES key with its parity bits set: the lowest bit of each byte makes the number of ones odd."""
    return bytes(octet ^ (octet.bit_count() + 1) % 2 for octet in octets)


def _find_lengths(algorithm: CryptographicAlgorithm) -> KeyLengths:
    lengths = KEY_LENGTHS.get(algorithm)
    if lengths is None:
        raise UnsupportedCryptographicParameters(
            f"{format_name(algorithm)} is not a symmetric algorithm of this server"
        )
    return lengths


def _length_error(algorithm: CryptographicAlgorithm, lengths: KeyLengths) -> InvalidAttributeValue:
    return InvalidAttributeValue(f"a key of {format_name(algorithm)} has {lengths.wording} bits")
