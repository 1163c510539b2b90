"""Key material on the wire: octets, a Key, and the parts of transparent keys."""

from __future__ import annotations

import pytest

from kms_tornado.errors import (
    InvalidField,
    InvalidMessage,
    KeyFormatTypeNotSupported,
    MissingData,
)
from kms_tornado.kmip.codecs import json_codec
from kms_tornado.kmip.enums import KeyFormatType, RecommendedCurve
from kms_tornado.kmip.key_material import (
    TransparentDHPublicKey,
    TransparentDSAPrivateKey,
    TransparentECPrivateKey,
    TransparentECPublicKey,
    TransparentRSAPrivateKey,
    TransparentRSAPublicKey,
)
from kms_tornado.kmip.objects import (
    KeyMaterialField,
    KeyValue,
    PrivateKey,
)
from kms_tornado.kmip.payloads import ImportRequest
from kms_tornado.kmip.schema import from_node, to_node
from kms_tornado.kmip.ttlv import Dialect, ItemType, Node, structure

from ..rows import each_row

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


def block_of(key_format: int, key_value: Node) -> Node:
    number = Node("KeyFormatType", ItemType.ENUMERATION, key_format)
    return structure("PrivateKey", structure("KeyBlock", key_value, number))


@pytest.mark.parametrize(("material", "transparent"), MATERIALS)
def test_key_material_is_read_in_either_shape(material, transparent):
    request = from_node(ImportRequest, import_of(material))
    assert request.object.key_block.key_value.key_material == KeyMaterialField(KEY, transparent)


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
            id="transparent RSA that is said to be Raw",
        ),
        pytest.param(
            (structure("KeyMaterial", Node("Key", ItemType.BYTE_STRING, KEY), structure("P")),),
            KeyFormatTypeNotSupported,
            id="Key and more",
        ),
        pytest.param(
            (Node("KeyMaterial", ItemType.BYTE_STRING, KEY),) * 2, InvalidMessage, id="twice"
        ),
    ],
)
def test_other_key_material_is_refused(material, error):
    with pytest.raises(error):
        from_node(ImportRequest, import_of(*material))


def number(tag: str, value: int) -> Node:
    return Node(tag, ItemType.BIG_INTEGER, value)


CURVE = Node("RecommendedCurve", ItemType.ENUMERATION, 7)


@each_row(
    ("key_format", "parts", "key"),
    [
        pytest.param(
            KeyFormatType.TRANSPARENT_RSA_PRIVATE_KEY,
            [number("Modulus", 15), number("PublicExponent", 3), number("CRTCoefficient", 2)],
            TransparentRSAPrivateKey(15, public_exponent=3, crt_coefficient=2),
            id="RSA, private",
        ),
        pytest.param(
            KeyFormatType.TRANSPARENT_RSA_PUBLIC_KEY,
            [number("Modulus", 15), number("PublicExponent", 3)],
            TransparentRSAPublicKey(15, 3),
            id="RSA, public",
        ),
        pytest.param(
            KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY,
            [CURVE, number("D", 5)],
            TransparentECPrivateKey(RecommendedCurve.P_256, 5),
            id="EC, private",
        ),
        pytest.param(
            KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY,
            [CURVE, Node("QString", ItemType.BYTE_STRING, KEY)],
            TransparentECPublicKey(RecommendedCurve.P_256, KEY),
            id="EC, public",
        ),
        pytest.param(
            KeyFormatType.TRANSPARENT_DSA_PRIVATE_KEY,
            [number("P", 2), number("Q", 3), number("G", 5), number("X", 7)],
            TransparentDSAPrivateKey(2, 3, 5, 7),
            id="DSA, private",
        ),
        pytest.param(
            KeyFormatType.TRANSPARENT_DH_PUBLIC_KEY,
            [number("P", 2), number("G", 5), number("Y", 7)],
            TransparentDHPublicKey(2, 5, y=7),
            id="DH, public",
        ),
    ],
)
@each_row("dialect", json_codec.DIALECTS)
def test_transparent_key_has_the_parts_of_its_format(dialect, key_format, parts, key):
    value = structure("KeyValue", structure("KeyMaterial", *parts))
    found = from_node(PrivateKey, block_of(key_format, value))
    assert found.key_block.key_value == KeyValue(key)
    body = json_codec.format(to_node(found, "PrivateKey"), dialect)
    if dialect is not Dialect.COSMIAN:  # which says Object, and names it by its ObjectType
        assert from_node(PrivateKey, json_codec.parse(body)[0]) == found


@pytest.mark.parametrize(
    ("key_format", "parts", "error"),
    [
        pytest.param(10, [number("PublicExponent", 3)], MissingData, id="RSA without modulus"),
        pytest.param(11, [number("Modulus", 3), number("D", 3)], InvalidField, id="RSA with D"),
        pytest.param(20, [number("D", 5)], MissingData, id="EC without curve"),
        pytest.param(20, [Node("RecommendedCurve", ItemType.ENUMERATION, 0)], InvalidField, id="0"),
        pytest.param(
            8, [Node("P", ItemType.INTEGER, 2)], InvalidField, id="Integer for a BigInteger"
        ),
        pytest.param(
            10, [Node("Key", ItemType.BYTE_STRING, KEY)], InvalidField, id="symmetric, said RSA"
        ),
    ],
)
def test_transparent_key_with_other_parts_is_refused(key_format, parts, error):
    value = structure("KeyValue", structure("KeyMaterial", *parts))
    with pytest.raises(error):
        from_node(PrivateKey, block_of(key_format, value))


def test_octets_may_stand_under_a_transparent_format():
    """As a wrapped key does: the format says what is inside."""
    value = structure("KeyValue", Node("KeyMaterial", ItemType.BYTE_STRING, KEY))
    key = from_node(PrivateKey, block_of(10, value))
    assert key.key_block.key_value == KeyValue(KeyMaterialField(KEY))
