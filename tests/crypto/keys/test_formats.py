"""Formats of asymmetric keys: what goes in comes out, and what is malformed does not go in."""

from __future__ import annotations

import base64
import contextlib

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, x25519

from kms_tornado.crypto.keys import formats as key_formats
from kms_tornado.crypto.keys.asymmetric import (
    check_rsa_length,
    derive_public_key,
    generate_ec,
    normalize_key,
)
from kms_tornado.crypto.keys.der import encode_integer, encode_sequence
from kms_tornado.crypto.keys.numbers import (
    ED25519,
    P256,
    P384,
    P521,
    X25519,
    DSAPrivate,
    DSAPublic,
    ECPrivate,
    ECPublic,
    determine_algorithm,
    measure_key_length,
)
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.errors import (
    InvalidAttributeValue,
    InvalidField,
    KeyFormatTypeNotSupported,
    KMIPError,
    UnsupportedCryptographicParameters,
)
from kms_tornado.kmip.enums import CryptographicAlgorithm as A
from kms_tornado.kmip.enums import KeyFormatType as F

from ... import keys
from .. import vectors

DER, PLAIN = s.Encoding.DER, s.NoEncryption()
EC_KEYS = {
    P256: ec.generate_private_key(ec.SECP256R1()),
    P384: ec.generate_private_key(ec.SECP384R1()),
    P521: ec.generate_private_key(ec.SECP521R1()),
    ED25519: ed25519.Ed25519PrivateKey.generate(),
    X25519: x25519.X25519PrivateKey.generate(),
}
LIBRARY_KEYS = {"RSA": keys.rsa_key(2048), **{c.name: key for c, key in EC_KEYS.items()}}


def pkcs8(key) -> bytes:
    return key.private_bytes(DER, s.PrivateFormat.PKCS8, PLAIN)


def spki(key) -> bytes:
    return key.public_key().public_bytes(DER, s.PublicFormat.SubjectPublicKeyInfo)


def traditional(key) -> bytes:
    return key.private_bytes(DER, s.PrivateFormat.TraditionalOpenSSL, PLAIN)


@pytest.mark.parametrize("name", LIBRARY_KEYS)
def test_kept_form_is_byte_for_byte_what_others_write(name):
    key = LIBRARY_KEYS[name]
    private = key_formats.import_private(pkcs8(key), F.PKCS8)
    assert key_formats.encode_canonical(private).reveal() == pkcs8(key)
    public = key_formats.import_public(spki(key), F.X509)
    assert key_formats.encode_canonical(public).reveal() == spki(key)
    assert derive_public_key(key_formats.encode_canonical(private)).reveal() == spki(key)


def formats():
    rsa = LIBRARY_KEYS["RSA"]
    yield "RSA", F.PKCS1, traditional(rsa), None
    for curve in (P256, P384, P521):
        yield curve.name, F.EC_PRIVATE_KEY, traditional(EC_KEYS[curve]), None
    for curve, algorithm in ((ED25519, A.ED25519), (X25519, A.ECDH)):
        raw = EC_KEYS[curve].private_bytes(s.Encoding.Raw, s.PrivateFormat.Raw, PLAIN)
        yield curve.name, F.RAW, raw, algorithm


@pytest.mark.parametrize(
    ("name", "key_format", "octets", "algorithm"),
    [pytest.param(*each, id=each[0]) for each in formats()],
)
def test_other_formats_of_a_private_key_convert_both_ways(name, key_format, octets, algorithm):
    key = key_formats.import_private(octets, key_format, algorithm)
    assert key_formats.export_private(key, key_format) == octets
    assert key_formats.export_private(normalize_key(key), F.PKCS8) == pkcs8(LIBRARY_KEYS[name])


def test_public_rsa_key_converts_to_pkcs1_and_back():
    octets = keys.rsa_key(2048).public_key().public_bytes(DER, s.PublicFormat.PKCS1)
    key = key_formats.import_public(octets, F.PKCS1)
    assert key_formats.export_public(key, F.X509) == spki(keys.rsa_key(2048))
    assert key_formats.export_public(key, F.PKCS1) == octets


