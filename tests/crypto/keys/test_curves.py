"""Curves: their parameters, points in every form, and curves that a key describes instead of naming them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec

from kms_tornado.crypto.keys import formats as key_formats
from kms_tornado.crypto.keys.curves import (
    P256,
    P384,
    RFC8410_CURVES,
    WEIERSTRASS_CURVES,
    find_curve_by_number,
    find_curve_by_oid,
    uncompress_point,
)
from kms_tornado.crypto.keys.der import (
    BIT_STRING,
    OCTET_STRING,
    OID,
    encode,
    encode_bits,
    encode_integer,
    encode_sequence,
)
from kms_tornado.crypto.keys.library_keys import LIBRARY_CURVES
from kms_tornado.crypto.keys.normalising import normalise_key
from kms_tornado.crypto.keys.numbers import ECPrivate
from kms_tornado.errors import InvalidField, UnsupportedCryptographicParameters
from kms_tornado.kmip.enums import CryptographicAlgorithm as A
from kms_tornado.kmip.enums import KeyFormatType as F
from kms_tornado.kmip.enums import RecommendedCurve

from ...rows import each_row
from .library_keys import EC_KEYS, spki

CURVES = list(WEIERSTRASS_CURVES.values())
PRIME_FIELD = bytes.fromhex("2a8648ce3d0101")


def base_point(curve):
    size, own = curve.size, curve.equation
    return own.x.to_bytes(size, "big"), own.y.to_bytes(size, "big")


@each_row("curve", CURVES, ids=lambda curve: curve.name)
def test_base_point_is_read_in_every_form(curve):
    x, y = base_point(curve)
    plain = b"\x04" + x + y
    parity = y[-1] & 1
    for form in (plain, bytes((2 + parity,)) + x, bytes((6 + parity,)) + x + y):
        assert uncompress_point(curve, form) == plain
    negated = curve.equation.p - curve.equation.y
    other = uncompress_point(curve, bytes((3 - parity,)) + x)
    assert other == b"\x04" + x + negated.to_bytes(curve.size, "big")


@each_row("curve", CURVES, ids=lambda curve: curve.name)
def test_what_is_no_point_is_refused(curve):
    x, y = base_point(curve)
    parity, size = y[-1] & 1, curve.size
    above = curve.equation.p + 1
    wrong = [
        b"",
        b"\0",
        b"\x04" + x,
        b"\x04" + x + y + b"\0",
        b"\x04" + y + x,
        bytes((7 - parity,)) + x + y,
        b"\x05" + x + y,
        b"\x02" + x[1:],
        b"\x04" + x + bytes(size),
        b"\x04" + b"\xff" * (2 * size),
    ]
    if above.bit_length() <= 8 * size:
        wrong.append(b"\x02" + above.to_bytes(size, "big"))
    for octets in wrong:
        with pytest.raises(InvalidField, match="not a point"):
            uncompress_point(curve, octets)


def test_half_of_all_abscissae_have_no_point():
    """P-224 is the one curve for which a root takes more than one power."""
    for curve in (WEIERSTRASS_CURVES["P-224"], P256):
        found = 0
        for number in range(1, 33):
            try:
                uncompress_point(curve, b"\x02" + number.to_bytes(curve.size, "big"))
                found += 1
            except InvalidField:
                pass
        assert 8 < found < 24


@each_row("curve", LIBRARY_CURVES, ids=lambda curve: curve.name)
def test_points_are_those_of_the_library(curve):
    public = ec.generate_private_key(LIBRARY_CURVES[curve]).public_key()
    plain, compressed = (
        public.public_bytes(s.Encoding.X962, form)
        for form in (s.PublicFormat.UncompressedPoint, s.PublicFormat.CompressedPoint)
    )
    assert uncompress_point(curve, compressed) == plain == uncompress_point(curve, plain)


@each_row("curve", CURVES, ids=lambda curve: curve.name)
def test_curve_is_found_by_each_of_its_names(curve):
    assert find_curve_by_oid(curve.oid) is curve
    assert find_curve_by_number(curve.recommended, A.EC) is curve
    kmip_name = RecommendedCurve(curve.recommended).name.replace("_", "-")
    assert kmip_name.lower() == curve.name.lower()


def test_curves_of_one_number_are_told_apart_by_the_algorithm():
    for curve, algorithm in zip(RFC8410_CURVES, (A.ECDH, A.ECDH, A.ED25519, A.ED448), strict=True):
        assert find_curve_by_number(curve.recommended, algorithm) is curve


def test_scalar_on_a_curve_that_the_library_lacks_is_in_range():
    curve = WEIERSTRASS_CURVES["brainpoolP320t1"]
    for number in (0, curve.equation.order, (1 << 320) - 1):
        with pytest.raises(InvalidField, match="scalar"):
            normalise_key(ECPrivate(curve, number.to_bytes(40, "big")))
    x, y = base_point(curve)
    one = ECPrivate(curve, (1).to_bytes(40, "big"), b"\x04" + x + y)
    assert normalise_key(one) == one
    with pytest.raises(InvalidField, match="point"):
        normalise_key(ECPrivate(curve, one.scalar, b"\x04" + y + x))


# --- curves that are described ------------------------------------------------------------------


def described(
    curve=P256, *, field=PRIME_FIELD, base=None, cofactor=1, version=1, seed=b"", **changes
):
    own, size = curve.equation, curve.size
    p, a, b, order = (changes.get(name, getattr(own, name)) for name in ("p", "a", "b", "order"))
    x, y = base_point(curve)
    return encode_sequence(
        encode_integer(version),
        encode_sequence(encode(OID, field), encode_integer(p)),
        encode_sequence(
            *(encode(OCTET_STRING, number.to_bytes(size, "big")) for number in (a, b)),
            encode(BIT_STRING, b"\0" + seed) if seed else b"",
        ),
        encode(OCTET_STRING, b"\x04" + x + y if base is None else base),
        encode_integer(order),
        b"" if cofactor is None else encode_integer(cofactor),
    )


def spki_with(parameters, curve=P256):
    key = key_formats.import_public(spki(EC_KEYS[curve]), F.X509)
    algorithm = encode_sequence(encode(OID, bytes.fromhex("2a8648ce3d0201")), parameters)
    return encode_sequence(algorithm, encode_bits(key.point))


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param(described(), id="plainly"),
        pytest.param(described(seed=bytes(20)), id="with a seed"),
        pytest.param(described(cofactor=None), id="without cofactor"),
        pytest.param(described(base=b"\x03" + base_point(P256)[0]), id="compressed base point"),
    ],
)
def test_described_curve_is_known_by_its_parameters(parameters):
    assert key_formats.import_public(spki_with(parameters), F.X509).curve is P256


X, Y = base_point(P256)
NEGATED = b"\x04" + X + (P256.equation.p - P256.equation.y).to_bytes(32, "big")


@each_row(
    "parameters",
    [
        pytest.param(described(base=NEGATED), id="another base point"),
        pytest.param(
            described(base=key_formats.import_public(spki(EC_KEYS[P256]), F.X509).point),
            id="the public key as base point",
        ),
        pytest.param(described(order=P256.equation.order - 2), id="another order"),
        pytest.param(described(a=0), id="another a"),
        pytest.param(described(b=1), id="another b"),
        pytest.param(described(p=P256.equation.p + 2), id="another field"),
        pytest.param(described(cofactor=2), id="a cofactor"),
        pytest.param(described(field=bytes.fromhex("2a8648ce3d0102")), id="a binary field"),
        pytest.param(described(base=b"\x04" + Y + X), id="base point off the curve"),
        pytest.param(described(version=9), id="version"),
        pytest.param(b"\x05\0", id="inherited from the CA"),
        pytest.param(b"", id="none"),
        pytest.param(encode_sequence(), id="empty"),
        pytest.param(described() + described(), id="two"),
    ],
)
def test_curve_that_is_described_in_another_way_is_refused(parameters):
    """CVE-2020-0601: who chooses the base point has a private key to any public key."""
    with pytest.raises((InvalidField, UnsupportedCryptographicParameters)):
        key_formats.import_public(spki_with(parameters), F.X509)


def test_curve_inside_and_outside_of_a_private_key_is_the_same():
    key = EC_KEYS[P384]
    inner = key.private_bytes(s.Encoding.DER, s.PrivateFormat.TraditionalOpenSSL, s.NoEncryption())
    for curve, fits in ((P384, True), (P256, False)):
        algorithm = encode_sequence(encode(OID, bytes.fromhex("2a8648ce3d0201")), described(curve))
        octets = encode_sequence(encode_integer(0), algorithm, encode(OCTET_STRING, inner))
        if fits:
            assert key_formats.import_private(octets, F.PKCS8).curve is P384
        else:
            with pytest.raises(InvalidField):
                key_formats.import_private(octets, F.PKCS8)
