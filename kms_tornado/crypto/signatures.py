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


class Kind(Enum):
    PSS = "RSASSA-PSS"
    PKCS1 = "RSASSA-PKCS1-v1_5"
    ECDSA = "ECDSA"
    EDDSA = "Ed25519"


_TECHNIQUES: Mapping[Kind, Technique] = MappingProxyType(
    {
        Kind.PSS: Technique.RSA_PSS,
        Kind.PKCS1: Technique.RSA_PKCS1_V1_5_SIGNATURE,
        Kind.ECDSA: Technique.ECDSA,
        Kind.EDDSA: Technique.EDDSA,
    }
)


@dataclass(frozen=True, slots=True)
class Scheme:
    """hashing: None for Ed25519, which hashes by itself. mask_hashing, salt_length: of PSS;
    salt_length None: as long as the hash when signing, whatever it is when verifying.
    """

    kind: Kind
    hashing: HashingAlgorithm | None = None
    mask_hashing: HashingAlgorithm | None = None
    salt_length: int | None = None

    @property
    def techniques(self) -> tuple[Technique, ...]:
        """All that a policy must allow."""
        own = _TECHNIQUES[self.kind]
        if HashingAlgorithm.SHA_1 in {self.hashing, self.mask_hashing}:
            return (own, Technique.SHA_1_SIGNATURE)
        return (own,)


_H = HashingAlgorithm

#: Digital Signature Algorithm (KMIP 2.1 §11.16) → what it stands for; the hash of RSASSA-PSS is said
#: apart. Those that are missing (MD2, MD5, DSA) are not offered under any policy.
DIGITAL_SIGNATURE_ALGORITHMS: Mapping[int, tuple[Kind, HashingAlgorithm | None]] = MappingProxyType(
    {
        0x03: (Kind.PKCS1, _H.SHA_1),
        0x04: (Kind.PKCS1, _H.SHA_224),
        0x05: (Kind.PKCS1, _H.SHA_256),
        0x06: (Kind.PKCS1, _H.SHA_384),
        0x07: (Kind.PKCS1, _H.SHA_512),
        0x08: (Kind.PSS, None),
        0x0C: (Kind.ECDSA, _H.SHA_1),
        0x0D: (Kind.ECDSA, _H.SHA_224),
        0x0E: (Kind.ECDSA, _H.SHA_256),
        0x0F: (Kind.ECDSA, _H.SHA_384),
        0x10: (Kind.ECDSA, _H.SHA_512),
        0x11: (Kind.PKCS1, _H.SHA3_256),
        0x12: (Kind.PKCS1, _H.SHA3_384),
        0x13: (Kind.PKCS1, _H.SHA3_512),
    }
)

_PADDINGS = MappingProxyType(
    {
        None: Kind.PSS,  # the one with a proof, where nothing is said
        PaddingMethod.PSS: Kind.PSS,
        PaddingMethod.PKCS1_V1_5: Kind.PKCS1,
    }
)


class Signer:
    """A private key and a scheme that fit. Making one loads and checks the key."""

    __slots__ = ("_key", "scheme")

    def __init__(self, private: KeyMaterial, wanted: CryptographicParameters) -> None:
        self._key = load_private(private)
        self.scheme = scheme_for(self._key, wanted)

    def sign(self, data: bytes, *, is_digest: bool = False) -> bytes:
        """The signature of data, or of what data is the digest of.

        Raises InvalidField for a digest of another length, CryptographicFailure for a key whose
        signatures do not verify: they would give an RSA key's primes away.
        """
        scheme, key = self.scheme, self._key
        hashed = _hash(scheme, data, is_digest=is_digest)
        try:
            if isinstance(key, ed25519.Ed25519PrivateKey):
                return key.sign(data)
            if isinstance(key, ec.EllipticCurvePrivateKey):
                return key.sign(data, ec.ECDSA(_needed(hashed)))
            signature = key.sign(data, _padding(scheme, is_signing=True), _needed(hashed))
        except ValueError:  # a salt and a hash that the modulus has no room for; numbers that fail
            raise CryptographicFailure("the key cannot sign with these parameters") from None
        if not _verifies(key.public_key(), scheme, data, signature, hashed):
            raise CryptographicFailure("the key's numbers do not make a key that works")
        return signature

    def __repr__(self) -> str:
        return f"Signer({self.scheme.kind.value})"


class Verifier:
    """A public key (SPKI) and a scheme that fit."""

    __slots__ = ("_key", "scheme")

    def __init__(self, spki: bytes, wanted: CryptographicParameters) -> None:
        self._key = load_public(spki)
        self.scheme = scheme_for(self._key, wanted)

    def is_valid(self, data: bytes, signature: bytes, *, is_digest: bool = False) -> bool:
        """Whether it is the signature of data, or of what data is the digest of."""
        hashed = _hash(self.scheme, data, is_digest=is_digest)
        return _verifies(self._key, self.scheme, data, signature, hashed)