def test_dsa_keys_are_kept_as_they_are():
    numbers = dsa.DSAParameterNumbers(p=7919, q=37, g=5)  # never used, so any numbers do
    key = DSAPrivate(numbers.p, numbers.q, numbers.g, 11)
    octets = key_formats.encode_canonical(key).reveal()
    assert key_formats.import_private(octets, F.PKCS8) == key
    public = DSAPublic(numbers.p, numbers.q, numbers.g, 12)
    assert (
        key_formats.import_public(key_formats.encode_canonical(public).reveal(), F.X509) == public
    )


@pytest.mark.parametrize(
    ("name", "algorithm", "length"),
    [
        ("RSA", A.RSA, 2048),
        ("P-256", A.EC, 256),
        ("P-384", A.EC, 384),
        ("P-521", A.EC, 521),
        ("Ed25519", A.ED25519, 256),
        ("X25519", A.ECDH, 256),
    ],
)
def test_key_knows_its_algorithm_and_length(name, algorithm, length):
    key = key_formats.import_private(pkcs8(LIBRARY_KEYS[name]), F.PKCS8)
    assert (determine_algorithm(key), measure_key_length(key)) == (algorithm, length)


@pytest.mark.parametrize("stated", [A.EC, A.ECDSA, A.ECDH])
def test_use_of_a_nist_curve_is_what_was_stated(stated):
    key = key_formats.import_private(pkcs8(EC_KEYS[P256]), F.PKCS8)
    assert determine_algorithm(key, stated) is stated
    with pytest.raises(InvalidField):
        determine_algorithm(key, A.RSA)


WELL_FORMED = [
    pytest.param(import_, key_format, octets, id=f"{name}-{key_format.name}-{import_.__name__}")
    for name, key in LIBRARY_KEYS.items()
    for import_, key_format, octets in [
        (key_formats.import_private, F.PKCS8, pkcs8(key)),
        (key_formats.import_public, F.X509, spki(key)),
    ]
] + [
    pytest.param(key_formats.import_private, F.PKCS1, traditional(keys.rsa_key(2048)), id="PKCS1"),
    pytest.param(
        key_formats.import_private, F.EC_PRIVATE_KEY, traditional(EC_KEYS[P256]), id="SEC1"
    ),
]


@pytest.mark.parametrize(("import_", "key_format", "octets"), WELL_FORMED)
def test_octets_behind_or_missing_from_a_key_are_refused(import_, key_format, octets):
    import_(octets, key_format)
    for bad in (octets + b"\0", octets[:-1], b"", b"\0", octets[1:], octets + octets):
        with pytest.raises(InvalidField):
            import_(bad, key_format)


@pytest.mark.parametrize(("import_", "key_format", "octets"), WELL_FORMED)
def test_any_changed_octet_is_a_clean_refusal_or_another_key(import_, key_format, octets):
    for at in range(min(len(octets), 120)):
        changed = bytearray(octets)
        changed[at] ^= 0x81
        with contextlib.suppress(KMIPError):  # and nothing else
            normalize_key(import_(bytes(changed), key_format))


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\x30\x80\x02\x01\x00\x00\x00", id="indefinite length"),
        pytest.param(b"\x30\x81\x03\x02\x01\x00", id="length not the shortest"),
        pytest.param(b"\x30\x84\x7f\xff\xff\xff\x02\x01\x00", id="length beyond the end"),
        pytest.param(b"\x30\x85\0\0\0\0\x03\x02\x01\x00", id="length of five bytes"),
        pytest.param(b"\x30\x06\x02\x02\x00\x01\x02\x00", id="integer with a needless zero"),
        pytest.param(b"\x30\x06\x02\x01\xff\x02\x01\x01", id="negative integer"),
        pytest.param(b"\x30\x05\x02\x00\x02\x01\x01", id="integer of no octets"),
        pytest.param(b"\x31\x06\x02\x01\x01\x02\x01\x01", id="another tag"),
    ],
)
def test_ber_that_is_no_der_is_refused(octets):
    with pytest.raises(InvalidField):
        key_formats.import_public(octets, F.PKCS1)


def test_encrypted_pkcs8_is_refused_with_the_reason():
    octets = LIBRARY_KEYS["RSA"].private_bytes(
        DER, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"password")
    )
    with pytest.raises(InvalidField, match="encrypted"):
        key_formats.import_private(octets, F.PKCS8)


