"""AddAttribute, SetAttribute, ModifyAttribute, DeleteAttribute and GetAttributeList over HTTP.

What may be changed when is `domain.attribute_rules`' table; here: that it is asked, and what is written.
"""

from __future__ import annotations

import json

import pytest

from ..kmip_items import (
    batch_item,
    date,
    flag,
    name,
    named,
    number,
    octets,
    structure,
    tagged,
    text,
    uid,
)
from ..rows import each_row

CHANGES = ["AddAttribute", "SetAttribute", "ModifyAttribute"]


def new(item):
    return structure("NewAttribute", item)


def linked(key, kind="NextLink"):
    return structure("Link", name("LinkType", kind), text("LinkedObjectIdentifier", key))


def vendors(attribute, value):
    """As it stands in NewAttribute: KMIP's own name for it."""
    return structure(
        "Attribute",
        text("VendorIdentification", "x"),
        text("AttributeName", attribute),
        text("AttributeValue", value),
    )


def known(user, key, *path):
    return user.do("GetAttributes", uid(key)).get("Attributes", *path)


def test_list_names_what_get_attributes_tells(alice):
    key = alice.create(
        text("Comment", "c"),
        tagged("t"),
        structure(
            "VendorAttributes",
        ),
    )
    listed = alice.do("GetAttributeList", uid(key)).item["value"][1:]
    told = alice.do("GetAttributes", uid(key))["Attributes"]
    names = [each["value"] for each in listed if each["type"] == "Enumeration"]
    assert sorted([*names, "VendorAttributes"]) == sorted(each["tag"] for each in told)
    (reference,) = (each["value"] for each in listed if each["type"] == "Structure")
    assert [each["value"] for each in reference] == ["cosmian", "tag"]


def test_attribute_is_told_by_each_name_that_is_listed(alice):
    key = alice.create(named("n"), text("Comment", "c"), tagged("t"))
    for each in alice.do("GetAttributeList", uid(key)).item["value"][1:]:
        told = alice.do("GetAttributes", uid(key), each)["Attributes"]
        assert len(told) == 1, each


def test_values_are_added_changed_and_taken_away(alice):
    key = alice.create()
    alice.do("AddAttribute", uid(key), new(named("a")))
    alice.do("ModifyAttribute", uid(key), new(named("b")))
    assert known(alice, key, "Name", "NameValue") == "b"
    assert alice.locate(named("a"))[0] == 0
    assert alice.locate(named("b")) == (1, [key])
    alice.do("DeleteAttribute", uid(key), structure("CurrentAttribute", named("b")))
    assert known(alice, key, "Name") is None
    assert alice.locate(named("b"))[0] == 0


def test_change_is_dated(alice):
    key = alice.create()
    alice.do("SetAttribute", uid(key), new(text("Comment", "x")))
    assert known(alice, key, "LastChangeDate") >= known(alice, key, "InitialDate")


@each_row(
    ("operation", "item", "reason"),
    [
        *((each, name("State", "Compromised"), "Attribute_Read_Only") for each in CHANGES),
        *((each, flag("AlwaysSensitive", True), "Attribute_Read_Only") for each in CHANGES),
        *((each, flag("NeverExtractable", True), "Attribute_Read_Only") for each in CHANGES),
        *((each, number("CryptographicUsageMask", 0x200000), "Attribute_Read_Only") for each in CHANGES),
        *((each, number("CryptographicLength", 128), "Attribute_Read_Only") for each in CHANGES),
        *((each, uid("another"), "Attribute_Read_Only") for each in CHANGES),
        *((each, date("InitialDate", "2020-01-01T00:00:00Z"), "Attribute_Read_Only") for each in CHANGES),
        ("AddAttribute", flag("Sensitive", False), "Attribute_Single_Valued"),
        ("SetAttribute", flag("Sensitive", False), "Attribute_Read_Only"),
        ("ModifyAttribute", flag("Sensitive", False), "Attribute_Read_Only"),
        ("SetAttribute", flag("Extractable", True), "Attribute_Read_Only"),
        ("ModifyAttribute", flag("Extractable", True), "Attribute_Read_Only"),
        ("SetAttribute", named("a"), "Multi_Valued_Attribute"),
        ("ModifyAttribute", text("Comment", "x"), "Attribute_Not_Found"),
        ("ModifyAttribute", date("ActivationDate", "2999-01-01T00:00:00Z"), "Wrong_Key_Lifecycle_State"),
        *((each, vendors("wrapping_key_id", "x"), "Invalid_Attribute") for each in CHANGES),
    ],
)  # fmt: skip
def test_change_is_refused_and_nothing_changes(alice, operation, item, reason):
    key = alice.create(flag("Sensitive", True), flag("Extractable", False), mask=12)
    before = alice.do("GetAttributes", uid(key)).item
    line = alice.refused(operation, uid(key), new(item))
    assert line.startswith(f"{reason}: ")
    assert alice.do("GetAttributes", uid(key)).item == before


