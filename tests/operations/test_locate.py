"""Locate, GetAttributes, Query, DiscoverVersions (KMIP 2.1 §6.1)."""

from __future__ import annotations

from datetime import datetime

import pytest

from ..kmip_items import (
    attributes,
    import_items,
    name,
    named,
    number,
    octets,
    structure,
    tagged,
    text,
    uid,
    vendor,
)
from ..rows import each_row


def moment(tag, seconds):
    return {"tag": tag, "type": "DateTime", "value": f"0x{seconds:016x}"}


SYMMETRIC = name("ObjectType", "SymmetricKey")


@pytest.fixture
def keys(alice):
    """name → identifier; the oldest first."""
    return {
        "small": alice.create(tags=["a"], bits=128, mask=4),
        "both": alice.create(tags=["a", "b"], bits=256, mask=12),
        "chacha": alice.create(tags=["b", "_"[:0] + "c"], algorithm="ChaCha20"),
        "plain": alice.create(name("KeyFormatType", "TransparentSymmetricKey"), mask=0x83C),
    }


@each_row(
    ("wanted", "found"),
    [
        pytest.param([], "plain chacha both small", id="everything, newest first"),
        pytest.param([SYMMETRIC], "plain chacha both small", id="object type"),
        pytest.param([name("ObjectType", "PrivateKey")], "", id="other object type"),
        pytest.param([tagged("a")], "both small", id="tag"),
        pytest.param([tagged("a", "b")], "both", id="all the tags"),
        pytest.param([tagged("a", "c")], "", id="no object with both tags"),
        pytest.param([tagged("A")], "", id="tag in other letters"),
        pytest.param([tagged("%")], "", id="wildcard of SQL"),
        pytest.param([tagged("nothing")], "", id="unknown tag"),
        pytest.param([tagged("_kk")], "plain chacha both small", id="system tag"),
        pytest.param([tagged("_kk", "b")], "chacha both", id="system tag and tag"),
        pytest.param([tagged("_sk")], "", id="system tag of other objects"),
        pytest.param([tagged()], "plain chacha both small", id="empty list of tags"),
        pytest.param([name("CryptographicAlgorithm", "AES")], "plain both small", id="algorithm"),
        pytest.param([name("CryptographicAlgorithm", "RSA")], "", id="other algorithm"),
        pytest.param([number("CryptographicLength", 128)], "small", id="length"),
        pytest.param([number("CryptographicLength", -1)], "", id="negative length"),
        pytest.param([number("CryptographicUsageMask", 4)], "plain chacha both small", id="a bit"),
        pytest.param([number("CryptographicUsageMask", 12)], "plain chacha both", id="two bits"),
        pytest.param([number("CryptographicUsageMask", 0x80)], "", id="no such bit"),
        pytest.param(
            [name("KeyFormatType", "TransparentSymmetricKey")], "plain", id="key format"
        ),
        pytest.param([name("KeyFormatType", "Raw")], "chacha both small", id="default format"),
        pytest.param([name("State", "Active")], "plain chacha both small", id="Active"),
        pytest.param([name("State", "PreActive")], "", id="Pre-Active"),
        pytest.param([name("State", "Destroyed")], "", id="Destroyed"),
        pytest.param([uid("no-such-key")], "", id="unknown identifier"),
        pytest.param([uid('["a"]')], "", id="a tag list is no identifier here"),
        pytest.param(
            [tagged("a"), number("CryptographicLength", 256), name("State", "Active")],
            "both",
            id="several",
        ),
    ],
)  # fmt: skip
def test_all_that_is_asked_for_must_match(alice, keys, wanted, found):
    expected = [keys[each] for each in found.split()]
    assert alice.locate(*wanted) == (len(expected), expected)


def test_object_is_found_by_all_that_is_told_of_it(alice, keys):
    """Computed or stored, but for what the page about Locate names."""
    listed = named("told")
    key = alice.create(listed, text("Comment", "x"), text("ObjectGroup", "g"), tags=["t"])
    told = alice.do("GetAttributes", uid(key))["Attributes"]
    found = {each["tag"]: each for each in told}
    assert found.keys() >= {"LeaseTime", "ProtectionStorageMask", "Comment", "Name", "Fresh"}
    digest, short = found.pop("Digest"), found.pop("ShortUniqueIdentifier")
    missed = [tag for tag, each in found.items() if key not in alice.locate(each)[1]]
    assert missed == []
    assert alice.locate(digest) == (0, [])
    assert alice.refused("Locate", structure("Attributes", short)).startswith(
        "Invalid_Field: Locate does not look for a ShortUniqueIdentifier"
    )


