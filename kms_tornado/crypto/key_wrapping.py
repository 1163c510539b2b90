"""Keys under other keys: which way a wrapping key and its parameters mean, and the way itself.

A key is wrapped as octets; whether they are its material alone or a KeyValue in TTLV is KMIP's affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from ..errors import CryptographicFailure, UnsupportedCryptographicParameters
from ..kmip.enums import BlockCipherMode, CryptographicAlgorithm
from ..kmip.structures import CryptographicParameters
from .key_wrap import (
    unwrap_gcm,
    unwrap_kw,
    unwrap_kwp,
    unwrapping_failed,
    wrap_gcm,
    wrap_kw,
    wrap_kwp,
)
from .material import KeyMaterial
from .policy import Technique
from .rsa_encryption import EncryptionScheme, encryption_scheme, rsa_decrypt, rsa_encrypt


class Way(Enum):
    """The value: the Block Cipher Mode that says so to others."""

    KW = BlockCipherMode.NIST_KEY_WRAP
    KWP = BlockCipherMode.AES_KEY_WRAP_PADDING
    GCM = BlockCipherMode.GCM
    RSA = None


_WAYS: Mapping[BlockCipherMode | None, Way] = MappingProxyType(
    {
        # Takes any length; RFC 3394 alone could not wrap most private keys.
        None: Way.KWP,
        BlockCipherMode.AES_KEY_WRAP_PADDING: Way.KWP,
        BlockCipherMode.COSMIAN_NIST_KEY_WRAP: Way.KWP,
        BlockCipherMode.NIST_KEY_WRAP: Way.KW,
        BlockCipherMode.GCM: Way.GCM,
        BlockCipherMode.AEAD: Way.GCM,
    }
)
_TECHNIQUES: Mapping[Way, Technique] = MappingProxyType(
    {Way.KW: Technique.AES_KW, Way.KWP: Technique.AES_KWP, Way.GCM: Technique.AES_GCM}
)
_WRAP = {Way.KW: wrap_kw, Way.KWP: wrap_kwp, Way.GCM: wrap_gcm}
_UNWRAP = {Way.KW: unwrap_kw, Way.KWP: unwrap_kwp, Way.GCM: unwrap_gcm}


@dataclass(frozen=True, slots=True)
class WrappingScheme:
    """technique: what a policy must allow. rsa: of Way.RSA alone."""

    way: Way
    technique: Technique
    rsa: EncryptionScheme | None = None

    @property
    def parameters(self) -> CryptographicParameters | None:
        """What names the way to who unwraps; None: nothing but the key's kind is needed."""
        return None if self.way.value is None else CryptographicParameters(self.way.value)


def wrapping_scheme(
    algorithm: CryptographicAlgorithm | None, wanted: CryptographicParameters | None
) -> WrappingScheme:
    """algorithm: the wrapping key's. Raises UnsupportedCryptographicParameters."""
    if algorithm is CryptographicAlgorithm.RSA:
        scheme = encryption_scheme(wanted or CryptographicParameters())
        return WrappingScheme(Way.RSA, scheme.technique, scheme)
    if algorithm is not CryptographicAlgorithm.AES:
        raise UnsupportedCryptographicParameters("keys are wrapped by AES and RSA keys")
    way = _WAYS.get(wanted.block_cipher_mode if wanted else None)
    if way is None:
        raise UnsupportedCryptographicParameters("AES wraps as AES-KW, AES-KWP or AES-GCM")
    return WrappingScheme(way, _TECHNIQUES[way])


def wrap(scheme: WrappingScheme, wrapping_key: KeyMaterial, octets: bytes) -> bytes:
    """wrapping_key: an AES key, or the SPKI of an RSA key. Raises InvalidField for a length that the
    way does not take.
    """
    if scheme.rsa is not None:
        return rsa_encrypt(wrapping_key.reveal(), scheme.rsa, octets)
    return _WRAP[scheme.way](wrapping_key, octets)


def unwrap(scheme: WrappingScheme, wrapping_key: KeyMaterial, wrapped: bytes) -> bytes:
    """wrapping_key: an AES key, or the PKCS#8 of an RSA key. Raises CryptographicFailure, one for every
    fault of what was wrapped.
    """
    if scheme.rsa is not None:
        try:
            return rsa_decrypt(wrapping_key, scheme.rsa, wrapped)
        except CryptographicFailure:
            raise unwrapping_failed() from None
    return _UNWRAP[scheme.way](wrapping_key, wrapped)
