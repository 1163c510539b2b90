"""The elliptic curves on which keys may lie, their names, and whether a point lies on one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ...errors import InvalidField, UnsupportedCryptographicParameters
from ...kmip.enums import CryptographicAlgorithm
from .curve_parameters import PARAMETERS


@dataclass(frozen=True, slots=True)
class Equation:
    """y² = x³ + a·x + b modulo p. (x, y): the base point. order: of the base point, which has cofactor 1."""

    p: int
    a: int
    b: int
    x: int
    y: int
    order: int


@dataclass(frozen=True, slots=True)
class Curve:
    """An elliptic curve.

    recommended: its number in KMIP's Recommended Curve. oid: in DER without header. bits: of its field.
    size: of a scalar or coordinate, in bytes. equation: of a short Weierstrass curve, which in PKCS#8 and SPKI
    is a parameter of the algorithm id-ecPublicKey; None for those of RFC 7748 and RFC 8032, each of which is an
    algorithm of its own, and where every scalar is valid.
    """

    name: str
    recommended: int
    oid: bytes
    bits: int
    size: int
    equation: Equation | None = None


def _make_curve(name: str, recommended: int, oid: str, numbers: str) -> Curve:
    equation = Equation(*(int(digits, 16) for digits in numbers.split()))
    bits = equation.p.bit_length()
    return Curve(name, recommended, bytes.fromhex(oid), bits, (bits + 7) // 8, equation)


WEIERSTRASS_CURVES: Mapping[str, Curve] = MappingProxyType(
    {row[0]: _make_curve(*row) for row in PARAMETERS}
)
P192, P224 = WEIERSTRASS_CURVES["P-192"], WEIERSTRASS_CURVES["P-224"]
P256 = WEIERSTRASS_CURVES["P-256"]
P384 = WEIERSTRASS_CURVES["P-384"]
P521 = WEIERSTRASS_CURVES["P-521"]
SECP256K1 = WEIERSTRASS_CURVES["secp256k1"]
BRAINPOOLP256R1 = WEIERSTRASS_CURVES["brainpoolP256r1"]
BRAINPOOLP384R1 = WEIERSTRASS_CURVES["brainpoolP384r1"]
BRAINPOOLP512R1 = WEIERSTRASS_CURVES["brainpoolP512r1"]
X25519 = Curve("X25519", 69, bytes.fromhex("2b656e"), 255, 32)
X448 = Curve("X448", 70, bytes.fromhex("2b656f"), 448, 56)
ED25519 = Curve("Ed25519", 69, bytes.fromhex("2b6570"), 255, 32)
ED448 = Curve("Ed448", 70, bytes.fromhex("2b6571"), 448, 57)

NIST_CURVES = (P256, P384, P521)
EDWARDS_CURVES = (ED25519, ED448)
RFC8410_CURVES = (X25519, X448, ED25519, ED448)

_BY_OID: Mapping[bytes, Curve] = MappingProxyType(
    {curve.oid: curve for curve in (*WEIERSTRASS_CURVES.values(), *RFC8410_CURVES)}
)
_BY_NUMBER: Mapping[int, Curve] = MappingProxyType(
    {curve.recommended: curve for curve in (*WEIERSTRASS_CURVES.values(), X25519, X448)}
)
_EDWARDS_BY_ALGORITHM: Mapping[CryptographicAlgorithm, Curve] = MappingProxyType(
    {CryptographicAlgorithm.ED25519: ED25519, CryptographicAlgorithm.ED448: ED448}
)


def find_curve_by_oid(oid: bytes) -> Curve:
    """The curve of an OID, in DER without header. Raises UnsupportedCryptographicParameters."""
    curve = _BY_OID.get(oid)
    if curve is None:
        raise unsupported_curve_error()
    return curve


def find_described_curve(p: int, a: int, b: int, base: bytes, order: int) -> Curve:
    """The curve whose parameters are all equal to these.

    base: its base point, in any form of SEC 1 §2.3.3.
    Raises UnsupportedCryptographicParameters, InvalidField.
    """
    for curve in WEIERSTRASS_CURVES.values():
        own = curve.equation
        if own is not None and (own.p, own.a, own.b, own.order) == (p, a, b, order):
            own_base = own.x.to_bytes(curve.size, "big") + own.y.to_bytes(curve.size, "big")
            if uncompress_point(curve, base)[1:] == own_base:
                return curve
    raise unsupported_curve_error()


def find_curve_by_number(number: int, algorithm: CryptographicAlgorithm | None) -> Curve:
    """The curve of a Recommended Curve. algorithm: tells Ed25519 from X25519, and Ed448 from X448.

    Raises UnsupportedCryptographicParameters.
    """
    edwards = _EDWARDS_BY_ALGORITHM.get(algorithm) if algorithm is not None else None
    if edwards is not None and number == edwards.recommended:
        return edwards
    curve = _BY_NUMBER.get(number)
    if curve is None:
        raise unsupported_curve_error()
    return curve


def unsupported_curve_error() -> UnsupportedCryptographicParameters:
    return UnsupportedCryptographicParameters(
        "keys are of RSA, DSA or Diffie-Hellman, or on P-192 to P-521, secp256k1, the brainpool curves,"
        " Ed25519, Ed448, X25519 or X448"
    )


# --- points -------------------------------------------------------------------------------------


def uncompress_point(curve: Curve, octets: bytes) -> bytes:
    """The point in the uncompressed form of SEC 1 §2.3.3: 0x04, x, y.

    octets: the same, compressed (0x02, 0x03), or hybrid (0x06, 0x07).
    Raises InvalidField where they are no point of the curve; the point at infinity does not count as one.
    """
    equation, size = curve.equation, curve.size
    assert equation is not None
    form, x = octets[:1], int.from_bytes(octets[1 : 1 + size], "big")
    squared = (x * x * x + equation.a * x + equation.b) % equation.p
    if form in {b"\x02", b"\x03"} and len(octets) == 1 + size:
        y = _find_root(squared, equation.p)
        y = y if y & 1 == octets[0] & 1 else equation.p - y
    elif form in {b"\x04", b"\x06", b"\x07"} and len(octets) == 1 + 2 * size:
        y = int.from_bytes(octets[1 + size :], "big")
        if form != b"\x04" and y & 1 != octets[0] & 1:
            raise _no_point_error()
    else:
        raise _no_point_error()
    if not (x < equation.p and y < equation.p and y * y % equation.p == squared):
        raise _no_point_error()
    return b"\x04" + x.to_bytes(size, "big") + y.to_bytes(size, "big")


def _find_root(square: int, p: int) -> int:
    """A square root modulo p, or another number where there is none (Tonelli and Shanks)."""
    odd, twos = p - 1, 0
    while not odd & 1:
        odd, twos = odd >> 1, twos + 1
    root, rest = pow(square, (odd + 1) // 2, p), pow(square, odd, p)
    base = 2
    while pow(base, (p - 1) // 2, p) != p - 1:
        base += 1
    power = pow(base, odd, p)  # of order 2^twos
    for shift in range(twos - 2, -1, -1):
        if pow(rest, 1 << shift, p) == p - 1:
            root, rest = root * power % p, rest * power * power % p
        power = power * power % p
    return root


def _no_point_error() -> InvalidField:
    return InvalidField("the public key is not a point on its curve")
