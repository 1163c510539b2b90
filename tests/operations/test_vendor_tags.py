"""Tags of vendors (540000 to 54FFFF) over HTTP, in both encodings: taken where they belong, refused elsewhere.

docs/dialects.md, "Tags of vendors".
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from kms_tornado.kmip.codecs import binary_codec, json_codec, json_parsing
from kms_tornado.kmip.ttlv import Dialect, ItemType, Node, children_of
from kms_tornado.kmip.ttlv import structure as node

from ..kmip_items import (
    ACTIVATED,
    Item,
    attributes,
    batch_item,
    flag,
    name,
    number,
    structure,
    text,
    uid,
)
from ..rows import each_row

SYMMETRIC = name("ObjectType", "SymmetricKey")
LEAVES = [
    {"tag": "0x540001", "type": "Integer", "value": -5},
    {"tag": "0x540002", "type": "LongInteger", "value": "0x8000000000000000"},
    {"tag": "0x540003", "type": "BigInteger", "value": "0x" + "7F" + "00" * 2047},
    {"tag": "0x540004", "type": "Enumeration", "value": "0x8000BEEF"},
    {"tag": "0x540005", "type": "Boolean", "value": False},
    {"tag": "0x540006", "type": "TextString", "value": "grüß \u2028 dich"},
    {"tag": "0x540006", "type": "TextString", "value": ""},
    {"tag": "0x540007", "type": "ByteString", "value": "00FF"},
    {"tag": "0x54FFFF", "type": "DateTime", "value": "2026-01-02T03:04:05+00:00"},
    {"tag": "0x54FFFF", "type": "DateTime", "value": "0x7FFFFFFFFFFFFFFF"},
    {"tag": "0x54ABCD", "type": "Interval", "value": 2**32 - 1},
    {"tag": "0x54ABCD", "type": "DateTimeExtended", "value": "0x0000000000000001"},
]
#: What means something in Cosmian's dialect, or is special elsewhere in a message, means nothing in there.
LOOKALIKES = [
    structure("Name", structure("Name", text("NameValue", "n"))),
    structure("Attribute"),
    structure("Link", structure("Link")),
    text("RevocationReason", "because"),
    flag("RevocationReason", True),
    name("CryptographicUsageMask", "0x8FFFFFFF"),
    number("CryptographicUsageMask", "Encrypt|Decrypt"),
    number("CryptographicUsageMask", -(2**31)),
    structure("RequestPayload", SYMMETRIC, structure("KeyMaterial", structure("KeyMaterial"))),
    name("CryptographicAlgorithm", "AES"),
    name("Operation", "0x00000FFF"),
    structure("AttributeValue", text("State", "x")),
]
VALUES = {
    "every item type": structure("AttributeValue", *LEAVES),
    "nested": structure("AttributeValue", structure("0x540100", structure("0x540101", *LEAVES), structure("0x540101"))),
    "look-alikes": structure("AttributeValue", *LOOKALIKES),
    "empty": structure("AttributeValue"),
    "repeated": structure("AttributeValue", *[number("0x540001", 1)] * 40),
}  # fmt: skip
EVERY_VALUE = pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)


def attribute(value: Item, called: str = "box") -> Item:
    return structure(
        "Attribute", text("VendorIdentification", "acme"), text("AttributeName", called), value
    )


BOX = structure("AttributeReference", text("VendorIdentification", "acme"), text("AttributeName", "box"))  # fmt: skip


def ask_binary(user, *items: Item) -> list[Node]:
    """The batch items of the answer, in TTLV."""
    body = json.dumps(message_of(*items)).encode()
    sent = binary_codec.format(json_codec.parse(body)[0])
    answer = binary_codec.parse(user.send_binary(sent))
    return list(children_of(answer)[1:])


def message_of(*items: Item) -> Item:
    header = structure(
        "RequestHeader",
        structure("ProtocolVersion", number("ProtocolVersionMajor", 2), number("ProtocolVersionMinor", 1)),
        number("BatchCount", len(items)),
    )  # fmt: skip
    return structure("RequestMessage", header, *items)


def octets_of(value: Item) -> bytes:
    holder = json_parsing.parse_tree(structure("Attribute", value), "Attribute")
    return binary_codec.format(children_of(holder)[0])


def found_in(item: Node) -> Node:
    """The one value of a vendor attribute in the item."""
    unchecked = [item]
    while unchecked:
        each = unchecked.pop()
        if each.tag == "AttributeValue":
            return each
        unchecked += children_of(each)
    raise AssertionError(item)


def told_in_json(user, key: str) -> Item:
    (item,) = user.ask(batch_item("GetAttributes", uid(key), BOX))
    (told,) = item["ResponsePayload", "Attributes"]
    return told["value"][2]


def create(user, value: Item) -> str:
    item = batch_item("Create", SYMMETRIC, attributes(ACTIVATED, attribute(value)))
    (made,) = user.ask(item)
    return str(made["ResponsePayload", "UniqueIdentifier"])


@EVERY_VALUE
def test_value_comes_back_equal_in_json_and_byte_for_byte_in_binary(alice, value):
    key = create(alice, value)
    assert told_in_json(alice, key) == value
    (told,) = ask_binary(alice, batch_item("GetAttributes", uid(key), BOX))
    assert binary_codec.format(found_in(told)) == octets_of(value)


@EVERY_VALUE
def test_value_that_was_set_in_binary_is_the_same_in_json(alice, value):
    key = create(alice, text("AttributeValue", "x"))
    ask_binary(
        alice, batch_item("SetAttribute", uid(key), structure("NewAttribute", attribute(value)))
    )
    assert told_in_json(alice, key) == value


@EVERY_VALUE
def test_value_is_modified_and_deleted_by_what_it_holds(alice, value):
    key, other = create(alice, value), structure("AttributeValue", text("0x540001", "other"))
    current, changed = (
        structure("CurrentAttribute", attribute(value)),
        structure("NewAttribute", attribute(other)),
    )
    (wrong,) = alice.ask(batch_item("DeleteAttribute", uid(key), structure("CurrentAttribute", attribute(other))))  # fmt: skip
    assert wrong["ResultReason"] == "AttributeInstanceNotFound"
    (item,) = alice.ask(batch_item("ModifyAttribute", uid(key), current, changed))
    assert item["ResultStatus"] == "Success"
    assert told_in_json(alice, key) == other
    current = structure("CurrentAttribute", attribute(other))
    (item,) = ask_binary(alice, batch_item("DeleteAttribute", uid(key), current))
    (item,) = alice.ask(batch_item("GetAttributes", uid(key), BOX))
    assert item["ResponsePayload", "Attributes"] == []


@EVERY_VALUE
def test_object_is_located_by_the_value(alice, value):
    key = create(alice, value)
    create(alice, structure("AttributeValue", text("0x540001", "other")))
    sought = batch_item("Locate", structure("Attributes", attribute(value)))
    (item,) = alice.ask(sought)
    assert item["ResponsePayload", "UniqueIdentifier"] == key
    (item,) = ask_binary(alice, sought)
    assert [child.value for payload in children_of(item) for child in children_of(payload)] == [
        1,
        key,
    ]


@EVERY_VALUE
@pytest.mark.parametrize("ask", ["json", "binary"])
def test_value_goes_out_by_export_and_comes_in_by_import(alice, bob, value, ask):
    key = create(alice, value)
    (item,) = ask_binary(alice, batch_item("Export", uid(key)))
    payload = next(child for child in children_of(item) if child.tag == "ResponsePayload")
    fields = {child.tag: child for child in children_of(payload)}
    kept = [
        child
        for child in children_of(fields["Attributes"])
        if child.tag in ("Attribute", "CryptographicAlgorithm", "CryptographicUsageMask")
    ]
    request = node(
        "RequestPayload",
        Node("UniqueIdentifier", ItemType.TEXT_STRING, f"{key} again"),
        fields["ObjectType"],
        Node("ReplaceExisting", ItemType.BOOLEAN, False),
        node("Attributes", *kept),
        fields["SymmetricKey"],
    )
    tree = json.loads(json_codec.format(request, Dialect.OASIS))
    imported = batch_item("Import", *tree["value"])
    (answer,) = ask_binary(bob, imported) if ask == "binary" else bob.ask(imported)
    assert told_in_json(bob, f"{key} again") == value, answer


def test_name_beside_a_vendor_s_tag_is_taken_and_not_kept(alice):
    """The profile has such a member for people to read."""
    named = {"tag": "0x540001", "name": "Colour", "type": "TextString", "value": "red"}
    key = create(alice, structure("AttributeValue", named))
    assert told_in_json(alice, key) == structure("AttributeValue", text("0x540001", "red"))
    wrong = {"tag": "Comment", "name": "Colour", "type": "TextString", "value": "red"}
    (item,) = alice.ask(batch_item("Create", SYMMETRIC, attributes(ACTIVATED, wrong)))
    assert item["ResultReason"] == "InvalidField"


def test_bare_operation_keeps_the_value_too(alice):
    """Its answer has octets there, as published clients know no others; a message tells what it was."""
    value = VALUES["nested"]
    key = alice.create(attribute(value))
    assert told_in_json(alice, key) == value


# --- elsewhere ----------------------------------------------------------------------------------

STRANGE = text("0x540001", "x")


@each_row(
    "item",
    [
        batch_item("Create", SYMMETRIC, attributes(ACTIVATED), STRANGE),
        batch_item("Create", SYMMETRIC, attributes(ACTIVATED, STRANGE)),
        batch_item("Create", SYMMETRIC, attributes(structure("Link", STRANGE))),
        batch_item("Get", uid("a"), structure("KeyWrappingSpecification", STRANGE)),
        batch_item("Create", SYMMETRIC, attributes(attribute(text("AttributeValue", "x")), structure("Attribute", STRANGE))),
        batch_item("Locate", structure("Attributes", STRANGE)),
        batch_item("GetAttributes", uid("a"), name("AttributeReference", 0x540001)),
    ],
    ids=["payload", "attributes", "link", "wrapping", "vendor attribute", "locate", "reference"],
)  # fmt: skip
def test_vendor_s_tag_elsewhere_fails_its_item_in_words(alice, item):
    (failed,) = alice.ask(item)
    assert failed["ResultReason"] == "InvalidField"
    (in_binary,) = ask_binary(alice, item)
    reasons = [each.value for each in children_of(in_binary) if each.tag == "ResultReason"]
    assert reasons == [7]


def test_bare_operation_is_told_where_such_tags_belong(alice):
    assert alice.refused("Create", SYMMETRIC, attributes(STRANGE)) == (
        "Invalid_Field: 0x540001 cannot stand in Attributes: a vendor's tags are for AttributeValue and "
        "VendorExtension"
    )


@pytest.mark.parametrize(
    "tag", ["0x42013E", "0x42FFFF", "0x53FFFF", "0x550000", "0x000000", "0xFFFFFF"]
)
def test_tag_of_nobody_is_no_part_of_a_vendor_s_value(alice, tag):
    value = structure("AttributeValue", text(tag, "x"))
    (failed,) = alice.ask(batch_item("Create", SYMMETRIC, attributes(ACTIVATED, attribute(value))))
    assert failed["ResultReason"] == "InvalidField"


def test_number_of_a_tag_that_has_a_name_means_that_name(alice):
    (item,) = alice.ask(
        batch_item("Create", SYMMETRIC, attributes(ACTIVATED, text("0x4200FD", "c")))
    )
    key = item["ResponsePayload", "UniqueIdentifier"]
    assert alice.do("GetAttributes", uid(key))["Attributes", "Comment"] == "c"


# --- extensions ---------------------------------------------------------------------------------


def extension(critical: Any, *more: Item) -> Item:
    return structure(
        "MessageExtension",
        text("VendorIdentification", "acme"),
        *([] if critical is None else [flag("CriticalityIndicator", critical)]),
        *more,
    )


def extended(*extensions: Item) -> Item:
    made = batch_item("Create", SYMMETRIC, attributes(ACTIVATED), item_id=b"\7")
    return structure("BatchItem", *made["value"], *extensions)


CONTENT = {
    "a vendor's tag": structure("VendorExtension", text("0x540001", "na")),
    "every item type": structure("VendorExtension", *LEAVES, *LOOKALIKES),
    "nothing": structure("VendorExtension"),
    "a text": text("VendorExtension", "x"),
    "no extension": text("Comment", "x"),
    "an unknown name": structure("VendorExtension", text("Colour", "red")),
    "a reserved tag": structure("VendorExtension", text("0x42FFFF", "x")),
    "an odd value": structure("VendorExtension", number("0x540001", "ten")),
    "an unknown type": structure("VendorExtension", {"tag": "0x540001", "type": "Prose", "value": "x"}),
    "no item": structure("VendorExtension", {"0x540001": "x"}),
    "a member more": {**structure("VendorExtension"), "by": "acme"},
}  # fmt: skip


@each_row("content", CONTENT.values(), ids=CONTENT)
def test_extension_that_is_not_critical_is_passed_over_whatever_it_holds(alice, content):
    (item,) = alice.ask(extended(extension(False, content)))
    assert (item["ResultStatus"], item["UniqueBatchItemID"]) == ("Success", "07")


@each_row("content", CONTENT.values(), ids=CONTENT)
def test_critical_extension_refuses_the_message_whatever_it_holds(alice, content):
    """KMIP 2.1 §9 has the entire message refused. Alone in its message, the item is named (case TC-72)."""
    (item,) = alice.ask(extended(extension(True, content)))
    assert (item["Operation"], item["ResultReason"]) == ("Create", "UnknownMessageExtension")
    (item,) = alice.ask(extended(), extended(extension(False, content), extension(True, content)))
    assert item["ResultReason"] == "UnknownMessageExtension"
    assert item.get("Operation") is None
    assert alice.locate()[0] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        extension(None, structure("VendorExtension")),
        extension("perhaps", structure("VendorExtension")),
        extension(False, flag("CriticalityIndicator", False)),
        extension(False, flag("CriticalityIndicator", True)),
        text("MessageExtension", "x"),
    ],
    ids=["not said", "no boolean", "twice", "both", "a text"],
)
def test_extension_that_does_not_say_whether_it_is_critical_fails_its_item(alice, wrong):
    items = alice.ask(extended(), extended(wrong), extended())
    reasons = [each.get("ResultReason") or each["ResultStatus"] for each in items]
    assert reasons == ["Success", "InvalidField", "Success"]


def ttlv(tag: int, item_type: int, value: bytes) -> bytes:
    head = tag.to_bytes(3, "big") + bytes([item_type]) + len(value).to_bytes(4, "big")
    return head + value + bytes(-len(value) % 8)


@each_row(
    "content",
    [
        pytest.param(ttlv(0x540001, 7, b"na"), id="a vendor's tag"),
        pytest.param(ttlv(0x42FFFF, 7, b"x"), id="a reserved tag"),
        pytest.param(ttlv(0x123456, 7, b"x"), id="a tag of nobody"),
        pytest.param(ttlv(0x540001, 77, b"x"), id="an unknown type"),
        pytest.param(ttlv(0x540001, 7, b"\xff"), id="no UTF-8"),
        pytest.param(ttlv(0x540001, 2, bytes(8)), id="a wrong length"),
        pytest.param(bytes(8), id="zeros"),
        pytest.param(b"\xff" * 16, id="noise"),
    ],
)
@each_row("critical", [False, True])
def test_extension_in_binary_is_treated_alike(alice, content, critical):
    body = json.dumps(message_of(extended(extension(critical)))).encode()
    octets = bytearray(binary_codec.format(json_codec.parse(body)[0]))
    added = ttlv(0x42009C, 1, content)
    for tag in (
        0x420078,
        0x42000F,
        0x420051,
    ):  # the extension is last in the item, and that in the message
        start = octets.index(tag.to_bytes(3, "big") + b"\1")
        length = int.from_bytes(octets[start + 4 : start + 8], "big") + len(added)
        octets[start + 4 : start + 8] = length.to_bytes(4, "big")
    (item,) = children_of(binary_codec.parse(alice.send_binary(bytes(octets + added))))[1:]
    fields = {child.tag: child.value for child in children_of(item)}
    assert fields.get("ResultReason") == (0x3C if critical else None)
    assert fields["Operation"] == 1
