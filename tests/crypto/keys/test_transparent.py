"""Transparent keys: both ways, and what is refused. `test_rsa_numbers` has RSA keys that lack numbers."""

from __future__ import annotations

import pytest

from kms_tornado.crypto.keys import formats as key_formats
from kms_tornado.crypto.keys.curves import ED25519, X25519
from kms_tornado.crypto.keys.numbers import DSAPrivate, DSAPublic
from kms_tornado.crypto.keys.transparent import parse_transparent, render_transparent
from kms_tornado.errors import InvalidField, KeyFormatTypeNotSupported
from kms_tornado.kmip.enums import CryptographicAlgorithm as A
from kms_tornado.kmip.enums import KeyFormatType as F
from kms_tornado.kmip.enums import RecommendedCurve
from kms_tornado.kmip.key_material import (
    TransparentECPrivateKey,
    TransparentECPublicKey,
    TransparentRSAPublicKey,
)

from .library_keys import LIBRARY_KEYS, pkcs8, spki

NIST = ["P-256", "P-384", "P-521"]


def private(name):
    return key_formats.import_private(pkcs8(LIBRARY_KEYS[name]), F.PKCS8)


def public(name):
    return key_formats.import_public(spki(LIBRARY_KEYS[name]), F.X509)


@pytest.mark.parametrize(
    ("key", "key_format"),
    [
        pytest.param(private("RSA"), F.TRANSPARENT_RSA_PRIVATE_KEY, id="RSA private"),
        pytest.param(public("RSA"), F.TRANSPARENT_RSA_PUBLIC_KEY, id="RSA public"),
        *(pytest.param(public(name), F.TRANSPARENT_EC_PUBLIC_KEY, id=name) for name in NIST),
        pytest.param(DSAPrivate(7919, 37, 5, 11), F.TRANSPARENT_DSA_PRIVATE_KEY, id="DSA private"),
        pytest.param(DSAPublic(7919, 37, 5, 12), F.TRANSPARENT_DSA_PUBLIC_KEY, id="DSA public"),
    ],
)
def test_key_comes_back_as_it_was(key, key_format):
    assert parse_transparent(render_transparent(key, key_format)) == key


@pytest.mark.parametrize("name", NIST)
def test_private_key_on_a_curve_comes_back_without_its_point(name):
    key = private(name)
    again = parse_transparent(render_transparent(key, F.TRANSPARENT_EC_PRIVATE_KEY))
    assert (again.curve, again.scalar, again.point) == (key.curve, key.scalar, None)


@pytest.mark.parametrize(("algorithm", "curve"), [(A.ED25519, ED25519), (A.ECDH, X25519)])
def test_algorithm_tells_the_two_curves_of_one_number_apart(algorithm, curve):
    number = RecommendedCurve(curve.recommended)
    assert parse_transparent(TransparentECPublicKey(number, bytes(32)), algorithm).curve is curve
    assert parse_transparent(TransparentECPrivateKey(number, 1), algorithm).curve is curve


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(TransparentRSAPublicKey(-1, 3), id="negative modulus"),
        pytest.param(TransparentRSAPublicKey(1 << 20000, 3), id="long modulus"),
        pytest.param(TransparentECPrivateKey(RecommendedCurve.P_256, -1), id="negative scalar"),
        pytest.param(TransparentECPrivateKey(RecommendedCurve.P_256, 1 << 256), id="long scalar"),
        pytest.param(
            TransparentECPublicKey(RecommendedCurve.CURVE25519, bytes(31)), id="short point"
        ),
    ],
)
def test_numbers_out_of_range_are_refused(key):
    with pytest.raises(InvalidField):
        parse_transparent(key)


def test_format_of_another_type_of_key_is_refused():
    with pytest.raises(KeyFormatTypeNotSupported):
        render_transparent(public("RSA"), F.TRANSPARENT_EC_PUBLIC_KEY)
    with pytest.raises(KeyFormatTypeNotSupported):
        render_transparent(private("P-256"), F.TRANSPARENT_EC_PUBLIC_KEY)
