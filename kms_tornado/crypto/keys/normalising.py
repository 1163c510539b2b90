"""Asymmetric keys in the form in which they are stored, after the checks that are cheap.

A key is stored as it is: OASIS profile case BL-M-9 has an RSA key whose primes are not prime. `loading` makes the other
checks, before every use of a key.
"""

from __future__ import annotations

import dataclasses
from typing import TypeVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ...errors import InvalidField
from .curves import uncompress_point
from .library_keys import LIBRARY_CURVES, check_scalar, load_scalar
from .numbers import ECPrivate, ECPublic, KeyNumbers

K = TypeVar("K", bound=KeyNumbers)


def normalise_key(key: K) -> K:
    """The key in the form in which it is stored, after the checks that are cheap.

    An RSA, DSA or DH key is returned as it is. A point must lie on its curve and is uncompressed; a scalar
    must be in range, and fit the point that came with it where the library has the curve. Raises InvalidField.
    """
    match key:
        case ECPublic() if key.curve.equation is not None:
            return dataclasses.replace(key, point=uncompress_point(key.curve, key.point))
        case ECPrivate() if key.curve.equation is not None:
            return dataclasses.replace(key, point=_find_point(key))
    return key


def _find_point(key: ECPrivate) -> bytes | None:
    """The uncompressed public point of a private key; None where it did not come and cannot be computed."""
    stated = None if key.point is None else uncompress_point(key.curve, key.point)
    if key.curve not in LIBRARY_CURVES:
        check_scalar(key)
        return stated
    computed = _encode_uncompressed(load_scalar(key).public_key())
    if stated not in {None, computed}:
        raise InvalidField("the two halves of the private key do not belong together")
    return computed


def _encode_uncompressed(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
