"""PKCS#8 and SPKI that are not stored: encrypted ones, other curves, contradictions."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization as s

from kms_tornado.crypto.keys import formats as key_formats
from kms_tornado.crypto.keys.curves import P256
from kms_tornado.crypto.keys.recognition import recognise_key
from kms_tornado.errors import (
    InvalidField,
    MalformedKey,
    UnsupportedCryptographicParameters,
)
from kms_tornado.kmip.enums import KeyFormatType as F

from .. import vectors
from .library_keys import DER, EC_KEYS, LIBRARY_KEYS, pkcs8, spki


def test_encrypted_pkcs8_is_no_pkcs8_and_recognised_as_what_it_is():
    octets = LIBRARY_KEYS["RSA"].private_bytes(
        DER, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"password")
    )
    with pytest.raises(MalformedKey):
        key_formats.import_private(octets, F.PKCS8)
    assert "openssl pkey" in (recognise_key(octets, F.PKCS8) or "")


def test_curve_that_kmip_has_and_the_server_has_not_is_refused():
    prime256v1, prime239v3 = bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030106")
    for read, octets, key_format in (
        (key_formats.import_private, pkcs8(EC_KEYS[P256]), F.PKCS8),
        (key_formats.import_public, spki(EC_KEYS[P256]), F.X509),
    ):
        with pytest.raises(UnsupportedCryptographicParameters, match="brainpool"):
            read(octets.replace(prime256v1, prime239v3), key_format)


@pytest.mark.parametrize(
    "name", ["ec-inconsistent-curve.pem", "ec-inconsistent-curve2.pem", "ec-invalid-version.pem"]
)
def test_keys_that_contradict_themselves_are_refused(name):
    body = vectors.text(f"asymmetric/PKCS8/{name}").split("-----")[2]
    with pytest.raises((InvalidField, UnsupportedCryptographicParameters)):
        key_formats.import_private(base64.b64decode(body), F.PKCS8)
