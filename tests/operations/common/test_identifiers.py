"""Identifiers, tags, and tag lists as identifiers (docs/dialects.md, "Identifiers, tags and links")."""

from __future__ import annotations

import json
import time
import uuid

import pytest

from kms_tornado.operations.common.identifiers import make_identifier

from ...kmip_items import (
    attributes,
    import_items,
    name,
    octets,
    structure,
    tagged,
    text,
    uid,
    vendor,
)
from ...rows import each_row

KEY = bytes(16)
SYMMETRIC = name("ObjectType", "SymmetricKey")


# --- identifiers --------------------------------------------------------------------------------


def test_identifier_of_the_server_begins_with_its_time_so_that_indexes_keep_new_objects_together():
    before = time.time_ns() // 1_000_000
    made = [uuid.UUID(make_identifier()) for _ in range(100)]
    after = time.time_ns() // 1_000_000
    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}
    assert all(before <= one.int >> 80 <= after for one in made)


def test_rest_of_an_identifier_of_the_server_is_random():
    random = [uuid.UUID(make_identifier()).int & (2**80 - 1) for _ in range(1000)]
    ever_set = ever_clear = 0
    for bits in random:
        ever_set |= bits
        ever_clear |= ~bits
    assert (ever_set & ever_clear & (2**80 - 1)).bit_count() == 74


def test_identifier_of_a_created_key_is_one_of_the_server(alice):
    assert uuid.UUID(alice.create()).version == 7


@each_row(
    "identifier",
    [
        pytest.param("billing-{}", id="plain"),
        pytest.param("{} with spaces ", id="spaces"),
        pytest.param(" [{}]", id="bracket further on"),
        pytest.param("Zoë-鍵-\U0001f511-{}", id="unicode"),
        pytest.param("e\u0301-{}", id="not normalised"),
        pytest.param("a/b?c=d&e#f%2F{}", id="of a URL"),
        pytest.param("../{}/./%2e%2e", id="of a path"),
        pytest.param("{}\n\r\t\u2028", id="control characters"),
        pytest.param("'; DROP TABLE objects; -- {}", id="SQL"),
        pytest.param("%_{}", id="wildcards of SQL"),
        pytest.param("<script>{}</script>", id="HTML"),
        pytest.param("{:x<1000}", id="a thousand characters"),
        pytest.param("{}\u202egnp", id="right to left"),
    ],
)
def test_identifier_of_any_text_works_everywhere(alice, identifier):
    wanted = identifier.format(alice.token[-16:])
    assert alice.import_key(wanted, KEY) == wanted
    assert alice.key_of(wanted) == KEY
    assert alice.decrypt(wanted, alice.encrypt(wanted, b"x")) == b"x"
    assert alice.locate(uid(wanted)) == (1, [wanted])
    assert alice.refused("Get", uid(wanted + "?")).startswith("Item_Not_Found: ")
    assert alice.refused("Destroy", uid(wanted)).startswith("Wrong_Key_Lifecycle_State: ")


@each_row(
    ("identifier", "reason"),
    [
        pytest.param("[", "Invalid_Attribute_Value", id="bracket alone"),
        pytest.param("[a]", "Invalid_Attribute_Value", id="bracketed"),
        pytest.param(
            "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "Invalid_Attribute_Value", id="a token"
        ),
        pytest.param('["t"]', "Invalid_Attribute_Value", id="tag list"),
        pytest.param(".", "Invalid_Attribute_Value", id="this segment of a path"),
        pytest.param("..", "Invalid_Attribute_Value", id="the segment above"),
        pytest.param("x" * 1025, "Invalid_Attribute_Value", id="1025 characters"),
        pytest.param("a\0b", "Invalid_Field", id="null character"),
    ],
)
def test_identifier_that_could_mean_something_else_is_refused(alice, identifier, reason):
    assert alice.refused("Import", *import_items(identifier, KEY)).startswith(f"{reason}: ")
    line = alice.refused("Create", SYMMETRIC, attributes(uid(identifier)))
    assert line.startswith(f"{reason}: ")
    assert alice.locate() == (0, [])


def test_identifiers_are_compared_exactly(alice):
    wanted = f"Ä-{alice.token[-16:]}"
    alice.import_key(wanted, KEY)
    for other in (wanted.lower(), wanted + " ", " " + wanted, wanted.replace("Ä", "A\u0308")):
        assert alice.refused("Get", uid(other)).startswith("Item_Not_Found: ")


@each_row("operation", ["Get", "Encrypt", "Revoke", "Destroy", "GetAttributes"])
@each_row("items", [[], [uid("")]], ids=["none", "empty"])
def test_operation_without_identifier_says_so(alice, operation, items):
    data = [octets("Data", b"")] if operation == "Encrypt" else []
    line = alice.refused(operation, *items, *data)
    assert line == "Missing_Data: UniqueIdentifier is missing"


