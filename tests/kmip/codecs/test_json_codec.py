"""Bytes to tree and back: shapes, dialects, limits, hostile bodies."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kms_tornado.errors import InvalidField, InvalidMessage, KMIPError
from kms_tornado.kmip.codecs import binary_codec, json_codec
from kms_tornado.kmip.codecs.json_codec import DIALECTS, parse
from kms_tornado.kmip.codecs.json_parsing import ARRAYS
from kms_tornado.kmip.codecs.json_values import READERS
from kms_tornado.kmip.tables import COSMIAN_TAGS, ENUMERATIONS, MASKS, OPERATION_TAGS, TAG_NUMBERS
from kms_tornado.kmip.ttlv import MAX_DEPTH, MAX_ITEMS, Dialect, ItemType, Node, structure

from ...rows import each_row
from ..strategies import nodes

UID = {"tag": "UniqueIdentifier", "type": "TextString", "value": "a"}
UID_NODE = Node("UniqueIdentifier", ItemType.TEXT_STRING, "a")
ATTRIBUTE = structure(
    "Attribute",
    Node("VendorIdentification", ItemType.TEXT_STRING, "cosmian"),
    Node("AttributeName", ItemType.TEXT_STRING, "tag"),
    Node("AttributeValue", ItemType.BYTE_STRING, b"[]"),
)
LINK = structure(
    "Link",
    Node("LinkType", ItemType.ENUMERATION, 0x108),
    Node("LinkedObjectIdentifier", ItemType.TEXT_STRING, "b"),
)


def encode(tag: str, *items: object, **members: object) -> bytes:
    return json.dumps({"tag": tag, "type": "Structure", "value": items, **members}).encode()


def children(body: bytes) -> tuple[Node, ...]:
    return parse(body)[0].value


def formatted(node: Node, dialect: Dialect) -> object:
    return json.loads(json_codec.format(node, dialect))


# --- dialects -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        pytest.param(encode("Get"), Dialect.COSMIAN, id="bare operation"),
        pytest.param(b'{"tag":"Get","value":[]}', Dialect.OASIS_UNTYPED, id="bare without type"),
        pytest.param(encode("RequestMessage"), Dialect.OASIS, id="message"),
        pytest.param(
            b'{"tag":"RequestMessage","value":[]}', Dialect.OASIS_UNTYPED, id="message without type"
        ),
    ],
)
def test_root_gives_the_dialect_away(body, dialect):
    assert parse(body)[1] is dialect


@each_row(
    ("items", "expected"),
    [
        pytest.param(
            [{"tag": "UniqueIdentifier", "type": "Structure", "value": [UID, UID]}],
            (UID_NODE, UID_NODE),
            id="nested identifiers",
        ),
        pytest.param([UID, UID], (UID_NODE, UID_NODE), id="repeated identifiers"),
        pytest.param(
            [{"tag": "UniqueIdentifier", "type": "Structure", "value": []}], (), id="empty array"
        ),
        pytest.param([{"tag": "VendorAttributes", "value": []}], (), id="no vendor attributes"),
        pytest.param(
            [{"tag": "IvCounterNonce", "type": "ByteString", "value": "00"}],
            (Node("IVCounterNonce", ItemType.BYTE_STRING, b"\0"),),
            id="the clients' IV",
        ),
        pytest.param(
            [
                {
                    "tag": "KeyMaterial",
                    "value": [{"tag": "ByteString", "type": "ByteString", "value": "00"}],
                }
            ],
            (Node("KeyMaterial", ItemType.BYTE_STRING, b"\0"),),
            id="material in a ByteString",
        ),
        pytest.param(
            [{"tag": "KeyMaterial", "value": [{"tag": "Key", "type": "ByteString", "value": ""}]}],
            (structure("KeyMaterial", Node("Key", ItemType.BYTE_STRING, b"")),),
            id="transparent material",
        ),
        pytest.param(
            [{"tag": "RevocationReason", "type": "TextString", "value": "old"}],
            (
                structure(
                    "RevocationReason", Node("RevocationMessage", ItemType.TEXT_STRING, "old")
                ),
            ),
            id="reason as text",
        ),
        pytest.param(
            [{"tag": "RevocationReason", "type": "Integer", "value": 2}],
            (structure("RevocationReason", Node("RevocationReasonCode", ItemType.ENUMERATION, 2)),),
            id="reason as number",
        ),
    ],
)
def test_departures_of_the_clients_end_in_the_codec(items, expected):
    assert children(encode("Get", *items)) == expected


@pytest.mark.parametrize("tag", ["VendorAttributes", "Attribute"])
@pytest.mark.parametrize("nested", [True, False], ids=["nested", "flat"])
def test_vendor_attribute_is_understood(tag, nested):
    item = {"tag": tag, "value": formatted(ATTRIBUTE, Dialect.OASIS)["value"]}
    items = [{"tag": tag, "value": [item, item]}] if nested else [item, item]
    assert children(encode("Attributes", *items)) == (ATTRIBUTE, ATTRIBUTE)


@pytest.mark.parametrize(
    ("object_type", "tag"),
    [(2, "SymmetricKey"), ("Certificate", "Certificate"), ("OpaqueData", "OpaqueObject")],
)
def test_object_is_named_by_the_object_type_beside_it(object_type, tag):
    kind = {"tag": "ObjectType", "type": "Enumeration", "value": object_type}
    thing = {"tag": "Object", "type": "Structure", "value": []}
    for items in ([kind, thing], [thing, kind]):
        assert structure(tag) in children(encode("Import", *items))


@pytest.mark.parametrize("items", [[], [UID], [{"tag": "ObjectType", "type": "Integer"}]])
def test_object_without_object_type_keeps_its_name(items):
    thing = {"tag": "Object", "type": "Structure", "value": []}
    with contextlib.suppress(KMIPError):
        assert structure("Object") in children(encode("Import", thing, *items))


def test_cosmian_clients_get_nested_arrays_only_where_they_look_for_them():
    root = structure("LocateResponse", UID_NODE, UID_NODE)
    assert formatted(root, Dialect.COSMIAN)["value"] == [
        {"tag": "UniqueIdentifier", "type": "Structure", "value": [UID, UID]}
    ]
    assert formatted(structure("GetResponse", UID_NODE), Dialect.COSMIAN)["value"] == [UID]


def test_empty_locate_response_has_an_empty_array():
    assert formatted(structure("LocateResponse"), Dialect.COSMIAN)["value"] == [
        {"tag": "UniqueIdentifier", "type": "Structure", "value": []}
    ]
    assert formatted(structure("LocateResponse"), Dialect.OASIS)["value"] == []


def test_links_and_vendor_attributes_are_nested_for_cosmian_and_repeated_for_oasis():
    state = Node("State", ItemType.ENUMERATION, 2)
    root = structure("Attributes", LINK, state, LINK, ATTRIBUTE)
    cosmian = formatted(root, Dialect.COSMIAN)["value"]
    assert [(item["tag"], len(item["value"])) for item in cosmian if item["tag"] != "State"] == [
        ("Link", 2),
        ("VendorAttributes", 1),
    ]
    assert [item["tag"] for item in cosmian[2]["value"]] == ["VendorAttributes"]
    oasis = formatted(root, Dialect.OASIS)["value"]
    assert [item["tag"] for item in oasis] == ["Link", "State", "Link", "Attribute"]


@pytest.mark.parametrize(
    ("item_type", "value", "octets"),
    [
        (ItemType.BYTE_STRING, b"[]", "5B5D"),
        (ItemType.TEXT_STRING, "é", "C3A9"),
        (ItemType.INTEGER, 12, "3132"),
        (ItemType.BOOLEAN, True, "74727565"),
    ],
)
def test_vendor_value_is_a_byte_string_for_cosmian_whatever_its_type(item_type, value, octets):
    node = structure("Get", Node("AttributeValue", item_type, value))
    assert formatted(node, Dialect.COSMIAN)["value"] == [
        {"tag": "AttributeValue", "type": "ByteString", "value": octets}
    ]
    assert children(json_codec.format(node, Dialect.OASIS)) == node.value


def test_members_stand_in_the_order_tag_type_value():
    root = structure("EncryptResponse", UID_NODE, Node("IVCounterNonce", ItemType.BYTE_STRING, b""))
    assert json_codec.format(root, Dialect.COSMIAN) == (
        b'{"tag":"EncryptResponse","type":"Structure","value":['
        b'{"tag":"UniqueIdentifier","type":"TextString","value":"a"},'
        b'{"tag":"IvCounterNonce","type":"ByteString","value":""}]}'
    )
    assert json_codec.format(root, Dialect.OASIS_UNTYPED) == (
        b'{"tag":"EncryptResponse","value":['
        b'{"tag":"UniqueIdentifier","type":"TextString","value":"a"},'
        b'{"tag":"IVCounterNonce","type":"ByteString","value":""}]}'
    )


def test_text_is_written_as_utf_8():
    root = structure("Get", Node("Comment", ItemType.TEXT_STRING, "clé 🔑"))
    assert "clé 🔑".encode() in json_codec.format(root, Dialect.COSMIAN)


# --- there and back -----------------------------------------------------------------------------

# Tags with a meaning of their own to the codec would not come back as they are: that is its task.
PLAIN_TAGS = sorted(
    {*TAG_NUMBERS}
    - ARRAYS
    - MASKS
    - {"AttributeValue", "KeyMaterial", "RevocationReason"}
    - {"Attributes", "CommonAttributes", "PrivateKeyAttributes", "PublicKeyAttributes"}
    - {*ENUMERATIONS["ObjectType"].oasis.values(), "RequestPayload", "ResponsePayload"}
)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(deadline=None)
@given(st.lists(nodes(st.sampled_from(PLAIN_TAGS)), max_size=4))
def test_tree_comes_back_as_it_went(dialect, trees):
    root = structure("Get", *trees)
    assert parse(json_codec.format(root, dialect))[0] == root


@pytest.mark.parametrize("dialect", DIALECTS)
@given(mask=st.integers(-(2**31), 2**31 - 1))
def test_mask_comes_back_as_it_went(dialect, mask):
    root = structure("Get", Node("CryptographicUsageMask", ItemType.INTEGER, mask))
    assert parse(json_codec.format(root, dialect))[0] == root


# --- refusals -----------------------------------------------------------------------------------


def item(**members: object) -> bytes:
    return encode("Get", members)


def deep(levels: int) -> bytes:
    return b'{"tag":"Get","value":[' * levels + b"]}" * levels


MALFORMED = [
    pytest.param(b"", id="empty"),
    pytest.param(b" ", id="blank"),
    pytest.param(b"null", id="null"),
    pytest.param(b"true", id="true"),
    pytest.param(b"7", id="number"),
    pytest.param(b'"Get"', id="string"),
    pytest.param(b"[]", id="array"),
    pytest.param(b"[" + encode("Get") + b"]", id="array of messages"),
    pytest.param(b"{}", id="empty object"),
    pytest.param(b"{", id="cut off"),
    pytest.param(encode("Get")[:-1], id="last brace missing"),
    pytest.param(encode("Get") + b"x", id="something behind"),
    pytest.param(encode("Get") * 2, id="two messages"),
    pytest.param(b"\xef\xbb\xbf" + encode("Get"), id="byte order mark"),
    pytest.param(encode("Get").decode().encode("utf-16"), id="UTF-16"),
    pytest.param(b"\xff\xfe\x00", id="no UTF-8"),
    pytest.param(b"\x00" * 64, id="zeros"),
    pytest.param(b"\x42\x00\x78\x01\x00\x00\x00\x00", id="binary TTLV"),
    pytest.param(b"tag=Get", id="form"),
    pytest.param(b"<RequestMessage/>", id="XML"),
    pytest.param(b"eyJhbGciOiJFQ0RILUVTIn0..a.b.c", id="JWE"),
    pytest.param(b'{"tag":"Get","tag":"Destroy","value":[]}', id="tag twice"),
    pytest.param(b'{"tag":"Get","value":[],"value":[]}', id="value twice"),
    pytest.param(b'{"tag":"Get","value":[{"tag":"Data","value":NaN}]}', id="NaN"),
    pytest.param(b'{"tag":"Get","value":[Infinity]}', id="Infinity"),
    pytest.param(b'{"tag":"Get","value":[' + b"9" * 5000 + b"]}", id="number of 5000 digits"),
    pytest.param(b'{"tag":"Get","value":["\\ud800"]}', id="lone surrogate"),
    pytest.param(b"[" * 3000, id="3000 brackets"),
    pytest.param(b"[" * 3000 + b"]" * 3000, id="3000 arrays"),
    pytest.param(b'{"tag":' * 3000, id="3000 objects"),
    pytest.param(deep(3000), id="3000 structures"),
    pytest.param(deep(100_000), id="100000 structures"),
    pytest.param(deep(MAX_DEPTH + 1), id="one structure too deep"),
    pytest.param(encode("Get", *[UID] * MAX_ITEMS), id="one item too many"),
    pytest.param(b'{"value":[]}', id="root without tag"),
    pytest.param(b'{"tag":"Get"}', id="root without value"),
    pytest.param(b'{"tag":null,"value":[]}', id="tag null"),
    pytest.param(b'{"tag":7,"value":[]}', id="tag a number"),
    pytest.param(b'{"tag":["Get"],"value":[]}', id="tag an array"),
    pytest.param(b'{"tag":{},"value":[]}', id="tag an object"),
    pytest.param(encode(""), id="tag empty"),
    pytest.param(encode("Gett"), id="root tag unknown"),
    pytest.param(encode("get"), id="root tag in lower case"),
    pytest.param(encode("Get", name="x"), id="fourth member"),
    pytest.param(b'{"tag":"Get","value":[],"name":"x"}', id="other member for type"),
    pytest.param(b'{"Tag":"Get","Value":[]}', id="members in capitals"),
    pytest.param(b'{"tag":"Get","type":null,"value":[]}', id="type null"),
    pytest.param(b'{"tag":"Get","type":1,"value":[]}', id="type a number"),
    pytest.param(b'{"tag":"Get","type":["Structure"],"value":[]}', id="type an array"),
    pytest.param(b'{"tag":"Get","type":{},"value":[]}', id="type an object"),
    pytest.param(b'{"tag":"Get","type":"structure","value":[]}', id="type in lower case"),
    pytest.param(b'{"tag":"Get","type":"Long","value":[]}', id="type unknown"),
    pytest.param(b'{"tag":"Get","type":"TextString","value":"x"}', id="root a text"),
    pytest.param(b'{"tag":"Get","type":"Integer","value":1}', id="root a number"),
    pytest.param(encode("UniqueIdentifier", UID), id="root an array of identifiers"),
    pytest.param(encode("Link"), id="root an empty array"),
    pytest.param(b'{"tag":"Get","value":null}', id="structure null"),
    pytest.param(b'{"tag":"Get","value":{}}', id="structure an object"),
    pytest.param(b'{"tag":"Get","value":"UniqueIdentifier"}', id="structure a text"),
    pytest.param(b'{"tag":"Get","value":7}', id="structure a number"),
    pytest.param(encode("Get", None), id="item null"),
    pytest.param(encode("Get", "UniqueIdentifier"), id="item a text"),
    pytest.param(encode("Get", 1), id="item a number"),
    pytest.param(encode("Get", [UID]), id="item an array"),
    pytest.param(encode("Get", {}), id="item empty"),
    pytest.param(item(tag="Data", type="ByteString"), id="item without value"),
    pytest.param(item(type="ByteString", value=""), id="item without tag"),
    pytest.param(item(tag="Data", value="00"), id="type left out on a leaf"),
    pytest.param(item(tag="Data", type="ByteString", value="", x=1), id="item with more"),
]

BAD_FIELDS = [
    pytest.param(item(tag="Foo", type="TextString", value="x"), id="unknown tag"),
    pytest.param(item(tag="", type="TextString", value="x"), id="empty tag"),
    pytest.param(item(tag="0x42FFFF", type="Integer", value=1), id="reserved tag number"),
    pytest.param(item(tag="0x550000", type="Integer", value=1), id="tag number of nobody"),
    pytest.param(item(tag="0x54000", type="Integer", value=1), id="tag number too short"),
    pytest.param(item(tag="Data\n", type="ByteString", value=""), id="tag with a line break"),
    pytest.param(item(tag="CryptographicLength", type="Integer", value=True), id="true as Integer"),
    pytest.param(item(tag="Data", type="ByteString", value="0"), id="odd hex"),
    pytest.param(item(tag="RevocationReason", type="Boolean", value=True), id="reason a boolean"),
    pytest.param(item(tag="RevocationReason", type="ByteString", value=""), id="reason of bytes"),
    pytest.param(
        item(
            tag="UniqueIdentifier", value=[UID, {"tag": "Data", "type": "ByteString", "value": ""}]
        ),
        id="array of different things",
    ),
]


@each_row("body", MALFORMED)
def test_what_is_no_message_is_an_invalid_message(body):
    with pytest.raises(InvalidMessage) as caught:
        parse(body)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 160


@each_row("body", BAD_FIELDS)
def test_bad_field_is_an_invalid_field(body):
    with pytest.raises(InvalidField) as caught:
        parse(body)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 160


def test_limits_are_as_said():
    # The twins of the refusals above.
    parse(deep(MAX_DEPTH))
    assert len(children(encode("Get", *[UID] * (MAX_ITEMS - 1)))) == MAX_ITEMS - 1


def test_long_tag_is_cut_in_the_refusal():
    with pytest.raises(InvalidField) as caught:
        parse(item(tag="x" * 10_000, type="TextString", value="x"))
    assert len(str(caught.value)) < 80


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_kmip_error(body):
    with contextlib.suppress(KMIPError):
        parse(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
type_names = st.sampled_from(["Structure", *READERS, "Structur", 5, None, [], {}]) | st.text(
    max_size=8
)
items = st.deferred(
    lambda: st.fixed_dictionaries(
        {
            "tag": st.sampled_from([*TAG_NUMBERS, *COSMIAN_TAGS, "VendorAttributes", 3, None]),
            "value": json_values
            | st.lists(items, max_size=4)
            | st.from_regex(r"0x[0-9A-F]{8}|0x[0-9A-F]{16}|[0-9a-fA-F]*", fullmatch=True),
        },
        optional={"type": type_names, "name": json_values},
    )
)


@settings(deadline=None)
@given(
    st.sampled_from([*OPERATION_TAGS.values(), "RequestMessage", "Link"]),
    st.lists(items | json_values, max_size=4),
)
@example("Get", [{"tag": "ObjectType", "type": "Enumeration", "value": []}])
@example("Get", [{"tag": "KeyMaterial", "type": "TextString", "value": "x"}])
@example("Get", [{"tag": "AttributeValue", "type": "DateTime", "value": "0x4000000000000000"}])
@example("Import", [{"tag": "Object", "type": "Integer", "value": 1}])
def test_no_json_raises_anything_but_a_kmip_error(tag, values):
    with contextlib.suppress(KMIPError):
        node, dialect = parse(encode(tag, *values))
        json_codec.format(node, dialect)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" + b"[]," * MAX_ITEMS + b"[]]", id="arrays"),
        pytest.param(b"[" + b"1," * (8 * MAX_ITEMS) + b"1]", id="numbers"),
        pytest.param(b"{" + b'"a":1,' * (4 * MAX_ITEMS + 1) + b'"a":1}', id="members"),
    ],
)
def test_body_that_would_take_seconds_to_refuse_is_not_parsed(body):
    with pytest.raises(InvalidMessage, match="too many items"):
        parse(body)


@pytest.mark.parametrize(
    "leaf",
    [
        {"tag": "CryptographicUsageMask", "type": "Integer", "value": "Encrypt|" * 1000},
        {"tag": "ObjectType", "type": "Enumeration", "value": "S" * 1_000_000},
    ],
    ids=["mask", "name"],
)
def test_name_that_is_too_long_is_refused_unread(leaf):
    with pytest.raises(InvalidField):
        parse(encode("Create", leaf))


@each_row("tag", sorted(ARRAYS - {"Attribute", "AttributeReference", "Link", "UniqueIdentifier"}))
def test_empty_structure_is_not_dropped(tag):
    """Locate by an empty name would find what has none."""
    assert children(encode("Locate", {"tag": tag, "value": []})) == (structure(tag),)


ANY_TAG = st.sampled_from([*TAG_NUMBERS, "0x540000", "0x54FFFF"])


@settings(deadline=None, max_examples=100)
@given(
    st.lists(nodes(ANY_TAG), max_size=4), st.sampled_from([Dialect.OASIS, Dialect.OASIS_UNTYPED])
)
def test_value_of_a_vendor_comes_back_whatever_its_tags_mean_elsewhere(parts, dialect):
    value = structure("AttributeValue", *parts)
    assert children(json_codec.format(structure("Get", value), dialect)) == (value,)
    assert binary_codec.parse(binary_codec.format(value)) == value
