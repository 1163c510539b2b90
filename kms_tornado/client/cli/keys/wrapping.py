"""How a key is wrapped by another one: ckms's names for the algorithms, and KMIP's."""

from __future__ import annotations

from ....kmip.enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    EncodingOption,
    HashingAlgorithm,
    PaddingMethod,
    WrappingMethod,
)
from ....kmip.objects import EncryptionKeyInformation, KeyWrappingSpecification
from ....kmip.structures import CryptographicParameters

_KWP = CryptographicParameters(block_cipher_mode=BlockCipherMode.AES_KEY_WRAP_PADDING)
_PKCS1_V1_5 = CryptographicParameters(padding_method=PaddingMethod.PKCS1_V1_5)


def _oaep(hashing: HashingAlgorithm) -> CryptographicParameters:
    return CryptographicParameters(padding_method=PaddingMethod.OAEP, hashing_algorithm=hashing)


def _rsa_aes(hashing: HashingAlgorithm) -> CryptographicParameters:
    """CKM_RSA_AES_KEY_WRAP, as ckms asks for it."""
    return CryptographicParameters(
        padding_method=PaddingMethod.NONE,
        hashing_algorithm=hashing,
        cryptographic_algorithm=CryptographicAlgorithm.RSA,
    )


#: The first two are RFC 5649, which ckms calls by both names. PKCS#1 v1.5 has no hash, though ckms names one.
WRAPPING_ALGORITHMS = {
    "aes-key-wrap-padding": _KWP,
    "nist-key-wrap": _KWP,
    "aes-gcm": CryptographicParameters(block_cipher_mode=BlockCipherMode.GCM),
    "rsa-oaep": _oaep(HashingAlgorithm.SHA_256),
    "rsa-oaep-sha1": _oaep(HashingAlgorithm.SHA_1),
    "rsa-aes-key-wrap": _rsa_aes(HashingAlgorithm.SHA_256),
    "rsa-aes-key-wrap-sha1": _rsa_aes(HashingAlgorithm.SHA_1),
    "rsa-pkcs-v15": _PKCS1_V1_5,
    "rsa-pkcs-v15-sha1": _PKCS1_V1_5,
}


def wrapping_parameters(algorithm: str | None) -> CryptographicParameters | None:
    """The parameters; None for the default of the wrapping key: RFC 5649 for AES, OAEP with SHA-256 for RSA."""
    return WRAPPING_ALGORITHMS[algorithm] if algorithm else None


def specify_wrapping(
    wrapping_key: str, algorithm: str | None, encoding: EncodingOption
) -> KeyWrappingSpecification:
    """How the server is to wrap. wrapping_key: an identifier."""
    return KeyWrappingSpecification(
        WrappingMethod.ENCRYPT,
        EncryptionKeyInformation(wrapping_key, wrapping_parameters(algorithm)),
        encoding_option=encoding,
    )
