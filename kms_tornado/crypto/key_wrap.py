"""Keys under other keys: AES-KW (RFC 3394), AES-KWP (RFC 5649), AES-GCM, as octets.

What the octets are, and whether a KMIP KeyBlock stands around them, is the callers' business.
Unwrapping has one error for every fault. Policy is not looked at here.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import CryptographicFailure, InvalidField, UnsupportedCryptographicParameters
from .material import KeyMaterial

GCM_NONCE_BYTES = 12
GCM_TAG_BYTES = 16

_AES_KEY_BYTES = frozenset({16, 24, 32})


def wrap_kw(wrapping_key: KeyMaterial, octets: bytes) -> bytes:
    """RFC 3394: 8 bytes longer. octets: a multiple of 8 bytes, 16 at least, else InvalidField."""
    if len(octets) < 16 or len(octets) % 8:
        raise InvalidField(
            "AES-KW wraps a multiple of 8 bytes, at least 16: AES-KWP (AESKeyWrapPadding) takes any"
        )
    return keywrap.aes_key_wrap(_aes_key(wrapping_key), octets)


def unwrap_kw(wrapping_key: KeyMaterial, wrapped: bytes) -> bytes:
    """Raises CryptographicFailure."""
    key = _aes_key(wrapping_key)
    try:
        return keywrap.aes_key_unwrap(key, wrapped)
    except (keywrap.InvalidUnwrap, ValueError):
        raise unwrapping_failed() from None


def wrap_kwp(wrapping_key: KeyMaterial, octets: bytes) -> bytes:
    """RFC 5649: any length but none, which is InvalidField; up to 15 bytes longer."""
    if not octets:
        raise InvalidField("there is nothing to wrap")
    return keywrap.aes_key_wrap_with_padding(_aes_key(wrapping_key), octets)


def unwrap_kwp(wrapping_key: KeyMaterial, wrapped: bytes) -> bytes:
    """Raises CryptographicFailure."""
    key = _aes_key(wrapping_key)
    try:
        return keywrap.aes_key_unwrap_with_padding(key, wrapped)
    except (keywrap.InvalidUnwrap, ValueError):
        raise unwrapping_failed() from None


def wrap_gcm(wrapping_key: KeyMaterial, octets: bytes, aad: bytes = b"") -> bytes:
    """nonce (12) | ciphertext | tag (16), under a random nonce."""
    nonce = os.urandom(GCM_NONCE_BYTES)
    return nonce + AESGCM(_aes_key(wrapping_key)).encrypt(nonce, octets, aad)


def unwrap_gcm(wrapping_key: KeyMaterial, wrapped: bytes, aad: bytes = b"") -> bytes:
    """What `wrap_gcm` gave. Raises CryptographicFailure."""
    key = _aes_key(wrapping_key)
    if len(wrapped) < GCM_NONCE_BYTES + GCM_TAG_BYTES:
        raise unwrapping_failed()
    nonce, sealed = wrapped[:GCM_NONCE_BYTES], wrapped[GCM_NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except InvalidTag:
        raise unwrapping_failed() from None


def unwrapping_failed() -> CryptographicFailure:
    """One error whatever was wrong, so that nobody learns from which."""
    return CryptographicFailure("unwrapping failed")


def _aes_key(wrapping_key: KeyMaterial) -> bytes:
    key = wrapping_key.reveal()
    if len(key) not in _AES_KEY_BYTES:
        raise UnsupportedCryptographicParameters("the wrapping key is no AES key")
    return key
