"""PKCS#8 and SPKI that are not stored: encrypted ones, other curves, contradictions."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec

from kms_tornado.crypto.keys import formats as key_formats
from kms_tornado.errors import (
    InvalidField,
    UnsupportedCryptographicParameters,
)
from kms_tornado.kmip.enums import KeyFormatType as F

from .. import vectors
from .library_keys import DER, LIBRARY_KEYS, pkcs8, spki


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
