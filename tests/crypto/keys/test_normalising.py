"""Asymmetric keys on their way into the store: points and scalars."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization as s

from kms_tornado.crypto.keys import formats as key_formats
from kms_tornado.crypto.keys.curves import P256, P384, P521
from kms_tornado.crypto.keys.generation import generate_ec
from kms_tornado.crypto.keys.normalising import normalise_key
from kms_tornado.crypto.keys.numbers import ECPrivate, ECPublic
from kms_tornado.errors import InvalidField
from kms_tornado.kmip.enums import KeyFormatType as F

from ...rows import each_row
from .library_keys import EC_KEYS, spki


@pytest.mark.parametrize("curve", [P256, P384, P521], ids=lambda curve: curve.name)
def test_point_off_its_curve_is_refused(curve):
    octets = bytearray(spki(EC_KEYS[curve]))
    octets[-1] ^= 1
    with pytest.raises(InvalidField, match="not a point"):
        normalise_key(key_formats.import_public(bytes(octets), F.X509))


def test_point_at_infinity_is_refused():
    key = key_formats.import_public(spki(EC_KEYS[P256]), F.X509)
    with pytest.raises(InvalidField):
        normalise_key(ECPublic(key.curve, b"\0"))


@each_row("curve", [P256, P384, P521], ids=lambda curve: curve.name)
@each_row("scalar", [0, -1, -2], ids=["zero", "the order", "the order + 1"])
def test_scalar_out_of_range_is_refused(curve, scalar):
    number = 0 if scalar == 0 else curve.equation.order - scalar - 1
    with pytest.raises(InvalidField, match="scalar"):
        normalise_key(ECPrivate(curve, number.to_bytes(curve.size, "big")))


def test_halves_that_do_not_belong_together_are_refused():
    one, other = generate_ec(P256), generate_ec(P256)
    key = key_formats.read_private(one.private)
    wrong = key_formats.read_private(other.private).point
    with pytest.raises(InvalidField, match="halves"):
        normalise_key(ECPrivate(P256, key.scalar, wrong))


def test_compressed_point_is_kept_uncompressed():
    compressed = (
        EC_KEYS[P256].public_key().public_bytes(s.Encoding.X962, s.PublicFormat.CompressedPoint)
    )
    key = normalise_key(ECPublic(P256, compressed))
    assert key_formats.encode_canonical(key).reveal() == spki(EC_KEYS[P256])
