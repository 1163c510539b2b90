"""Asymmetric keys as objects of the library `cryptography`: their types, and the curves on which it computes.

These objects leave the package only for other modules of crypto/.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x448, x25519

from ...errors import InvalidField
from .curves import (
    BRAINPOOLP256R1,
    BRAINPOOLP384R1,
    BRAINPOOLP512R1,
    ED448,
    ED25519,
    P192,
    P224,
    P256,
    P384,
    P521,
    SECP256K1,
    X448,
    X25519,
    Curve,
)
from .numbers import ECPrivate, ECPublic

#: The curves on which keys are made and sign. P-192 and P-224 are too weak for anything new.
SIGNING_CURVES: Mapping[Curve, ec.EllipticCurve] = MappingProxyType(
    {
        P256: ec.SECP256R1(),
        P384: ec.SECP384R1(),
        P521: ec.SECP521R1(),
        SECP256K1: ec.SECP256K1(),
        BRAINPOOLP256R1: ec.BrainpoolP256R1(),
        BRAINPOOLP384R1: ec.BrainpoolP384R1(),
        BRAINPOOLP512R1: ec.BrainpoolP512R1(),
    }
)
#: The curves on which the library computes public keys.
LIBRARY_CURVES: Mapping[Curve, ec.EllipticCurve] = MappingProxyType(
    {**SIGNING_CURVES, P192: ec.SECP192R1(), P224: ec.SECP224R1()}
)

AgreementPrivateKey = x25519.X25519PrivateKey | x448.X448PrivateKey
EdwardsPrivateKey = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
AGREEMENT_CLASSES: Mapping[Curve, type[AgreementPrivateKey]] = MappingProxyType(
    {X25519: x25519.X25519PrivateKey, X448: x448.X448PrivateKey}
)
EDWARDS_CLASSES: Mapping[Curve, type[EdwardsPrivateKey]] = MappingProxyType(
    {ED25519: ed25519.Ed25519PrivateKey, ED448: ed448.Ed448PrivateKey}
)
EDWARDS_PUBLIC_CLASSES: Mapping[
    Curve, type[ed25519.Ed25519PublicKey] | type[ed448.Ed448PublicKey]
] = MappingProxyType({ED25519: ed25519.Ed25519PublicKey, ED448: ed448.Ed448PublicKey})

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | EdwardsPrivateKey
PublicKey = (
    rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
)
AgreementPublicKey = x25519.X25519PublicKey | x448.X448PublicKey


def check_scalar(key: ECPrivate) -> int:
    """The private key as a number. Raises InvalidField where it is out of range."""
    equation, number = key.curve.equation, int.from_bytes(key.scalar, "big")
    if equation is None or not 0 < number < equation.order:
        raise InvalidField("the private key is not a scalar of its curve")
    return number


def load_scalar(key: ECPrivate) -> ec.EllipticCurvePrivateKey:
    """The library's key for a private key on a curve of LIBRARY_CURVES.

    Raises InvalidField where it is out of range.
    """
    return ec.derive_private_key(check_scalar(key), LIBRARY_CURVES[key.curve])


def load_point(key: ECPublic) -> ec.EllipticCurvePublicKey:
    """The library's key for a public key on a curve of LIBRARY_CURVES.

    Raises InvalidField where it is no point of it.
    """
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(LIBRARY_CURVES[key.curve], key.point)
    except ValueError:
        raise InvalidField("the public key is not a point on its curve") from None


def encode_spki(key: PublicKey | AgreementPublicKey) -> bytes:
    """The SPKI of a public key, in DER."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
