"""What a grantee of the attribute operations may change of somebody else's object, and what not.

`domain.attribute_rules` has the table; here each kind is tried over HTTP, with its good twin.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from ..kmip_items import attributes, date, flag, name, named, number, octets, structure, text, uid
from ..rows import each_row

RIGHTS = ("add_attribute", "set_attribute", "modify_attribute", "delete_attribute", "encrypt")
CHANGES = ("AddAttribute", "SetAttribute", "ModifyAttribute")


def new(item):
    return structure("NewAttribute", item)


def vendor_attribute(vendor, attribute, value):
    return structure(
        "Attribute",
        text("VendorIdentification", vendor),
        text("AttributeName", attribute),
        octets("AttributeValue", value),
    )


def tags(*values):
    return vendor_attribute("cosmian", "tag", json.dumps(values).encode())


def limits(total):
    return structure(
        "UsageLimits",
        {"tag": "UsageLimitsTotal", "type": "LongInteger", "value": f"0x{total:016X}"},
        name("UsageLimitsUnit", "Object"),
    )


def after(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def parameters(mode):
    return structure("CryptographicParameters", name("BlockCipherMode", mode))


#: Attribute → the value that the owner gave it at creation, or None, and the one that the grantee wants.
OWNERS = {
    "CryptographicParameters": (None, parameters("ECB")),
    "CryptographicParameters of GCM": (parameters("GCM"), parameters("ECB")),
    "Sensitive": (None, flag("Sensitive", True)),
    "Extractable": (None, flag("Extractable", False)),
    "UsageLimits": (None, limits(0)),
    "UsageLimits that are there": (limits(5), limits(1000)),
    "Name": (None, named("n")),
    "tags": (None, tags("payroll")),
    "other attributes of the tags' vendor": (None, vendor_attribute("cosmian", "x", b"x")),
    "Link": (None, structure("Link", name("LinkType", "NextLink"), text("LinkedObjectIdentifier", "x"))),
    "ObjectGroup": (None, text("ObjectGroup", "g")),
    "ProcessStartDate": (None, date("ProcessStartDate", after(90_000))),
    "DeactivationDate, later": (date("DeactivationDate", after(86_400)), date("DeactivationDate", after(90_000))),
    "ProtectStopDate, later": (date("ProtectStopDate", after(86_400)), date("ProtectStopDate", after(90_000))),
}  # fmt: skip


@each_row("operation", CHANGES)
@each_row("case", OWNERS)
def test_attribute_that_is_the_owner_s_is_changed_by_nobody_else(alice, bob, case, operation):
    there, wanted = OWNERS[case]
    key = alice.create(*([there] if there else []))
    alice.grant(key, bob, *RIGHTS, "revoke", "activate")
    before = alice.do("GetAttributes", uid(key)).item
    line = bob.refused(operation, uid(key), new(wanted))
    assert line.startswith("Permission_Denied: ")
    assert line.endswith(" is changed by the owner of the object alone")
    if there:
        line = bob.refused("DeleteAttribute", uid(key), structure("CurrentAttribute", there))
        assert line.startswith(("Permission_Denied: ", "Attribute_Read_Only: "))
    assert alice.do("GetAttributes", uid(key)).item == before


def test_deletion_says_nothing_of_a_value_that_the_grantee_may_not_change(alice, bob):
    key = alice.create(named("right"))
    alice.grant(key, bob, "delete_attribute")
    lines = {
        bob.refused("DeleteAttribute", uid(key), structure("CurrentAttribute", named(guess)))
        for guess in ("right", "wrong")
    }
    assert lines == {"Permission_Denied: Name is changed by the owner of the object alone"}
    reference = structure(
        "AttributeReference", text("VendorIdentification", "cosmian"), text("AttributeName", "tag")
    )
    assert bob.refused("DeleteAttribute", uid(key), reference).startswith("Permission_Denied: ")


def test_grantee_s_tag_does_not_decide_what_the_owner_s_list_of_tags_means(alice, bob):
    meant, other = alice.create(tags=["payroll"]), alice.create()
    alice.grant(other, bob, *RIGHTS)
    for operation in ("AddAttribute", "SetAttribute"):
        bob.refused(operation, uid(other), new(tags("payroll")))
    assert alice.encrypt(["payroll"], b"").uid == meant


@pytest.mark.parametrize(
    "item",
    [text("Comment", "x"), text("Description", "x"), text("ContactInformation", "x"),
     vendor_attribute("x", "x", b"x")],
    ids=lambda item: item["tag"],
)  # fmt: skip
def test_grantee_changes_what_describes_the_object(alice, bob, item):
    key = alice.create()
    alice.grant(key, bob, *RIGHTS)
    for operation in CHANGES:
        if operation == "AddAttribute":
            bob.do(operation, uid(key), new(item))
        bob.do("ModifyAttribute", uid(key), new(item))
    bob.do("DeleteAttribute", uid(key), structure("CurrentAttribute", item))


# --- dates ------------------------------------------------------------------------------------------


@each_row("operation", ["AddAttribute", "SetAttribute", "ModifyAttribute"])
@each_row("attribute", ["DeactivationDate", "ProtectStopDate"])
@each_row("seconds", [-3600, 1, 10**6], ids=["past", "in a second", "far away"])
def test_end_of_use_by_a_date_needs_the_right_to_revoke(alice, bob, operation, attribute, seconds):
    key = alice.create(date("ActivationDate", "2020-01-01T00:00:00Z"))
    alice.grant(key, bob, *RIGHTS)
    item = new(date(attribute, after(seconds)))
    line = bob.refused(operation, uid(key), item)
    assert line == f"Permission_Denied: this {attribute} needs the right revoke as well"
    assert bob.encrypt(key, b"still").uid == key
    alice.grant(key, bob, "revoke")
    bob.do(operation, uid(key), item)
    if seconds < 0:
        assert alice.refused("Encrypt", uid(key), octets("Data", b"")).startswith("Wrong_Key")


def test_activation_by_a_date_needs_the_right_to_activate(alice, bob):
    key = alice.create(date("ActivationDate", "2999-01-01T00:00:00Z"))
    alice.grant(key, bob, *RIGHTS)
    item = new(date("ActivationDate", "2020-01-01T00:00:00Z"))
    line = bob.refused("SetAttribute", uid(key), item)
    assert line == "Permission_Denied: this ActivationDate needs the right activate as well"
    alice.grant(key, bob, "activate")
    bob.do("SetAttribute", uid(key), item)
    assert alice.state_of(key) == "Active"


def test_owner_changes_all_of_it(alice):
    key = alice.create(date("ActivationDate", "2020-01-01T00:00:00Z"))
    alice.do("SetAttribute", uid(key), new(parameters("GCM")))
    alice.do("SetAttribute", uid(key), new(limits(5)))
    alice.do("SetAttribute", uid(key), new(date("DeactivationDate", after(900))))
    alice.do("SetAttribute", uid(key), new(date("DeactivationDate", after(1900))))
    alice.do("AddAttribute", uid(key), new(tags("t")))
    alice.do("DeleteAttribute", uid(key), name("AttributeReference", "CryptographicParameters"))
    alice.do("SetAttribute", uid(key), new(date("DeactivationDate", after(-5))))
    assert alice.state_of(key) == "Deactivated"


# --- ReKey ------------------------------------------------------------------------------------------


@each_row(
    "item",
    [parameters("CBC"), limits(10**9), named("other"), tags("payroll"), flag("Extractable", False),
     flag("Sensitive", True), date("DeactivationDate", after(9999)), uid("chosen by bob"),
     number("CryptographicUsageMask", 0x3C)],
    ids=lambda item: item["tag"],
)  # fmt: skip
def test_grantee_who_replaces_a_key_chooses_nothing_of_the_new_one(alice, bob, item):
    old = alice.create(date("DeactivationDate", after(600)), limits(5), mask=12)
    alice.grant(old, bob, "rekey")
    if item["tag"] == "Attribute":
        item = structure("VendorAttributes", {**item, "tag": "VendorAttributes"})
    line = bob.refused("ReKey", uid(old), structure("Attributes", item))
    assert line.startswith("Permission_Denied: ")
    new_key = bob.do("ReKey", uid(old), structure("Attributes", text("Comment", "x"))).uid
    known = alice.do("GetAttributes", uid(new_key))["Attributes"]
    told = {each["tag"]: each["value"] for each in known}
    assert told["CryptographicUsageMask"] == 12
    assert "DeactivationDate" in told


def test_grantee_moves_no_dates_by_an_offset(alice, bob):
    old = alice.create()
    alice.grant(old, bob, "rekey")
    offset = {"tag": "Offset", "type": "Interval", "value": 10**6}
    line = bob.refused("ReKey", uid(old), offset, attributes(algorithm=None))
    assert line.startswith("Permission_Denied: the dates of the new key are the owner's")
    assert alice.do("ReKey", uid(old), offset).uid != old


@pytest.mark.parametrize("how", ["revoked", "past its Protect Stop Date"])
def test_key_that_its_owner_ended_is_replaced_by_the_owner_alone(alice, bob, how):
    stop = [date("ProtectStopDate", "2020-01-01T00:00:00Z")] if how != "revoked" else []
    old = alice.create(*stop)
    if how == "revoked":
        alice.revoke(old)
    alice.grant(old, bob, "rekey")
    line = bob.refused("ReKey", uid(old))
    assert (
        line == "Permission_Denied: a key that is no longer in use is replaced by its owner alone"
    )
    assert alice.do("ReKey", uid(old)).uid != old
