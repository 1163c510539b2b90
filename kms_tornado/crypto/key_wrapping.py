"""Wrapping of keys with other keys, and the algorithm that a wrapping key and its parameters select.

AES-KW (RFC 3394), AES-KWP (RFC 5649), AES-GCM, and RSA encryption. A key is wrapped as octets; the
caller decides whether they are its material alone or a KMIP KeyValue in TTLV, and checks the crypto
policy. Unwrapping has one error for every fault.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import CryptographicFailure, InvalidField, UnsupportedCryptographicParameters
from ..kmip.enums import BlockCipherMode, CryptographicAlgorithm
from ..kmip.structures import CryptographicParameters
from .material import KeyMaterial
from .policy import Technique
from .rsa_encryption import RSAEncryptionScheme, choose_rsa_encryption, rsa_decrypt, rsa_encrypt

GCM_NONCE_BYTES = 12
GCM_TAG_BYTES = 16

_AES_KEY_BYTES = frozenset({16, 24, 32})


class WrapAlgorithm(Enum):
    """The value is the Block Cipher Mode that names the algorithm to other parties."""

    KW = BlockCipherMode.NIST_KEY_WRAP
    KWP = BlockCipherMode.AES_KEY_WRAP_PADDING
    GCM = BlockCipherMode.GCM
    RSA = None


_ALGORITHM_OF_MODE: Mapping[BlockCipherMode | None, WrapAlgorithm] = MappingProxyType(
    {
        # AES-KWP takes any length; AES-KW could not wrap most private keys.
        None: WrapAlgorithm.KWP,
        BlockCipherMode.AES_KEY_WRAP_PADDING: WrapAlgorithm.KWP,
        BlockCipherMode.COSMIAN_NIST_KEY_WRAP: WrapAlgorithm.KWP,
        BlockCipherMode.NIST_KEY_WRAP: WrapAlgorithm.KW,
        BlockCipherMode.GCM: WrapAlgorithm.GCM,
        BlockCipherMode.AEAD: WrapAlgorithm.GCM,
    }
)
_TECHNIQUES: Mapping[WrapAlgorithm, Technique] = MappingProxyType(
    {
        WrapAlgorithm.KW: Technique.AES_KW,
        WrapAlgorithm.KWP: Technique.AES_KWP,
        WrapAlgorithm.GCM: Technique.AES_GCM,
    }
)


@dataclass(frozen=True, slots=True)
class WrappingScheme:
    """An algorithm with its parameters.

    technique: what the crypto policy must allow. rsa: present for WrapAlgorithm.RSA only.
    """

    algorithm: WrapAlgorithm
    technique: Technique
    rsa: RSAEncryptionScheme | None = None

    @property
    def parameters(self) -> CryptographicParameters | None:
        """The parameters that name the algorithm to the unwrapping party.

        None where the type of the wrapping key says enough.
        """
        if self.algorithm.value is None:
            return None
        return CryptographicParameters(self.algorithm.value)


def choose_wrapping_scheme(
    key_algorithm: CryptographicAlgorithm | None, requested: CryptographicParameters | None
) -> WrappingScheme:
    """The scheme for a wrapping key of this algorithm, AES-KWP where the parameters name no mode.

    Raises UnsupportedCryptographicParameters.
    """
    if key_algorithm is CryptographicAlgorithm.RSA:
        scheme = choose_rsa_encryption(requested or CryptographicParameters())
        return WrappingScheme(WrapAlgorithm.RSA, scheme.technique, scheme)
    if key_algorithm is not CryptographicAlgorithm.AES:
        raise UnsupportedCryptographicParameters("keys are wrapped by AES and RSA keys")
    algorithm = _ALGORITHM_OF_MODE.get(requested.block_cipher_mode if requested else None)
    if algorithm is None:
        raise UnsupportedCryptographicParameters("AES wraps as AES-KW, AES-KWP or AES-GCM")
    return WrappingScheme(algorithm, _TECHNIQUES[algorithm])


def wrap_key(scheme: WrappingScheme, wrapping_key: KeyMaterial, octets: bytes) -> bytes:
    """The wrapped octets.

    wrapping_key: an AES key, or the SPKI of an RSA key.
    Raises InvalidField for a length that the algorithm does not take.
    """
    if scheme.rsa is not None:
        return rsa_encrypt(wrapping_key.reveal(), scheme.rsa, octets)
    return _WRAP[scheme.algorithm](wrapping_key, octets)


def unwrap_key(scheme: WrappingScheme, wrapping_key: KeyMaterial, wrapped: bytes) -> bytes:
    """The octets that `wrap_key` took.

    wrapping_key: an AES key, or the PKCS#8 of an RSA key.
    Raises CryptographicFailure, the same one for every fault of the wrapped octets.
    """
    if scheme.rsa is not None:
        try:
            return rsa_decrypt(wrapping_key, scheme.rsa, wrapped)
        except CryptographicFailure:
            raise unwrapping_error() from None
    return _UNWRAP[scheme.algorithm](wrapping_key, wrapped)


# --- the AES algorithms -------------------------------------------------------------------------


def wrap_kw(wrapping_key: KeyMaterial, octets: bytes) -> bytes:
    """RFC 3394: 8 bytes longer than the octets.

    Raises InvalidField unless the octets are a multiple of 8 bytes and at least 16.
    """
    if len(octets) < 16 or len(octets) % 8:
        raise InvalidField(
            "AES-KW wraps a multiple of 8 bytes, at least 16: AES-KWP (AESKeyWrapPadding) takes any"
        )
    return keywrap.aes_key_wrap(_reveal_aes_key(wrapping_key), octets)


def unwrap_kw(wrapping_key: KeyMaterial, wrapped: bytes) -> bytes:
    """The octets that `wrap_kw` took. Raises CryptographicFailure."""
    key = _reveal_aes_key(wrapping_key)
    try:
        return keywrap.aes_key_unwrap(key, wrapped)
    except (keywrap.InvalidUnwrap, ValueError):
        raise unwrapping_error() from None


def wrap_kwp(wrapping_key: KeyMaterial, octets: bytes) -> bytes:
    """RFC 5649: up to 15 bytes longer than the octets. Raises InvalidField for no octets."""
    if not octets:
        raise InvalidField("there is nothing to wrap")
    return keywrap.aes_key_wrap_with_padding(_reveal_aes_key(wrapping_key), octets)


def unwrap_kwp(wrapping_key: KeyMaterial, wrapped: bytes) -> bytes:
    """The octets that `wrap_kwp` took. Raises CryptographicFailure."""
    key = _reveal_aes_key(wrapping_key)
    try:
        return keywrap.aes_key_unwrap_with_padding(key, wrapped)
    except (keywrap.InvalidUnwrap, ValueError):
        raise unwrapping_error() from None


def wrap_gcm(wrapping_key: KeyMaterial, octets: bytes, aad: bytes = b"") -> bytes:
    """Nonce (12 bytes) | ciphertext | tag (16), under a random nonce."""
    nonce = os.urandom(GCM_NONCE_BYTES)
    return nonce + AESGCM(_reveal_aes_key(wrapping_key)).encrypt(nonce, octets, aad)


def unwrap_gcm(wrapping_key: KeyMaterial, wrapped: bytes, aad: bytes = b"") -> bytes:
    """The octets that `wrap_gcm` took. Raises CryptographicFailure."""
    key = _reveal_aes_key(wrapping_key)
    if len(wrapped) < GCM_NONCE_BYTES + GCM_TAG_BYTES:
        raise unwrapping_error()
    nonce, ciphertext = wrapped[:GCM_NONCE_BYTES], wrapped[GCM_NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, aad)
    except InvalidTag:
        raise unwrapping_error() from None


_WRAP = {WrapAlgorithm.KW: wrap_kw, WrapAlgorithm.KWP: wrap_kwp, WrapAlgorithm.GCM: wrap_gcm}
_UNWRAP = {
    WrapAlgorithm.KW: unwrap_kw,
    WrapAlgorithm.KWP: unwrap_kwp,
    WrapAlgorithm.GCM: unwrap_gcm,
}


def unwrapping_error() -> CryptographicFailure:
    """The same error whatever was wrong, so that nobody learns which check failed."""
    return CryptographicFailure("unwrapping failed")


def _reveal_aes_key(wrapping_key: KeyMaterial) -> bytes:
    key = wrapping_key.reveal()
    if len(key) not in _AES_KEY_BYTES:
        raise UnsupportedCryptographicParameters("the wrapping key is not an AES key")
    return key
