"""One member of an issuer's key set: a JWK (RFC 7517 §4) or an X.509 certificate → a signing key.

What is weak, private, symmetric or meant for something else is refused here, once, so that no token
check has to think about it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ..errors import MalformedToken
from .compact import MAX_KID_LENGTH, decode_segment
from .signature import PublicKey, algorithms_of

RSA_BITS = (2048, 8192)  # below: factored in practice; above: a verification costs milliseconds
MAX_RSA_EXPONENT_BITS = 64  # a 2048-bit exponent makes one verification cost 1.4 ms (AUTH.md §3.6)

_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}

_P25519 = 2**255 - 19
#: The y coordinates of the eight points of small order (orders 4, 1, 2, 8, 8): with such a key a
#: signature can be forged that verifies for every message, or for every eighth.
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _P25519 - 1,
        int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
            "little",
        ),
        int.from_bytes(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
            "little",
        ),
    }
)


#: Moduli of Infineon's broken generator (CVE-2017-15361, ROCA) are powers of 65537 modulo every
#: small prime; of other moduli, one in a hundred million is.
_ROCA_RESIDUES = tuple(
    (p, frozenset(pow(65537, i, p) for i in range(p)))
    for p in range(3, 168, 2)
    if all(p % q for q in range(3, p, 2))
)

#: RFC 7518 §6.2.2, §6.3.2, RFC 8037 §2: what only the owner of a key may know.
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})


class UnusableKey(Exception):
    """This member cannot verify tokens. ``str()`` says why, for the operator; the set goes on."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An issuer's public key that may verify tokens.

    kid: None where the issuer gave none; algorithms: what type, curve and ``alg`` leave.
    was_private: the issuer publishes the private part, too.
    """

    kid: str | None
    algorithms: frozenset[str]
    public_key: PublicKey = field(repr=False)
    was_private: bool = False


def key_from_jwk(member: object) -> SigningKey:
    """Read one member of a JWK Set. Raises UnusableKey."""
    if not isinstance(member, dict):
        raise UnusableKey("no JSON object")
    kid = _kid(member)
    _check_purpose(member)
    kty = member.get("kty")
    build = _BUILDERS.get(kty) if isinstance(kty, str) else None
    if build is None:
        # oct among them: a shared secret in a public document verifies whatever anybody signs
        raise UnusableKey(f"key type {_shown(kty)} is not for signatures we accept")
    try:
        public_key = build(member)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise UnusableKey(f"not a valid {kty} key: {exc}") from None
    return SigningKey(
        kid=kid,
        algorithms=_bound(check_strength(public_key), member),
        public_key=public_key,
        was_private=not _PRIVATE_MEMBERS.isdisjoint(member),
    )


def key_from_certificate(kid: str, pem: object) -> SigningKey:
    """Read one value of a map of key ID to X.509 certificate (Google Firebase). Raises UnusableKey.

    The certificate's dates are not checked: its publisher withdraws a key by taking it out of the
    map, and nobody vouches for the certificate but the map itself.
    """
    if not kid or len(kid) > MAX_KID_LENGTH:
        raise UnusableKey("the key ID is empty or too long")
    if not isinstance(pem, str):
        raise UnusableKey("no PEM certificate")
    try:
        public_key = x509.load_pem_x509_certificate(pem.strip().encode("ascii")).public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise UnusableKey("no readable PEM certificate") from None
    if not isinstance(
        public_key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)
    ):
        raise UnusableKey("the certificate's key is not for signatures we accept")
    return SigningKey(kid=kid, algorithms=check_strength(public_key), public_key=public_key)


def check_strength(key: PublicKey) -> frozenset[str]:
    """The algorithms of a key that is strong enough. Raises UnusableKey."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        if not RSA_BITS[0] <= key.key_size <= RSA_BITS[1]:
            raise UnusableKey(
                f"RSA of {key.key_size} bits; {RSA_BITS[0]} to {RSA_BITS[1]} are used"
            )
        if numbers.n % 2 == 0:
            raise UnusableKey("the RSA modulus is even")
        if all(numbers.n % p in residues for p, residues in _ROCA_RESIDUES):
            raise UnusableKey("the RSA key was made by a broken generator (ROCA)")
        if numbers.e < 3 or numbers.e % 2 == 0 or numbers.e.bit_length() > MAX_RSA_EXPONENT_BITS:
            raise UnusableKey("the RSA exponent is even, too small or too large")
    if isinstance(key, ed25519.Ed25519PublicKey):
        # The top bit is the sign of x; y may also be written as y + p.
        y = int.from_bytes(key.public_bytes_raw(), "little") & (2**255 - 1)
        if y % _P25519 in _SMALL_ORDER_Y:
            raise UnusableKey("the Ed25519 point has a small order")
    algorithms = algorithms_of(key)
    if not algorithms:
        raise UnusableKey("the curve is not P-256, P-384 or P-521")
    return algorithms


