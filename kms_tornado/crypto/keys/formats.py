"""Asymmetric keys in all formats. PKCS#8 and SPKI are stored; the others are converted to and from them.

    private   PKCS#8 (RFC 5958) ← → PKCS#1 (RFC 8017 A.1.2), SEC1 (RFC 5915), Raw (RFC 8410 curves)
    public    SPKI (RFC 5280)   ← → PKCS#1 (RFC 8017 A.1.1), Raw point

KMIP calls an SPKI "X.509" (profile cases CS-AC-M-OAEP). The transparent formats are in
`transparent`. Only encodings change: no function here does arithmetic on a key.
"""

from __future__ import annotations

from ...errors import KeyFormatTypeNotSupported
from ...kmip.enums import CryptographicAlgorithm, KeyFormatType
from ...kmip.tables import format_name
from ..material import KeyMaterial
from .containers import check_size, read_pkcs8, read_spki, write_pkcs8, write_spki
from .curves import ED448, ED25519, RFC8410_CURVES, X448, X25519, Curve
from .encodings import (
    read_pkcs1_private,
    read_pkcs1_public,
    read_sec1,
    write_pkcs1_private,
    write_pkcs1_public,
    write_sec1,
)
from .numbers import (
    DHPrivate,
    DHPublic,
    DSAPrivate,
    DSAPublic,
    ECPrivate,
    ECPublic,
    KeyNumbers,
    PrivateNumbers,
    PublicNumbers,
    RSAPrivate,
    RSAPublic,
)

# --- what is stored -----------------------------------------------------------------------------


def read_private(material: KeyMaterial) -> PrivateNumbers:
    """The key in a stored PKCS#8. Raises InvalidField, UnsupportedCryptographicParameters."""
    return read_pkcs8(material.reveal())


def read_public(octets: bytes) -> PublicNumbers:
    """The key in an SPKI. Raises InvalidField, UnsupportedCryptographicParameters."""
    return read_spki(octets)


def encode_canonical(key: KeyNumbers) -> KeyMaterial:
    """The key as it is stored: the PKCS#8 of a private key, the SPKI of a public one."""
    if isinstance(key, PrivateNumbers):
        return KeyMaterial(write_pkcs8(key))
    return KeyMaterial(write_spki(key))


# --- formats made of octets ---------------------------------------------------------------------


def import_private(
    octets: bytes, key_format: KeyFormatType, algorithm: CryptographicAlgorithm | None = None
) -> PrivateNumbers:
    """The private key in these octets. algorithm: tells the curve of a key in the format Raw.

    Raises KeyFormatTypeNotSupported, InvalidField, UnsupportedCryptographicParameters.
    """
    match key_format:
        case KeyFormatType.PKCS8:
            return read_pkcs8(octets)
        case KeyFormatType.PKCS1:
            return read_pkcs1_private(octets)
        case KeyFormatType.EC_PRIVATE_KEY:
            return read_sec1(octets, None)
        case KeyFormatType.RAW:
            curve = _choose_raw_curve(algorithm, len(octets))
            return ECPrivate(curve, check_size(octets, curve))
    raise _unsupported_format_error("a private key", key_format)


def import_public(
    octets: bytes, key_format: KeyFormatType, algorithm: CryptographicAlgorithm | None = None
) -> PublicNumbers:
    """The public key in these octets. Raises the errors of `import_private`."""
    match key_format:
        case KeyFormatType.X509 | KeyFormatType.PKCS8:  # Cosmian's clients call an SPKI PKCS8
            return read_spki(octets)
        case KeyFormatType.PKCS1:
            return read_pkcs1_public(octets)
        case KeyFormatType.RAW:
            curve = _choose_raw_curve(algorithm, len(octets))
            return ECPublic(curve, check_size(octets, curve))
    raise _unsupported_format_error("a public key", key_format)


def export_private(key: PrivateNumbers, key_format: KeyFormatType) -> bytes:
    """The octets of a private key. Raises KeyFormatTypeNotSupported where its type lacks the format."""
    match key_format, key:
        case KeyFormatType.PKCS8, _:
            return write_pkcs8(key)
        case KeyFormatType.PKCS1, RSAPrivate():
            return write_pkcs1_private(key)
        case KeyFormatType.EC_PRIVATE_KEY, ECPrivate() if key.curve.equation is not None:
            return write_sec1(key, with_curve=True)
        case KeyFormatType.RAW, ECPrivate() if key.curve in RFC8410_CURVES:
            return key.scalar
    raise _unsupported_format_error("this private key", key_format)


def export_public(key: PublicNumbers, key_format: KeyFormatType) -> bytes:
    """The octets of a public key. Raises KeyFormatTypeNotSupported where its type lacks the format."""
    match key_format, key:
        case ((KeyFormatType.X509 | KeyFormatType.PKCS8), _):
            return write_spki(key)
        case KeyFormatType.PKCS1, RSAPublic():
            return write_pkcs1_public(key)
        case KeyFormatType.RAW, ECPublic() if key.curve in RFC8410_CURVES:
            return key.point
    raise _unsupported_format_error("this public key", key_format)


def choose_default_format(key: KeyNumbers) -> KeyFormatType:
    """The format in which a key that is made here is returned by default (KMIP 2.1 §4.26).

    Several curves of RFC 8410 share a number, and no transparent format distinguishes them, so their keys are PKCS#8
    and X.509.
    """
    match key:
        case RSAPublic() | RSAPrivate():
            return KeyFormatType.PKCS1
        case DSAPublic():
            return KeyFormatType.TRANSPARENT_DSA_PUBLIC_KEY
        case DSAPrivate():
            return KeyFormatType.TRANSPARENT_DSA_PRIVATE_KEY
        case DHPublic():
            return KeyFormatType.TRANSPARENT_DH_PUBLIC_KEY
        case DHPrivate():
            return KeyFormatType.TRANSPARENT_DH_PRIVATE_KEY
    if key.curve in RFC8410_CURVES:
        return KeyFormatType.PKCS8 if isinstance(key, ECPrivate) else KeyFormatType.X509
    if isinstance(key, ECPrivate):
        return KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY
    return KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY


def _choose_raw_curve(algorithm: CryptographicAlgorithm | None, size: int) -> Curve:
    """The curve of a key in the format Raw, whose octets do not name it.

    The algorithm does, and if that is ECDH, the number of octets.
    """
    if algorithm is CryptographicAlgorithm.ED25519:
        return ED25519
    if algorithm is CryptographicAlgorithm.ED448:
        return ED448
    if algorithm is CryptographicAlgorithm.ECDH:
        return X448 if size == X448.size else X25519
    raise KeyFormatTypeNotSupported(
        "only keys of Ed25519, Ed448, X25519 and X448 (algorithm ECDH) can be Raw"
    )


def _unsupported_format_error(what: str, key_format: KeyFormatType) -> KeyFormatTypeNotSupported:
    return KeyFormatTypeNotSupported(f"{what} has no format {format_name(key_format)}")
