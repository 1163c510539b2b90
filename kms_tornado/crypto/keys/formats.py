"""Asymmetric keys from one format to another: PKCS#8 and SPKI are what is kept, the rest is derived.

    private   PKCS#8 (RFC 5958) ← → PKCS#1 (RFC 8017 A.1.2), SEC1 (RFC 5915), Raw (RFC 8410 curves)
    public    SPKI (RFC 5280)   ← → PKCS#1 (RFC 8017 A.1.1), Raw point

KMIP calls an SPKI "X.509" (profile cases CS-AC-M-OAEP). The transparent formats are `transparent`'s.
Encoding changes, numbers do not: nothing here does arithmetic on a key.
"""

from __future__ import annotations

from ...errors import InvalidField, KeyFormatTypeNotSupported
from ...kmip.enums import CryptographicAlgorithm, KeyFormatType
from ..material import KeyMaterial
from .der import (
    NULL,
    OCTET_STRING,
    OID,
    SEQUENCE,
    Reader,
    encode,
    encode_bits,
    encode_integer,
    encode_sequence,
    malformed,
    read_sequence,
)
from .encodings import (
    CONTEXT_0,
    read_pkcs1_private,
    read_pkcs1_public,
    read_sec1,
    write_pkcs1_private,
    write_pkcs1_public,
    write_sec1,
)
from .numbers import (
    ED25519,
    MONTGOMERY_CURVES,
    NIST_CURVES,
    X25519,
    Curve,
    DSAPrivate,
    DSAPublic,
    ECPrivate,
    ECPublic,
    KeyValue,
    PrivateValue,
    PublicValue,
    RSAPrivate,
    RSAPublic,
    curve_by_oid,
)

_RSA = bytes.fromhex("2a864886f70d010101")
_EC = bytes.fromhex("2a8648ce3d0201")
_DSA = bytes.fromhex("2a8648ce380401")
_CONTEXT_1_PRIMITIVE = 0x81

# --- what is kept -------------------------------------------------------------------------------


def read_private(material: KeyMaterial) -> PrivateValue:
    """The key in a PKCS#8 of ours."""
    return _read_pkcs8(material.reveal())


def read_public(octets: bytes) -> PublicValue:
    """The key in an SPKI. Raises InvalidField, UnsupportedCryptographicParameters."""
    return _read_spki(octets)


def canonical(key: KeyValue) -> KeyMaterial:
    """PKCS#8 of a private key, SPKI of a public one."""
    if isinstance(key, PrivateValue):
        return KeyMaterial(_write_pkcs8(key))
    return KeyMaterial(_write_spki(key))


# --- formats made of octets ---------------------------------------------------------------------


def import_private(
    octets: bytes, key_format: KeyFormatType, algorithm: CryptographicAlgorithm | None = None
) -> PrivateValue:
    """The private key in these octets. algorithm: which curve 32 raw octets are for.

    Raises KeyFormatTypeNotSupported, InvalidField, UnsupportedCryptographicParameters.
    """
    match key_format:
        case KeyFormatType.PKCS8:
            return _read_pkcs8(octets)
        case KeyFormatType.PKCS1:
            return read_pkcs1_private(octets)
        case KeyFormatType.EC_PRIVATE_KEY:
            return read_sec1(octets, None)
        case KeyFormatType.RAW:
            curve = _raw_curve(algorithm)
            return ECPrivate(curve, _sized(octets, curve))
    raise _unsupported("a private key", key_format)


def import_public(
    octets: bytes, key_format: KeyFormatType, algorithm: CryptographicAlgorithm | None = None
) -> PublicValue:
    """The public key in these octets. Errors as of `import_private`."""
    match key_format:
        case KeyFormatType.X509 | KeyFormatType.PKCS8:  # Cosmian's clients call an SPKI PKCS8
            return _read_spki(octets)
        case KeyFormatType.PKCS1:
            return read_pkcs1_public(octets)
        case KeyFormatType.RAW:
            curve = _raw_curve(algorithm)
            return ECPublic(curve, _sized(octets, curve))
    raise _unsupported("a public key", key_format)


