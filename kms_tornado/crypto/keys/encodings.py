"""The encodings inside PKCS#8 and SPKI: PKCS#1 (RFC 8017 appendix A.1) and SEC1 (RFC 5915).

Numbers are read and written as they are; no function here does arithmetic on a key. The readers raise
InvalidField for a malformed key.
"""

from __future__ import annotations

from ...errors import InvalidField
from .curves import Curve, find_curve_by_oid, find_described_curve, unsupported_curve_error
from .der import (
    BIT_STRING,
    INTEGER,
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
from .numbers import ECPrivate, RSAPrivate, RSAPublic

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


_PRIME_FIELD = bytes.fromhex("2a8648ce3d0101")


def read_curve(parameters: DERReader) -> Curve:
    """The curve of id-ecPublicKey, the last element: an OID, or the whole equation (RFC 3279 §2.3.5).

    Old programs describe a curve instead of naming it. The description must equal the curve's in every number: a person
    who can choose the base point has a private key for any public key. Raises UnsupportedCryptographicParameters.
    """
    if parameters.has_next(OID):
        curve = find_curve_by_oid(parameters.read(OID))
    else:
        curve = _read_described_curve(parameters.read_sequence())
    parameters.check_end()
    return curve


def _read_described_curve(described: DERReader) -> Curve:
    if described.read_integer() not in {1, 2, 3}:
        raise malformed_key_error()
    field = described.read_sequence()
    if field.read(OID) != _PRIME_FIELD:
        raise unsupported_curve_error()
    p = field.read_integer()
    field.check_end()
    coefficients = described.read_sequence()
    a, b = (int.from_bytes(coefficients.read(OCTET_STRING), "big") for _ in range(2))
    if coefficients.has_next(BIT_STRING):  # the seed of a curve that was chosen at random
        coefficients.read(BIT_STRING)
    coefficients.check_end()
    base, order = described.read(OCTET_STRING), described.read_integer()
    if described.has_next(INTEGER) and described.read_integer() != 1:
        raise unsupported_curve_error()
    described.check_end()
    return find_described_curve(p, a, b, base, order)


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
        curve = read_curve(parameters)
    if curve is None or curve.equation is None or outer_curve not in {None, curve}:
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
