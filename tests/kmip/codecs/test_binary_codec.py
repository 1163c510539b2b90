"""Binary TTLV: the specification's examples, everything there and back, and whatever bytes come."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kms_tornado.errors import InvalidField, InvalidMessage
from kms_tornado.kmip.codecs import binary_codec
from kms_tornado.kmip.codecs.binary_codec import parse
from kms_tornado.kmip.tables import TAG_NUMBERS
from kms_tornado.kmip.ttlv import (
    MAX_BIG_INTEGER_OCTETS,
    MAX_DEPTH,
    MAX_ITEMS,
    ItemType,
    Node,
    encoded_length,
    structure,
)

from ...rows import each_row
from ..strategies import nodes

TAGS = st.sampled_from(sorted(TAG_NUMBERS))


def item(item_type: int, length: int, value: str, tag: str = "420020") -> bytes:
    return bytes.fromhex(tag) + bytes([item_type]) + length.to_bytes(4) + bytes.fromhex(value)


def within(*items: bytes, length: int | None = None, tag: str = "420079") -> bytes:
    """A RequestPayload with the items in it. length: what it claims; None: the truth."""
    inner = b"".join(items)
    return item(1, len(inner) if length is None else length, "", tag) + inner


# --- what it looks like -------------------------------------------------------------------------

#: The examples of KMIP 2.1 §10.
EXAMPLES = [
    pytest.param(item(2, 4, "00000008 00000000"), ItemType.INTEGER, 8, id="Integer"),
    pytest.param(
        item(3, 8, "01B69B4BA5749200"), ItemType.LONG_INTEGER, 123456789000000000, id="LongInteger"
    ),
    pytest.param(
        item(4, 16, "0000000003FD35EB6BC2DF4618080000"),
        ItemType.BIG_INTEGER,
        1234567890000000000000000000,
        id="BigInteger",
    ),
    pytest.param(item(5, 4, "000000FF 00000000"), ItemType.ENUMERATION, 255, id="Enumeration"),
    pytest.param(item(6, 8, "0000000000000001"), ItemType.BOOLEAN, True, id="Boolean"),
    pytest.param(
        item(7, 11, "48656C6C6F20576F726C640000000000"),
        ItemType.TEXT_STRING,
        "Hello World",
        id="TextString",
    ),
    pytest.param(item(8, 3, "010203 0000000000"), ItemType.BYTE_STRING, b"\1\2\3", id="ByteString"),
    pytest.param(item(9, 8, "0000000047DA67F8"), ItemType.DATE_TIME, 1205495800, id="DateTime"),
    pytest.param(item(10, 4, "000D2F00 00000000"), ItemType.INTERVAL, 864000, id="Interval"),
    pytest.param(
        within(
            item(5, 4, "000000FE 00000000", "420004"),
            item(2, 4, "000000FF 00000000", "420005"),
            tag="420020",
        ),
        ItemType.STRUCTURE,
        (
            Node("ApplicationSpecificInformation", ItemType.ENUMERATION, 254),
            Node("ArchiveDate", ItemType.INTEGER, 255),
        ),
        id="Structure",
    ),
]

#: Their edges, which the specification describes and gives no bytes for.
EDGES = [
    pytest.param(item(2, 4, "FFFFFFFF 00000000"), ItemType.INTEGER, -1, id="Integer -1"),
    pytest.param(item(4, 8, "FFFFFFFFFFFFFFFF"), ItemType.BIG_INTEGER, -1, id="BigInteger -1"),
    pytest.param(
        item(4, 16, "0000000000000000 8000000000000000"),
        ItemType.BIG_INTEGER,
        2**63,
        id="BigInteger that needs its sign",
    ),
    pytest.param(item(5, 4, "FFFFFFFF 00000000"), ItemType.ENUMERATION, 2**32 - 1, id="extension"),
    pytest.param(item(6, 8, "0000000000000000"), ItemType.BOOLEAN, False, id="false"),
    pytest.param(item(7, 0, ""), ItemType.TEXT_STRING, "", id="no text"),
    pytest.param(item(7, 8, "C3A4C3B6C3BCC39F"), ItemType.TEXT_STRING, "äöüß", id="UTF-8"),
    pytest.param(item(8, 0, ""), ItemType.BYTE_STRING, b"", id="no bytes"),
    pytest.param(item(9, 8, "FFFFFFFFFFFFFFFF"), ItemType.DATE_TIME, -1, id="before 1970"),
    pytest.param(item(10, 4, "FFFFFFFF 00000000"), ItemType.INTERVAL, 2**32 - 1, id="Interval"),
    pytest.param(
        item(11, 8, "0000000000000001"), ItemType.DATE_TIME_EXTENDED, 1, id="DateTimeExtended"
    ),
    pytest.param(within(tag="420020"), ItemType.STRUCTURE, (), id="empty structure"),
]


@each_row(("octets", "item_type", "value"), EXAMPLES + EDGES)
def test_item_is_read_and_written(octets, item_type, value):
    node = structure("RequestPayload", Node("CompromiseDate", item_type, value))
    assert parse(within(octets)) == node
    assert binary_codec.format(node) == within(octets)


def test_what_padding_holds_does_not_matter():
    padded = item(8, 3, "010203 0000000000")
    assert parse(within(item(8, 3, "010203 FFFFFFFFFF"))) == parse(within(padded))


@settings(deadline=None, max_examples=50)
@given(st.lists(nodes(TAGS), max_size=4))
def test_tree_comes_back_as_it_went(trees):
    root = structure("RequestPayload", *trees)
    octets = binary_codec.format(root)
    assert parse(octets) == root
    assert len(octets) == encoded_length(root)


# --- refusals -----------------------------------------------------------------------------------

DATE = item(9, 8, "0000000047DA67F8")


@each_row(
    ("octets", "message"),
    [
        pytest.param(b"", "ends within an item", id="nothing"),
        pytest.param(within()[:7], "ends within an item", id="half a header"),
        pytest.param(DATE, "must be a Structure", id="no structure"),
        pytest.param(within(length=8), "longer than what is around", id="length beyond the end"),
        pytest.param(within(DATE, length=8), "bytes behind the end", id="root that ends too soon"),
        pytest.param(within() * 2, "bytes behind the end", id="two roots"),
        pytest.param(within(length=2**32 - 1), "longer than", id="length of 4 GiB"),
        pytest.param(within(length=2**32 - 8), "longer than", id="length of 4 GiB, padded"),
        pytest.param(within(DATE, length=12), "not a multiple of 8", id="structure of 12"),
        pytest.param(within(bytes(8)), "there is no tag 0x000000", id="tag 0"),
        pytest.param(within(item(2, 4, "0" * 16, "420000")), "no tag 0x420000", id="unknown tag"),
        pytest.param(within(item(2, 4, "0" * 16, "53FFFF")), "no tag 0x53FFFF", id="below vendors"),
        pytest.param(within(item(2, 4, "0" * 16, "550000")), "no tag 0x550000", id="above vendors"),
        pytest.param(within(item(0, 0, "")), "no valid type", id="type 0"),
        pytest.param(within(item(12, 0, "")), "no valid type", id="type 12"),
        pytest.param(within(item(2, 8, "0" * 16)), "no Integer of 4 bytes", id="Integer of 8"),
        pytest.param(within(item(2, 0, "")), "of 4 bytes", id="Integer of 0"),
        pytest.param(within(item(3, 4, "0" * 16)), "of 8 bytes", id="LongInteger of 4"),
        pytest.param(within(item(5, 5, "0" * 16)), "of 4 bytes", id="Enumeration of 5"),
        pytest.param(within(item(6, 1, "0" * 16)), "of 8 bytes", id="Boolean of 1"),
        pytest.param(within(item(6, 8, "0" * 15 + "2")), "0 or 1", id="Boolean 2"),
        pytest.param(
            within(item(6, 8, "01" + "0" * 14)), "0 or 1", id="Boolean 1 at the wrong end"
        ),
        pytest.param(within(item(9, 16, "0" * 32)), "of 8 bytes", id="DateTime of 16"),
        pytest.param(within(item(4, 0, "")), "multiple of 8", id="BigInteger of 0"),
        pytest.param(within(item(4, 4, "0" * 16)), "multiple of 8", id="BigInteger of 4"),
        pytest.param(
            within(item(4, MAX_BIG_INTEGER_OCTETS + 8, "00" * (MAX_BIG_INTEGER_OCTETS + 8))),
            "too long a BigInteger",
            id="BigInteger too long",
        ),
        pytest.param(within(item(7, 1, "FF" + "00" * 7)), "not UTF-8", id="no UTF-8"),
        pytest.param(within(item(7, 3, "EDA080" + "00" * 5)), "not UTF-8", id="a surrogate"),
        pytest.param(within(item(7, 2, "6100" + "00" * 6)), "null", id="text with a null"),
        pytest.param(within(item(8, 9, "00" * 8)), "longer than", id="ByteString beyond the end"),
        pytest.param(within(item(8, 8, "00" * 7)), "longer than", id="ByteString cut"),
        pytest.param(
            within(within(item(8, 8, "00" * 8), length=8, tag="420020")),
            "longer than",
            id="child longer than its parent",
        ),
        pytest.param(
            within(within(DATE, length=24, tag="420020"), DATE),
            "ends within|no tag|longer",
            id="parent that claims half of its sibling",
        ),
        pytest.param(
            within(*[item(8, 0, "")] * MAX_ITEMS), "too many items", id="one item too many"
        ),
    ],
)
def test_what_is_no_ttlv_is_an_invalid_message(octets, message):
    with pytest.raises((InvalidMessage, InvalidField), match=message):
        parse(octets)


def test_as_many_items_as_allowed_are_read():
    assert len(parse(within(*[item(8, 0, "")] * (MAX_ITEMS - 1))).value) == MAX_ITEMS - 1


def deep(levels: int) -> bytes:
    headers = [item(1, 8 * (levels - level), "") for level in range(1, levels + 1)]
    return b"".join(headers)


def test_nesting_has_a_limit_and_no_recursion():
    node = parse(deep(MAX_DEPTH))
    for _ in range(MAX_DEPTH - 1):
        (node,) = node.value
    assert node.value == ()
    for levels in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(InvalidMessage, match="nested too deep"):
            parse(deep(levels))


def test_refusal_quotes_no_value():
    with pytest.raises(InvalidMessage) as caught:
        parse(within(item(7, 8, (b"hunter2\xff").hex())))
    assert "hunter2" not in str(caught.value)


@given(st.binary(max_size=200))
@example(b"\x42\x00\x79\x01" + bytes(4))
def test_any_bytes_are_a_tree_or_an_invalid_message(octets):
    with contextlib.suppress(InvalidMessage, InvalidField):
        assert binary_codec.format(parse(octets))[:4] == octets[:4]


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_damaged_tree_is_a_tree_or_an_invalid_message(data):
    trees = data.draw(st.lists(nodes(TAGS), min_size=1, max_size=3))
    octets = bytearray(binary_codec.format(structure("RequestPayload", *trees)))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(octets) - 1))
        octets[position : position + data.draw(st.integers(0, 9))] = data.draw(
            st.binary(min_size=1, max_size=9)
        )
    with contextlib.suppress(InvalidMessage, InvalidField):
        node = parse(bytes(octets))
        assert parse(binary_codec.format(node)) == node
