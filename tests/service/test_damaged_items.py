"""One item of a batch holds something that nobody knows: it fails alone, and its neighbours run.

docs/dialects.md, "Batches". The middle one of three items is damaged, in JSON and in binary.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_tornado.kmip.codecs import binary_codec, json_parsing
from kms_tornado.kmip.tables import TAG_NUMBERS
from kms_tornado.kmip.ttlv import children_of

from ..kmip_items import (
    ACTIVATED,
    Item,
    attributes,
    batch_item,
    flag,
    message,
    name,
    number,
    octets,
    structure,
    text,
    untyped,
    version,
)
from ..rows import each_row
from .batches import CONTINUE, STOP, UNDO, statuses

SYMMETRIC = name("ObjectType", "SymmetricKey")
QUERY = batch_item("Query", name("QueryFunction", "QueryObjects"), item_id=b"\xab\x01")
HASH = name("HashingAlgorithm", "SHA_256")


def create(*more: Item, **kwargs: Any) -> Item:
    return batch_item("Create", SYMMETRIC, attributes(ACTIVATED, *more), **kwargs)


def bad_create(*more: Any) -> Item:
    return create(*more, item_id=b"\xab\x01")


def bad_hash(*fields: Any) -> Item:
    parameters = structure("CryptographicParameters", *fields)
    return batch_item("Hash", parameters, octets("Data", b"x"), item_id=b"\xab\x01")


def item_of(operation: Any, *fields: Any) -> Item:
    return structure("BatchItem", operation, octets("UniqueBatchItemID", b"\xab\x01"), *fields)


PAYLOAD = structure("RequestPayload")


# --- JSON ---------------------------------------------------------------------------------------

#: (the item, its reason, the operation in its answer)
DAMAGES = [
    pytest.param(batch_item("Fly", item_id=b"\xab\x01"), "OperationNotSupported", "Fly", id="operation"),
    pytest.param(item_of(name("Operation", 999), PAYLOAD), "OperationNotSupported", "0x000003E7", id="operation number"),
    pytest.param(item_of(name("Operation", "0x80000001"), PAYLOAD), "OperationNotSupported", "0x80000001", id="vendor's operation"),
    pytest.param(item_of(name("Operation", "Fly"), text("Unheard", "x")), "OperationNotSupported", "Fly", id="operation and more"),
    pytest.param(batch_item("Certify", text("Unheard", "x"), item_id=b"\xab\x01"), "OperationNotSupported", "Certify", id="unread payload"),
    pytest.param(bad_create(text("Unheard", "x")), "InvalidField", "Create", id="tag"),
    pytest.param(bad_create(text("0x42FFFF", "x")), "InvalidField", "Create", id="reserved tag"),
    pytest.param(bad_create(text("0x540001", "x")), "InvalidField", "Create", id="vendor's tag"),
    pytest.param(bad_create(text("0x000001", "x")), "InvalidField", "Create", id="tag of nobody"),
    pytest.param(bad_create(name("CryptographicAlgorithm", "AEZ")), "InvalidField", "Create", id="enumeration name"),
    pytest.param(bad_hash(name("HashingAlgorithm", 0x80000009)), "InvalidField", "Hash", id="vendor's enumeration"),
    pytest.param(bad_create(name("CryptographicAlgorithm", "AES")), "InvalidMessage", "Create", id="field given twice"),
    pytest.param(bad_create(name("CryptographicAlgorithm", -1)), "InvalidField", "Create", id="enumeration below 0"),
    pytest.param(bad_create(number("CryptographicUsageMask", "Encrypt|Fly")), "InvalidField", "Create", id="mask name"),
    pytest.param(bad_create(number("CryptographicLength", 2**31)), "InvalidField", "Create", id="integer out of range"),
    pytest.param(bad_create(number("CryptographicLength", "0x10")), "InvalidField", "Create", id="integer of two digits"),
    pytest.param(bad_create({"tag": "ActivationDate", "type": "DateTime", "value": "yesterday"}), "InvalidField", "Create", id="date"),
    pytest.param(bad_create({"tag": "Sensitive", "type": "Boolean", "value": "yes"}), "InvalidField", "Create", id="boolean"),
    pytest.param(bad_create(text("CryptographicLength", "128")), "InvalidField", "Create", id="wrong type"),
    pytest.param(bad_create({"tag": "Comment", "type": "Prose", "value": "x"}), "InvalidField", "Create", id="unknown type"),
    pytest.param(bad_create({"tag": "Comment", "type": "TextString"}), "InvalidField", "Create", id="no value"),
    pytest.param(bad_create({"tag": "Comment", "type": "TextString", "value": "x", "by": 1}), "InvalidField", "Create", id="other member"),
    pytest.param(bad_create({"type": "TextString", "value": "x"}), "InvalidField", "Create", id="no tag"),
    pytest.param(bad_create(text("Comment", "a\0b")), "InvalidField", "Create", id="null"),
    pytest.param(bad_create(7), "InvalidField", "Create", id="no object"),
    pytest.param(bad_hash({"tag": "HashingAlgorithm", "type": "Structure", "value": 7}), "InvalidField", "Hash", id="no array"),
    pytest.param(batch_item("Hash", structure("CryptographicParameters", HASH), {"tag": "Data", "type": "ByteString", "value": "ABC"}, item_id=b"\xab\x01"), "InvalidField", "Hash", id="odd hex"),
    pytest.param(item_of(name("Operation", "Create")), "MissingData", "Create", id="no payload"),
    pytest.param(item_of(PAYLOAD), "MissingData", None, id="no operation"),
    pytest.param(item_of(text("Operation", "Create"), PAYLOAD), "InvalidField", None, id="operation of another type"),
    pytest.param(item_of(name("Operation", "Get"), name("Operation", "Get"), PAYLOAD), "InvalidMessage", None, id="two operations"),
    pytest.param(item_of(name("Operation", "Query"), PAYLOAD, text("Unheard", "x")), "InvalidField", "Query", id="tag in the item"),
    pytest.param(item_of(name("Operation", "Query"), PAYLOAD, text("0x540001", "x")), "InvalidField", "Query", id="vendor's tag in the item"),
    pytest.param(item_of(name("Operation", "Query"), PAYLOAD, text("Ephemeral", "x")), "InvalidField", "Query", id="field of another type"),
    pytest.param({**QUERY, "by": 1}, "InvalidField", "Query", id="other member of the item"),
    pytest.param({**QUERY, "type": "Enumeration"}, "InvalidField", "Query", id="item of another type"),
]  # fmt: skip


@each_row("form", [lambda item: item, untyped], ids=["typed", "untyped"])
@each_row(("item", "reason", "operation"), DAMAGES)
def test_what_nobody_knows_fails_its_item_alone(alice, item, reason, operation, form):
    whole = message(create(item_id=b"\1"), item, create(item_id=b"\3"))
    if form is untyped:
        items = whole["value"]
        whole = {
            "tag": whole["tag"],
            "value": [untyped(items[0]), untyped(items[1]), item, untyped(items[3])],
        }
    first, failed, last = alice.ask_message(whole)
    assert statuses([first, failed, last]) == ["Success", reason, "Success"]
    assert [each["UniqueBatchItemID"] for each in (first, failed, last)] == ["01", "AB01", "03"]
    assert failed.get("Operation") == operation
    assert failed["ResultMessage"]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (structure("BatchItem", *create()["value"], text("UniqueBatchItemID", "x")), "InvalidField"),
        (structure("BatchItem", *create()["value"], number("UniqueBatchItemID", 2**40)), "InvalidField"),
        (structure("BatchItem", *create()["value"], *[octets("UniqueBatchItemID", b"x")] * 2), "InvalidMessage"),
        (structure("BatchItem", *create()["value"], {"tag": "UniqueBatchItemID", "type": "ByteString", "value": "A"}), "InvalidField"),
    ],
    ids=["text", "out of range", "twice", "odd"],
)  # fmt: skip
def test_unreadable_identifier_fails_its_item_without_one(alice, item, reason):
    first, failed, last = alice.ask(create(), item, create())
    assert statuses([first, failed, last]) == ["Success", reason, "Success"]
    assert failed["Operation"] == "Create"
    assert failed.get("UniqueBatchItemID") is None


@pytest.mark.parametrize(
    "item", [text("BatchItem", "x"), structure("BatchItem"), {"tag": "BatchItem", "value": {}}]
)
def test_item_that_is_none_fails_alone(alice, item):
    first, failed, last = alice.ask(create(), item, create())
    assert statuses([first, failed, last])[::2] == ["Success"] * 2
    assert failed["ResultReason"] in ("InvalidField", "MissingData")
    assert failed.get("Operation") is None


def test_item_alone_in_its_message_is_no_different(alice):
    (failed,) = alice.ask(bad_create(text("Unheard", "x")))
    assert (failed["Operation"], failed["ResultReason"]) == ("Create", "InvalidField")


def test_every_item_is_told_what_it_may_have_meant(alice):
    wrong = [
        batch_item("Encyrpt"),
        create(text("Comentt", "x")),
        create(name("CryptographicAlgorithm", "AEES")),
    ]
    assert [each["ResultMessage"].partition("; ")[2] for each in alice.ask(*wrong)] == [
        "did you mean Encrypt?",
        "did you mean Comment?",
        "did you mean AES?",
    ]


def test_long_name_of_an_operation_is_not_repeated(alice):
    (failed,) = alice.ask(batch_item("Fly" * 100, item_id=b"\7"))
    assert failed["ResultReason"] == "OperationNotSupported"
    assert failed["UniqueBatchItemID"] == "07"
    assert failed.get("Operation") is None
    assert len(failed["ResultMessage"]) < 100


@pytest.mark.parametrize(
    ("header", "found", "left"),
    [
        pytest.param([CONTINUE], ["Success", "InvalidField", "Success"], 2, id="Continue"),
        pytest.param([STOP], ["Success", "InvalidField"], 1, id="Stop"),
        pytest.param([UNDO], ["OperationUndone", "InvalidField"], 0, id="Undo"),
    ],
)
def test_option_holds_for_what_nobody_knows(alice, header, found, left):
    items = alice.ask(create(), bad_create(text("Unheard", "x")), create(), header=header)
    assert statuses(items) == found
    assert alice.locate()[0] == left


@pytest.mark.parametrize(
    ("failing", "last"),
    [
        pytest.param(batch_item("Fly"), "MissingData", id="unknown operation"),
        pytest.param(bad_create(text("Unheard", "x")), "MissingData", id="one that sets it"),
        pytest.param(
            batch_item("Get", text("Unheard", "x")), "Success", id="one that leaves it alone"
        ),
    ],
)
def test_placeholder_is_treated_as_after_any_failure(alice, failing, last):
    assert statuses(alice.ask(create(), failing, batch_item("GetAttributes")))[2] == last


@pytest.mark.parametrize(
    "header",
    [
        text("Unheard", "x"),
        text("0x540001", "x"),
        name("BatchErrorContinuationOption", "Carry on"),
        {"tag": "TimeStamp", "type": "DateTime", "value": "now"},
        name("AsynchronousIndicator", "Perhaps"),
    ],
    ids=lambda item: item["tag"],
)
def test_unreadable_header_refuses_the_message_in_its_version(alice, header):
    """It governs all the items, and nobody can say what it asked for."""
    body = message(create(), header=[version(2, 0), header])
    tree = json.loads(alice.send(body).body)
    head, only = tree["value"]
    assert [child["value"] for child in head["value"][0]["value"]] == [2, 0]
    reasons = [child["value"] for child in only["value"] if child["tag"] == "ResultReason"]
    assert reasons == ["InvalidMessage"]
    assert alice.locate()[0] == 0


# --- binary -------------------------------------------------------------------------------------


def ttlv(tag: int, item_type: int, value: bytes, length: int | None = None) -> bytes:
    """length: what the item claims; None: the truth."""
    size = len(value) if length is None else length
    return (
        tag.to_bytes(3, "big")
        + bytes([item_type])
        + size.to_bytes(4, "big")
        + value
        + bytes(-len(value) % 8)
    )


def field(tag: str, item_type: int, value: bytes, length: int | None = None) -> bytes:
    return ttlv(TAG_NUMBERS[tag], item_type, value, length)


def encode(item: Item) -> bytes:
    tree = json_parsing.parse_tree(item, "")
    return binary_codec.format(tree)


def binary_item(operation: bytes, *payload: bytes, identifier: bytes | None = b"\xab\x01") -> bytes:
    named = b"" if identifier is None else field("UniqueBatchItemID", 8, identifier)
    return field("BatchItem", 1, operation + named + field("RequestPayload", 1, b"".join(payload)))


def binary_message(*items: bytes) -> bytes:
    head = encode(message(*[QUERY] * len(items)))
    header = head[8 : 16 + int.from_bytes(head[12:16], "big")]
    return field("RequestMessage", 1, header + b"".join(items))


def code(number: int) -> bytes:
    return field("Operation", 5, number.to_bytes(4, "big"))


CREATE = code(1)
SYMMETRIC_KEY = field("ObjectType", 5, bytes([0, 0, 0, 2]))
MAKE_KEY = encode(create(item_id=b"\1")), encode(create(item_id=b"\3"))


def create_with(*wrong: bytes) -> bytes:
    algorithm = field("CryptographicAlgorithm", 5, bytes([0, 0, 0, 3]))
    return binary_item(CREATE, SYMMETRIC_KEY, field("Attributes", 1, algorithm + b"".join(wrong)))


#: (the item, its reason, the operation in its answer)
BINARY_DAMAGES = [
    pytest.param(binary_item(code(999)), "Operation Not Supported", 999, id="operation"),
    pytest.param(binary_item(code(0x8000_0001)), "Operation Not Supported", 0x8000_0001, id="vendor's operation"),
    pytest.param(create_with(ttlv(0x42FFFF, 7, b"x")), "Invalid Field", 1, id="reserved tag"),
    pytest.param(create_with(ttlv(0x540001, 7, b"x")), "Invalid Field", 1, id="vendor's tag"),
    pytest.param(create_with(ttlv(0x000001, 7, b"x")), "Invalid Field", 1, id="tag of nobody"),
    pytest.param(create_with(field("Comment", 12, b"x")), "Invalid Field", 1, id="item type 12"),
    pytest.param(create_with(field("Comment", 0, b"x")), "Invalid Field", 1, id="item type 0"),
    pytest.param(create_with(field("Comment", 0x80, b"x")), "Invalid Field", 1, id="vendor's item type"),
    pytest.param(create_with(field("Comment", 2, b"abcd")), "Invalid Field", 1, id="wrong type"),
    pytest.param(create_with(field("CryptographicLength", 2, bytes(8))), "Invalid Field", 1, id="Integer of 8"),
    pytest.param(create_with(field("ActivationDate", 9, bytes(4))), "Invalid Field", 1, id="DateTime of 4"),
    pytest.param(create_with(field("Comment", 7, b"\xff")), "Invalid Field", 1, id="no UTF-8"),
    pytest.param(create_with(field("Comment", 7, b"a\0b")), "Invalid Field", 1, id="null"),
    pytest.param(create_with(field("Sensitive", 6, bytes([0] * 7 + [2]))), "Invalid Field", 1, id="Boolean 2"),
    pytest.param(create_with(field("Comment", 4, bytes(4))), "Invalid Field", 1, id="BigInteger of 4"),
    pytest.param(create_with(field("Link", 1, bytes(4) + field("Comment", 7, b"x"))), "Invalid Field", 1, id="structure of 20"),
    pytest.param(binary_item(CREATE, SYMMETRIC_KEY + field("Attributes", 1, field("Comment", 7, b"x" * 8, 24)), field("ObjectType", 5, bytes([0, 0, 0, 2])) * 2), "Invalid Field", 1, id="child longer than its parent"),
    pytest.param(binary_item(CREATE, field("Attributes", 1, bytes(8), 8), b""), "Invalid Field", 1, id="zeros"),
    pytest.param(binary_item(field("Operation", 2, bytes(4))), "Invalid Field", None, id="operation of another type"),
    pytest.param(binary_item(field("Operation", 5, bytes(8))), "Invalid Field", None, id="operation of 8 bytes"),
    pytest.param(binary_item(b""), "Missing Data", None, id="no operation"),
    pytest.param(binary_item(CREATE + ttlv(0x420FFF, 2, bytes(4))), "Invalid Field", 1, id="tag in the item"),
]  # fmt: skip


def results(answer: bytes) -> list[dict[str, Any]]:
    """{tag: value} of each item."""
    root = binary_codec.parse(answer)
    return [
        {child.tag: child.value for child in children_of(item)} for item in children_of(root)[1:]
    ]


def reason_number(reason: str) -> int:
    return {
        "Invalid Field": 7,
        "Missing Data": 6,
        "Operation Not Supported": 5,
        "Invalid Message": 4,
    }[reason]


@each_row(("item", "reason", "operation"), BINARY_DAMAGES)
def test_what_nobody_knows_in_binary_fails_its_item_alone(alice, item, reason, operation):
    answer = alice.send_binary(binary_message(MAKE_KEY[0], item, MAKE_KEY[1]))
    first, failed, last = results(answer)
    assert (first["ResultStatus"], last["ResultStatus"]) == (0, 0)
    assert failed["ResultReason"] == reason_number(reason)
    assert failed.get("Operation") == operation
    identifiers = [each["UniqueBatchItemID"] for each in (first, failed, last)]
    assert identifiers == [b"\1", b"\xab\1", b"\3"]


@pytest.mark.parametrize(
    "identifier",
    [field("UniqueBatchItemID", 7, b"\xff"), field("UniqueBatchItemID", 2, bytes(8)), field("UniqueBatchItemID", 99, b"")],
    ids=["no UTF-8", "Integer of 8", "type 99"],
)  # fmt: skip
def test_unreadable_identifier_in_binary_fails_its_item_without_one(alice, identifier):
    item = binary_item(CREATE + identifier, SYMMETRIC_KEY, identifier=None)
    first, failed, last = results(alice.send_binary(binary_message(MAKE_KEY[0], item, MAKE_KEY[1])))
    assert (first["ResultStatus"], failed["ResultReason"], last["ResultStatus"]) == (0, 7, 0)
    assert "UniqueBatchItemID" not in failed
    assert failed["Operation"] == 1


GOOD = encode(create())


@pytest.mark.parametrize(
    "items",
    [
        pytest.param(
            [GOOD, create_with(field("Comment", 7, b"x" * 8, 800))], id="length beyond the item"
        ),
        pytest.param(
            [GOOD, field("BatchItem", 1, GOOD[8:], len(GOOD))], id="item longer than the message"
        ),
        pytest.param(
            [GOOD, field("BatchItem", 1, GOOD[8:] + bytes(4))], id="item of no multiple of 8"
        ),
        pytest.param([GOOD, GOOD[:-8]], id="item cut"),
        pytest.param([GOOD, ttlv(0x540001, 7, b"x")], id="vendor's tag in the message"),
        pytest.param([GOOD, ttlv(0x42FFFF, 7, b"x")], id="unknown tag in the message"),
    ],
)
def test_frame_that_cannot_be_read_refuses_the_message(alice, items):
    (only,) = results(alice.send_binary(binary_message(*items)))
    assert only["ResultReason"] == 4
    assert "Operation" not in only
    assert alice.locate()[0] == 0


def test_nesting_beyond_the_limit_refuses_the_message(alice):
    nested = b""
    for _ in range(40):
        nested = field("Attributes", 1, nested)
    broken = create_with(field("Comment", 7, b"\xff"))
    (only,) = results(alice.send_binary(binary_message(GOOD, broken, binary_item(CREATE, nested))))
    assert only["ResultReason"] == 4
    assert alice.locate()[0] == 0


# --- any damage ---------------------------------------------------------------------------------

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["tag", "type", "value", "name"]), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
VICTIM = batch_item(
    "Create",
    SYMMETRIC,
    attributes(
        ACTIVATED,
        name("CryptographicUsageMask", "Encrypt|Decrypt"),
        flag("Extractable", True),
        structure("Name", text("NameValue", "n"), name("NameType", 1)),
        bits=128,
    ),
    item_id=b"\2",
)
VICTIM["value"][2]["value"][1]["value"][2] = number("CryptographicUsageMask", "Encrypt|Decrypt")


def places_of(item: Any) -> list[list[Any]]:
    """The way to every member and element of it, as keys and indices."""
    children = (
        item.items()
        if isinstance(item, dict)
        else enumerate(item)
        if isinstance(item, list)
        else ()
    )
    return [[key, *rest] for key, child in children for rest in [[], *places_of(child)]]


def replaced(item: Any, place: Sequence[Any], new: Any) -> Any:
    if not place:
        return new
    copy = item.copy()
    copy[place[0]] = replaced(item[place[0]], place[1:], new)
    return copy


JSON_PLACES = [place for place in places_of(VICTIM) if place != ["tag"]]


@settings(deadline=None, max_examples=150)
@given(place=st.sampled_from(JSON_PLACES), junk=JUNK)
def test_any_damage_of_an_item_in_json_is_its_own(damaged_user, place, junk):
    whole = message(create(item_id=b"\1"), replaced(VICTIM, place, junk), create(item_id=b"\3"))
    first, damaged, last = damaged_user.ask_message(json.dumps(whole).encode())
    assert statuses([first, last]) == ["Success"] * 2
    assert (damaged.get("ResultReason") or "Success") != "GeneralFailure"


VICTIM_OCTETS = encode(VICTIM)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_any_damage_of_an_item_in_binary_is_its_own(damaged_user, data):
    """Lengths are left alone but for those of primitives: see the frames above."""
    octets_ = bytearray(VICTIM_OCTETS)
    starts = headers_of(VICTIM_OCTETS)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.sampled_from(starts))
        length = int.from_bytes(octets_[start + 4 : start + 8], "big")
        change = data.draw(st.sampled_from(["tag", "type", "value", "length"]))
        if change == "tag":
            octets_[start : start + 3] = data.draw(st.binary(min_size=3, max_size=3))
        elif change == "type" and octets_[start + 3] != 1:
            octets_[start + 3] = data.draw(st.sampled_from([0, *range(2, 13), 255]))
        elif change == "value" and octets_[start + 3] != 1 and length:
            octets_[start + 8 : start + 8 + length] = data.draw(
                st.binary(min_size=length, max_size=length)
            )
        elif change == "length" and octets_[start + 3] != 1 and length:
            octets_[start + 7] = data.draw(
                st.integers((length - 1) // 8 * 8 + 1, (length + 7) // 8 * 8)
            )
    first, damaged, last = results(
        damaged_user.send_binary(binary_message(MAKE_KEY[0], bytes(octets_), MAKE_KEY[1]))
    )
    assert (first["ResultStatus"], last["ResultStatus"]) == (0, 0)
    assert damaged.get("ResultReason") != 0x100


def headers_of(item: bytes, start: int = 0) -> list[int]:
    """Where the items within this one begin."""
    end = start + 8 + int.from_bytes(item[start + 4 : start + 8], "big")
    position, found = start + 8, []
    while position < end:
        found.append(position)
        if item[position + 3] == 1:
            found += headers_of(item, position)
        length = int.from_bytes(item[position + 4 : position + 8], "big")
        position += 8 + length + -length % 8
    return found


@pytest.fixture(scope="module")
def damaged_user(kms):
    return kms.user("damaged")
