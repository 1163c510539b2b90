"""Asymmetric key pairs: their generation, and the checks before every use of a key.

A key is registered as it is: OASIS profile case BL-M-9 has an RSA key whose primes are not prime.
Every time a key is used, this module checks that its size, exponent or curve are ones the server
works with. Objects of `cryptography` leave this module only for other modules of crypto/.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x448, x25519

from ...errors import (
    CryptographicFailure,
    InvalidAttributeValue,
    InvalidField,
    UnsupportedCryptographicParameters,
)
from ..material import KeyMaterial
from .curves import (
    BRAINPOOLP256R1,
    BRAINPOOLP384R1,
    BRAINPOOLP512R1,
    ED448,
    ED25519,
    P192,
    P224,
    P256,
    P384,
    P521,
    SECP256K1,
    X448,
    X25519,
    Curve,
    uncompress_point,
)
from .formats import encode_canonical, read_private, read_public
from .numbers import (
    ECPrivate,
    ECPublic,
    KeyNumbers,
    PrivateNumbers,
    PublicNumbers,
    RSAPrivate,
    RSAPublic,
)
from .rsa_numbers import is_consistent

#: Bits of the modulus. Below 2048 is too weak, and above 4096 a single request costs seconds.
RSA_LENGTHS = (2048, 3072, 4096)
DEFAULT_RSA_LENGTH = 3072  # as strong as AES-128 (NIST SP 800-57 part 1, table 2)
RSA_EXPONENT = 65537
MIN_RSA_BITS, MAX_RSA_BITS = RSA_LENGTHS[0], RSA_LENGTHS[-1]
#: FIPS 186-5 §5.4: 2^16 < e < 2^256. With e = 1 the signature is the message, and a small e has
#: been broken often.
MIN_RSA_EXPONENT, MAX_RSA_EXPONENT = 1 << 16, 1 << 256

#: Those on which keys are made and sign. P-192 and P-224 are too weak to begin anything new with.
SIGNING_CURVES: Mapping[Curve, ec.EllipticCurve] = MappingProxyType(
    {
        P256: ec.SECP256R1(),
        P384: ec.SECP384R1(),
        P521: ec.SECP521R1(),
        SECP256K1: ec.SECP256K1(),
        BRAINPOOLP256R1: ec.BrainpoolP256R1(),
        BRAINPOOLP384R1: ec.BrainpoolP384R1(),
        BRAINPOOLP512R1: ec.BrainpoolP512R1(),
    }
)
#: Those whose public keys the library computes.
LIBRARY_CURVES: Mapping[Curve, ec.EllipticCurve] = MappingProxyType(
    {**SIGNING_CURVES, P192: ec.SECP192R1(), P224: ec.SECP224R1()}
)

AgreementPrivateKey = x25519.X25519PrivateKey | x448.X448PrivateKey
EdwardsPrivateKey = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
_AGREEMENT_CLASSES: Mapping[Curve, type[AgreementPrivateKey]] = MappingProxyType(
    {X25519: x25519.X25519PrivateKey, X448: x448.X448PrivateKey}
)
_EDWARDS_CLASSES: Mapping[Curve, type[EdwardsPrivateKey]] = MappingProxyType(
    {ED25519: ed25519.Ed25519PrivateKey, ED448: ed448.Ed448PrivateKey}
)
_EDWARDS_PUBLIC_CLASSES: Mapping[
    Curve, type[ed25519.Ed25519PublicKey] | type[ed448.Ed448PublicKey]
] = MappingProxyType({ED25519: ed25519.Ed25519PublicKey, ED448: ed448.Ed448PublicKey})

#: Curves on which a pair can be made, the usual one first.
GENERATED_CURVES = (*SIGNING_CURVES, *_EDWARDS_CLASSES, *_AGREEMENT_CLASSES)

K = TypeVar("K", bound=KeyNumbers)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | EdwardsPrivateKey
PublicKey = (
    rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
)
AgreementPublicKey = x25519.X25519PublicKey | x448.X448PublicKey


@dataclass(frozen=True, slots=True)
class KeyPair:
    """private: PKCS#8; public: SPKI."""

    private: KeyMaterial
    public: KeyMaterial


# --- new keys -----------------------------------------------------------------------------------


def check_rsa_length(bits: int) -> None:
    """Check the length of a new key, in bits. Raises InvalidAttributeValue."""
    if bits not in RSA_LENGTHS:
        *others, last = map(str, RSA_LENGTHS)
        raise InvalidAttributeValue(
            f"an RSA key that is made here has {', '.join(others)} or {last} bits"
        )