def _kid(member: Mapping[str, Any]) -> str | None:
    if "kid" not in member:
        return None
    kid = member["kid"]
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_LENGTH:
        raise UnusableKey("kid is no string of 1 to 256 characters")
    return kid


def _check_purpose(member: Mapping[str, Any]) -> None:
    """RFC 7517 §4.2, §4.3: a key for encryption verifies nothing."""
    if "use" in member and member["use"] != "sig":
        raise UnusableKey(f"its use is {_shown(member['use'])}, not sig")
    if "key_ops" in member:
        operations = member["key_ops"]
        if not isinstance(operations, list) or not all(isinstance(o, str) for o in operations):
            raise UnusableKey("key_ops is no list of strings")
        if len(set(operations)) != len(operations):
            raise UnusableKey("key_ops names an operation twice")
        if "verify" not in operations:
            raise UnusableKey("its key_ops do not include verify")


def _bound(algorithms: frozenset[str], member: Mapping[str, Any]) -> frozenset[str]:
    """``alg``, where given, binds the key to it (RFC 7517 §4.4)."""
    if "alg" not in member:
        return algorithms
    alg = member["alg"]
    if not isinstance(alg, str) or alg not in algorithms:
        raise UnusableKey(f"its alg {_shown(alg)} does not fit its type or is not accepted")
    return frozenset({alg})


def _rsa(member: Mapping[str, Any]) -> PublicKey:
    n, e = _integer(member, "n"), _integer(member, "e")
    if n.bit_length() > RSA_BITS[1]:
        raise ValueError(f"RSA of {n.bit_length()} bits")  # before OpenSSL works on it
    return rsa.RSAPublicNumbers(e, n).public_key()


def _ec(member: Mapping[str, Any]) -> PublicKey:
    crv = member.get("crv")
    curve = _CURVES.get(crv) if isinstance(crv, str) else None
    if curve is None:
        raise ValueError(f"curve {_shown(crv)}")
    size = (curve.key_size + 7) // 8
    x, y = _octets(member, "x"), _octets(member, "y")
    if len(x) != size or len(y) != size:  # RFC 7518 §6.2.1.2: the full size, leading zeros too
        raise ValueError("a coordinate has the wrong length")
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve
    )
    return numbers.public_key()


def _okp(member: Mapping[str, Any]) -> PublicKey:
    crv = member.get("crv")
    if crv != "Ed25519":
        raise ValueError(f"curve {_shown(crv)}")
    return ed25519.Ed25519PublicKey.from_public_bytes(_octets(member, "x"))


_BUILDERS = {"RSA": _rsa, "EC": _ec, "OKP": _okp}


def _octets(member: Mapping[str, Any], name: str) -> bytes:
    value = member.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is absent or no string")
    try:
        return decode_segment(value.encode("ascii"))
    except (MalformedToken, UnicodeEncodeError):
        raise ValueError(f"{name} is not base64url") from None


def _integer(member: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(_octets(member, name), "big")


def _shown(value: object) -> str:
    """A value of a public document for a log line: short, on one line."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