@each_row(
    ("items", "reason"),
    [
        ([], "Missing_Data"),
        ([name("AttributeReference", "Sensitive")], "Attribute_Read_Only"),
        ([name("AttributeReference", "State")], "Attribute_Read_Only"),
        ([name("AttributeReference", "CryptographicUsageMask")], "Attribute_Read_Only"),
        ([name("AttributeReference", "ActivationDate")], "Attribute_Read_Only"),
        ([name("AttributeReference", "Comment")], "Attribute_Not_Found"),
        ([name("AttributeReference", "Nonce")], "Invalid_Field"),
        ([name("AttributeReference", "Attribute")], "Invalid_Field"),
        ([structure("CurrentAttribute", text("Description", "x"))], "Attribute_Instance_Not_Found"),
        ([structure("CurrentAttribute", flag("Sensitive", True))], "Attribute_Read_Only"),
        (
            [
                structure("CurrentAttribute", text("Description", "d")),
                name("AttributeReference", "Description"),
            ],
            "Invalid_Field",
        ),
        ([structure("CurrentAttribute")], "Invalid_Field"),
        (
            [structure("CurrentAttribute", text("Description", "d"), text("Comment", "c"))],
            "Invalid_Field",
        ),
    ],
)
def test_what_cannot_be_deleted_stays(alice, items, reason):
    key = alice.create(flag("Sensitive", True), text("Description", "d"), mask=12)
    before = alice.do("GetAttributes", uid(key)).item
    assert alice.refused("DeleteAttribute", uid(key), *items).startswith(f"{reason}: ")
    assert alice.do("GetAttributes", uid(key)).item == before


@pytest.mark.parametrize("operation", ["SetAttribute", "ModifyAttribute"])
def test_sensitive_only_tightens_and_always_sensitive_does_not_lie(alice, operation):
    key = alice.create()
    alice.key_of(key)
    alice.do(operation, uid(key), new(flag("Sensitive", True)))
    alice.do(operation, uid(key), new(flag("Extractable", False)))
    assert alice.refused("Get", uid(key)).startswith("Sensitive: ")
    assert known(alice, key, "AlwaysSensitive") is False
    assert known(alice, key, "NeverExtractable") is False


def test_destroyed_object_keeps_what_is_known_of_it(alice):
    key = alice.create(text("Description", "d"))
    alice.revoke(key)
    alice.destroy(key)
    for operation in CHANGES:
        line = alice.refused(operation, uid(key), new(text("Description", "x")))
        assert line.startswith("Object_Destroyed: ")
    line = alice.refused("DeleteAttribute", uid(key), name("AttributeReference", "Description"))
    assert line.startswith("Object_Destroyed: ")
    assert known(alice, key, "Description") == "d"


# --- tags ---------------------------------------------------------------------------------------


def tag_attribute(*tags):
    return structure(
        "Attribute",
        text("VendorIdentification", "cosmian"),
        text("AttributeName", "tag"),
        octets("AttributeValue", json.dumps(tags).encode()),
    )


