"""Wrapping of keys with other keys, and the algorithm that a wrapping key and its parameters select.

AES-KW (RFC 3394), AES-KWP (RFC 5649), AES-GCM, RSA encryption, and CKM_RSA_AES_KEY_WRAP (PKCS#11 v3.0 §2.1.21),
which is how cloud providers take keys: an AES key of its own wraps, and RSA encrypts that. A key is wrapped as
octets; the caller decides whether they are its material alone or a KMIP KeyValue in TTLV, and checks the crypto
policy. Unwrapping has one error for every fault.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ...errors import CryptographicFailure, InvalidField, UnsupportedCryptographicParameters
from ...kmip.enums import BlockCipherMode, CryptographicAlgorithm, PaddingMethod
from ...kmip.structures import CryptographicParameters
from ..keys.loading import measure_rsa_modulus
from ..material import KeyMaterial
from ..policy import Technique
from .rsa_encryption import RSAEncryptionScheme, choose_rsa_encryption, rsa_decrypt, rsa_encrypt

GCM_NONCE_BYTES = 12
GCM_TAG_BYTES = 16

#: Most bytes that AES-KW and AES-KWP take: they go over all of them six times, eight bytes at once, in one call that
#: holds the interpreter's lock. 128 KiB take some 10 ms; no key is as long.
MAX_KEY_WRAP_BYTES = 128 * 1024
#: What an algorithm adds to the octets at most: a checksum and padding of AES-KWP.
_KEY_WRAP_OVERHEAD = 16

_AES_KEY_BYTES = frozenset({16, 24, 32})
#: The length of the AES key that RSA_AES makes for each key: the strongest one, which all providers accept.
_EPHEMERAL_KEY_BYTES = 32


class WrapAlgorithm(Enum):
    """How a key is wrapped.

    RSA_AES: an AES key that is used once wraps it with AES-KWP, and RSA-OAEP encrypts the AES key.
    """

    KW = "AES-KW"
    KWP = "AES-KWP"
    GCM = "AES-GCM"
    RSA = "RSA"
    RSA_AES = "RSA and AES-KWP"


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
#: The Block Cipher Mode that names the algorithm to other parties.
_MODES: Mapping[WrapAlgorithm, BlockCipherMode] = MappingProxyType(
    {
        WrapAlgorithm.KW: BlockCipherMode.NIST_KEY_WRAP,
        WrapAlgorithm.KWP: BlockCipherMode.AES_KEY_WRAP_PADDING,
        WrapAlgorithm.GCM: BlockCipherMode.GCM,
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

    technique: the technique that the crypto policy must allow.
    rsa: present for WrapAlgorithm.RSA and RSA_AES only.
    """

    algorithm: WrapAlgorithm
    technique: Technique
    rsa: RSAEncryptionScheme | None = None

    @property
    def parameters(self) -> CryptographicParameters:
        """All parameters that the unwrapping party needs: defaults of this server need not be those of another."""
        if self.rsa is None:
            return CryptographicParameters(_MODES[self.algorithm])
        if self.algorithm is WrapAlgorithm.RSA:
            return self.rsa.parameters
        return dataclasses.replace(
            self.rsa.parameters,
            padding_method=PaddingMethod.NONE,
            cryptographic_algorithm=CryptographicAlgorithm.RSA,
        )


def choose_wrapping_scheme(
    key_algorithm: CryptographicAlgorithm | None, requested: CryptographicParameters | None
) -> WrappingScheme:
    """The scheme for a wrapping key of this algorithm, AES-KWP where the parameters name no mode.

    Raises UnsupportedCryptographicParameters.
    """
    if key_algorithm is CryptographicAlgorithm.RSA:
        return _choose_rsa_scheme(requested or CryptographicParameters())
    if key_algorithm is not CryptographicAlgorithm.AES:
        raise UnsupportedCryptographicParameters("keys are wrapped by AES and RSA keys")
    algorithm = _ALGORITHM_OF_MODE.get(requested.block_cipher_mode if requested else None)
    if algorithm is None:
        raise UnsupportedCryptographicParameters("AES wraps as AES-KW, AES-KWP or AES-GCM")
    return WrappingScheme(algorithm, _TECHNIQUES[algorithm])


def _choose_rsa_scheme(requested: CryptographicParameters) -> WrappingScheme:
    """RSA encryption, or RSA_AES where the parameters ask for it.

    KMIP has no name for CKM_RSA_AES_KEY_WRAP. Cosmian's clients ask for it by PaddingMethod None, and older ones
    by the algorithm AES, which together with an RSA key means nothing else.
    """
    names_aes = (
        requested.cryptographic_algorithm is CryptographicAlgorithm.AES
        and requested.padding_method in {None, PaddingMethod.OAEP, PaddingMethod.NONE}
        and _ALGORITHM_OF_MODE.get(requested.block_cipher_mode) is WrapAlgorithm.KWP
    )
    if not names_aes and requested.padding_method is not PaddingMethod.NONE:
        scheme = choose_rsa_encryption(requested)
        return WrappingScheme(WrapAlgorithm.RSA, scheme.technique, scheme)
    scheme = choose_rsa_encryption(
        dataclasses.replace(
            requested,
            padding_method=PaddingMethod.OAEP,
            cryptographic_algorithm=None if names_aes else requested.cryptographic_algorithm,
        )
    )
    return WrappingScheme(WrapAlgorithm.RSA_AES, scheme.technique, scheme)


