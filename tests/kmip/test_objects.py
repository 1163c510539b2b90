"""Objects on the wire: three shapes of key material, and what is not supported."""

from __future__ import annotations

import pytest

from kms_tornado.errors import (
    FeatureNotSupported,
    InvalidField,
    KeyFormatTypeNotSupported,
    KMIPError,
    MissingData,
)
from kms_tornado.kmip import json_codec
from kms_tornado.kmip.enums import KeyFormatType, ObjectType
from kms_tornado.kmip.objects import (
    OBJECT_CLASSES,
    Certificate,
    KeyBlock,
    KeyMaterial,
    KeyValue,
    OpaqueObject,
    SymmetricKey,
)
from kms_tornado.kmip.payloads import GetResponse, ImportRequest
from kms_tornado.kmip.schema import from_node, to_node
from kms_tornado.kmip.ttlv import Dialect, ItemType, Node, structure

KEY = b"\x0f" * 16
MATERIALS = [
    pytest.param(Node("KeyMaterial", ItemType.BYTE_STRING, KEY), False, id="bare ByteString"),
    pytest.param(
        structure("KeyMaterial", Node("Key", ItemType.BYTE_STRING, KEY)), True, id="{Key}"
    ),
]


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


@pytest.mark.parametrize(("material", "transparent"), MATERIALS)
def test_key_material_is_read_in_either_shape(material, transparent):
    request = from_node(ImportRequest, import_of(material))
    assert request.object.key_block.key_value.key_material == KeyMaterial(KEY, transparent)


@pytest.mark.parametrize(
    ("material", "inner"),
    [
        (KeyMaterial(KEY), "ByteString"),
        (KeyMaterial(KEY, transparent=True), "Key"),
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
    ("material", "error"),
    [
        pytest.param((), MissingData, id="none"),
        pytest.param((structure("KeyMaterial"),), MissingData, id="empty"),
        pytest.param((Node("KeyMaterial", ItemType.TEXT_STRING, "00"),), InvalidField, id="a text"),
        pytest.param(
            (structure("KeyMaterial", Node("Key", ItemType.TEXT_STRING, "00")),),
            InvalidField,
            id="a text as Key",
        ),
        pytest.param(
            (structure("KeyMaterial", Node("Modulus", ItemType.BIG_INTEGER, 3)),),
            KeyFormatTypeNotSupported,
            id="transparent RSA",
        ),
        pytest.param(
            (structure("KeyMaterial", Node("Key", ItemType.BYTE_STRING, KEY), structure("P")),),
            KeyFormatTypeNotSupported,
            id="Key and more",
        ),
        pytest.param(
            (Node("KeyMaterial", ItemType.BYTE_STRING, KEY),) * 2, InvalidField, id="twice"
        ),
    ],
)
def test_other_key_material_is_refused(material, error):
    with pytest.raises(error):
        from_node(ImportRequest, import_of(*material))


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
    with pytest.raises(InvalidField, match="PrivateKey is given twice"):
        from_node(ImportRequest, structure("Import", *node.value, other))


def test_key_value_in_ttlv_encoding_is_refused():
    block = structure(
        "KeyBlock",
        Node("KeyFormatType", ItemType.ENUMERATION, 1),
        Node("KeyValue", ItemType.BYTE_STRING, KEY),
    )
    with pytest.raises(FeatureNotSupported, match="TTLV"):
        from_node(SymmetricKey, structure("SymmetricKey", block))


@pytest.mark.parametrize("object_type", OBJECT_CLASSES)
def test_object_class_is_named_as_its_tag(object_type):
    assert OBJECT_CLASSES[object_type].__name__.upper() == object_type.name.replace("_", "")


@pytest.mark.parametrize(
    "secret",
    [
        KeyMaterial(b"hunter2"),
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