def export_private(key: PrivateValue, key_format: KeyFormatType) -> bytes:
    """Raises KeyFormatTypeNotSupported where the kind of key has no such format."""
    match key_format, key:
        case KeyFormatType.PKCS8, _:
            return _write_pkcs8(key)
        case KeyFormatType.PKCS1, RSAPrivate():
            return write_pkcs1_private(key)
        case KeyFormatType.EC_PRIVATE_KEY, ECPrivate() if key.curve in NIST_CURVES:
            return write_sec1(key, with_curve=True)
        case KeyFormatType.RAW, ECPrivate() if key.curve in MONTGOMERY_CURVES:
            return key.scalar
    raise _unsupported("this private key", key_format)


def export_public(key: PublicValue, key_format: KeyFormatType) -> bytes:
    """Raises KeyFormatTypeNotSupported where the kind of key has no such format."""
    match key_format, key:
        case ((KeyFormatType.X509 | KeyFormatType.PKCS8), _):
            return _write_spki(key)
        case KeyFormatType.PKCS1, RSAPublic():
            return write_pkcs1_public(key)
        case KeyFormatType.RAW, ECPublic() if key.curve in MONTGOMERY_CURVES:
            return key.point
    raise _unsupported("this public key", key_format)


def default_format(key: KeyValue) -> KeyFormatType:
    """What a key made here is given out as (KMIP 2.1 §4.26, table of defaults).

    RFC 8410 keys have no transparent format that names their curve, so they take the standard's.
    """
    match key:
        case RSAPublic() | RSAPrivate():
            return KeyFormatType.PKCS1
        case DSAPublic():
            return KeyFormatType.TRANSPARENT_DSA_PUBLIC_KEY
        case DSAPrivate():
            return KeyFormatType.TRANSPARENT_DSA_PRIVATE_KEY
    if key.curve in MONTGOMERY_CURVES:
        return KeyFormatType.PKCS8 if isinstance(key, ECPrivate) else KeyFormatType.X509
    if isinstance(key, ECPrivate):
        return KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY
    return KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY


# --- PKCS#8 and SPKI ----------------------------------------------------------------------------


def _read_pkcs8(octets: bytes) -> PrivateValue:
    body = read_sequence(octets)
    if body.has(SEQUENCE):  # EncryptedPrivateKeyInfo begins with its algorithm
        raise InvalidField(
            "an encrypted PKCS#8 is not taken: the password would have to come along"
        )
    if body.integer() not in {0, 1}:
        raise malformed()
    algorithm = body.sequence()
    inner = body.next(OCTET_STRING)
    if body.has(CONTEXT_0):  # attributes: of no use to a key server
        body.next(CONTEXT_0)
    if body.has(_CONTEXT_1_PRIMITIVE):  # the public key of RFC 5958
        body.next(_CONTEXT_1_PRIMITIVE)
    body.end()
    oid = algorithm.next(OID)
    if oid == _RSA:
        _read_null(algorithm)
        return read_pkcs1_private(inner)
    if oid == _EC:
        curve = curve_by_oid(algorithm.next(OID))
        algorithm.end()
        return read_sec1(inner, curve)
    if oid == _DSA:
        p, q, g = _read_dsa_domain(algorithm)
        return DSAPrivate(p, q, g, _only_integer(inner))
    algorithm.end()
    curve = _montgomery_curve(oid)
    outer = Reader(inner)
    scalar = outer.next(OCTET_STRING)
    outer.end()
    return ECPrivate(curve, _sized(scalar, curve))


