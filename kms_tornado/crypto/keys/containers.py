"""PKCS#8 (RFC 5958) and SPKI (RFC 5280 §4.1.2.7): the containers of stored asymmetric keys.

The encodings inside them, PKCS#1 and SEC1, are in `encodings`. The readers raise InvalidField for a
malformed key, and UnsupportedCryptographicParameters for a curve that the server does not know.
"""

from __future__ import annotations

import dataclasses

from .curves import RFC8410_CURVES, Curve, find_curve_by_oid
from .der import (
    INTEGER,
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
    read_curve,
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
    PrivateNumbers,
    PublicNumbers,
    RSAPrivate,
    RSAPublic,
)

_RSA = bytes.fromhex("2a864886f70d010101")
_EC = bytes.fromhex("2a8648ce3d0201")
_DSA = bytes.fromhex("2a8648ce380401")
_RSA_PSS = bytes.fromhex("2a864886f70d01010a")
_DH_PKCS3 = bytes.fromhex("2a864886f70d010301")  # PKCS#3: p, g
_DH_X942 = bytes.fromhex("2a8648ce3e0201")  # RFC 3279 §2.3.3: p, g, q
_DH_OIDS = frozenset({_DH_PKCS3, _DH_X942})

#: The longest parameters of an RSASSA-PSS key, in bytes: three names of hashes and two numbers.
_MAX_PSS_PARAMETERS = 256
_CONTEXT_1_PRIMITIVE = 0x81


def read_pkcs8(octets: bytes) -> PrivateNumbers:
    body = read_sequence(octets)
    if body.read_integer() not in {0, 1}:
        raise malformed_key_error()
    algorithm = body.read_sequence()
    inner = body.read(OCTET_STRING)
    if body.has_next(CONTEXT_0):  # attributes, which this server does not use
        body.read(CONTEXT_0)
    if body.has_next(_CONTEXT_1_PRIMITIVE):  # the public key of RFC 5958
        body.read(_CONTEXT_1_PRIMITIVE)
    body.check_end()
    oid = algorithm.read(OID)
    if oid == _RSA:
        _read_null(algorithm)
        return read_pkcs1_private(inner)
    if oid == _EC:
        return read_sec1(inner, read_curve(algorithm))
    if oid == _DSA:
        p, q, g = _read_dsa_domain(algorithm)
        return DSAPrivate(p, q, g, _read_single_integer(inner))
    if oid == _RSA_PSS:
        pss = _read_pss_parameters(algorithm)
        return dataclasses.replace(read_pkcs1_private(inner), pss=pss)
    if oid in _DH_OIDS:
        return DHPrivate(*_read_dh_domain(oid, algorithm), _read_single_integer(inner))
    algorithm.check_end()
    curve = _find_rfc8410_curve(oid)
    outer = DERReader(inner)
    scalar = outer.read(OCTET_STRING)
    outer.check_end()
    return ECPrivate(curve, check_size(scalar, curve))


def write_pkcs8(key: PrivateNumbers) -> bytes:
    match key:
        case RSAPrivate():
            algorithm, inner = _write_rsa_algorithm(key), write_pkcs1_private(key)
        case DSAPrivate():
            algorithm = _write_dsa_algorithm(key)
            inner = encode_integer(key.x)
        case DHPrivate():
            algorithm, inner = _write_dh_algorithm(key), encode_integer(key.x)
        case ECPrivate() if key.curve.equation is not None:
            algorithm = encode_sequence(encode(OID, _EC), encode(OID, key.curve.oid))
            inner = write_sec1(key, with_curve=False)
        case ECPrivate():
            algorithm = encode_sequence(encode(OID, key.curve.oid))
            inner = encode(OCTET_STRING, key.scalar)
    return encode_sequence(encode_integer(0), algorithm, encode(OCTET_STRING, inner))


