"""RSA encryption: OAEP (RFC 8017 §7.1), and PKCS#1 v1.5 (§7.2) where the policy allows it.

Decryption raises the same error for every fault.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ...errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidField,
    UnsupportedCryptographicParameters,
)
from ...kmip.enums import CryptographicAlgorithm, HashingAlgorithm, MaskGenerator, PaddingMethod
from ...kmip.structures import CryptographicParameters
from ...kmip.tables import format_name
from ..hashes import HASHES
from ..keys.loading import load_private, load_public
from ..material import KeyMaterial
from ..policy import Technique

_H = HashingAlgorithm
#: The hashes that `cryptography` offers for the label and the mask of OAEP.
_OAEP_HASHES = frozenset({_H.SHA_1, _H.SHA_224, _H.SHA_256, _H.SHA_384, _H.SHA_512})


@dataclass(frozen=True, slots=True)
class RSAEncryptionScheme:
    """RSA encryption with its parameters.

    technique: the technique that the crypto policy must allow.
    label: KMIP's P Source.
    """

    technique: Technique
    hashing: HashingAlgorithm = HashingAlgorithm.SHA_256
    mask_hashing: HashingAlgorithm = HashingAlgorithm.SHA_256
    label: bytes = b""

    @property
    def parameters(self) -> CryptographicParameters:
        """The parameters that choose it, with no default left out."""
        if self.technique is Technique.RSA_PKCS1_V1_5_ENCRYPTION:
            return CryptographicParameters(padding_method=PaddingMethod.PKCS1_V1_5)
        return CryptographicParameters(
            padding_method=PaddingMethod.OAEP,
            hashing_algorithm=self.hashing,
            mask_generator=MaskGenerator.MGF1,
            mask_generator_hashing_algorithm=self.mask_hashing,
            p_source=self.label or None,
        )


def choose_rsa_encryption(requested: CryptographicParameters) -> RSAEncryptionScheme:
    """The scheme of the parameters, by default OAEP with SHA-256.

    Raises UnsupportedCryptographicParameters, BadCryptographicParameters.
    """
    if requested.cryptographic_algorithm not in {None, CryptographicAlgorithm.RSA}:
        raise UnsupportedCryptographicParameters("the key is for another algorithm")
    if requested.digital_signature_algorithm is not None:
        raise BadCryptographicParameters("DigitalSignatureAlgorithm is for signatures")
    if requested.padding_method is PaddingMethod.PKCS1_V1_5:
        return RSAEncryptionScheme(Technique.RSA_PKCS1_V1_5_ENCRYPTION)
    if requested.padding_method not in {None, PaddingMethod.OAEP}:
        raise UnsupportedCryptographicParameters("RSA encrypts with OAEP")
    if requested.mask_generator not in {None, MaskGenerator.MGF1}:
        raise UnsupportedCryptographicParameters("the mask generator is MGF1")
    hashing = requested.hashing_algorithm or HashingAlgorithm.SHA_256
    mask_hashing = requested.mask_generator_hashing_algorithm or hashing
    for algorithm in (hashing, mask_hashing):
        if algorithm not in _OAEP_HASHES:
            raise UnsupportedCryptographicParameters(
                f"OAEP with {format_name(algorithm)} is not offered"
            )
    return RSAEncryptionScheme(Technique.RSA_OAEP, hashing, mask_hashing, requested.p_source or b"")


def rsa_encrypt(spki: bytes, scheme: RSAEncryptionScheme, data: bytes) -> bytes:
    """The ciphertext.

    Raises InvalidField where the data is too long for the key, UnsupportedCryptographicParameters
    where the server does not use the key, CryptographicFailure where the key does not work.
    """
    key = load_public(spki)
    if not isinstance(key, rsa.RSAPublicKey):
        raise UnsupportedCryptographicParameters("only RSA keys encrypt")
    longest = _measure_longest_plaintext(key.key_size, scheme)
    if len(data) > longest:
        raise InvalidField(
            f"this RSA key takes {max(longest, 0)} bytes at once, and there are {len(data)}: "
            "take a longer key, or an AES key"
        )
    try:
        return key.encrypt(data, _make_padding(scheme))
    except ValueError:  # numbers that the library does not accept as a key
        raise CryptographicFailure("the key cannot encrypt with these parameters") from None


def rsa_decrypt(private: KeyMaterial, scheme: RSAEncryptionScheme, data: bytes) -> bytes:
    """The plaintext.

    Raises CryptographicFailure, the same for every fault of data, padding or label.
    """
    key = load_private(private)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UnsupportedCryptographicParameters("only RSA keys decrypt")
    try:
        return key.decrypt(data, _make_padding(scheme))
    except ValueError:
        raise CryptographicFailure("decryption failed") from None


def _measure_longest_plaintext(key_bits: int, scheme: RSAEncryptionScheme) -> int:
    """The longest plaintext, in bytes; negative where the modulus is too short for the hash."""
    size = (key_bits + 7) // 8
    if scheme.technique is Technique.RSA_PKCS1_V1_5_ENCRYPTION:
        return size - 11
    return size - 2 * HASHES[scheme.hashing].digest_size - 2


def _make_padding(scheme: RSAEncryptionScheme) -> padding.OAEP | padding.PKCS1v15:
    if scheme.technique is Technique.RSA_PKCS1_V1_5_ENCRYPTION:
        return padding.PKCS1v15()
    return padding.OAEP(
        padding.MGF1(HASHES[scheme.mask_hashing]), HASHES[scheme.hashing], scheme.label or None
    )
