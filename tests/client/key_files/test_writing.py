"""Key files that are written: what a type has no format for, and what a file shows."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from kms_tornado.client.key_files.errors import KeyFileError
from kms_tornado.client.key_files.kmip_objects import octets_of
from kms_tornado.client.key_files.reading import ReadingOptions, read_key_file
from kms_tornado.client.key_files.writing import (
    FORMAT_NAMES,
    FORMATS_OF_ANY_OBJECT,
    TEXT_FORMATS,
    write_key_file,
)
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import (
    BlockCipherMode,
    EncodingOption,
    KeyFormatType,
    RecommendedCurve,
    WrappingMethod,
)
from kms_tornado.kmip.key_material import KeyMaterialField, TransparentECPrivateKey
from kms_tornado.kmip.objects import (
    EncodedKeyValue,
    EncryptionKeyInformation,
    KeyBlock,
    KeyValue,
    KeyWrappingData,
    PrivateKey,
    SymmetricKey,
)
from kms_tornado.kmip.structures import CryptographicParameters, VendorAttribute
from kms_tornado.kmip.ttlv import ItemType, Node, structure

from ...rows import each_row
from .samples import TYPES, sample

REFUSED = {
    ("aes", "pem"): "pem and der hold",
    ("secret", "der"): "pem and der hold",
    ("secret", "jwk"): "a JWK holds a key",
    ("certificate", "jwk"): "a JWK holds a key",
    ("certificate", "pkcs8-pem"): "PKCS#8 holds private keys, and this is a certificate",
    ("rsa public", "pkcs8-pem"): "PKCS#8 holds private keys, and this is an RSA public key",
    ("rsa private", "spki-pem"): "SPKI holds public keys, and this is an RSA private key",
    ("ed25519 private", "sec1-pem"): "SEC1 holds private keys on curves such as P-256",
    (
        "p256 private",
        "pkcs1-pem",
    ): "PKCS#1 holds RSA keys, and this is an elliptic-curve private key",
    ("dsa private", "jwk"): "JWK has no name for",
}


@each_row(("kind", "file_format"), REFUSED)
def test_type_without_the_format_is_refused_in_words(kind: str, file_format: str) -> None:
    with pytest.raises(KeyFileError, match=REFUSED[kind, file_format]):
        write_key_file(sample(kind), file_format)


@each_row("kind", TYPES)
def test_text_formats_are_lines_of_ascii(kind: str) -> None:
    for file_format in TEXT_FORMATS:
        try:
            octets = write_key_file(sample(kind), file_format)
        except KeyFileError:
            continue
        assert octets.isascii()
        assert octets.endswith(b"\n")


def test_identifier_is_the_kid_of_a_jwk() -> None:
    assert json.loads(write_key_file(sample("aes"), "jwk", "k-1")) == {
        "kty": "oct",
        "k": base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("="),
        "kid": "k-1",
    }
    (key,) = json.loads(write_key_file(sample("hmac"), "jwk-set", "k-2"))["keys"]
    assert (key["kid"], key["alg"]) == ("k-2", "HS512")


@pytest.mark.parametrize("kind", ["rsa", "p256", "ed25519", "x25519"])
def test_jwk_of_a_public_key_has_no_private_part(kind: str) -> None:
    public = json.loads(write_key_file(sample(f"{kind} public"), "jwk"))
    private = json.loads(write_key_file(sample(f"{kind} private"), "jwk"))
    assert not public.keys() & {"d", "p", "q", "dp", "dq", "qi"}
    assert public.items() < private.items()


# --- wrapped keys -------------------------------------------------------------------------------

WRAPPING = KeyWrappingData(
    WrappingMethod.ENCRYPT,
    EncryptionKeyInformation("kek", CryptographicParameters(BlockCipherMode.GCM)),
    encoding_option=EncodingOption.NO_ENCODING,
)
PLAIN = sample("aes").key_block
WRAPPED = {
    "as octets": replace(
        PLAIN, key_value=KeyValue(KeyMaterialField(b"wrapped!")), key_wrapping_data=WRAPPING
    ),
    "as a key value": replace(
        PLAIN, key_value=EncodedKeyValue(b"wrapped!"), key_wrapping_data=WRAPPING
    ),
}


@each_row("form", WRAPPED)
@each_row("file_format", FORMAT_NAMES)
def test_wrapped_key_is_written_whole_or_as_its_octets_and_never_as_a_key(
    form: str, file_format: str
) -> None:
    managed = SymmetricKey(WRAPPED[form])
    if file_format not in FORMATS_OF_ANY_OBJECT:
        with pytest.raises(KeyFileError, match="add --unwrap"):
            write_key_file(managed, file_format)
        return
    octets = write_key_file(managed, file_format)
    if file_format == "json-ttlv":
        assert read_key_file(octets, ReadingOptions()) == (managed,)
    else:
        assert octets == (b"wrapped!" if file_format == "raw" else b"d3JhcHBlZCE=\n")


def test_transparent_key_is_in_json_ttlv_alone() -> None:
    numbers = TransparentECPrivateKey(RecommendedCurve.P_256, d=5)
    managed = PrivateKey(
        KeyBlock(KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY, None, KeyValue(numbers))
    )
    assert read_key_file(write_key_file(managed, "json-ttlv"), ReadingOptions()) == (managed,)
    for file_format in ("raw", "pkcs8-pem", "jwk"):
        with pytest.raises(KeyFileError, match="json-ttlv"):
            write_key_file(managed, file_format)


def test_key_that_was_destroyed_has_no_octets() -> None:
    with pytest.raises(KeyFileError, match="it was destroyed"):
        octets_of(SymmetricKey(KeyBlock(KeyFormatType.RAW)))


def test_structures_of_vendors_stay_structures_in_json_ttlv() -> None:
    box = structure(
        "AttributeValue",
        structure("0x540001", Node("0x540002", ItemType.BOOLEAN, True)),
        structure("AttributeValue"),
    )
    attributes = Attributes(
        vendor_attributes=(
            VendorAttribute.of_bytes("acme", "before", b"1"),
            VendorAttribute("acme", "box", box),
            VendorAttribute.of_bytes("acme", "after", b"2"),
        )
    )
    value = KeyValue(KeyMaterialField(b"k" * 16), attributes)
    managed = SymmetricKey(KeyBlock(KeyFormatType.RAW, None, value))
    assert read_key_file(write_key_file(managed, "json-ttlv"), ReadingOptions()) == (managed,)
