"""One member of an issuer's key set: from a JWK (RFC 7517 §4) or a certificate to a SigningKey.

Weak keys, symmetric keys and keys for another purpose are refused here, once per refresh, so that no token check has
to consider them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ... import lenient_json
from ...errors import MalformedToken
from ..tokens.compact import MAX_KID_LENGTH, decode_segment
from ..tokens.signature import PublicKey, list_algorithms
from ..tokens.token_policy import normalise_algorithm

RSA_BITS = (2048, 8192)  # below: factored in practice; above: a verification costs milliseconds
MAX_PEM_LENGTH = 64 * 1024  # of characters; a certificate has a few thousand
MAX_RSA_EXPONENT_BITS = 64  # with an exponent of 2048 bits, one verification takes 1.4 ms

_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}

_P25519 = 2**255 - 19
#: The y coordinates of the eight points of small order (4, 1, 2, 8 and 8). With such a key, anybody
#: can make a signature that verifies for every message, or for one message in eight.
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

#: The moduli of Infineon's broken generator (CVE-2017-15361, ROCA) are powers of 65537 modulo every
#: small prime; of all other moduli, one in a hundred million is.
_ROCA_RESIDUES = tuple(
    (p, frozenset(pow(65537, i, p) for i in range(p)))
    for p in range(3, 168, 2)
    if all(p % q for q in range(3, p, 2))
)

#: The members of a private key (RFC 7518 §6.2.2, §6.3.2, RFC 8037 §2).
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})

#: The members that decide about tokens. Others are ignored.
_COMMON_MEMBERS = ("kty", "kid", "use", "key_ops", "alg", "issuer")
#: Values of `use` for keys that verify tokens; the second one is SPIFFE's ("JWT-SVID", §5.1).
_USES = ("sig", "jwt-svid")
#: How a public key begins in the map that Google's Identity-Aware Proxy has.
PEM_PUBLIC_KEY = b"-----BEGIN PUBLIC KEY-----"
_MATERIAL = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}


class UnusableKey(Exception):
    """This member cannot verify tokens; others of its set may. ``str()`` tells the operator why."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An issuer's public key that may verify tokens.

    kid: the key's ID; None where the issuer names none.
    algorithms: the algorithms that the key's type, its curve and its ``alg`` allow.
    was_private: whether the issuer also publishes the private part.
    issuer: the only issuer whose tokens the key verifies, as Entra ID states it; ``{tenantid}`` in it stands for the
    token's ``tid``. None where the key does not say.
    """

    kid: str | None
    algorithms: frozenset[str]
    public_key: PublicKey = field(repr=False)
    was_private: bool = False
    issuer: str | None = None


def key_from_jwk(member: object) -> SigningKey:
    """Parse one member of a JWK Set. Raises UnusableKey."""
    if not isinstance(member, dict):
        raise UnusableKey("not a JSON object")
    _check_for_oddities(member)
    kid = _parse_kid(member)
    _check_purpose(member)
    kty = member.get("kty")
    build = _BUILDERS.get(kty) if isinstance(kty, str) else None
    if build is None:
        # "oct" is among them: a shared secret in a public document verifies what anybody signs.
        raise UnusableKey(f"key type {_abbreviate(kty)} is not for signatures we accept")
    try:
        public_key = build(member)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise UnusableKey(f"not a valid {kty} key: {exc}") from None
    return SigningKey(
        kid=kid,
        algorithms=_restrict_to_alg(check_strength(public_key), member),
        public_key=public_key,
        was_private=not _PRIVATE_MEMBERS.isdisjoint(member),
        issuer=_parse_issuer(member),
    )


def key_from_pem(kid: str, pem: object) -> SigningKey:
    """Parse one value of a map from key ID to X.509 certificate (Google Firebase) or public key (Google IAP).

    Raises UnusableKey. Neither a certificate's dates nor its signature are checked: the publisher withdraws a key by
    taking it out of the map, and only the map vouches for the certificate.
    """
    if not kid or len(kid) > MAX_KID_LENGTH:
        raise UnusableKey("the key ID is empty or too long")
    if lenient_json.has_surrogate(kid):
        raise UnusableKey("the key ID has characters that are not Unicode")
    if not isinstance(pem, str):
        raise UnusableKey("not PEM")
    if len(pem) > MAX_PEM_LENGTH:
        raise UnusableKey(f"its PEM has more than {MAX_PEM_LENGTH} characters")
    try:
        octets = pem.strip().encode("ascii")
        if octets.startswith(PEM_PUBLIC_KEY):
            public_key = load_pem_public_key(octets)
        else:
            public_key = x509.load_pem_x509_certificate(octets).public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        if "PRIVATE KEY-----" in pem:
            text = "a PRIVATE key: whoever has read it signs tokens; replace it, and publish public keys alone"
            raise UnusableKey(text) from None
        raise UnusableKey("not a readable PEM certificate or public key") from None
    if not isinstance(
        public_key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)
    ):
        raise UnusableKey("the key is not for signatures we accept")
    return SigningKey(kid=kid, algorithms=check_strength(public_key), public_key=public_key)


def check_strength(key: PublicKey) -> frozenset[str]:
    """Refuse a weak key; the algorithms that a strong one can serve. Raises UnusableKey."""
    if isinstance(key, rsa.RSAPublicKey):
        _check_rsa(key)
    elif isinstance(key, ed25519.Ed25519PublicKey):
        _check_ed25519(key)
    algorithms = list_algorithms(key)
    if not algorithms:
        raise UnusableKey("the curve is not P-256, P-384 or P-521")
    return algorithms


def _check_rsa(key: rsa.RSAPublicKey) -> None:
    numbers = key.public_numbers()
    if not RSA_BITS[0] <= key.key_size <= RSA_BITS[1]:
        raise UnusableKey(
            f"RSA of {key.key_size} bits; {RSA_BITS[0]} to {RSA_BITS[1]} are accepted"
        )
    if numbers.n % 2 == 0:
        raise UnusableKey("the RSA modulus is even")
    if all(numbers.n % p in residues for p, residues in _ROCA_RESIDUES):
        raise UnusableKey("the RSA key was made by a broken generator (ROCA)")
    if numbers.e < 3 or numbers.e % 2 == 0 or numbers.e.bit_length() > MAX_RSA_EXPONENT_BITS:
        raise UnusableKey("the RSA exponent is even, too small or too large")


def _check_ed25519(key: ed25519.Ed25519PublicKey) -> None:
    # The top bit is the sign of x; y may also be written as y + p.
    y = int.from_bytes(key.public_bytes_raw(), "little") & (2**255 - 1)
    if y % _P25519 in _SMALL_ORDER_Y:
        raise UnusableKey("the Ed25519 point has a small order")


def _check_for_oddities(member: Mapping[str, Any]) -> None:
    """Refuse a member with an oddity that affects the key, since two parsers may read it differently."""
    kty = member.get("kty")
    material = _MATERIAL.get(kty, ()) if isinstance(kty, str) else ()
    for name in (*_COMMON_MEMBERS, *material):
        if problem := lenient_json.find_oddity(member, name):
            raise UnusableKey(problem)


def _parse_kid(member: Mapping[str, Any]) -> str | None:
    if "kid" not in member:
        return None
    kid = member["kid"]
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_LENGTH:
        raise UnusableKey("kid is not a string of 1 to 256 characters")
    return kid


def _parse_issuer(member: Mapping[str, Any]) -> str | None:
    """The issuer that a member names. Entra ID serves the keys of several tenants and clouds in one document."""
    if "issuer" not in member:
        return None
    issuer = member["issuer"]
    if not isinstance(issuer, str) or not issuer:
        raise UnusableKey(f"its issuer is {_abbreviate(issuer)}, not a text")
    return issuer


def _check_purpose(member: Mapping[str, Any]) -> None:
    """``use`` and ``key_ops`` must allow verifying signatures (RFC 7517 §4.2, §4.3)."""
    if "use" in member and member["use"] not in _USES:
        raise UnusableKey(f"its use is {_abbreviate(member['use'])}, not sig")
    if "key_ops" in member:
        operations = member["key_ops"]
        if not isinstance(operations, list) or not all(isinstance(o, str) for o in operations):
            raise UnusableKey("key_ops is not a list of strings")
        if len(set(operations)) != len(operations):
            raise UnusableKey("key_ops names an operation twice")
        if "verify" not in operations:
            raise UnusableKey("its key_ops do not include verify")


def _restrict_to_alg(algorithms: frozenset[str], member: Mapping[str, Any]) -> frozenset[str]:
    """``alg``, where present, is the only algorithm of the key (RFC 7517 §4.4)."""
    if "alg" not in member:
        return algorithms
    alg = member["alg"]
    if not isinstance(alg, str) or normalise_algorithm(alg) not in algorithms:
        raise UnusableKey(f"its alg {_abbreviate(alg)} does not fit its type or is not accepted")
    return frozenset({normalise_algorithm(alg)})


def _build_rsa(member: Mapping[str, Any]) -> PublicKey:
    n, e = _parse_integer(member, "n"), _parse_integer(member, "e")
    if n.bit_length() > RSA_BITS[1]:
        raise ValueError(f"RSA of {n.bit_length()} bits")  # refused before OpenSSL works on it
    return rsa.RSAPublicNumbers(e, n).public_key()


def _build_ec(member: Mapping[str, Any]) -> PublicKey:
    crv = member.get("crv")
    curve = _CURVES.get(crv) if isinstance(crv, str) else None
    if curve is None:
        raise ValueError(f"curve {_abbreviate(crv)}")
    size = (curve.key_size + 7) // 8
    x, y = _parse_octets(member, "x"), _parse_octets(member, "y")
    if len(x) != size or len(y) != size:  # RFC 7518 §6.2.1.2: full size, with leading zeros
        raise ValueError("a coordinate has the wrong length")
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve
    )
    return numbers.public_key()


def _build_okp(member: Mapping[str, Any]) -> PublicKey:
    crv = member.get("crv")
    if crv != "Ed25519":
        raise ValueError(f"curve {_abbreviate(crv)}")
    return ed25519.Ed25519PublicKey.from_public_bytes(_parse_octets(member, "x"))


#: Key type → its builder. Each raises ValueError or UnsupportedAlgorithm.
_BUILDERS = {"RSA": _build_rsa, "EC": _build_ec, "OKP": _build_okp}


def _parse_octets(member: Mapping[str, Any], name: str) -> bytes:
    value = member.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is absent or not a string")
    try:
        return decode_segment(value.encode("ascii"))
    except (MalformedToken, UnicodeEncodeError):
        raise ValueError(f"{name} is not base64url") from None


def _parse_integer(member: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(_parse_octets(member, name), "big")


def _abbreviate(value: object) -> str:
    """A value of a public document, shortened to go into one line of the log."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
