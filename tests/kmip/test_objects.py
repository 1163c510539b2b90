"""Objects on the wire: key blocks, certificates, and the object types that are not supported."""

from __future__ import annotations

import pytest

from kms_tornado.errors import (
    FeatureNotSupported,
    InvalidField,
    InvalidMessage,
    KMIPError,
    MissingData,
)
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.codecs import json_codec
from kms_tornado.kmip.enums import KeyFormatType, ObjectType
from kms_tornado.kmip.key_material import (
    TransparentRSAPublicKey,
)
from kms_tornado.kmip.objects import (
    OBJECT_CLASSES,
    Certificate,
    EncodedKeyValue,
    KeyBlock,
    KeyMaterialField,
    KeyValue,
    OpaqueObject,
    SymmetricKey,
    decode_key_value,
    encode_key_value,
)
from kms_tornado.kmip.payloads import GetResponse, ImportRequest
from kms_tornado.kmip.schema import from_node, to_node
from kms_tornado.kmip.ttlv import Dialect, ItemType, Node, structure

KEY = b"\x0f" * 16


def import_of(*material: Node, tag: str = "SymmetricKey") -> Node:
    block = structure(
        "KeyBlock",
        Node("KeyFormatType", ItemType.ENUMERATION, 1),
        structure("KeyValue", *material),
    )
    return structure(
        "Import",
        Node("UniqueIdentifier", ItemType.TEXT_STRING, "a"),
        Node("ObjectType", ItemType.ENUMERATION, 2),
        structure(tag, block),
    )


@pytest.mark.parametrize(
    ("material", "inner"),
    [
        (KeyMaterialField(KEY), "ByteString"),
        (KeyMaterialField(KEY, transparent=True), "Key"),
    ],
)
def test_cosmian_clients_find_the_bytes_one_level_down(material, inner):
    block = KeyBlock(KeyFormatType.RAW, key_value=KeyValue(material))
    response = GetResponse(ObjectType.SYMMETRIC_KEY, "a", SymmetricKey(block))
    body = json_codec.format(to_node(response, "GetResponse"), Dialect.COSMIAN)
    assert b'"tag":"Object","type":"Structure"' in body
    assert f'[{{"tag":"{inner}","type":"ByteString","value":"0F0F'.encode() in body
    assert from_node(GetResponse, json_codec.parse(body)[0]) == response


@pytest.mark.parametrize(
    ("tag", "error"),
    [
        ("SplitKey", FeatureNotSupported),
        ("PGPKey", FeatureNotSupported),
        ("CertificateRequest", FeatureNotSupported),
        ("Object", MissingData),
        ("Certificate", KMIPError),
    ],
)
def test_object_that_is_no_supported_key_is_refused(tag, error):
    with pytest.raises(error):
        from_node(ImportRequest, import_of(Node("KeyMaterial", ItemType.BYTE_STRING, KEY), tag=tag))


def test_two_objects_in_one_payload_are_refused():
    node = import_of(Node("KeyMaterial", ItemType.BYTE_STRING, KEY))
    other = structure("PrivateKey", *node.value[2].value)
    with pytest.raises(InvalidMessage, match="PrivateKey is given twice"):
        from_node(ImportRequest, structure("Import", *node.value, other))


def block_of(key_format: int, key_value: Node) -> Node:
    number = Node("KeyFormatType", ItemType.ENUMERATION, key_format)
    return structure("PrivateKey", structure("KeyBlock", key_value, number))


def test_key_value_in_ttlv_encoding_is_octets():
    key = from_node(SymmetricKey, block_of(1, Node("KeyValue", ItemType.BYTE_STRING, KEY)))
    assert key.key_block.key_value == EncodedKeyValue(KEY)
    assert from_node(SymmetricKey, to_node(key, "SymmetricKey")) == key


@pytest.mark.parametrize(
    ("value", "key_format"),
    [
        (KeyValue(KeyMaterialField(KEY), Attributes(cryptographic_length=128)), KeyFormatType.RAW),
        (
            KeyValue(TransparentRSAPublicKey(15, 3)),
            KeyFormatType.TRANSPARENT_RSA_PUBLIC_KEY,
        ),
    ],
)
def test_key_value_comes_back_from_its_ttlv_encoding(value, key_format):
    octets = encode_key_value(value)
    assert octets[:4].hex() == "42004501"
    assert len(octets) % 8 == 0
    assert decode_key_value(octets, key_format) == value


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(KEY, id="a key"),
        pytest.param(bytes.fromhex("4200450100000000"), id="no material"),
        pytest.param(bytes.fromhex("4200790100000000"), id="another structure"),
    ],
)
def test_unwrapped_bytes_that_are_no_key_value_are_refused(octets):
    with pytest.raises(InvalidField, match="not a KeyValue"):
        decode_key_value(octets, KeyFormatType.RAW)


@pytest.mark.parametrize("object_type", OBJECT_CLASSES)
def test_object_class_is_named_as_its_tag(object_type):
    assert OBJECT_CLASSES[object_type].__name__.upper() == object_type.name.replace("_", "")


@pytest.mark.parametrize(
    "secret",
    [
        KeyMaterialField(b"hunter2"),
        EncodedKeyValue(b"hunter2"),
        OpaqueObject(0x80000001, b"hunter2"),
        Node("KeyMaterial", ItemType.BYTE_STRING, b"hunter2"),
        structure("KeyMaterial", Node("Key", ItemType.BYTE_STRING, b"hunter2")),
    ],
)
def test_key_material_does_not_show_in_a_repr(secret):
    assert "hunter2" not in repr(secret)
    assert "hunter2" not in repr((secret,))


def test_certificate_travels_without_a_key_block():
    response = GetResponse(ObjectType.CERTIFICATE, "a", Certificate(1, b"\x30"))
    body = json_codec.format(to_node(response, "GetResponse"), Dialect.COSMIAN)
    assert b'{"tag":"CertificateType","type":"Enumeration","value":"X509"}' in body
    assert from_node(GetResponse, json_codec.parse(body)[0]) == response
