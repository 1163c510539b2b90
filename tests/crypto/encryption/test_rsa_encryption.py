"""RSA-OAEP and PKCS#1 v1.5: published vectors, parameters, and one error for every fault."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization as s

from kms_tornado.crypto.encryption.rsa_encryption import (
    choose_rsa_encryption,
    rsa_decrypt,
    rsa_encrypt,
)
from kms_tornado.crypto.keys.curves import P256
from kms_tornado.crypto.keys.generation import generate_ec
from kms_tornado.crypto.keys.loading import derive_public_key
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.policy import Technique
from kms_tornado.errors import (
    CryptographicFailure,
    InvalidField,
    UnsupportedCryptographicParameters,
)
from kms_tornado.kmip.enums import CryptographicAlgorithm as A
from kms_tornado.kmip.enums import HashingAlgorithm as H
from kms_tornado.kmip.enums import PaddingMethod as Pad
from kms_tornado.kmip.structures import CryptographicParameters as P

from ... import keys
from ...rows import each_row

PRIVATE = KeyMaterial(
    keys.rsa_key(2048).private_bytes(s.Encoding.DER, s.PrivateFormat.PKCS8, s.NoEncryption())
)
SPKI = derive_public_key(PRIVATE).reveal()
SCHEMES = {
    "default": P(),
    "SHA-1": P(padding_method=Pad.OAEP, hashing_algorithm=H.SHA_1),
    "SHA-512": P(hashing_algorithm=H.SHA_512),
    "mask": P(hashing_algorithm=H.SHA_384, mask_generator_hashing_algorithm=H.SHA_256),
    "label": P(p_source=b"Kilroy was here"),
    "PKCS#1 v1.5": P(padding_method=Pad.PKCS1_V1_5),
}


@each_row("name", SCHEMES)
@each_row("data", [b"", b"\0", b"data"])
def test_what_is_encrypted_is_decrypted(name, data):
    scheme = choose_rsa_encryption(SCHEMES[name])
    assert rsa_decrypt(PRIVATE, scheme, rsa_encrypt(SPKI, scheme, data)) == data


@each_row("field", ["hashing_algorithm", "mask_generator_hashing_algorithm"])
@each_row("hashing", H, ids=lambda each: each.name)
def test_oaep_with_any_hash_works_or_is_refused(hashing, field):
    """SHA-3 was let in once, and failed inside the library."""
    wanted = P(**{field: hashing})
    if hashing.name in {"SHA_1", "SHA_224", "SHA_256", "SHA_384", "SHA_512"}:
        scheme = choose_rsa_encryption(wanted)
        assert rsa_decrypt(PRIVATE, scheme, rsa_encrypt(SPKI, scheme, b"data")) == b"data"
    else:
        with pytest.raises(UnsupportedCryptographicParameters):
            choose_rsa_encryption(wanted)


def test_oaep_with_sha_256_is_what_is_meant_where_nothing_is_said():
    scheme = choose_rsa_encryption(P())
    assert (scheme.technique, scheme.hashing, scheme.mask_hashing) == (
        Technique.RSA_OAEP,
        H.SHA_256,
        H.SHA_256,
    )


def test_mask_takes_the_hash_of_the_padding_where_nothing_is_said():
    assert choose_rsa_encryption(P(hashing_algorithm=H.SHA_384)).mask_hashing is H.SHA_384


@pytest.mark.parametrize(
    "wanted",
    [
        P(padding_method=Pad.PSS),
        P(padding_method=Pad.NONE),  # textbook RSA
        P(hashing_algorithm=H.MD5),
        P(mask_generator_hashing_algorithm=H.MD5),
        P(cryptographic_algorithm=A.AES),
    ],
    ids=str,
)
def test_other_parameters_are_refused(wanted):
    with pytest.raises(UnsupportedCryptographicParameters):
        choose_rsa_encryption(wanted)


@pytest.mark.parametrize(
    ("name", "longest"), [("default", 190), ("SHA-512", 126), ("SHA-1", 214), ("PKCS#1 v1.5", 245)]
)
def test_longest_data_is_what_the_padding_leaves(name, longest):
    scheme = choose_rsa_encryption(SCHEMES[name])
    assert len(rsa_encrypt(SPKI, scheme, bytes(longest))) == 256
    with pytest.raises(InvalidField, match="bytes at once"):
        rsa_encrypt(SPKI, scheme, bytes(longest + 1))


def test_every_fault_of_a_ciphertext_reads_alike():
    scheme = choose_rsa_encryption(P())
    good = rsa_encrypt(SPKI, scheme, b"data")
    texts = set()
    for bad in (
        b"", good[:-1], good + b"\0", b"\0" * 256, b"\xff" * 256, good[:-1] + bytes((good[-1] ^ 1,)),
        rsa_encrypt(SPKI, choose_rsa_encryption(P(p_source=b"x")), b"data"),
        rsa_encrypt(SPKI, choose_rsa_encryption(P(hashing_algorithm=H.SHA_1)), b"data"),
    ):  # fmt: skip
        with pytest.raises(CryptographicFailure) as caught:
            rsa_decrypt(PRIVATE, scheme, bad)
        texts.add(str(caught.value))
    assert len(texts) == 1
    assert rsa_decrypt(PRIVATE, scheme, good) == b"data"


def test_key_on_a_curve_encrypts_nothing():
    pair = generate_ec(P256)
    scheme = choose_rsa_encryption(P())
    with pytest.raises(UnsupportedCryptographicParameters):
        rsa_encrypt(pair.public.reveal(), scheme, b"data")
    with pytest.raises(UnsupportedCryptographicParameters):
        rsa_decrypt(pair.private, scheme, b"data" * 64)
