"""The encodings inside PKCS#8 and SPKI: PKCS#1 (RFC 8017 appendix A.1) and SEC1 (RFC 5915).

Numbers are read and written as they are; nothing here does arithmetic on a key.
"""

from __future__ import annotations

from ...errors import InvalidField
from .der import (
    OCTET_STRING,
    OID,
    Reader,
    encode,
    encode_bits,
    encode_integer,
    encode_sequence,
    malformed,
    read_sequence,
)
from .numbers import NIST_CURVES, Curve, ECPrivate, RSAPrivate, RSAPublic, curve_by_oid

CONTEXT_0, CONTEXT_1 = 0xA0, 0xA1


def read_pkcs1_private(octets: bytes) -> RSAPrivate:
    body = read_sequence(octets)
    if body.integer() != 0:
        raise InvalidField("an RSA key of more than two primes is not supported")
    numbers = [body.integer() for _ in range(8)]
    body.end()
    return RSAPrivate(*numbers)


def write_pkcs1_private(key: RSAPrivate) -> bytes:
    numbers = (0, key.n, key.e, key.d, key.p, key.q, key.dp, key.dq, key.qi)
    return encode_sequence(*map(encode_integer, numbers))


def read_pkcs1_public(octets: bytes) -> RSAPublic:
    body = read_sequence(octets)
    key = RSAPublic(body.integer(), body.integer())
    body.end()
    return key


def write_pkcs1_public(key: RSAPublic) -> bytes:
    return encode_sequence(encode_integer(key.n), encode_integer(key.e))


def read_sec1(octets: bytes, outer_curve: Curve | None) -> ECPrivate:
    """outer_curve: what PKCS#8 says; without one, the key itself has to."""
    body = read_sequence(octets)
    if body.integer() != 1:
        raise malformed()
    scalar = body.next(OCTET_STRING)
    curve = outer_curve
    if body.has(CONTEXT_0):
        parameters = Reader(body.next(CONTEXT_0))
        curve = curve_by_oid(parameters.next(OID))
        parameters.end()
    if curve is None or curve not in NIST_CURVES or outer_curve not in {None, curve}:
        raise malformed()
    point = None
    if body.has(CONTEXT_1):
        public = Reader(body.next(CONTEXT_1))
        point = public.bits()
        public.end()
    body.end()
    if len(scalar.lstrip(b"\0")) > curve.size:  # old encoders leave leading zeros out, or add some
        raise malformed()
    return ECPrivate(curve, scalar.lstrip(b"\0").rjust(curve.size, b"\0"), point)


def write_sec1(key: ECPrivate, *, with_curve: bool) -> bytes:
    elements = [encode_integer(1), encode(OCTET_STRING, key.scalar)]
    if with_curve:
        elements.append(encode(CONTEXT_0, encode(OID, key.curve.oid)))
    if key.point is not None:
        elements.append(encode(CONTEXT_1, encode_bits(key.point)))
    return encode_sequence(*elements)