def read_spki(octets: bytes) -> PublicNumbers:
    body = read_sequence(octets)
    algorithm = body.read_sequence()
    inner = body.read_bits()
    body.check_end()
    oid = algorithm.read(OID)
    if oid == _RSA:
        _read_null(algorithm)
        return read_pkcs1_public(inner)
    if oid == _EC:
        return ECPublic(read_curve(algorithm), inner)
    if oid == _DSA:
        p, q, g = _read_dsa_domain(algorithm)
        return DSAPublic(p, q, g, _read_single_integer(inner))
    if oid == _RSA_PSS:
        pss = _read_pss_parameters(algorithm)
        return dataclasses.replace(read_pkcs1_public(inner), pss=pss)
    if oid in _DH_OIDS:
        return DHPublic(*_read_dh_domain(oid, algorithm), _read_single_integer(inner))
    algorithm.check_end()
    curve = _find_rfc8410_curve(oid)
    return ECPublic(curve, check_size(inner, curve))


def write_spki(key: PublicNumbers) -> bytes:
    match key:
        case RSAPublic():
            algorithm, inner = _write_rsa_algorithm(key), write_pkcs1_public(key)
        case DSAPublic():
            algorithm = _write_dsa_algorithm(key)
            inner = encode_integer(key.y)
        case DHPublic():
            algorithm, inner = _write_dh_algorithm(key), encode_integer(key.y)
        case ECPublic() if key.curve.equation is not None:
            algorithm = encode_sequence(encode(OID, _EC), encode(OID, key.curve.oid))
            inner = key.point
        case ECPublic():
            algorithm = encode_sequence(encode(OID, key.curve.oid))
            inner = key.point
    return encode_sequence(algorithm, encode_bits(inner))


def _read_null(algorithm: DERReader) -> None:
    """Read the parameters of rsaEncryption: NULL, which some old keys lack."""
    if algorithm.has_next(NULL) and algorithm.read(NULL):
        raise malformed_key_error()
    algorithm.check_end()


def _read_pss_parameters(algorithm: DERReader) -> bytes:
    """The parameters, which are kept as they are."""
    parameters = algorithm.read_raw(SEQUENCE) if algorithm.has_next(SEQUENCE) else b""
    algorithm.check_end()
    if len(parameters) > _MAX_PSS_PARAMETERS:
        raise malformed_key_error()
    return parameters


def _write_rsa_algorithm(key: RSAPrivate | RSAPublic) -> bytes:
    if key.pss is not None:
        return encode_sequence(encode(OID, _RSA_PSS), key.pss)
    return encode_sequence(encode(OID, _RSA), encode(NULL, b""))


def _read_dh_domain(
    oid: bytes, algorithm: DERReader
) -> tuple[int, int, int | None, int | None, int | None]:
    """(p, g, q, j, the length of x)."""
    domain = algorithm.read_sequence()
    algorithm.check_end()
    p, g = domain.read_integer(), domain.read_integer()
    q = domain.read_integer() if oid == _DH_X942 else None
    last = domain.read_integer() if domain.has_next(INTEGER) else None
    if q is not None and domain.has_next(SEQUENCE):
        domain.read(SEQUENCE)  # how p and q were found, which no transparent format can hold
    domain.check_end()
    return (p, g, None, None, last) if q is None else (p, g, q, last, None)


def _write_dh_algorithm(key: DHPrivate | DHPublic) -> bytes:
    oid, optional = (_DH_PKCS3, (key.length,)) if key.q is None else (_DH_X942, (key.q, key.j))
    numbers = (key.p, key.g, *(number for number in optional if number is not None))
    return encode_sequence(encode(OID, oid), encode_sequence(*map(encode_integer, numbers)))


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


def _find_rfc8410_curve(oid: bytes) -> Curve:
    curve = find_curve_by_oid(oid)
    if curve not in RFC8410_CURVES:
        raise malformed_key_error()
    return curve


def check_size(octets: bytes, curve: Curve) -> bytes:
    """The octets of a scalar or point of an RFC 8410 curve. Raises InvalidField for a wrong length."""
    if len(octets) != curve.size:
        raise malformed_key_error()
    return octets
