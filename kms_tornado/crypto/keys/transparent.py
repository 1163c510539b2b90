"""Transparent keys (KMIP 2.1 §4.30): KMIP structures of a key's numbers, to and from `numbers`.

The numbers of an RSA private key that are missing are computed from the others, and then all must fit
together. Beyond that, and the sign and the length of the numbers, nothing is checked here: OASIS profile case
BL-M-9 registers an RSA key whose primes are not prime, and expects to get it back. `loading` checks when a
key is used whether the numbers make a key that works.
"""

from __future__ import annotations

from ...errors import (
    InvalidField,
    KeyFormatTypeNotSupported,
)
from ...kmip.enums import CryptographicAlgorithm, KeyFormatType, RecommendedCurve
from ...kmip.key_material import (
    TransparentDHPrivateKey,
    TransparentDHPublicKey,
    TransparentDSAPrivateKey,
    TransparentDSAPublicKey,
    TransparentECPrivateKey,
    TransparentECPublicKey,
    TransparentKey,
    TransparentRSAPrivateKey,
    TransparentRSAPublicKey,
)
from ...kmip.tables import format_name
from .curves import find_curve_by_number
from .numbers import (
    MAX_STORED_BITS,
    DHPrivate,
    DHPublic,
    DSAPrivate,
    DSAPublic,
    ECPrivate,
    ECPublic,
    KeyNumbers,
    RSAPrivate,
    RSAPublic,
)
from .rsa_numbers import complete_rsa_private, is_complete


def parse_transparent(
    key: TransparentKey, algorithm: CryptographicAlgorithm | None = None
) -> KeyNumbers:
    """The numbers of a transparent key. algorithm: tells Ed25519 from X25519, and Ed448 from X448.

    Raises InvalidField, MissingData, UnsupportedCryptographicParameters.
    """
    match key:
        case TransparentRSAPublicKey():
            return RSAPublic(*_check_natural(key.modulus, key.public_exponent))
        case TransparentRSAPrivateKey():
            return _parse_rsa_private(key)
        case TransparentDSAPublicKey():
            return DSAPublic(*_check_natural(key.p, key.q, key.g, key.y))
        case TransparentDSAPrivateKey():
            return DSAPrivate(*_check_natural(key.p, key.q, key.g, key.x))
        case TransparentECPublicKey():
            curve = find_curve_by_number(key.recommended_curve, algorithm)
            if curve.equation is None and len(key.q) != curve.size:
                raise InvalidField("the public key is not a point on its curve")
            return ECPublic(curve, key.q)
        case TransparentECPrivateKey():
            curve = find_curve_by_number(key.recommended_curve, algorithm)
            (scalar,) = _check_natural(key.d)
            if scalar.bit_length() > 8 * curve.size:
                raise InvalidField("the private key is not a scalar of its curve")
            return ECPrivate(curve, scalar.to_bytes(curve.size, "big"))
        case TransparentDHPublicKey():
            _check_natural(key.p, key.g, key.y, key.q or 0, key.j or 0)
            return DHPublic(key.p, key.g, key.q, key.j, None, key.y)
        case TransparentDHPrivateKey():
            _check_natural(key.p, key.g, key.x, key.q or 0, key.j or 0)
            return DHPrivate(key.p, key.g, key.q, key.j, None, key.x)


def render_transparent(key: KeyNumbers, key_format: KeyFormatType) -> TransparentKey:
    """The key as a KMIP structure.

    Raises KeyFormatTypeNotSupported where the format is for another type of key.
    """
    match key_format, key:
        case KeyFormatType.TRANSPARENT_RSA_PUBLIC_KEY, RSAPublic():
            return TransparentRSAPublicKey(key.n, key.e)
        case KeyFormatType.TRANSPARENT_RSA_PRIVATE_KEY, RSAPrivate():
            return TransparentRSAPrivateKey(
                key.n, key.d, key.e, key.p, key.q, key.dp, key.dq, key.qi
            )
        case KeyFormatType.TRANSPARENT_DSA_PUBLIC_KEY, DSAPublic():
            return TransparentDSAPublicKey(key.p, key.q, key.g, key.y)
        case KeyFormatType.TRANSPARENT_DSA_PRIVATE_KEY, DSAPrivate():
            return TransparentDSAPrivateKey(key.p, key.q, key.g, key.x)
        case KeyFormatType.TRANSPARENT_DH_PUBLIC_KEY, DHPublic():
            return TransparentDHPublicKey(key.p, key.g, key.q, key.j, y=key.y)
        case KeyFormatType.TRANSPARENT_DH_PRIVATE_KEY, DHPrivate():
            return TransparentDHPrivateKey(key.p, key.g, key.q, key.j, x=key.x)
        case KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY, ECPublic():
            return TransparentECPublicKey(RecommendedCurve(key.curve.recommended), key.point)
        case KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY, ECPrivate():
            return TransparentECPrivateKey(
                RecommendedCurve(key.curve.recommended), int.from_bytes(key.scalar, "big")
            )
    raise KeyFormatTypeNotSupported(f"this key has no format {format_name(key_format)}")


def _parse_rsa_private(key: TransparentRSAPrivateKey) -> RSAPrivate:
    """All eight numbers. Where some are missing, that takes long: see `rsa_numbers`."""
    if not is_complete(key):
        return complete_rsa_private(key)
    n, e, d, p, q, dp, dq, qi = (
        key.modulus, key.public_exponent, key.private_exponent, key.p, key.q,
        key.prime_exponent_p, key.prime_exponent_q, key.crt_coefficient,
    )  # fmt: skip
    numbers = (number for number in (n, e, d, p, q, dp, dq, qi) if number is not None)
    return RSAPrivate(*_check_natural(*numbers))


def _check_natural(*numbers: int) -> tuple[int, ...]:
    """Check the numbers before any arithmetic, which takes long with long numbers."""
    if any(number < 0 or number.bit_length() > MAX_STORED_BITS for number in numbers):
        raise InvalidField(
            f"a key's numbers have at most {MAX_STORED_BITS} bits and are not negative: a BigInteger is signed, so a"
            " number whose first bit is set begins with zeros"
        )
    return numbers