def _write_pkcs8(key: PrivateValue) -> bytes:
    match key:
        case RSAPrivate():
            algorithm = encode_sequence(encode(OID, _RSA), encode(NULL, b""))
            inner = write_pkcs1_private(key)
        case DSAPrivate():
            algorithm = _dsa_algorithm(key)
            inner = encode_integer(key.x)
        case ECPrivate() if key.curve in NIST_CURVES:
            algorithm = encode_sequence(encode(OID, _EC), encode(OID, key.curve.oid))
            inner = write_sec1(key, with_curve=False)
        case ECPrivate():
            algorithm = encode_sequence(encode(OID, key.curve.oid))
            inner = encode(OCTET_STRING, key.scalar)
    return encode_sequence(encode_integer(0), algorithm, encode(OCTET_STRING, inner))


def _read_spki(octets: bytes) -> PublicValue:
    body = read_sequence(octets)
    algorithm = body.sequence()
    inner = body.bits()
    body.end()
    oid = algorithm.next(OID)
    if oid == _RSA:
        _read_null(algorithm)
        return read_pkcs1_public(inner)
    if oid == _EC:
        curve = curve_by_oid(algorithm.next(OID))
        algorithm.end()
        return ECPublic(curve, inner)
    if oid == _DSA:
        p, q, g = _read_dsa_domain(algorithm)
        return DSAPublic(p, q, g, _only_integer(inner))
    algorithm.end()
    curve = _montgomery_curve(oid)
    return ECPublic(curve, _sized(inner, curve))


def _write_spki(key: PublicValue) -> bytes:
    match key:
        case RSAPublic():
            algorithm = encode_sequence(encode(OID, _RSA), encode(NULL, b""))
            inner = write_pkcs1_public(key)
        case DSAPublic():
            algorithm = _dsa_algorithm(key)
            inner = encode_integer(key.y)
        case ECPublic() if key.curve in NIST_CURVES:
            algorithm = encode_sequence(encode(OID, _EC), encode(OID, key.curve.oid))
            inner = key.point
        case ECPublic():
            algorithm = encode_sequence(encode(OID, key.curve.oid))
            inner = key.point
    return encode_sequence(algorithm, encode_bits(inner))


def _read_null(algorithm: Reader) -> None:
    """The parameters of rsaEncryption: NULL; some old keys leave it out."""
    if algorithm.has(NULL) and algorithm.next(NULL):
        raise malformed()
    algorithm.end()


def _read_dsa_domain(algorithm: Reader) -> tuple[int, int, int]:
    domain = algorithm.sequence()
    algorithm.end()
    numbers = domain.integer(), domain.integer(), domain.integer()
    domain.end()
    return numbers


def _dsa_algorithm(key: DSAPrivate | DSAPublic) -> bytes:
    domain = encode_sequence(*map(encode_integer, (key.p, key.q, key.g)))
    return encode_sequence(encode(OID, _DSA), domain)


def _only_integer(octets: bytes) -> int:
    reader = Reader(octets)
    number = reader.integer()
    reader.end()
    return number


# --- curves -------------------------------------------------------------------------------------


def _montgomery_curve(oid: bytes) -> Curve:
    curve = curve_by_oid(oid)
    if curve not in MONTGOMERY_CURVES:
        raise malformed()
    return curve


def _raw_curve(algorithm: CryptographicAlgorithm | None) -> Curve:
    """Raw octets do not say what they are: only the algorithm can."""
    if algorithm is CryptographicAlgorithm.ED25519:
        return ED25519
    if algorithm is CryptographicAlgorithm.ECDH:
        return X25519
    raise KeyFormatTypeNotSupported("only Ed25519 and X25519 keys (algorithm ECDH) can be Raw")


def _sized(octets: bytes, curve: Curve) -> bytes:
    if len(octets) != curve.size:
        raise malformed()
    return octets


def _unsupported(what: str, key_format: KeyFormatType) -> KeyFormatTypeNotSupported:
    return KeyFormatTypeNotSupported(f"{what} has no format {key_format.name}")
