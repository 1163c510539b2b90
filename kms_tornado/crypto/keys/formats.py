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
    DERReader,
    encode,
    encode_bits,
    encode_integer,
    encode_sequence,
    malformed_key_error,
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
    KeyNumbers,
    PrivateNumbers,
    PublicNumbers,
    RSAPrivate,
    RSAPublic,
    find_curve_by_oid,
)

_RSA = bytes.fromhex("2a864886f70d010101")
_EC = bytes.fromhex("2a8648ce3d0201")
_DSA = bytes.fromhex("2a8648ce380401")
_CONTEXT_1_PRIMITIVE = 0x81

# --- what is kept -------------------------------------------------------------------------------


def read_private(material: KeyMaterial) -> PrivateNumbers:
    """The key in a PKCS#8 of ours."""
    return _read_pkcs8(material.reveal())


def read_public(octets: bytes) -> PublicNumbers:
    """The key in an SPKI. Raises InvalidField, UnsupportedCryptographicParameters."""
    return _read_spki(octets)


def encode_canonical(key: KeyNumbers) -> KeyMaterial:
    """PKCS#8 of a private key, SPKI of a public one."""
    if isinstance(key, PrivateNumbers):
        return KeyMaterial(_write_pkcs8(key))
    return KeyMaterial(_write_spki(key))


# --- formats made of octets ---------------------------------------------------------------------


def import_private(
    octets: bytes, key_format: KeyFormatType, algorithm: CryptographicAlgorithm | None = None
) -> PrivateNumbers:
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
            curve = _choose_raw_curve(algorithm)
            return ECPrivate(curve, _check_size(octets, curve))
    raise _unsupported_format_error("a private key", key_format)


def import_public(
    octets: bytes, key_format: KeyFormatType, algorithm: CryptographicAlgorithm | None = None
) -> PublicNumbers:
    """The public key in these octets. Errors as of `import_private`."""
    match key_format:
        case KeyFormatType.X509 | KeyFormatType.PKCS8:  # Cosmian's clients call an SPKI PKCS8
            return _read_spki(octets)
        case KeyFormatType.PKCS1:
            return read_pkcs1_public(octets)
        case KeyFormatType.RAW:
            curve = _choose_raw_curve(algorithm)
            return ECPublic(curve, _check_size(octets, curve))
    raise _unsupported_format_error("a public key", key_format)


def export_private(key: PrivateNumbers, key_format: KeyFormatType) -> bytes:
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
    raise _unsupported_format_error("this private key", key_format)


def export_public(key: PublicNumbers, key_format: KeyFormatType) -> bytes:
    """Raises KeyFormatTypeNotSupported where the kind of key has no such format."""
    match key_format, key:
        case ((KeyFormatType.X509 | KeyFormatType.PKCS8), _):
            return _write_spki(key)
        case KeyFormatType.PKCS1, RSAPublic():
            return write_pkcs1_public(key)
        case KeyFormatType.RAW, ECPublic() if key.curve in MONTGOMERY_CURVES:
            return key.point
    raise _unsupported_format_error("this public key", key_format)


def choose_default_format(key: KeyNumbers) -> KeyFormatType:
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


def _read_pkcs8(octets: bytes) -> PrivateNumbers:
    body = read_sequence(octets)
    if body.has_next(SEQUENCE):  # EncryptedPrivateKeyInfo begins with its algorithm
        raise InvalidField(
            "an encrypted PKCS#8 is not taken: the password would have to come along"
        )
    if body.read_integer() not in {0, 1}:
        raise malformed_key_error()
    algorithm = body.read_sequence()
    inner = body.read(OCTET_STRING)
    if body.has_next(CONTEXT_0):  # attributes: of no use to a key server
        body.read(CONTEXT_0)
    if body.has_next(_CONTEXT_1_PRIMITIVE):  # the public key of RFC 5958
        body.read(_CONTEXT_1_PRIMITIVE)
    body.check_end()
    oid = algorithm.read(OID)
    if oid == _RSA:
        _read_null(algorithm)
        return read_pkcs1_private(inner)
    if oid == _EC:
        curve = find_curve_by_oid(algorithm.read(OID))
        algorithm.check_end()
        return read_sec1(inner, curve)
    if oid == _DSA:
        p, q, g = _read_dsa_domain(algorithm)
        return DSAPrivate(p, q, g, _read_single_integer(inner))
    algorithm.check_end()
    curve = _find_montgomery_curve(oid)
    outer = DERReader(inner)
    scalar = outer.read(OCTET_STRING)
    outer.check_end()
    return ECPrivate(curve, _check_size(scalar, curve))