# --- tags ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param(["invoices"], id="one"),
        pytest.param(["a", "b", "c"], id="several"),
        pytest.param(["a", "a", "b", "a"], id="duplicates"),
        pytest.param(["Zoë", "鍵", "\U0001f511", "a b", 'q"uote\\', "\u2028"], id="unicode"),
        pytest.param(["[", "]", ",", '["x"]'], id="brackets"),
        pytest.param([f"t{number}" for number in range(499)], id="499 of them"),
    ],
)
def test_tags_are_kept_and_find_the_key(alice, tags):
    key = alice.create(tags=tags)
    path = ("Object", "KeyBlock", "KeyValue", "Attributes")
    assert alice.do("Get", uid(key)).tags(*path) == sorted(set(tags))
    assert alice.do("GetAttributes", uid(key)).tags("Attributes") == sorted(set(tags))
    assert alice.encrypt(tags, b"").uid == key
    assert alice.encrypt([*tags[:3], "_kk"], b"").uid == key
    assert alice.locate(tagged(*tags)) == (1, [key])


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(tagged("t"), id="array"),
        pytest.param(vendor("tag", b'["t"]'), id="without the array"),
        pytest.param(
            structure(
                "Attribute",
                text("VendorIdentification", "cosmian"),
                text("AttributeName", "tag"),
                text("AttributeValue", '["t"]'),
            ),
            id="OASIS",
        ),
    ],
)
def test_tag_attribute_is_read_in_its_three_shapes(alice, held):
    key = alice.create(held)
    assert alice.encrypt(["t"], b"").uid == key
    assert alice.locate(held) == (1, [key])


def test_empty_list_of_tags_is_no_tag(alice):
    """cosmian_kms sends it with every key."""
    found = alice.do("GetAttributes", uid(alice.create(tagged())))
    assert found.tags("Attributes") is None


@each_row(
    ("value", "reason"),
    [
        pytest.param(b'["_kk"]', "Invalid_Attribute_Value", id="system tag"),
        pytest.param(b'["a","_"]', "Invalid_Attribute_Value", id="underscore"),
        pytest.param(b'[""]', "Invalid_Attribute_Value", id="empty tag"),
        pytest.param(b"", "Invalid_Attribute_Value", id="no bytes"),
        pytest.param(b"invoices", "Invalid_Attribute_Value", id="no JSON"),
        pytest.param(b'"invoices"', "Invalid_Attribute_Value", id="a string"),
        pytest.param(b'{"a":1}', "Invalid_Attribute_Value", id="an object"),
        pytest.param(b"[1]", "Invalid_Attribute_Value", id="a number"),
        pytest.param(b"[null]", "Invalid_Attribute_Value", id="null"),
        pytest.param(b'[["a"]]', "Invalid_Attribute_Value", id="nested"),
        pytest.param(b'["a"', "Invalid_Attribute_Value", id="cut short"),
        pytest.param(b'["\xff"]', "Invalid_Attribute_Value", id="not UTF-8"),
        pytest.param(b'["a\\u0000"]', "Invalid_Attribute_Value", id="null character"),
        pytest.param(b'["\\ud800"]', "Invalid_Attribute_Value", id="half a character"),
        pytest.param(json.dumps([f"t{n}" for n in range(501)]).encode(), "Invalid_Field", id="501"),
        pytest.param(
            json.dumps(["x" * 70_000]).encode(), "Invalid_Attribute_Value", id="one of 70 kB"
        ),
    ],
)
def test_tags_that_are_none_are_refused(alice, value, reason):
    held = structure("VendorAttributes", vendor("tag", value))
    line = alice.refused("Create", SYMMETRIC, attributes(held))
    assert line.startswith(f"{reason}: ")
    assert alice.locate() == (0, [])


def test_tag_attribute_given_twice_is_refused(alice):
    held = structure("VendorAttributes", vendor("tag", b'["a"]'), vendor("tag", b'["b"]'))
    line = alice.refused("Create", SYMMETRIC, attributes(held))
    assert line == "Invalid_Field: the tag attribute is given twice"


# --- tag lists as identifiers -------------------------------------------------------------------