def test_tags_are_a_vendor_attribute_like_any_other(alice):
    key = alice.create()
    alice.do("AddAttribute", uid(key), new(tag_attribute("a")))
    assert alice.encrypt(["a"], b"").uid == key
    alice.do("ModifyAttribute", uid(key), new(tag_attribute("b", "c")))
    assert alice.refused("Encrypt", uid(["a"]), octets("Data", b"")).startswith("Item_Not_Found: ")
    assert alice.encrypt(["b", "c", "_kk"], b"").uid == key, "the server's own tag stays"
    reference = structure(
        "AttributeReference", text("VendorIdentification", "cosmian"), text("AttributeName", "tag")
    )
    alice.do("DeleteAttribute", uid(key), reference)
    assert alice.locate(tagged("b"))[0] == 0
    assert alice.locate(tagged("_kk")) == (1, [key])


@pytest.mark.parametrize("tags", [["_kk"], ["_mine"], [""], [1], "a"])
def test_tags_of_the_server_are_set_by_no_client(alice, tags):
    key = alice.create(tags=["t"])
    value = octets("AttributeValue", json.dumps(tags).encode())
    item = structure(
        "Attribute", text("VendorIdentification", "cosmian"), text("AttributeName", "tag"), value
    )
    for operation in ("SetAttribute", "ModifyAttribute"):
        line = alice.refused(operation, uid(key), new(item))
        assert line.startswith("Invalid_Attribute_Value: ")
    assert alice.do("GetAttributes", uid(key)).tags("Attributes") == ["t"]


# --- names --------------------------------------------------------------------------------------


def test_name_is_one_object_s_of_an_owner_and_everybody_s_besides(alice, bob):
    first, second = alice.create(named("n")), alice.create()
    for operation in ("AddAttribute",):
        line = alice.refused(operation, uid(second), new(named("n")))
        assert line.startswith("Non_Unique_Name_Attribute: ")
    assert known(alice, second, "Name") is None
    other = bob.create(named("n"))
    assert bob.locate(named("n")) == (1, [other])
    assert alice.locate(named("n")) == (1, [first])


def test_name_is_given_twice_in_a_batch_to_the_first_alone(alice):
    first, second = alice.create(), alice.create()
    done, refused = alice.ask(
        batch_item("AddAttribute", uid(first), new(named("n"))),
        batch_item("AddAttribute", uid(second), new(named("n"))),
    )
    assert done["ResultStatus"] == "Success"
    assert refused["ResultReason"] == "NonUniqueNameAttribute"
    undone = alice.ask(
        batch_item("AddAttribute", uid(first), new(named("m"))),
        batch_item("AddAttribute", uid(second), new(named("m"))),
        header=[name("BatchErrorContinuationOption", "Undo")],
    )
    assert [each["ResultStatus"] for each in undone] == ["OperationUndone", "OperationFailed"]
    assert alice.locate(named("m"))[0] == 0


# --- links --------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["AddAttribute", "ModifyAttribute"])
def test_link_to_what_is_not_yours_reads_like_a_link_to_nothing(alice, bob, operation):
    mine, theirs = bob.create(), alice.create()
    if operation == "ModifyAttribute":
        bob.do("AddAttribute", uid(mine), new(linked(mine)))
    absent = "0" * len(theirs)
    lines = [bob.refused(operation, uid(mine), new(linked(each))) for each in (theirs, absent)]
    assert lines[0].replace(theirs, absent) == lines[1]
    assert lines[1].startswith("Item_Not_Found: ")
    alice.grant(theirs, bob, "get_attributes")
    bob.do(operation, uid(mine), new(linked(theirs)))
    assert bob.refused("Get", uid(theirs)).startswith("Item_Not_Found: "), "a link is no right"


def test_link_names_an_object_by_its_identifier(alice):
    key = alice.create(tags=["t"])
    line = alice.refused("AddAttribute", uid(key), new(linked('["t"]')))
    assert line.startswith("Invalid_Attribute_Value: ")


# --- size ---------------------------------------------------------------------------------------


def test_attributes_do_not_grow_without_end(alice):
    key = alice.create()
    for position in range(4):
        alice.do("AddAttribute", uid(key), new(text("ObjectGroup", f"{position}" * 15_000)))
    line = alice.refused("AddAttribute", uid(key), new(text("ObjectGroup", "x" * 15_000)))
    assert line.startswith("Invalid_Field: attributes and tags have more than 65536")
