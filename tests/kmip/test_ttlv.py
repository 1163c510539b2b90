"""The tree between codecs and payloads."""

from __future__ import annotations

import pytest

from kms_tornado.kmip.ttlv import ItemType, Node, children_of, encoded_length, structure

from ..rows import each_row


@each_row(
    ("item_type", "value", "length"),
    [
        # Most of them are the examples of the specification's chapter on TTLV.
        pytest.param(ItemType.INTEGER, 8, 16, id="integer"),
        pytest.param(ItemType.LONG_INTEGER, 123456789000000000, 16, id="long integer"),
        pytest.param(ItemType.BIG_INTEGER, 1234567890000000000000000000, 24, id="big integer"),
        pytest.param(ItemType.BIG_INTEGER, 0, 16, id="zero"),
        pytest.param(ItemType.BIG_INTEGER, 2**63, 24, id="big integer with room for its sign"),
        pytest.param(ItemType.BIG_INTEGER, 2**63 - 1, 16, id="big integer that just fits"),
        pytest.param(ItemType.ENUMERATION, 255, 16, id="enumeration"),
        pytest.param(ItemType.BOOLEAN, True, 16, id="boolean"),
        pytest.param(ItemType.TEXT_STRING, "Hello World", 24, id="text"),
        pytest.param(ItemType.TEXT_STRING, "é" * 4, 16, id="text counts in UTF-8"),
        pytest.param(ItemType.TEXT_STRING, "", 8, id="empty text"),
        pytest.param(ItemType.BYTE_STRING, b"\1\2\3", 16, id="bytes"),
        pytest.param(ItemType.BYTE_STRING, bytes(8), 16, id="eight bytes"),
        pytest.param(ItemType.DATE_TIME, 0x47DA67F8, 16, id="date"),
        pytest.param(ItemType.INTERVAL, 864000, 16, id="interval"),
        pytest.param(
            ItemType.STRUCTURE,
            (Node("ApplicationData", ItemType.ENUMERATION, 254),
             Node("ApplicationData", ItemType.INTEGER, 255)),
            40, id="structure",
        ),
    ],
)  # fmt: skip
def test_length_is_that_of_the_specification_s_examples(item_type, value, length):
    assert encoded_length(Node("ApplicationData", item_type, value)) == length


def test_leaf_has_no_children():
    assert children_of(Node("Data", ItemType.BYTE_STRING, b"x")) == ()


def test_repr_shows_no_value():
    node = structure("KeyValue", Node("KeyMaterial", ItemType.BYTE_STRING, b"secret"))
    assert repr(node) == "<KeyValue [<KeyMaterial BYTE_STRING>]>"