@pytest.mark.parametrize(
    "curve", [ec.SECP256K1(), ec.SECP224R1(), ec.BrainpoolP256R1()], ids=lambda curve: curve.name
)
def test_other_curves_are_refused(curve):
    key = ec.generate_private_key(curve)
    with pytest.raises(UnsupportedCryptographicParameters):
        key_formats.import_private(pkcs8(key), F.PKCS8)
    with pytest.raises(UnsupportedCryptographicParameters):
        key_formats.import_public(spki(key), F.X509)


@pytest.mark.parametrize(
    "name", ["ec-inconsistent-curve.pem", "ec-inconsistent-curve2.pem", "ec-invalid-version.pem"]
)
def test_keys_that_contradict_themselves_are_refused(name):
    body = vectors.text(f"asymmetric/PKCS8/{name}").split("-----")[2]
    with pytest.raises((InvalidField, UnsupportedCryptographicParameters)):
        key_formats.import_private(base64.b64decode(body), F.PKCS8)


@pytest.mark.parametrize("curve", [P256, P384, P521], ids=lambda curve: curve.name)
def test_point_off_its_curve_is_refused(curve):
    octets = bytearray(spki(EC_KEYS[curve]))
    octets[-1] ^= 1
    with pytest.raises(InvalidField, match="no point"):
        normalize_key(key_formats.import_public(bytes(octets), F.X509))


def test_point_at_infinity_is_refused():
    key = key_formats.import_public(spki(EC_KEYS[P256]), F.X509)
    with pytest.raises(InvalidField):
        normalize_key(ECPublic(key.curve, b"\0"))


@pytest.mark.parametrize("curve", [P256, P384, P521], ids=lambda curve: curve.name)
@pytest.mark.parametrize("scalar", [0, -1, -2], ids=["zero", "the order", "the order + 1"])
def test_scalar_out_of_range_is_refused(curve, scalar):
    number = 0 if scalar == 0 else curve.order - scalar - 1
    with pytest.raises(InvalidField, match="scalar"):
        normalize_key(ECPrivate(curve, number.to_bytes(curve.size, "big")))


def test_halves_that_do_not_belong_together_are_refused():
    one, other = generate_ec(P256), generate_ec(P256)
    key = key_formats.read_private(one.private)
    wrong = key_formats.read_private(other.private).point
    with pytest.raises(InvalidField, match="halves"):
        normalize_key(ECPrivate(P256, key.scalar, wrong))


def test_compressed_point_is_kept_uncompressed():
    compressed = (
        EC_KEYS[P256].public_key().public_bytes(s.Encoding.X962, s.PublicFormat.CompressedPoint)
    )
    key = normalize_key(ECPublic(P256, compressed))
    assert key_formats.encode_canonical(key).reveal() == spki(EC_KEYS[P256])


@pytest.mark.parametrize(
    ("name", "key_format"),
    [
        ("RSA", F.EC_PRIVATE_KEY),
        ("RSA", F.RAW),
        ("P-256", F.PKCS1),
        ("P-256", F.RAW),
        ("Ed25519", F.EC_PRIVATE_KEY),
        ("RSA", F.OPAQUE),
        ("RSA", F.PKCS12),
    ],
)
def test_format_that_the_key_does_not_have_is_refused(name, key_format):
    key = key_formats.import_private(pkcs8(LIBRARY_KEYS[name]), F.PKCS8)
    with pytest.raises(KeyFormatTypeNotSupported):
        key_formats.export_private(key, key_format)


@pytest.mark.parametrize("bits", [0, -1, 512, 1024, 2047, 2049, 8192, 16384, 10**9])
def test_rsa_length_is_refused_before_anything_is_computed(bits):
    with pytest.raises(InvalidAttributeValue):
        check_rsa_length(bits)


def test_number_of_absurd_length_is_refused():
    huge = encode_integer(1 << 20000)
    octets = encode_sequence(huge, encode_integer(65537))
    with pytest.raises(InvalidField):
        key_formats.import_public(octets, F.PKCS1)


def test_secret_numbers_show_in_no_repr():
    rsa = key_formats.import_private(pkcs8(LIBRARY_KEYS["RSA"]), F.PKCS8)
    assert str(rsa.d) not in repr(rsa)
    assert str(rsa.p) not in repr(rsa)
    private = key_formats.import_private(pkcs8(EC_KEYS[P256]), F.PKCS8)
    assert repr(private.scalar) not in repr(private)
    assert "hidden" in repr(KeyMaterial(b"secret"))
