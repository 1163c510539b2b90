"""The encodings inside PKCS#8 and SPKI: PKCS#1 (RFC 8017 appendix A.1) and SEC1 (RFC 5915).

Numbers are read and written as they are; no function here does arithmetic on a key. The readers raise
InvalidField for a malformed key.
"""

from __future__ import annotations

from ...errors import InvalidField
from .der import (
    OCTET_STRING,
    OID,
    DERReader,
    encode,
    encode_bits,
    encode_integer,
    encode_sequence,
    malformed_key_error,
    read_sequence,
)
from .numbers import NIST_CURVES, Curve, ECPrivate, RSAPrivate, RSAPublic, find_curve_by_oid

CONTEXT_0, CONTEXT_1 = 0xA0, 0xA1


def read_pkcs1_private(octets: bytes) -> RSAPrivate:
    body = read_sequence(octets)
    if body.read_integer() != 0:
        raise InvalidField("an RSA key of more than two primes is not supported")
    numbers = [body.read_integer() for _ in range(8)]
    body.check_end()
    return RSAPrivate(*numbers)


def write_pkcs1_private(key: RSAPrivate) -> bytes:
    numbers = (0, key.n, key.e, key.d, key.p, key.q, key.dp, key.dq, key.qi)
    return encode_sequence(*map(encode_integer, numbers))


def read_pkcs1_public(octets: bytes) -> RSAPublic:
    body = read_sequence(octets)
    key = RSAPublic(body.read_integer(), body.read_integer())
    body.check_end()
    return key


def write_pkcs1_public(key: RSAPublic) -> bytes:
    return encode_sequence(encode_integer(key.n), encode_integer(key.e))


def read_sec1(octets: bytes, outer_curve: Curve | None) -> ECPrivate:
    """outer_curve: the one that PKCS#8 names; None where the key itself must name its curve.

    Raises also UnsupportedCryptographicParameters for a curve that the server does not know.
    """
    body = read_sequence(octets)
    if body.read_integer() != 1:
        raise malformed_key_error()
    scalar = body.read(OCTET_STRING)
    curve = outer_curve
    if body.has_next(CONTEXT_0):
        parameters = DERReader(body.read(CONTEXT_0))
        curve = find_curve_by_oid(parameters.read(OID))
        parameters.check_end()
    if curve is None or curve not in NIST_CURVES or outer_curve not in {None, curve}:
        raise malformed_key_error()
    point = None
    if body.has_next(CONTEXT_1):
        public = DERReader(body.read(CONTEXT_1))
        point = public.read_bits()
        public.check_end()
    body.check_end()
    if len(scalar.lstrip(b"\0")) > curve.size:  # old encoders drop leading zeros, or add some
        raise malformed_key_error()
    return ECPrivate(curve, scalar.lstrip(b"\0").rjust(curve.size, b"\0"), point)


def write_sec1(key: ECPrivate, *, with_curve: bool) -> bytes:
    elements = [encode_integer(1), encode(OCTET_STRING, key.scalar)]
    if with_curve:
        elements.append(encode(CONTEXT_0, encode(OID, key.curve.oid)))
    if key.point is not None:
        elements.append(encode(CONTEXT_1, encode_bits(key.point)))
    return encode_sequence(*elements)