def generate_rsa(bits: int) -> KeyPair:
    """A new RSA pair, in 50 ms to seconds; it releases the GIL: run it in a thread.

    bits: of the modulus. Raises InvalidAttributeValue.
    """
    check_rsa_length(bits)
    return _encode_pair(rsa.generate_private_key(RSA_EXPONENT, bits))


def generate_ec(curve: Curve) -> KeyPair:
    """A new pair on one of GENERATED_CURVES, in a fraction of a millisecond.

    Raises UnsupportedCryptographicParameters for another curve.
    """
    if curve not in GENERATED_CURVES:
        raise UnsupportedCryptographicParameters(
            f"no key pair is made on {curve.name}: take {', '.join(one.name for one in GENERATED_CURVES)}"
        )
    if curve in SIGNING_CURVES:
        return _encode_pair(ec.generate_private_key(SIGNING_CURVES[curve]))
    return _encode_pair((_EDWARDS_CLASSES.get(curve) or _AGREEMENT_CLASSES[curve]).generate())


def derive_public_key(private: KeyMaterial) -> KeyMaterial:
    """The SPKI of a private key, which is checked as before any other use.

    Raises as `load_private`.
    """
    key = read_private(private)
    if isinstance(key, ECPrivate) and key.curve in _AGREEMENT_CLASSES:
        agreement_key = _AGREEMENT_CLASSES[key.curve].from_private_bytes(key.scalar)
        return KeyMaterial(_encode_spki(agreement_key.public_key()))
    if isinstance(key, RSAPrivate) and key.pss is not None:
        check_rsa_public(key)
        return encode_canonical(RSAPublic(key.n, key.e, pss=key.pss))
    return KeyMaterial(_encode_spki(load_private(private).public_key()))


def _encode_pair(key: PrivateKey | AgreementPrivateKey) -> KeyPair:
    return KeyPair(
        KeyMaterial(
            key.private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        ),
        KeyMaterial(_encode_spki(key.public_key())),
    )