def _write_pkcs8(key: PrivateNumbers) -> bytes:
    match key:
        case RSAPrivate():
            algorithm = encode_sequence(encode(OID, _RSA), encode(NULL, b""))
            inner = write_pkcs1_private(key)
        case DSAPrivate():
            algorithm = _write_dsa_algorithm(key)
            inner = encode_integer(key.x)
        case ECPrivate() if key.curve in NIST_CURVES:
            algorithm = encode_sequence(encode(OID, _EC), encode(OID, key.curve.oid))
            inner = write_sec1(key, with_curve=False)
        case ECPrivate():
            algorithm = encode_sequence(encode(OID, key.curve.oid))
            inner = encode(OCTET_STRING, key.scalar)
    return encode_sequence(encode_integer(0), algorithm, encode(OCTET_STRING, inner))


def _read_spki(octets: bytes) -> PublicNumbers:
    body = read_sequence(octets)
    algorithm = body.read_sequence()
    inner = body.read_bits()
    body.check_end()
    oid = algorithm.read(OID)
    if oid == _RSA:
        _read_null(algorithm)
        return read_pkcs1_public(inner)
    if oid == _EC:
        curve = find_curve_by_oid(algorithm.read(OID))
        algorithm.check_end()
        return ECPublic(curve, inner)
    if oid == _DSA:
        p, q, g = _read_dsa_domain(algorithm)
        return DSAPublic(p, q, g, _read_single_integer(inner))
    algorithm.check_end()
    curve = _find_montgomery_curve(oid)
    return ECPublic(curve, _check_size(inner, curve))


def _write_spki(key: PublicNumbers) -> bytes:
    match key:
        case RSAPublic():
            algorithm = encode_sequence(encode(OID, _RSA), encode(NULL, b""))
            inner = write_pkcs1_public(key)
        case DSAPublic():
            algorithm = _write_dsa_algorithm(key)
            inner = encode_integer(key.y)
        case ECPublic() if key.curve in NIST_CURVES:
            algorithm = encode_sequence(encode(OID, _EC), encode(OID, key.curve.oid))
            inner = key.point
        case ECPublic():
            algorithm = encode_sequence(encode(OID, key.curve.oid))
            inner = key.point
    return encode_sequence(algorithm, encode_bits(inner))


def _read_null(algorithm: DERReader) -> None:
    """The parameters of rsaEncryption: NULL; some old keys leave it out."""
    if algorithm.has_next(NULL) and algorithm.read(NULL):
        raise malformed_key_error()
    algorithm.check_end()


def _read_dsa_domain(algorithm: DERReader) -> tuple[int, int, int]:
    domain = algorithm.read_sequence()
    algorithm.check_end()
    numbers = domain.read_integer(), domain.read_integer(), domain.read_integer()
    domain.check_end()
    return numbers


def _write_dsa_algorithm(key: DSAPrivate | DSAPublic) -> bytes:
    domain = encode_sequence(*map(encode_integer, (key.p, key.q, key.g)))
    return encode_sequence(encode(OID, _DSA), domain)


def _read_single_integer(octets: bytes) -> int:
    reader = DERReader(octets)
    number = reader.read_integer()
    reader.check_end()
    return number


# --- curves -------------------------------------------------------------------------------------


def _find_montgomery_curve(oid: bytes) -> Curve:
    curve = find_curve_by_oid(oid)
    if curve not in MONTGOMERY_CURVES:
        raise malformed_key_error()
    return curve


def _choose_raw_curve(algorithm: CryptographicAlgorithm | None) -> Curve:
    """Raw octets do not say what they are: only the algorithm can."""
    if algorithm is CryptographicAlgorithm.ED25519:
        return ED25519
    if algorithm is CryptographicAlgorithm.ECDH:
        return X25519
    raise KeyFormatTypeNotSupported("only Ed25519 and X25519 keys (algorithm ECDH) can be Raw")


def _check_size(octets: bytes, curve: Curve) -> bytes:
    if len(octets) != curve.size:
        raise malformed_key_error()
    return octets


def _unsupported_format_error(what: str, key_format: KeyFormatType) -> KeyFormatTypeNotSupported:
    return KeyFormatTypeNotSupported(f"{what} has no format {key_format.name}")
