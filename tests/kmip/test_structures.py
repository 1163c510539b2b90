"""The structures that attributes, objects and payloads share."""

from __future__ import annotations

import pytest

from kms_tornado.errors import InvalidField
from kms_tornado.kmip.schema import from_node, to_node
from kms_tornado.kmip.structures import VendorAttribute
from kms_tornado.kmip.ttlv import ItemType, Node, structure


@pytest.mark.parametrize("tag", ["Remove", "ByteString", "Object", "Create", "GetResponse"])
def test_vendor_value_has_no_tag_without_a_number(tag):
    """It would be kept, and could not be written in binary."""
    inner = structure("KeyBlock", Node(tag, ItemType.BOOLEAN, True))
    attribute = structure(
        "Attribute",
        Node("VendorIdentification", ItemType.TEXT_STRING, "x"),
        Node("AttributeName", ItemType.TEXT_STRING, "y"),
        structure("AttributeValue", inner),
    )
    with pytest.raises(InvalidField, match=f"{tag} cannot stand in AttributeValue"):
        from_node(VendorAttribute, attribute)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        pytest.param(Node("AttributeValue", ItemType.BYTE_STRING, b"a"), b"a", id="bytes"),
        pytest.param(Node("AttributeValue", ItemType.TEXT_STRING, "é"), "é".encode(), id="text"),
        pytest.param(Node("AttributeValue", ItemType.INTEGER, 1), None, id="number"),
        pytest.param(structure("AttributeValue"), None, id="structure"),
    ],
)
def test_octets_of_a_vendor_value_are_those_of_bytes_or_text(value, octets):
    assert VendorAttribute("x", "y", value).octets == octets


def test_vendor_value_keeps_its_type():
    attribute = VendorAttribute("x", "y", Node("AttributeValue", ItemType.INTERVAL, 5))
    assert from_node(VendorAttribute, to_node(attribute, "Attribute")) == attribute
