"""Encryption and decryption with a suite: all data at once, or part by part.

Decryption raises the same error whatever is wrong with data, tag, IV or padding. No byte of an
authenticated plaintext is returned before its tag is verified: `start_decryption` holds the
ciphertext back until then.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from ...errors import (
    MissingInitializationVector,
    UnsupportedCryptographicParameters,
)
from ...kmip.enums import BlockCipherMode
from ..material import KeyMaterial
from ..policy import Technique
from .bare_ciphers import (
    CTR_BLOCK_BYTES,
    CTR_NONCE_BYTES,
    BlockDecryptor,
    BlockEncryptor,
    KeyStream,
    KeyStreamDecryptor,
    decryption_error,
)
from .chacha20 import ChaCha20Poly1305Encryptor, decrypt_with_short_tag
from .suites import FULL_TAG_BYTES, CipherKind, Suite, check_iv

# Python 3.11 looks a member of an enumeration up in a function.
_GCM, _CTR = CipherKind.GCM, BlockCipherMode.CTR


#: A number → that many random bytes.
RandomSource = Callable[[int], bytes]


class EncryptedData(NamedTuple):
    """The result of an encryption. iv and tag: None where the suite has none."""

    ciphertext: bytes
    iv: bytes | None
    tag: bytes | None


class Encryptor(Protocol):
    """Encrypts part by part. `finish` returns the rest of the ciphertext and the tag, if any."""

    def update(self, data: bytes) -> bytes: ...

    def finish(self) -> tuple[bytes, bytes | None]: ...


class Decryptor(Protocol):
    """Decrypts part by part. Either method may raise CryptographicFailure."""

    def update(self, data: bytes) -> bytes: ...

    def finish(self, tag: bytes | None) -> bytes: ...


def generate_iv(suite: Suite, random: RandomSource = os.urandom) -> bytes | None:
    """A random IV; None where the suite has none.

    For GCM and ChaCha20-Poly1305 these are 96 random bits: after 2^32 encryptions under one key,
    two of them share a nonce with a probability of 2^-33 (SP 800-38D §8.3). The caller counts them
    (`domain.nonces`).
    random: the source of randomness; another one makes the result predictable, for tests.
    """
    if not suite.new_iv_bytes:
        return None
    if suite.mode is _CTR:
        return random(CTR_NONCE_BYTES) + bytes(CTR_BLOCK_BYTES - CTR_NONCE_BYTES)
    return random(suite.new_iv_bytes)


def normalise_nonce(suite: Suite, iv: bytes) -> bytes:
    """The part of the IV that must not occur twice under a key, in the same form for all of the key's ciphers.

    GCM counts blocks after a nonce of 12 bytes just as CTR does after its own, and bare ChaCha20 with its 8 bytes is
    the RFC's cipher with four zero bytes in front. So these ciphers share their nonces.
    """
    if suite.mode is _CTR:
        return iv[:CTR_NONCE_BYTES]
    if suite.technique is Technique.CHACHA20:
        return bytes(4) + iv
    return iv


def encrypt(
    suite: Suite, key: KeyMaterial, data: bytes, aad: bytes, iv: bytes | None
) -> EncryptedData:
    """Encrypt data; an authenticated suite also authenticates aad.

    iv: made by `generate_iv`, or the caller's, which the operation allowed and `check_iv` checked.
    Raises InvalidField for data of a length that needs padding, and
    UnsupportedCryptographicParameters for a key of the wrong length.
    """
    if suite.kind is _GCM and suite.tag_bytes == FULL_TAG_BYTES and iv is not None:
        sealed = AESGCM(_reveal_key(suite, key)).encrypt(iv, data, aad)
        return EncryptedData(sealed[:-FULL_TAG_BYTES], iv, sealed[-FULL_TAG_BYTES:])
    encryptor = start_encryption(suite, key, iv, aad)
    ciphertext = encryptor.update(data)
    rest, tag = encryptor.finish()
    return EncryptedData(ciphertext + rest, iv, tag)


def decrypt(
    suite: Suite, key: KeyMaterial, data: bytes, aad: bytes, iv: bytes | None, tag: bytes | None
) -> bytes:
    """The plaintext. Raises CryptographicFailure, MissingInitializationVector."""
    if suite.is_authenticated:
        return _decrypt_authenticated(
            suite, _reveal_decryption_key(suite, key, iv), _require_iv(suite, iv), aad, data, tag
        )
    decryptor = start_decryption(suite, key, iv, aad)
    plaintext = decryptor.update(data)
    return plaintext + decryptor.finish(tag)


def start_encryption(suite: Suite, key: KeyMaterial, iv: bytes | None, aad: bytes) -> Encryptor:
    """Encrypt as `encrypt` does, part by part."""
    octets = _reveal_key(suite, key)
    match suite.kind:
        case CipherKind.GCM:
            return _GCMEncryptor(octets, _require_iv(suite, iv), aad, suite.tag_bytes)
        case CipherKind.CHACHA20_POLY1305:
            return ChaCha20Poly1305Encryptor(octets, _require_iv(suite, iv), aad, suite.tag_bytes)
        case CipherKind.BLOCKS:
            return BlockEncryptor(suite, octets, _check_optional_iv(suite, iv))
        case CipherKind.KEY_STREAM:
            return KeyStream(suite, octets, _require_iv(suite, iv))


def start_decryption(
    suite: Suite,
    key: KeyMaterial,
    iv: bytes | None,
    aad: bytes,
    *,
    has_tag_behind_data: bool = False,
) -> Decryptor:
    """Decrypt as `decrypt` does, part by part.

    Authenticated suites return everything in `finish`. has_tag_behind_data: where `finish` gets no tag, the last
    bytes of the data are it.
    """
    octets = _reveal_decryption_key(suite, key, iv)
    match suite.kind:
        case CipherKind.BLOCKS:
            return BlockDecryptor(suite, octets, _check_optional_iv(suite, iv))
        case CipherKind.KEY_STREAM:
            return KeyStreamDecryptor(KeyStream(suite, octets, _require_iv(suite, iv)))
        case _:
            iv = _require_iv(suite, iv)
            return _AuthenticatedDecryptor(suite, octets, iv, aad, has_tag_behind_data)


# --- AES-GCM, ChaCha20-Poly1305 -----------------------------------------------------------------


class _GCMEncryptor:
    def __init__(self, key: bytes, iv: bytes, aad: bytes, tag_bytes: int) -> None:
        self._context = Cipher(algorithms.AES(key), modes.GCM(iv)).encryptor()
        self._context.authenticate_additional_data(aad)
        self._tag_bytes = tag_bytes

    def update(self, data: bytes) -> bytes:
        return self._context.update(data)

    def finish(self) -> tuple[bytes, bytes]:
        return self._context.finalize(), self._context.tag[: self._tag_bytes]


class _AuthenticatedDecryptor:
    """Holds the ciphertext back until its tag arrives."""

    def __init__(
        self, suite: Suite, key: bytes, iv: bytes, aad: bytes, has_tag_behind_data: bool
    ) -> None:
        self._suite, self._key, self._iv, self._aad = suite, key, iv, aad
        self._has_tag_behind_data = has_tag_behind_data
        self._parts: list[bytes] = []

    def update(self, data: bytes) -> bytes:
        self._parts.append(data)
        return b""

    def finish(self, tag: bytes | None) -> bytes:
        data = b"".join(self._parts)
        if tag is None and self._has_tag_behind_data:
            data, tag = split_tag(self._suite, data)
        return _decrypt_authenticated(self._suite, self._key, self._iv, self._aad, data, tag)


def split_tag(suite: Suite, data: bytes) -> tuple[bytes, bytes | None]:
    """(ciphertext, tag) of data that has the tag at its end; None for a tag where it is too short."""
    length = suite.tag_bytes
    return (data[:-length], data[-length:]) if 0 < length <= len(data) else (data, None)


def _decrypt_authenticated(
    suite: Suite, key: bytes, iv: bytes, aad: bytes, data: bytes, tag: bytes | None
) -> bytes:
    """The plaintext of an authenticated suite. Raises CryptographicFailure."""
    # A tag must have exactly the suite's length: a caller could guess one of only a few bytes.
    if tag is None or len(tag) != suite.tag_bytes:
        raise decryption_error()
    try:
        if suite.kind is _GCM:
            if len(tag) == FULL_TAG_BYTES:
                return AESGCM(key).decrypt(iv, data + tag, aad)
            return _decrypt_gcm_with_short_tag(key, iv, aad, data, tag)
        if len(tag) == FULL_TAG_BYTES:
            return ChaCha20Poly1305(key).decrypt(iv, data + tag, aad)
        return decrypt_with_short_tag(key, iv, data, tag, aad)
    except InvalidTag:
        raise decryption_error() from None


def _decrypt_gcm_with_short_tag(
    key: bytes, iv: bytes, aad: bytes, data: bytes, tag: bytes
) -> bytes:
    """AES-GCM. Raises InvalidTag."""
    mode = modes.GCM(iv, tag, min_tag_length=len(tag))
    context = Cipher(algorithms.AES(key), mode).decryptor()
    context.authenticate_additional_data(aad)
    return context.update(data) + context.finalize()


# --- keys and IVs -------------------------------------------------------------------------------


def _reveal_key(suite: Suite, key: KeyMaterial) -> bytes:
    octets = key.reveal()
    if len(octets) not in suite.key_lengths:
        raise UnsupportedCryptographicParameters("the key's length does not fit the algorithm")
    return octets


def _reveal_decryption_key(suite: Suite, key: KeyMaterial, iv: bytes | None) -> bytes:
    """As `_reveal_key`, after a check that an encryption could have returned the IV."""
    octets = _reveal_key(suite, key)
    if suite.new_iv_bytes and iv is None:
        raise MissingInitializationVector("decryption needs the IV that the encryption returned")
    if iv is not None and len(iv) not in suite.iv_lengths:
        raise decryption_error()
    return octets


def _check_optional_iv(suite: Suite, iv: bytes | None) -> bytes | None:
    """The IV, checked; None where the suite has none."""
    return _require_iv(suite, iv) if suite.new_iv_bytes or iv is not None else None


def _require_iv(suite: Suite, iv: bytes | None) -> bytes:
    """The IV, checked. Raises MissingInitializationVector, InvalidField."""
    if iv is None:
        raise MissingInitializationVector("an IV is needed")
    check_iv(suite, iv)
    return iv
