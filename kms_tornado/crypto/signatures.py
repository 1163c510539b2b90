"""Signatures: RSASSA-PSS and PKCS#1 v1.5 (RFC 8017 §8), ECDSA in DER (RFC 3279), Ed25519 (RFC 8032).

A scheme is chosen from what the key is and what KMIP's Cryptographic Parameters say of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from ..errors import (
    CryptographicFailure,
    InvalidField,
    MissingData,
    UnsupportedCryptographicParameters,
)
from ..kmip.enums import CryptographicAlgorithm, HashingAlgorithm, MaskGenerator, PaddingMethod
from ..kmip.structures import CryptographicParameters
from .hashes import HASHES
from .keys.asymmetric import PrivateKey, PublicKey, load_private, load_public
from .material import KeyMaterial
from .policy import Technique


class SignatureAlgorithm(Enum):
    PSS = "RSASSA-PSS"
    PKCS1 = "RSASSA-PKCS1-v1_5"
    ECDSA = "ECDSA"
    EDDSA = "Ed25519"


_TECHNIQUES: Mapping[SignatureAlgorithm, Technique] = MappingProxyType(
    {
        SignatureAlgorithm.PSS: Technique.RSA_PSS,
        SignatureAlgorithm.PKCS1: Technique.RSA_PKCS1_V1_5_SIGNATURE,
        SignatureAlgorithm.ECDSA: Technique.ECDSA,
        SignatureAlgorithm.EDDSA: Technique.EDDSA,
    }
)


@dataclass(frozen=True, slots=True)
class SignatureScheme:
    """hashing: None for Ed25519, which hashes by itself. mask_hashing, salt_length: of PSS;
    salt_length None: as long as the hash when signing, whatever it is when verifying.
    """

    algorithm: SignatureAlgorithm
    hashing: HashingAlgorithm | None = None
    mask_hashing: HashingAlgorithm | None = None
    salt_length: int | None = None

    @property
    def techniques(self) -> tuple[Technique, ...]:
        """All that a policy must allow."""
        own = _TECHNIQUES[self.algorithm]
        if HashingAlgorithm.SHA_1 in {self.hashing, self.mask_hashing}:
            return (own, Technique.SHA_1_SIGNATURE)
        return (own,)


_H = HashingAlgorithm

#: Digital Signature Algorithm (KMIP 2.1 §11.16) → what it stands for; the hash of RSASSA-PSS is said
#: apart. Those that are missing (MD2, MD5, DSA) are not offered under any policy.
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
        None: SignatureAlgorithm.PSS,  # the one with a proof, where nothing is said
        PaddingMethod.PSS: SignatureAlgorithm.PSS,
        PaddingMethod.PKCS1_V1_5: SignatureAlgorithm.PKCS1,
    }
)


class Signer:
    """A private key and a scheme that fit. Making one loads and checks the key."""

    __slots__ = ("_key", "scheme")

    def __init__(self, private: KeyMaterial, wanted: CryptographicParameters) -> None:
        self._key = load_private(private)
        self.scheme = choose_signature_scheme(self._key, wanted)

    def sign(self, data: bytes, *, is_digest: bool = False) -> bytes:
        """The signature of data, or of what data is the digest of.

        Raises InvalidField for a digest of another length, CryptographicFailure for a key whose
        signatures do not verify: they would give an RSA key's primes away.
        """
        scheme, key = self.scheme, self._key
        hashed = _choose_hash(scheme, data, is_digest=is_digest)
        try:
            if isinstance(key, ed25519.Ed25519PrivateKey):
                return key.sign(data)
            if isinstance(key, ec.EllipticCurvePrivateKey):
                return key.sign(data, ec.ECDSA(_require_hash(hashed)))
            signature = key.sign(
                data, _make_padding(scheme, is_signing=True), _require_hash(hashed)
            )
        except ValueError:  # a salt and a hash that the modulus has no room for; numbers that fail
            raise CryptographicFailure("the key cannot sign with these parameters") from None
        if not _is_valid(key.public_key(), scheme, data, signature, hashed):
            raise CryptographicFailure("the key's numbers do not make a key that works")
        return signature

    def __repr__(self) -> str:
        return f"Signer({self.scheme.algorithm.value})"


class Verifier:
    """A public key (SPKI) and a scheme that fit."""

    __slots__ = ("_key", "scheme")

    def __init__(self, spki: bytes, wanted: CryptographicParameters) -> None:
        self._key = load_public(spki)
        self.scheme = choose_signature_scheme(self._key, wanted)

    def is_valid(self, data: bytes, signature: bytes, *, is_digest: bool = False) -> bool:
        """Whether it is the signature of data, or of what data is the digest of."""
        hashed = _choose_hash(self.scheme, data, is_digest=is_digest)
        return _is_valid(self._key, self.scheme, data, signature, hashed)


def choose_signature_scheme(
    key: PrivateKey | PublicKey, wanted: CryptographicParameters
) -> SignatureScheme:
    """Raises UnsupportedCryptographicParameters where key and parameters do not go together."""
    algorithm, hashing = _look_up_algorithm(wanted)
    hashing = hashing or wanted.hashing_algorithm
    if wanted.hashing_algorithm not in {None, hashing}:
        raise UnsupportedCryptographicParameters(
            "HashingAlgorithm and DigitalSignatureAlgorithm differ"
        )
    if hashing is not None and hashing not in HASHES:
        raise UnsupportedCryptographicParameters(f"signatures over {hashing.name} are not offered")
    match key:
        case rsa.RSAPrivateKey() | rsa.RSAPublicKey():
            return _choose_rsa_scheme(algorithm, hashing, wanted)
        case ec.EllipticCurvePrivateKey() | ec.EllipticCurvePublicKey():
            _check_algorithm(algorithm, SignatureAlgorithm.ECDSA, wanted)
            return SignatureScheme(
                SignatureAlgorithm.ECDSA, hashing or _choose_hash_for_curve(key.curve.key_size)
            )
        case _:
            _check_algorithm(algorithm, SignatureAlgorithm.EDDSA, wanted)
            if hashing not in {None, HashingAlgorithm.SHA_512}:  # the one that Ed25519 has inside
                raise UnsupportedCryptographicParameters("Ed25519 brings its own hash")
            return SignatureScheme(SignatureAlgorithm.EDDSA)


def _look_up_algorithm(
    wanted: CryptographicParameters,
) -> tuple[SignatureAlgorithm | None, HashingAlgorithm | None]:
    number = wanted.digital_signature_algorithm
    if number is None:
        return None, None
    named = DIGITAL_SIGNATURE_ALGORITHMS.get(number)
    if named is None:
        raise UnsupportedCryptographicParameters("the DigitalSignatureAlgorithm is not offered")
    return named


def _choose_rsa_scheme(
    algorithm: SignatureAlgorithm | None,
    hashing: HashingAlgorithm | None,
    wanted: CryptographicParameters,
) -> SignatureScheme:
    if wanted.cryptographic_algorithm not in {None, CryptographicAlgorithm.RSA}:
        raise _mismatch_error()
    if wanted.padding_method not in _PADDINGS:
        raise UnsupportedCryptographicParameters("an RSA signature has PSS or PKCS1v1.5 padding")
    padded = _PADDINGS[wanted.padding_method]
    if algorithm is not None and (
        algorithm not in {SignatureAlgorithm.PSS, SignatureAlgorithm.PKCS1}
        or (wanted.padding_method and padded is not algorithm)
    ):
        raise _mismatch_error()
    algorithm = algorithm or padded
    hashing = hashing or HashingAlgorithm.SHA_256
    if algorithm is SignatureAlgorithm.PKCS1:
        return SignatureScheme(algorithm, hashing)
    if wanted.mask_generator not in {None, MaskGenerator.MGF1}:
        raise UnsupportedCryptographicParameters("the mask generator is MGF1")
    if wanted.trailer_field not in {None, 1}:
        raise UnsupportedCryptographicParameters("the trailer field is 1")
    # Where nothing is said, the signature's own hash: profile case CS-AC-M-2 needs it, though the
    # text of KMIP 2.1 §4.16 speaks of SHA-1.
    mask_hashing = wanted.mask_generator_hashing_algorithm or hashing
    if mask_hashing not in HASHES:
        raise UnsupportedCryptographicParameters(f"MGF1 with {mask_hashing.name} is not offered")
    salt = wanted.salt_length
    if salt is not None and not 0 <= salt <= 512:  # no modulus has room for more
        raise UnsupportedCryptographicParameters("the salt length is out of range")
    return SignatureScheme(algorithm, hashing, mask_hashing, salt)


def _check_algorithm(
    algorithm: SignatureAlgorithm | None, own: SignatureAlgorithm, wanted: CryptographicParameters
) -> None:
    algorithms = {None, CryptographicAlgorithm.EC}
    algorithms.add(
        CryptographicAlgorithm.ECDSA
        if own is SignatureAlgorithm.ECDSA
        else CryptographicAlgorithm.ED25519
    )
    if algorithm not in {None, own} or wanted.cryptographic_algorithm not in algorithms:
        raise _mismatch_error()
    if wanted.padding_method not in {None, PaddingMethod.NONE}:
        raise UnsupportedCryptographicParameters(f"{own.value} has no padding")


def _mismatch_error() -> UnsupportedCryptographicParameters:
    return UnsupportedCryptographicParameters("the key is for another algorithm")


def _choose_hash_for_curve(bits: int) -> HashingAlgorithm:
    """As strong as the curve (RFC 5656 §6.2.1)."""
    if bits <= 256:
        return HashingAlgorithm.SHA_256
    return HashingAlgorithm.SHA_384 if bits <= 384 else HashingAlgorithm.SHA_512


_Hash = hashes.HashAlgorithm | utils.Prehashed


def _choose_hash(scheme: SignatureScheme, data: bytes, *, is_digest: bool) -> _Hash | None:
    if scheme.hashing is None:
        if is_digest:
            raise InvalidField("Ed25519 signs the data itself, not its digest")
        return None
    hashing = HASHES[scheme.hashing]
    if not is_digest:
        return hashing
    if len(data) != hashing.digest_size:
        raise InvalidField(f"a digest by {scheme.hashing.name} has {hashing.digest_size} bytes")
    return utils.Prehashed(hashing)


def _require_hash(hashed: _Hash | None) -> _Hash:
    if hashed is None:  # no scheme but Ed25519's goes without
        raise MissingData("HashingAlgorithm is missing")
    return hashed


def _is_valid(
    key: PublicKey, scheme: SignatureScheme, data: bytes, signature: bytes, hashed: _Hash | None
) -> bool:
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(_require_hash(hashed)))
        else:
            key.verify(
                signature, data, _make_padding(scheme, is_signing=False), _require_hash(hashed)
            )
    except (InvalidSignature, ValueError):
        return False
    return True


def _make_padding(scheme: SignatureScheme, *, is_signing: bool) -> padding.PSS | padding.PKCS1v15:
    if scheme.algorithm is SignatureAlgorithm.PKCS1 or scheme.mask_hashing is None:
        return padding.PKCS1v15()
    salt: object = scheme.salt_length
    if salt is None:
        salt = padding.PSS.DIGEST_LENGTH if is_signing else padding.PSS.AUTO
    return padding.PSS(padding.MGF1(HASHES[scheme.mask_hashing]), salt)  # type: ignore[arg-type]
