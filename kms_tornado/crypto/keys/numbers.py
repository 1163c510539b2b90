"""Private and public keys as the numbers of which they consist, and what these numbers say about a key.

The numbers are read and written without arithmetic; `loading` checks whenever a key is used whether they make a key
that works. A repr never shows secret numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...errors import InvalidField
from ...kmip.enums import CryptographicAlgorithm, RecommendedCurve
from ...kmip.structures import CryptographicDomainParameters
from .curves import EDWARDS_CURVES, RFC8410_CURVES, Curve

#: The longest number in a stored key, in bits; for keys in use `loading` has tighter bounds.
MAX_STORED_BITS = 16384


def _check_numbers(*numbers: int) -> None:
    if any(number.bit_length() > MAX_STORED_BITS for number in numbers):
        raise InvalidField(f"a key's numbers have at most {MAX_STORED_BITS} bits")


@dataclass(frozen=True, slots=True)
class RSAPublic:
    """pss: None for a key of rsaEncryption.

    For one of id-RSASSA-PSS (RFC 4055 §3.1) the parameters in DER, or b"" where it has none.
    """

    n: int
    e: int
    pss: bytes | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_numbers(self.n, self.e)


@dataclass(frozen=True, slots=True)
class RSAPrivate:
    """RFC 8017 §3.2, the second representation, with two primes. pss: as in `RSAPublic`."""

    n: int
    e: int
    d: int = field(repr=False)
    p: int = field(repr=False)
    q: int = field(repr=False)
    dp: int = field(repr=False)
    dq: int = field(repr=False)
    qi: int = field(repr=False)
    pss: bytes | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_numbers(self.n, self.e, self.d, self.p, self.q, self.dp, self.dq, self.qi)


@dataclass(frozen=True, slots=True)
class ECPublic:
    """point: as in SEC 1 §2.3.3 on a Weierstrass curve, `curve.size` octets on the others."""

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


@dataclass(frozen=True, slots=True)
class DHPublic:
    """Stored and returned; no operation uses it. q, j: of X9.42, where p is j·q + 1.

    length: of x in bits, of PKCS#3.
    """

    p: int
    g: int
    q: int | None
    j: int | None
    length: int | None
    y: int

    def __post_init__(self) -> None:
        _check_numbers(self.p, self.g, self.y, self.q or 0, self.j or 0, self.length or 0)


@dataclass(frozen=True, slots=True)
class DHPrivate:
    """As `DHPublic`."""

    p: int
    g: int
    q: int | None
    j: int | None
    length: int | None
    x: int = field(repr=False)

    def __post_init__(self) -> None:
        _check_numbers(self.p, self.g, self.x, self.q or 0, self.j or 0, self.length or 0)


PrivateNumbers = RSAPrivate | ECPrivate | DSAPrivate | DHPrivate
PublicNumbers = RSAPublic | ECPublic | DSAPublic | DHPublic
KeyNumbers = PrivateNumbers | PublicNumbers


def determine_algorithm(
    key: KeyNumbers, stated: CryptographicAlgorithm | None = None
) -> CryptographicAlgorithm:
    """The stated algorithm where the key fits it; by default the one that the key's type implies.

    A key on P-256, for example, may be stated to be for ECDSA or ECDH.
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
        case DSAPublic() | DSAPrivate() | DHPublic() | DHPrivate():
            return key.p.bit_length()
        case _:
            return 256 if key.curve.size == 32 else key.curve.bits


def list_key_lengths(key: KeyNumbers) -> tuple[int, ...]:
    """The lengths that the key may be said to have, the usual one first.

    A modulus may begin with zero bits, which some programs count; and some say 255 bits for Ed25519 and X25519, others
    256.
    """
    measured = measure_key_length(key)
    match key:
        case ECPublic() | ECPrivate():
            return (measured, key.curve.bits)
        case _:
            return (measured, -(-measured // 8) * 8)


def describe_domain(key: KeyNumbers) -> CryptographicDomainParameters | None:
    """The curve of a key, or the bits of q. None where it has neither."""
    match key:
        case ECPublic() | ECPrivate():
            return CryptographicDomainParameters(
                recommended_curve=RecommendedCurve(key.curve.recommended)
            )
        case DSAPublic() | DSAPrivate() | DHPublic() | DHPrivate() if key.q:
            return CryptographicDomainParameters(qlength=key.q.bit_length())
    return None


def choose_length(possible: tuple[int, ...], stated: Sequence[int | None]) -> int:
    """The first stated length that the key may be said to have, else the usual one: clients state wrong lengths."""
    return next((length for length in stated if length in possible), possible[0])


_A = CryptographicAlgorithm


def _list_algorithms(key: KeyNumbers) -> tuple[CryptographicAlgorithm, ...]:
    match key:
        case RSAPublic() | RSAPrivate():
            return (_A.RSA,)
        case DSAPublic() | DSAPrivate():
            return (_A.DSA,)
        case DHPublic() | DHPrivate():
            return (_A.DH,)
    if key.curve in EDWARDS_CURVES:
        return (CryptographicAlgorithm[key.curve.name.upper()], _A.EC)
    if key.curve in RFC8410_CURVES:
        return (_A.ECDH, _A.EC)
    return (_A.EC, _A.ECDSA, _A.ECDH, _A.ECMQV)
