"""Asymmetric keys in use: every time, their size, exponent or curve is checked to be one that the server works with."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa

from ...errors import CryptographicFailure, UnsupportedCryptographicParameters
from ..material import KeyMaterial
from .formats import encode_canonical, read_private, read_public
from .library_keys import (
    AGREEMENT_CLASSES,
    EDWARDS_CLASSES,
    EDWARDS_PUBLIC_CLASSES,
    SIGNING_CURVES,
    PrivateKey,
    PublicKey,
    encode_spki,
    load_point,
    load_scalar,
)
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
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 4096
#: FIPS 186-5 §5.4: 2^16 < e < 2^256. With e = 1 the signature is the message, and a small e has
#: been broken often.
MIN_RSA_EXPONENT, MAX_RSA_EXPONENT = 1 << 16, 1 << 256


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
            return load_scalar(key)
        case ECPrivate() if key.curve in EDWARDS_CLASSES:
            return EDWARDS_CLASSES[key.curve].from_private_bytes(key.scalar)
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
            return load_point(key)
        case ECPublic() if key.curve in EDWARDS_PUBLIC_CLASSES:
            try:
                return EDWARDS_PUBLIC_CLASSES[key.curve].from_public_bytes(key.point)
            except (ValueError, UnsupportedAlgorithm):
                raise _inconsistent_key_error() from None
    raise _unusable_key_error(key)


def derive_public_key(private: KeyMaterial) -> KeyMaterial:
    """The SPKI of a private key, which is checked as before any other use.

    Raises as `load_private`.
    """
    key = read_private(private)
    if isinstance(key, ECPrivate) and key.curve in AGREEMENT_CLASSES:
        agreement_key = AGREEMENT_CLASSES[key.curve].from_private_bytes(key.scalar)
        return KeyMaterial(encode_spki(agreement_key.public_key()))
    if isinstance(key, RSAPrivate) and key.pss is not None:
        check_rsa_public(key)
        return encode_canonical(RSAPublic(key.n, key.e, pss=key.pss))
    return KeyMaterial(encode_spki(load_private(private).public_key()))


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