def scheme_for(key: PrivateKey | PublicKey, wanted: CryptographicParameters) -> Scheme:
    """Raises UnsupportedCryptographicParameters where key and parameters do not go together."""
    kind, hashing = _named(wanted)
    hashing = hashing or wanted.hashing_algorithm
    if wanted.hashing_algorithm not in {None, hashing}:
        raise UnsupportedCryptographicParameters(
            "HashingAlgorithm and DigitalSignatureAlgorithm differ"
        )
    if hashing is not None and hashing not in HASHES:
        raise UnsupportedCryptographicParameters(f"signatures over {hashing.name} are not offered")
    match key:
        case rsa.RSAPrivateKey() | rsa.RSAPublicKey():
            return _rsa_scheme(kind, hashing, wanted)
        case ec.EllipticCurvePrivateKey() | ec.EllipticCurvePublicKey():
            _check_kind(kind, Kind.ECDSA, wanted)
            return Scheme(Kind.ECDSA, hashing or _hash_of_curve(key.curve.key_size))
        case _:
            _check_kind(kind, Kind.EDDSA, wanted)
            if hashing not in {None, HashingAlgorithm.SHA_512}:  # the one that Ed25519 has inside
                raise UnsupportedCryptographicParameters("Ed25519 brings its own hash")
            return Scheme(Kind.EDDSA)


def _named(wanted: CryptographicParameters) -> tuple[Kind | None, HashingAlgorithm | None]:
    number = wanted.digital_signature_algorithm
    if number is None:
        return None, None
    named = DIGITAL_SIGNATURE_ALGORITHMS.get(number)
    if named is None:
        raise UnsupportedCryptographicParameters("the DigitalSignatureAlgorithm is not offered")
    return named


def _rsa_scheme(
    kind: Kind | None, hashing: HashingAlgorithm | None, wanted: CryptographicParameters
) -> Scheme:
    if wanted.cryptographic_algorithm not in {None, CryptographicAlgorithm.RSA}:
        raise _misfit()
    if wanted.padding_method not in _PADDINGS:
        raise UnsupportedCryptographicParameters("an RSA signature has PSS or PKCS1v1.5 padding")
    padded = _PADDINGS[wanted.padding_method]
    if kind is not None and (
        kind not in {Kind.PSS, Kind.PKCS1} or (wanted.padding_method and padded is not kind)
    ):
        raise _misfit()
    kind = kind or padded
    hashing = hashing or HashingAlgorithm.SHA_256
    if kind is Kind.PKCS1:
        return Scheme(kind, hashing)
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
    return Scheme(kind, hashing, mask_hashing, salt)


def _check_kind(kind: Kind | None, own: Kind, wanted: CryptographicParameters) -> None:
    algorithms = {None, CryptographicAlgorithm.EC}
    algorithms.add(
        CryptographicAlgorithm.ECDSA if own is Kind.ECDSA else CryptographicAlgorithm.ED25519
    )
    if kind not in {None, own} or wanted.cryptographic_algorithm not in algorithms:
        raise _misfit()
    if wanted.padding_method not in {None, PaddingMethod.NONE}:
        raise UnsupportedCryptographicParameters(f"{own.value} has no padding")


def _misfit() -> UnsupportedCryptographicParameters:
    return UnsupportedCryptographicParameters("the key is for another algorithm")


def _hash_of_curve(bits: int) -> HashingAlgorithm:
    """As strong as the curve (RFC 5656 §6.2.1)."""
    if bits <= 256:
        return HashingAlgorithm.SHA_256
    return HashingAlgorithm.SHA_384 if bits <= 384 else HashingAlgorithm.SHA_512


_Hash = hashes.HashAlgorithm | utils.Prehashed


def _hash(scheme: Scheme, data: bytes, *, is_digest: bool) -> _Hash | None:
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


def _needed(hashed: _Hash | None) -> _Hash:
    if hashed is None:  # no scheme but Ed25519's goes without
        raise MissingData("HashingAlgorithm is missing")
    return hashed


def _verifies(
    key: PublicKey, scheme: Scheme, data: bytes, signature: bytes, hashed: _Hash | None
) -> bool:
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(_needed(hashed)))
        else:
            key.verify(signature, data, _padding(scheme, is_signing=False), _needed(hashed))
    except (InvalidSignature, ValueError):
        return False
    return True


def _padding(scheme: Scheme, *, is_signing: bool) -> padding.PSS | padding.PKCS1v15:
    if scheme.kind is Kind.PKCS1 or scheme.mask_hashing is None:
        return padding.PKCS1v15()
    salt: object = scheme.salt_length
    if salt is None:
        salt = padding.PSS.DIGEST_LENGTH if is_signing else padding.PSS.AUTO
    return padding.PSS(padding.MGF1(HASHES[scheme.mask_hashing]), salt)  # type: ignore[arg-type]