def _encode_spki(key: PublicKey | AgreementPublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


# --- keys to be stored ---------------------------------------------------------------------------


def normalise_key(key: K) -> K:
    """The key in the form in which it is stored, after the checks that are cheap.

    An RSA, DSA or DH key is returned as it is. A point must lie on its curve and is uncompressed; a scalar
    must be in range, and fit the point that came with it where the library has the curve. Raises InvalidField.
    """
    match key:
        case ECPublic() if key.curve.equation is not None:
            return dataclasses.replace(key, point=uncompress_point(key.curve, key.point))
        case ECPrivate() if key.curve.equation is not None:
            return dataclasses.replace(key, point=_find_point(key))
    return key


def _find_point(key: ECPrivate) -> bytes | None:
    """The uncompressed public point of a private key; None where it did not come and cannot be computed."""
    stated = None if key.point is None else uncompress_point(key.curve, key.point)
    if key.curve not in LIBRARY_CURVES:
        _check_scalar(key)
        return stated
    computed = _encode_uncompressed(_load_scalar(key).public_key())
    if stated not in {None, computed}:
        raise InvalidField("the two halves of the private key do not belong together")
    return computed


def _check_scalar(key: ECPrivate) -> int:
    equation, number = key.curve.equation, int.from_bytes(key.scalar, "big")
    if equation is None or not 0 < number < equation.order:
        raise InvalidField("the private key is not a scalar of its curve")
    return number


def _load_scalar(key: ECPrivate) -> ec.EllipticCurvePrivateKey:
    """Raises InvalidField for a scalar that is out of range."""
    return ec.derive_private_key(_check_scalar(key), LIBRARY_CURVES[key.curve])


def _load_point(key: ECPublic) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(LIBRARY_CURVES[key.curve], key.point)
    except ValueError:
        raise InvalidField("the public key is not a point on its curve") from None


def _encode_uncompressed(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


# --- keys in use --------------------------------------------------------------------------------


def load_private(material: KeyMaterial) -> PrivateKey:
    """The library's object for a key that may be used.

    Raises UnsupportedCryptographicParameters for a type, size or exponent that this server does not
    use, CryptographicFailure or InvalidField for numbers that make no key.
    """
    return _load_private(read_private(material))


def load_signing_key(material: KeyMaterial) -> tuple[PrivateKey, bytes | None]:
    """As `load_private`, but also a key of id-RSASSA-PSS, which does nothing else; and that key's `RSAPrivate.pss`."""
    key = read_private(material)
    if isinstance(key, RSAPrivate):
        return _load_rsa(key), key.pss
    return _load_private(key), None


def _load_private(key: PrivateNumbers) -> PrivateKey:
    match key:
        case RSAPrivate(pss=None):
            return _load_rsa(key)
        case ECPrivate() if key.curve in SIGNING_CURVES:
            return _load_scalar(key)
        case ECPrivate() if key.curve in _EDWARDS_CLASSES:
            return _EDWARDS_CLASSES[key.curve].from_private_bytes(key.scalar)
    raise _unusable_key_error(key)


def load_public(spki: bytes) -> PublicKey:
    """As `load_private`, for the SPKI of a public key."""
    return _load_public(read_public(spki))


def load_verifying_key(spki: bytes) -> tuple[PublicKey, bytes | None]:
    """As `load_signing_key`, for the SPKI of a public key."""
    key = read_public(spki)
    if isinstance(key, RSAPublic):
        return _load_rsa_public(key), key.pss
    return _load_public(key), None


def _load_public(key: PublicNumbers) -> PublicKey:
    match key:
        case RSAPublic(pss=None):
            return _load_rsa_public(key)
        case ECPublic() if key.curve in SIGNING_CURVES:
            return _load_point(key)
        case ECPublic() if key.curve in _EDWARDS_PUBLIC_CLASSES:
            try:
                return _EDWARDS_PUBLIC_CLASSES[key.curve].from_public_bytes(key.point)
            except (ValueError, UnsupportedAlgorithm):
                raise _inconsistent_key_error() from None
    raise _unusable_key_error(key)


def measure_rsa_modulus(private: KeyMaterial) -> int:
    """The length of an RSA key's modulus, and so of what it encrypts, in bytes.

    Raises UnsupportedCryptographicParameters for a key of another type.
    """
    key = read_private(private)
    if not isinstance(key, RSAPrivate) or key.pss is not None:
        raise _unusable_key_error(key)
    return (key.n.bit_length() + 7) // 8


def check_rsa_public(key: RSAPublic | RSAPrivate) -> None:
    """Check size and exponent, and that the modulus is odd.

    Raises UnsupportedCryptographicParameters, CryptographicFailure.
    """
    if not MIN_RSA_BITS <= key.n.bit_length() <= MAX_RSA_BITS:
        raise UnsupportedCryptographicParameters(
            f"RSA keys of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits can be used"
        )
    if not MIN_RSA_EXPONENT < key.e < MAX_RSA_EXPONENT or not key.e & 1:
        raise UnsupportedCryptographicParameters("the public exponent of the RSA key is not safe")
    if not key.n & 1:
        raise _inconsistent_key_error()


def _load_rsa(key: RSAPrivate) -> rsa.RSAPrivateKey:
    """Load the key without the library's primality tests, which take 90 ms at 2048 bits.

    They would only find keys whose "primes" are not prime. Signatures by such a key do not verify,
    and `signatures` verifies every signature before it returns it.
    """
    check_rsa_public(key)
    min_prime_bits = key.n.bit_length() * 3 // 8  # a smaller prime might be found by factoring
    if min(key.p.bit_length(), key.q.bit_length()) < min_prime_bits or not is_consistent(key):
        raise _inconsistent_key_error()
    numbers = rsa.RSAPrivateNumbers(
        key.p, key.q, key.d, key.dp, key.dq, key.qi, rsa.RSAPublicNumbers(key.e, key.n)
    )
    try:
        return numbers.private_key(unsafe_skip_rsa_key_validation=True)
    except ValueError:
        raise _inconsistent_key_error() from None


def _load_rsa_public(key: RSAPublic) -> rsa.RSAPublicKey:
    check_rsa_public(key)
    try:
        return rsa.RSAPublicNumbers(key.e, key.n).public_key()
    except ValueError:
        raise _inconsistent_key_error() from None


def _inconsistent_key_error() -> CryptographicFailure:
    return CryptographicFailure("the key's numbers do not make a key that works")


def _unusable_key_error(key: KeyNumbers) -> UnsupportedCryptographicParameters:
    match key:
        case RSAPrivate() | RSAPublic():
            return UnsupportedCryptographicParameters(
                "RSASSA-PSS keys make and verify signatures alone"
            )
        case ECPrivate() | ECPublic():
            kind = f"keys on {key.curve.name}"
        case _:
            kind = "keys of this algorithm"
    return UnsupportedCryptographicParameters(
        f"no operation of this server uses {kind}; they are kept and given out"
    )
