"""Formats of asymmetric keys: what goes in comes out, and what is malformed does not go in."""

from __future__ import annotations

import contextlib

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import dsa

from kms_tornado.crypto.keys import formats as key_formats
from kms_tornado.crypto.keys.curves import ED25519, P256, P384, P521, X25519
from kms_tornado.crypto.keys.loading import derive_public_key
from kms_tornado.crypto.keys.normalising import normalise_key
from kms_tornado.crypto.keys.numbers import DSAPrivate, DSAPublic
from kms_tornado.errors import (
    InvalidField,
    KeyFormatTypeNotSupported,
    KMIPError,
)
from kms_tornado.kmip.enums import CryptographicAlgorithm as A
from kms_tornado.kmip.enums import KeyFormatType as F

from ... import keys
from ...rows import each_row
from .library_keys import DER, EC_KEYS, LIBRARY_KEYS, PLAIN, pkcs8, spki, traditional


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
    assert key_formats.export_private(normalise_key(key), F.PKCS8) == pkcs8(LIBRARY_KEYS[name])


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


@each_row(("import_", "key_format", "octets"), WELL_FORMED)
def test_octets_behind_or_missing_from_a_key_are_refused(import_, key_format, octets):
    import_(octets, key_format)
    for bad in (octets + b"\0", octets[:-1], b"", b"\0", octets[1:], octets + octets):
        with pytest.raises(InvalidField):
            import_(bad, key_format)


@each_row(("import_", "key_format", "octets"), WELL_FORMED)
def test_any_changed_octet_is_a_clean_refusal_or_another_key(import_, key_format, octets):
    for at in range(min(len(octets), 120)):
        changed = bytearray(octets)
        changed[at] ^= 0x81
        with contextlib.suppress(KMIPError):  # and nothing else
            normalise_key(import_(bytes(changed), key_format))


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
