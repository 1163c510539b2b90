"""Signature schemes: the algorithm, hash and salt that a key and Cryptographic Parameters select."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

from ...errors import UnsupportedCryptographicParameters
from ...kmip.enums import CryptographicAlgorithm, HashingAlgorithm, MaskGenerator, PaddingMethod
from ...kmip.structures import CryptographicParameters
from ...kmip.tables import format_name
from ..hashes import HASHES
from ..keys.library_keys import PrivateKey, PublicKey
from ..policy import Technique


class SignatureAlgorithm(Enum):
    PSS = "RSASSA-PSS"
    PKCS1 = "RSASSA-PKCS1-v1_5"
    ECDSA = "ECDSA"
    ED25519 = "Ed25519"
    ED448 = "Ed448"


_TECHNIQUES: Mapping[SignatureAlgorithm, Technique] = MappingProxyType(
    {
        SignatureAlgorithm.PSS: Technique.RSA_PSS,
        SignatureAlgorithm.PKCS1: Technique.RSA_PKCS1_V1_5_SIGNATURE,
        SignatureAlgorithm.ECDSA: Technique.ECDSA,
        SignatureAlgorithm.ED25519: Technique.EDDSA,
        SignatureAlgorithm.ED448: Technique.EDDSA,
    }
)


@dataclass(frozen=True, slots=True)
class SignatureScheme:
    """A signature algorithm with its parameters.

    hashing: None for Ed25519 and Ed448, which have a hash of their own.
    mask_hashing, salt_length: for PSS. salt_length None: as long as the hash when signing, any length when verifying.
    """

    algorithm: SignatureAlgorithm
    hashing: HashingAlgorithm | None = None
    mask_hashing: HashingAlgorithm | None = None
    salt_length: int | None = None

    @property
    def techniques(self) -> tuple[Technique, ...]:
        """All techniques that the crypto policy must allow."""
        own = _TECHNIQUES[self.algorithm]
        if HashingAlgorithm.SHA_1 in {self.hashing, self.mask_hashing}:
            return (own, Technique.SHA_1_SIGNATURE)
        return (own,)


_H = HashingAlgorithm

#: Digital Signature Algorithm (KMIP 2.1 §11.16) → algorithm and hash; RSASSA-PSS leaves its hash to
#: the Hashing Algorithm. Those that are missing (MD2, MD5, DSA) are not offered under any policy.
DIGITAL_SIGNATURE_ALGORITHMS: Mapping[int, tuple[SignatureAlgorithm, HashingAlgorithm | None]] = (
    MappingProxyType(
        {
            0x03: (SignatureAlgorithm.PKCS1, _H.SHA_1),
            0x04: (SignatureAlgorithm.PKCS1, _H.SHA_224),
            0x05: (SignatureAlgorithm.PKCS1, _H.SHA_256),
            0x06: (SignatureAlgorithm.PKCS1, _H.SHA_384),
            0x07: (SignatureAlgorithm.PKCS1, _H.SHA_512),
            0x08: (SignatureAlgorithm.PSS, None),
            0x0C: (SignatureAlgorithm.ECDSA, _H.SHA_1),
            0x0D: (SignatureAlgorithm.ECDSA, _H.SHA_224),
            0x0E: (SignatureAlgorithm.ECDSA, _H.SHA_256),
            0x0F: (SignatureAlgorithm.ECDSA, _H.SHA_384),
            0x10: (SignatureAlgorithm.ECDSA, _H.SHA_512),
            0x11: (SignatureAlgorithm.PKCS1, _H.SHA3_256),
            0x12: (SignatureAlgorithm.PKCS1, _H.SHA3_384),
            0x13: (SignatureAlgorithm.PKCS1, _H.SHA3_512),
        }
    )
)

_PADDINGS = MappingProxyType(
    {
        None: SignatureAlgorithm.PSS,  # by default the one with a security proof
        PaddingMethod.PSS: SignatureAlgorithm.PSS,
        PaddingMethod.PKCS1_V1_5: SignatureAlgorithm.PKCS1,
    }
)


def choose_signature_scheme(
    key: PrivateKey | PublicKey, requested: CryptographicParameters
) -> SignatureScheme:
    """The scheme that the parameters select for the key.

    Raises UnsupportedCryptographicParameters where the two do not fit together.
    """
    algorithm, hashing = _look_up_algorithm(requested)
    hashing = hashing or requested.hashing_algorithm
    if requested.hashing_algorithm not in {None, hashing}:
        raise UnsupportedCryptographicParameters(
            "HashingAlgorithm and DigitalSignatureAlgorithm differ"
        )
    if hashing is not None and hashing not in HASHES:
        raise UnsupportedCryptographicParameters(
            f"signatures over {format_name(hashing)} are not offered"
        )
    match key:
        case rsa.RSAPrivateKey() | rsa.RSAPublicKey():
            return _choose_rsa_scheme(algorithm, hashing, requested)
        case ec.EllipticCurvePrivateKey() | ec.EllipticCurvePublicKey():
            _check_algorithm(algorithm, SignatureAlgorithm.ECDSA, requested)
            return SignatureScheme(
                SignatureAlgorithm.ECDSA, hashing or _choose_hash_for_curve(key.curve.key_size)
            )
        case ed448.Ed448PrivateKey() | ed448.Ed448PublicKey():
            own, own_hashing = SignatureAlgorithm.ED448, None  # KMIP has no name for its SHAKE256
        case _:
            own, own_hashing = SignatureAlgorithm.ED25519, HashingAlgorithm.SHA_512
    _check_algorithm(algorithm, own, requested)
    if hashing not in {None, own_hashing}:
        raise UnsupportedCryptographicParameters(f"{own.value} brings its own hash")
    return SignatureScheme(own)


def _look_up_algorithm(
    requested: CryptographicParameters,
) -> tuple[SignatureAlgorithm | None, HashingAlgorithm | None]:
    number = requested.digital_signature_algorithm
    if number is None:
        return None, None
    algorithm_and_hash = DIGITAL_SIGNATURE_ALGORITHMS.get(number)
    if algorithm_and_hash is None:
        raise UnsupportedCryptographicParameters("the DigitalSignatureAlgorithm is not offered")
    return algorithm_and_hash


def _choose_rsa_scheme(
    algorithm: SignatureAlgorithm | None,
    hashing: HashingAlgorithm | None,
    requested: CryptographicParameters,
) -> SignatureScheme:
    if requested.cryptographic_algorithm not in {None, CryptographicAlgorithm.RSA}:
        raise _mismatch_error()
    if requested.padding_method not in _PADDINGS:
        raise UnsupportedCryptographicParameters("an RSA signature has PSS or PKCS1v1.5 padding")
    padding_algorithm = _PADDINGS[requested.padding_method]
    if algorithm is not None and (
        algorithm not in {SignatureAlgorithm.PSS, SignatureAlgorithm.PKCS1}
        or (requested.padding_method and padding_algorithm is not algorithm)
    ):
        raise _mismatch_error()
    algorithm = algorithm or padding_algorithm
    hashing = hashing or HashingAlgorithm.SHA_256
    if algorithm is SignatureAlgorithm.PKCS1:
        return SignatureScheme(algorithm, hashing)
    if requested.mask_generator not in {None, MaskGenerator.MGF1}:
        raise UnsupportedCryptographicParameters("the mask generator is MGF1")
    if requested.trailer_field not in {None, 1}:
        raise UnsupportedCryptographicParameters("the trailer field is 1")
    # The default is the signature's own hash: profile case CS-AC-M-2 needs it, though the text of
    # KMIP 2.1 §4.16 says SHA-1.
    mask_hashing = requested.mask_generator_hashing_algorithm or hashing
    if mask_hashing not in HASHES:
        raise UnsupportedCryptographicParameters(
            f"MGF1 with {format_name(mask_hashing)} is not offered"
        )
    salt = requested.salt_length
    if salt is not None and not 0 <= salt <= 512:  # no modulus has room for more
        raise UnsupportedCryptographicParameters("the salt length is out of range")
    return SignatureScheme(algorithm, hashing, mask_hashing, salt)


def _check_algorithm(
    algorithm: SignatureAlgorithm | None,
    own: SignatureAlgorithm,
    requested: CryptographicParameters,
) -> None:
    algorithms = {None, CryptographicAlgorithm.EC, CryptographicAlgorithm[own.value.upper()]}
    if algorithm not in {None, own} or requested.cryptographic_algorithm not in algorithms:
        raise _mismatch_error()
    if requested.padding_method not in {None, PaddingMethod.NONE}:
        raise UnsupportedCryptographicParameters(f"{own.value} has no padding")


def _mismatch_error() -> UnsupportedCryptographicParameters:
    return UnsupportedCryptographicParameters("the key is for another algorithm")


def _choose_hash_for_curve(bits: int) -> HashingAlgorithm:
    """The hash that is as strong as the curve (RFC 5656 §6.2.1)."""
    if bits <= 256:
        return HashingAlgorithm.SHA_256
    return HashingAlgorithm.SHA_384 if bits <= 384 else HashingAlgorithm.SHA_512