@each_row(
    "identifier",
    [
        pytest.param("[]", id="empty, which would mean every object"),
        pytest.param("[ ]", id="empty with a space"),
        pytest.param('[""]', id="empty tag"),
        pytest.param("[", id="cut short"),
        pytest.param("[a]", id="no JSON"),
        pytest.param("[1]", id="number"),
        pytest.param("[null]", id="null"),
        pytest.param("[true]", id="boolean"),
        pytest.param('[["t"]]', id="nested"),
        pytest.param('[{"t":1}]', id="object"),
        pytest.param('["t"] ["t"]', id="two lists"),
        pytest.param('["t",]', id="comma"),
        pytest.param("['t']", id="other quotes"),
        pytest.param('["\\ud800"]', id="half a character"),
        pytest.param("[NaN]", id="NaN"),
        pytest.param("[" * 3000, id="deep"),
        pytest.param(json.dumps([f"t{n}" for n in range(501)]), id="501 tags"),
        pytest.param(json.dumps(["t" * 70_000]), id="longer than any object's"),
    ],
)
@each_row("operation", ["Get", "Revoke", "Destroy", "Encrypt"])
def test_tag_list_that_is_none_is_refused_and_touches_nothing(alice, operation, identifier):
    key = alice.create(tags=["t"])
    data = [octets("Data", b"")] if operation == "Encrypt" else []
    assert alice.refused(operation, uid(identifier), *data).startswith("Invalid_Field: ")
    assert alice.state_of(key) == "Active"


def test_all_the_tags_must_be_there(alice):
    key = alice.create(tags=["a", "b"])
    assert alice.encrypt(["a"], b"").uid == key
    assert alice.encrypt(["b", "a", "a"], b"").uid == key
    for others in (["a", "c"], ["c"], ["A"], ["_sk"], ["a", "_cert"], ["a\0"]):
        line = alice.refused("Encrypt", uid(others), octets("Data", b""))
        assert line.startswith("Item_Not_Found: "), others


def test_answer_names_the_object_that_was_meant(alice):
    key = alice.create(tags=["t"])
    assert alice.do("Get", uid(["t"])).uid == key
    assert alice.do("GetAttributes", uid(["t"])).uid == key
    assert alice.do("Export", uid(["t"])).uid == key
    sealed = alice.encrypt(["t"], b"x")
    assert sealed.uid == key
    assert alice.do("Decrypt", uid(["t"]), *sealed.items()).uid == key
    assert alice.revoke(["t"]) == key
    assert alice.destroy(["t"]) == key


def test_of_several_the_newest_active_one_is_meant(alice):
    keys = [alice.create(tags=["t"]) for _ in range(4)]
    assert alice.encrypt(["t"], b"").uid == keys[3]
    alice.revoke(keys[3])
    assert alice.encrypt(["t"], b"").uid == keys[2]
    assert alice.do("Get", uid(["t"])).uid == keys[2]
    alice.revoke(keys[2], name("RevocationReason", 2))
    assert alice.do("Get", uid(["t"])).uid == keys[1]
    assert alice.destroy(["t"]) == keys[3]  # Destroy suits no Active one
    assert alice.destroy(["t"]) == keys[2]
    assert alice.refused("Destroy", uid(["t"])).startswith("Wrong_Key_Lifecycle_State: ")
    assert alice.revoke(["t"]) == keys[1]


def test_where_none_is_active_the_newest_that_suits_is_meant(alice):
    keys = [alice.create(tags=["t"]) for _ in range(2)]
    sealed = alice.encrypt(keys[1], b"x")
    for key in keys:
        alice.revoke(key)
    assert alice.decrypt(["t"], sealed) == b"x"
    line = alice.refused("Encrypt", uid(["t"]), octets("Data", b""))
    assert line == "Wrong_Key_Lifecycle_State: the object is Deactivated"


def test_a_hundred_revoked_keys_do_not_hide_the_active_one(alice):
    """The store lists the newest hundred; the one to use was number 121."""
    oldest = alice.create(tags=["t"])
    for _ in range(120):
        alice.revoke(alice.create(tags=["t"]))
    assert alice.encrypt(["t"], b"").uid == oldest


def test_destroyed_objects_are_passed_over(alice):
    old, new = (alice.create(tags=["t"]) for _ in range(2))
    alice.revoke(new)
    alice.destroy(new)
    assert alice.do("Export", uid(["t"])).uid == old
    alice.revoke(old)
    alice.destroy(old)
    for operation in ("Get", "Export", "GetAttributes", "Revoke", "Destroy"):
        assert alice.refused(operation, uid(["t"])).startswith("Item_Not_Found: ")


def test_objects_of_others_are_passed_over(alice, bob):
    mine = alice.create(tags=["shared"])
    theirs = bob.create(tags=["shared"])
    assert alice.encrypt(["shared"], b"").uid == mine
    assert bob.encrypt(["shared"], b"").uid == theirs
    bob.revoke(["shared"])
    bob.destroy(["shared"])
    assert alice.state_of(mine) == "Active"
    assert bob.refused("Get", uid(["shared"])).startswith("Item_Not_Found: ")


def test_long_identifier_is_cut_in_the_answer(alice):
    line = alice.refused("Get", uid("x" * 1_000_000))
    assert line.startswith("Item_Not_Found: ")
    assert len(line) < 200
