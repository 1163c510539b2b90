"""Private and public keys as the numbers that they consist of, and the curves they lie on.

The numbers are read and written without arithmetic; `asymmetric` checks whenever a key is used
whether they make a key that works. A repr never shows secret numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ...errors import InvalidField, UnsupportedCryptographicParameters
from ...kmip.enums import CryptographicAlgorithm


@dataclass(frozen=True, slots=True)
class Curve:
    """An elliptic curve.

    recommended: its number in KMIP's Recommended Curve. bits: of its field. size: of a scalar or
    coordinate, in bytes. order: of the base point; None where every scalar is valid (RFC 7748,
    RFC 8032).
    """

    name: str
    recommended: int
    oid: bytes
    bits: int
    size: int
    order: int | None = None


P256 = Curve(
    "P-256",
    7,
    bytes.fromhex("2a8648ce3d030107"),
    256,
    32,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
)
P384 = Curve(
    "P-384",
    10,
    bytes.fromhex("2b81040022"),
    384,
    48,
    int("f" * 48 + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16),
)
P521 = Curve(
    "P-521",
    13,
    bytes.fromhex("2b81040023"),
    521,
    66,
    int("01" + "f" * 64 + "fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409", 16),
)
X25519 = Curve("X25519", 0x45, bytes.fromhex("2b656e"), 255, 32)
ED25519 = Curve("Ed25519", 0x45, bytes.fromhex("2b6570"), 255, 32)

#: Short Weierstrass curves: in PKCS#8 and SPKI each is a parameter of the algorithm id-ecPublicKey.
NIST_CURVES = (P256, P384, P521)
#: Curves each of which is an algorithm of its own in PKCS#8 and SPKI.
RFC8410_CURVES = (X25519, ED25519)
_BY_OID: Mapping[bytes, Curve] = MappingProxyType(
    {curve.oid: curve for curve in NIST_CURVES + RFC8410_CURVES}
)
_NIST_BY_NUMBER: Mapping[int, Curve] = MappingProxyType(
    {curve.recommended: curve for curve in NIST_CURVES}
)


def find_curve_by_oid(oid: bytes) -> Curve:
    """The curve of an OID, in DER without header. Raises UnsupportedCryptographicParameters."""
    curve = _BY_OID.get(oid)
    if curve is None:
        raise unsupported_curve_error()
    return curve


def find_curve_by_number(number: int, algorithm: CryptographicAlgorithm | None) -> Curve:
    """The curve of a Recommended Curve. algorithm: tells Ed25519 from X25519 for CURVE25519.

    Raises UnsupportedCryptographicParameters.
    """
    if number == ED25519.recommended:
        return ED25519 if algorithm is CryptographicAlgorithm.ED25519 else X25519
    curve = _NIST_BY_NUMBER.get(number)
    if curve is None:
        raise unsupported_curve_error()
    return curve


def unsupported_curve_error() -> UnsupportedCryptographicParameters:
    return UnsupportedCryptographicParameters(
        "keys are RSA, or on P-256, P-384, P-521, Ed25519 or X25519"
    )


#: Bits of any number of a stored key; for keys in use `asymmetric` has tighter bounds.
MAX_STORED_BITS = 16384


def _check_numbers(*numbers: int) -> None:
    if any(number.bit_length() > MAX_STORED_BITS for number in numbers):
        raise InvalidField(f"a key's numbers have at most {MAX_STORED_BITS} bits")


@dataclass(frozen=True, slots=True)
class RSAPublic:
    n: int
    e: int

    def __post_init__(self) -> None:
        _check_numbers(self.n, self.e)


@dataclass(frozen=True, slots=True)
class RSAPrivate:
    """RFC 8017 §3.2, the second representation, with two primes."""

    n: int
    e: int
    d: int = field(repr=False)
    p: int = field(repr=False)
    q: int = field(repr=False)
    dp: int = field(repr=False)
    dq: int = field(repr=False)
    qi: int = field(repr=False)

    def __post_init__(self) -> None:
        _check_numbers(self.n, self.e, self.d, self.p, self.q, self.dp, self.dq, self.qi)


@dataclass(frozen=True, slots=True)
class ECPublic:
    """point: uncompressed (SEC 1 §2.3.3) on a NIST curve, 32 octets on the others."""

    curve: Curve
    point: bytes


@dataclass(frozen=True, slots=True)
class ECPrivate:
    """scalar: `curve.size` octets. point: None where the key came without it."""

    curve: Curve
    scalar: bytes = field(repr=False)
    point: bytes | None = None


@dataclass(frozen=True, slots=True)
class DSAPublic:
    """Stored and returned; no operation uses it."""

    p: int
    q: int
    g: int
    y: int

    def __post_init__(self) -> None:
        _check_numbers(self.p, self.q, self.g, self.y)


@dataclass(frozen=True, slots=True)
class DSAPrivate:
    """Stored and returned; no operation uses it."""

    p: int
    q: int
    g: int
    x: int = field(repr=False)

    def __post_init__(self) -> None:
        _check_numbers(self.p, self.q, self.g, self.x)


PrivateNumbers = RSAPrivate | ECPrivate | DSAPrivate
PublicNumbers = RSAPublic | ECPublic | DSAPublic
KeyNumbers = PrivateNumbers | PublicNumbers


def determine_algorithm(
    key: KeyNumbers, stated: CryptographicAlgorithm | None = None
) -> CryptographicAlgorithm:
    """The stated algorithm where the key fits it; by default the one that the key's type implies.

    A key on a NIST curve, for example, may be stated to be for ECDSA or ECDH.
    Raises InvalidField where the stated algorithm does not fit the key.
    """
    allowed = _list_algorithms(key)
    if stated is None:
        return allowed[0]
    if stated not in allowed:
        raise InvalidField("CryptographicAlgorithm is not that of the key")
    return stated


def measure_key_length(key: KeyNumbers) -> int:
    """The Cryptographic Length: bits of the modulus or the curve; 256 for a curve of 32 bytes."""
    match key:
        case RSAPublic() | RSAPrivate():
            return key.n.bit_length()
        case DSAPublic() | DSAPrivate():
            return key.p.bit_length()
        case _:
            return 256 if key.curve.size == 32 else key.curve.bits


def list_key_lengths(key: KeyNumbers) -> tuple[int, ...]:
    """The lengths that the key may be said to have, the usual one first.

    A modulus may begin with zero bits, which its maker counts; the 256 bits of Ed25519 and X25519 are 255 in
    other books.
    """
    measured = measure_key_length(key)
    match key:
        case RSAPublic() | RSAPrivate() | DSAPublic() | DSAPrivate():
            return (measured, -(-measured // 8) * 8)
        case _:
            return (measured, key.curve.bits)


def choose_length(possible: tuple[int, ...], stated: Sequence[int | None]) -> int:
    """The first stated length that the key may be said to have, else the usual one: clients state wrong ones."""
    return next((length for length in stated if length in possible), possible[0])


_EC = CryptographicAlgorithm.EC


def _list_algorithms(key: KeyNumbers) -> tuple[CryptographicAlgorithm, ...]:
    match key:
        case RSAPublic() | RSAPrivate():
            return (CryptographicAlgorithm.RSA,)
        case DSAPublic() | DSAPrivate():
            return (CryptographicAlgorithm.DSA,)
    if key.curve is ED25519:
        return (CryptographicAlgorithm.ED25519, _EC)
    if key.curve is X25519:
        return (CryptographicAlgorithm.ECDH, _EC)
    return (_EC, CryptographicAlgorithm.ECDSA, CryptographicAlgorithm.ECDH)