def wrap_key(scheme: WrappingScheme, wrapping_key: KeyMaterial, octets: bytes) -> bytes:
    """The wrapped octets.

    wrapping_key: an AES key, or the SPKI of an RSA key.
    Raises InvalidField for a length that the algorithm does not take.
    """
    if scheme.rsa is not None:
        if scheme.algorithm is WrapAlgorithm.RSA_AES:
            return _wrap_rsa_aes(wrapping_key, scheme.rsa, octets)
        return rsa_encrypt(wrapping_key.reveal(), scheme.rsa, octets)
    return _WRAP[scheme.algorithm](wrapping_key, octets)


def unwrap_key(scheme: WrappingScheme, wrapping_key: KeyMaterial, wrapped: bytes) -> bytes:
    """The octets that `wrap_key` took.

    wrapping_key: an AES key, or the PKCS#8 of an RSA key.
    Raises CryptographicFailure, the same one for every fault of the wrapped octets, and InvalidField for more
    octets than the algorithm takes.
    """
    if scheme.rsa is not None:
        try:
            if scheme.algorithm is WrapAlgorithm.RSA_AES:
                return _unwrap_rsa_aes(wrapping_key, scheme.rsa, wrapped)
            return rsa_decrypt(wrapping_key, scheme.rsa, wrapped)
        except CryptographicFailure:
            raise unwrapping_error() from None
    return _UNWRAP[scheme.algorithm](wrapping_key, wrapped)


# --- RSA and AES --------------------------------------------------------------------------------


def _wrap_rsa_aes(public: KeyMaterial, scheme: RSAEncryptionScheme, octets: bytes) -> bytes:
    """The encrypted AES key, as long as the modulus, then the octets that it wraps."""
    ephemeral = KeyMaterial(os.urandom(_EPHEMERAL_KEY_BYTES))
    wrapped = wrap_kwp(ephemeral, octets)
    return rsa_encrypt(public.reveal(), scheme, ephemeral.reveal()) + wrapped


def _unwrap_rsa_aes(private: KeyMaterial, scheme: RSAEncryptionScheme, wrapped: bytes) -> bytes:
    """The octets that `_wrap_rsa_aes` took. Raises CryptographicFailure."""
    size = measure_rsa_modulus(private)
    ephemeral = rsa_decrypt(private, scheme, wrapped[:size])
    if len(ephemeral) not in _AES_KEY_BYTES:
        raise unwrapping_error()
    return unwrap_kwp(KeyMaterial(ephemeral), wrapped[size:])


# --- the AES algorithms -------------------------------------------------------------------------


def wrap_kw(wrapping_key: KeyMaterial, octets: bytes) -> bytes:
    """RFC 3394: 8 bytes longer than the octets.

    Raises InvalidField unless the octets are a multiple of 8 bytes, at least 16 and not too many.
    """
    _check_key_wrap_size(len(octets))
    if len(octets) < 16 or len(octets) % 8:
        raise InvalidField(
            "AES-KW wraps a multiple of 8 bytes, at least 16: AES-KWP (AESKeyWrapPadding) takes any"
        )
    return keywrap.aes_key_wrap(_reveal_aes_key(wrapping_key), octets)


def unwrap_kw(wrapping_key: KeyMaterial, wrapped: bytes) -> bytes:
    """The octets that `wrap_kw` took. Raises CryptographicFailure, and InvalidField for too many."""
    _check_key_wrap_size(len(wrapped) - _KEY_WRAP_OVERHEAD)
    key = _reveal_aes_key(wrapping_key)
    try:
        return keywrap.aes_key_unwrap(key, wrapped)
    except (keywrap.InvalidUnwrap, ValueError):
        raise unwrapping_error() from None


def wrap_kwp(wrapping_key: KeyMaterial, octets: bytes) -> bytes:
    """RFC 5649: up to 15 bytes longer than the octets. Raises InvalidField for none, or too many."""
    _check_key_wrap_size(len(octets))
    if not octets:
        raise InvalidField("there is nothing to wrap")
    return keywrap.aes_key_wrap_with_padding(_reveal_aes_key(wrapping_key), octets)


def unwrap_kwp(wrapping_key: KeyMaterial, wrapped: bytes) -> bytes:
    """The octets that `wrap_kwp` took. Raises CryptographicFailure, and InvalidField for too many."""
    _check_key_wrap_size(len(wrapped) - _KEY_WRAP_OVERHEAD)
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


def _check_key_wrap_size(size: int) -> None:
    if size > MAX_KEY_WRAP_BYTES:
        raise InvalidField(
            f"AES key wrap takes at most {MAX_KEY_WRAP_BYTES} bytes: AES-GCM (BlockCipherMode GCM) takes more"
        )


def _reveal_aes_key(wrapping_key: KeyMaterial) -> bytes:
    key = wrapping_key.reveal()
    if len(key) not in _AES_KEY_BYTES:
        raise UnsupportedCryptographicParameters("the wrapping key is not an AES key")
    return key