def test_lease_time_that_was_imported_is_found_as_it_is_told(alice):
    lease = {"tag": "LeaseTime", "type": "Interval"}
    usual = alice.create()
    for seconds in (60, 3600):
        held = {**lease, "value": seconds}
        alice.do("Import", *import_items(f"leased for {seconds}", bytes(16), held))
    for seconds, found in ((60, ["leased for 60"]), (3600, [usual, "leased for 3600"]), (61, [])):
        assert sorted(alice.locate({**lease, "value": seconds})[1]) == sorted(found)


def test_protection_storage_that_there_is_not_is_found_nowhere(alice, keys):
    for bits, number_found in ((0, 4), (1, 4), (2, 0), (3, 0)):
        state = name("State", "Active")
        assert alice.locate(state, number("ProtectionStorageMask", bits))[0] == number_found
        assert alice.locate(number("ProtectionStorageMask", bits), state)[0] == number_found


def test_identifier_is_a_filter_like_others(alice, keys):
    assert alice.locate(uid(keys["both"]), tagged("a")) == (1, [keys["both"]])
    assert alice.locate(uid(keys["both"]), tagged("c")) == (0, [])


def test_nobody_finds_the_keys_of_others(alice, bob, keys):
    assert bob.locate() == (0, [])
    for wanted in (tagged("a"), uid(keys["both"]), name("State", "Active"), tagged("_kk")):
        assert bob.locate(wanted) == (0, [])
    mine = bob.create(tags=["a"])
    assert bob.locate(tagged("a")) == (1, [mine])


def test_nested_attributes_of_the_javascript_client_are_read(alice, keys):
    inner = vendor("tag", b'["a"]')
    assert alice.locate(structure("VendorAttributes", inner))[0] == 2
    assert alice.locate(inner)[0] == 2


# --- paging -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("maximum", "offset", "found"),
    [
        pytest.param(2, None, "plain chacha", id="first two"),
        pytest.param(2, 2, "both small", id="next two"),
        pytest.param(3, 3, "small", id="last page"),
        pytest.param(10, 4, "", id="behind the end"),
        pytest.param(None, 1, "chacha both small", id="offset alone"),
        pytest.param(2**31 - 1, 2**31 - 1, "", id="huge"),
        pytest.param(0, None, "plain chacha both small", id="0 is no limit"),
    ],
)
def test_pages_are_of_one_list(alice, keys, maximum, offset, found):
    more = [
        number(tag, value)
        for tag, value in (("MaximumItems", maximum), ("OffsetItems", offset))
        if value is not None
    ]
    assert alice.locate(more=more) == (4, [keys[each] for each in found.split()])


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        pytest.param(number("MaximumItems", -1), "Invalid_Field", id="negative maximum"),
        pytest.param(number("OffsetItems", -1), "Invalid_Field", id="negative offset"),
        pytest.param(number("MaximumItems", 2**31), "Invalid_Field", id="maximum over 31 bits"),
        pytest.param(number("StorageStatusMask", 8), "Invalid_Field", id="unknown storage"),
        pytest.param(number("StorageStatusMask", 0), "Invalid_Field", id="no storage"),
        pytest.param(
            name("ObjectGroupMember", "GroupMemberFresh"), "Invalid_Field", id="member of no group"
        ),
        pytest.param(
            structure("Attributes", structure("RotateName")), "Invalid_Field", id="no field"
        ),
        pytest.param(
            structure("Attributes", structure("Name", text("Shoesize", "44"))),
            "Invalid_Field",
            id="field that a name has not",
        ),
        pytest.param(
            structure(
                "Attributes", number("CryptographicLength", 1), number("CryptographicLength", 2)
            ),
            "Invalid_Field",
            id="two lengths",
        ),
        pytest.param(
            structure("Attributes", *[moment("ActivationDate", n) for n in range(3)]),
            "Invalid_Field",
            id="three dates",
        ),
        pytest.param(structure("Attributes", text("Comment", 7)), "Invalid_Field", id="type"),
        pytest.param(
            structure("Attributes", structure("VendorAttributes", vendor("tag", b"{}"))),
            "Invalid_Attribute_Value",
            id="tags that are none",
        ),
        pytest.param(
            structure(
                "Attributes",
                structure(
                    "VendorAttributes", structure("VendorAttributes", text("AttributeName", "tag"))
                ),
            ),
            "Missing_Data",
            id="half a vendor attribute",
        ),
        pytest.param(
            structure("Attributes", name("State", "Sleepy")), "Invalid_Field", id="unknown state"
        ),
    ],
)
def test_filter_that_is_not_understood_finds_nothing_rather_than_everything(
    alice, keys, item, reason
):
    assert alice.refused("Locate", item).startswith(f"{reason}: ")


# --- more than the commonest ---------------------------------------------------------------------


def test_two_dates_are_a_range_and_a_date_alone_is_exact(alice):
    key = alice.create()
    made = alice.do("GetAttributes", uid(key))["Attributes", "InitialDate"]
    seconds = int(datetime.fromisoformat(made).timestamp())
    for dates, number_of_all in (([0], 1), ([-5, 5], 1), ([5, -5], 1), ([1], 0), ([1, 9], 0)):
        wanted = [moment("InitialDate", seconds + each) for each in dates]
        assert alice.locate(*wanted)[0] == number_of_all


