"""What the numbers of a key tell of it, and where they do not show."""

from __future__ import annotations

import pytest

from kms_tornado.crypto.keys import formats as key_formats
from kms_tornado.crypto.keys.curves import P256
from kms_tornado.crypto.keys.der import encode_integer, encode_sequence
from kms_tornado.crypto.keys.numbers import determine_algorithm, measure_key_length
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.errors import (
    InvalidField,
)
from kms_tornado.kmip.enums import CryptographicAlgorithm as A
from kms_tornado.kmip.enums import KeyFormatType as F

from .library_keys import EC_KEYS, LIBRARY_KEYS, pkcs8


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


@pytest.mark.parametrize("stated", [A.EC, A.ECDSA, A.ECDH, A.ECMQV])
def test_use_of_a_nist_curve_is_what_was_stated(stated):
    key = key_formats.import_private(pkcs8(EC_KEYS[P256]), F.PKCS8)
    assert determine_algorithm(key, stated) is stated
    with pytest.raises(InvalidField):
        determine_algorithm(key, A.RSA)


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