@pytest.mark.parametrize(
    ("member", "found"),
    [
        pytest.param([], "second first", id="all"),
        pytest.param([name("ObjectGroupMember", "GroupMemberDefault")], "second", id="default"),
    ],
)
def test_members_of_a_group(alice, member, found):
    made = {each: alice.create(text("ObjectGroup", "g")) for each in ("first", "second")}
    alice.create(text("ObjectGroup", "other"))
    expected = [made[each] for each in found.split()]
    assert alice.locate(text("ObjectGroup", "g"), more=member) == (len(expected), expected)


@pytest.mark.parametrize(
    ("mask", "state", "found"),
    [
        pytest.param(1, None, "kept", id="on-line"),
        pytest.param(2, None, "", id="archival"),
        pytest.param(4, None, "gone", id="destroyed"),
        pytest.param(7, None, "gone kept", id="everywhere"),
        pytest.param(1, "Destroyed", "", id="on-line and destroyed"),
        pytest.param(6, "Destroyed", "gone", id="destroyed and destroyed"),
    ],
)
def test_storage_that_is_searched(alice, mask, state, found):
    made = {"kept": alice.create(), "gone": alice.create()}
    alice.revoke(made["gone"])
    alice.destroy(made["gone"])
    wanted = [] if state is None else [name("State", state)]
    expected = [made[each] for each in found.split()]
    located = alice.locate(*wanted, more=[number("StorageStatusMask", mask)])
    assert located == (len(expected), expected)


def test_vendor_attributes_are_found_by_name_and_by_value(alice):
    red, blue = (
        alice.create(structure("VendorAttributes", vendor("colour", each, "me")))
        for each in (b"red", b"blue")
    )
    assert alice.locate(structure("VendorAttributes", vendor("colour", b"red", "me"))) == (1, [red])
    assert alice.locate(structure("VendorAttributes", vendor("colour", b"red", "you")))[0] == 0
    nameless = structure(
        "VendorAttributes",
        structure(
            "VendorAttributes", text("VendorIdentification", "me"), text("AttributeName", "colour")
        ),
    )
    assert alice.locate(nameless) == (2, [blue, red])


# --- GetAttributes ------------------------------------------------------------------------------


def reference(tag):
    return name("AttributeReference", tag)


@each_row(
    ("references", "found"),
    [
        pytest.param([reference("State")], {"State"}, id="one"),
        pytest.param(
            [reference("State"), reference("ObjectType")], {"State", "ObjectType"}, id="repeated"
        ),
        pytest.param(
            [structure("AttributeReference", reference("State"), reference("Comment"))],
            {"State", "Comment"},
            id="nested",
        ),
        pytest.param([reference("0x0042008D")], {"State"}, id="by number"),
        pytest.param([reference("State"), reference("State")], {"State"}, id="twice"),
        pytest.param([reference("Description")], set(), id="not set"),
        pytest.param([reference("Data")], set(), id="no attribute"),
        pytest.param(
            [
                structure(
                    "AttributeReference",
                    text("VendorIdentification", "cosmian"),
                    text("AttributeName", "tag"),
                )
            ],
            {"VendorAttributes"},
            id="the tags",
        ),
        pytest.param([reference("Attribute")], {"VendorAttributes"}, id="all of vendors"),
    ],
)
def test_attributes_that_are_referred_to_come_alone(alice, references, found):
    key = alice.create(text("Comment", "c"), tags=["t"])
    answer = alice.do("GetAttributes", uid(key), *references)
    assert {item["tag"] for item in answer["Attributes"]} == found


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(reference("Shoesize"), id="unknown name"),
        pytest.param(reference(1), id="number of no tag"),
        pytest.param(text("AttributeReference", "State"), id="text"),
        pytest.param(text("AttributeName", "State"), id="KMIP 1"),
    ],
)
def test_reference_to_nothing_is_refused(alice, item):
    line = alice.refused("GetAttributes", uid(alice.create()), item)
    assert line.startswith(("Invalid_Field: ", "Missing_Data: "))


def test_import_over_http_keeps_what_locate_looks_for(alice):
    held = structure(
        "Object",
        structure(
            "KeyBlock",
            name("KeyFormatType", "TransparentSymmetricKey"),
            structure("KeyValue", structure("KeyMaterial", octets("Key", bytes(24)))),
        ),
    )
    key = alice.do("Import", uid(""), SYMMETRIC, attributes(tagged("t")), held).uid
    for wanted in (
        number("CryptographicLength", 192),
        name("KeyFormatType", "TransparentSymmetricKey"),
        tagged("t", "_kk"),
    ):
        assert alice.locate(wanted) == (1, [key])
