"""ReKey and ReKeyKeyPair: what the new key takes over, and what the old one keeps (KMIP 2.1 §6.1.47)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ..kmip_items import (
    ACTIVATED,
    attributes,
    batch_item,
    date,
    flag,
    import_items,
    name,
    named,
    number,
    structure,
    tagged,
    text,
    uid,
    vendor,
)
from ..rows import each_row
from .new_objects import pair

SYMMETRIC = name("ObjectType", "SymmetricKey")
FUTURE = "2999-01-01T00:00:00+00:00"


def interval(tag, value):
    return {"tag": tag, "type": "Interval", "value": value}


def rekey(user, key, *more):
    return user.do("ReKey", uid(key), *more).uid


def known(user, key, *path):
    return user.do("GetAttributes", uid(key)).get("Attributes", *path)


def links(user, key):
    """{link type: identifier}"""
    found = known(user, key, "Link") or []
    inner = found if found and found[0]["tag"] == "Link" else [{"value": found}] if found else []
    return {
        fields["LinkType"]: fields["LinkedObjectIdentifier"]
        for fields in ({f["tag"]: f["value"] for f in each["value"]} for each in inner)
    }


def test_new_key_takes_the_place_of_the_old_one(alice):
    old = alice.create(named("payroll"), bits=192, mask=12, tags=["t"])
    new = rekey(alice, old)
    assert new != old
    assert alice.key_of(new) != alice.key_of(old)
    assert len(alice.key_of(new)) == 24
    for path in ("CryptographicUsageMask", "CryptographicAlgorithm", "State"):
        assert known(alice, new, path) == known(alice, old, path)
    assert known(alice, new, "Name", "NameValue") == "payroll"
    assert known(alice, old, "Name") is None
    assert links(alice, old) == {"ReplacementObjectLink": new}
    assert links(alice, new) == {"ReplacedObjectLink": old}
    assert (known(alice, new, "RotateGeneration"), known(alice, new, "RotateLatest")) == (1, True)
    assert known(alice, old, "RotateLatest") is False
    assert alice.locate(named("payroll")) == (1, [new])


def test_what_the_old_key_encrypted_stays_readable_and_its_tags_mean_the_new_one(alice):
    old = alice.create(tags=["t"])
    box = alice.encrypt(["t"], b"data")
    new = rekey(alice, old)
    assert alice.encrypt(["t"], b"").uid == new
    alice.revoke(old)
    assert alice.decrypt(old, box) == b"data"
    assert alice.locate(tagged("t")) == (2, [new, old])


def test_a_line_of_replacements_counts_its_generations(alice):
    first = alice.create(named("line"))
    second = rekey(alice, first)
    third = rekey(alice, second)
    assert [known(alice, each, "RotateGeneration") for each in (first, second, third)] == [
        None, 1, 2,
    ]  # fmt: skip
    assert [known(alice, each, "RotateLatest") for each in (first, second, third)] == [
        False, False, True,
    ]  # fmt: skip
    assert links(alice, second) == {"ReplacedObjectLink": first, "ReplacementObjectLink": third}
    line = alice.refused("ReKey", uid(first))
    assert line.startswith("Wrong_Key_Lifecycle_State: ")


@pytest.mark.parametrize("state", ["PreActive", "Active", "Deactivated", "Compromised"])
def test_old_key_keeps_its_state(alice, state):
    old = alice.create(*([date("ActivationDate", FUTURE)] if state == "PreActive" else []))
    if state == "Deactivated":
        alice.revoke(old)
    if state == "Compromised":
        alice.revoke(old, number("RevocationReason", 2))
    new = rekey(alice, old)
    assert alice.state_of(old) == state
    assert alice.state_of(new) == ("PreActive" if state == "PreActive" else "Active")
    assert known(alice, new, "RevocationReason") is None
    assert known(alice, new, "CompromiseDate") is None


def test_destroyed_key_is_not_replaced(alice):
    key = alice.create()
    alice.revoke(key)
    alice.destroy(key)
    assert alice.refused("ReKey", uid(key)).startswith("Object_Destroyed: ")


def test_offset_moves_the_dates_as_far_as_the_activation(alice):
    old = alice.create(
        date("ActivationDate", "2020-01-01T00:00:00Z"),
        date("ProtectStopDate", "2090-01-01T00:00:00Z"),
        date("DeactivationDate", "2090-01-02T00:00:00Z"),
    )
    new = rekey(alice, old, interval("Offset", 3600))
    assert alice.state_of(new) == "PreActive"
    dates = [
        datetime.fromisoformat(known(alice, new, each))
        for each in ("InitialDate", "ActivationDate", "ProtectStopDate", "DeactivationDate")
    ]
    made, activation, stop, end = dates
    assert (activation - made).total_seconds() == 3600
    moved = activation - datetime(2020, 1, 1, tzinfo=UTC)
    assert stop - datetime(2090, 1, 1, tzinfo=UTC) == moved
    assert end - datetime(2090, 1, 2, tzinfo=UTC) == moved


def test_offset_beyond_the_last_year_is_refused(alice):
    old = alice.create(date("DeactivationDate", "9998-01-01T00:00:00Z"))
    line = alice.refused("ReKey", uid(old), interval("Offset", 2**32 - 1))
    assert line.startswith("Invalid_Attribute_Value: ")


def test_usage_limits_begin_anew(alice):
    limits = structure(
        "UsageLimits",
        {"tag": "UsageLimitsTotal", "type": "LongInteger", "value": "0x000000000000000A"},
        name("UsageLimitsUnit", "Byte"),
    )
    old = alice.create(limits)
    alice.encrypt(old, b"12345")
    new = rekey(alice, old)
    counts = [known(alice, each, "UsageLimits", "UsageLimitsCount") for each in (old, new)]
    assert counts == ["0x0000000000000005", "0x000000000000000A"]


@each_row(
    "given",
    [
        pytest.param(flag("Sensitive", False), id="less sensitive"),
        pytest.param(flag("Extractable", True), id="more extractable"),
        pytest.param(number("CryptographicUsageMask", 0x200000), id="a wider mask"),
        pytest.param(number("CryptographicLength", 128), id="a shorter key"),
        pytest.param(name("CryptographicAlgorithm", "ChaCha20"), id="another algorithm"),
        pytest.param(name("State", "Active"), id="State"),
        pytest.param(flag("AlwaysSensitive", True), id="AlwaysSensitive"),
    ],
)
def test_replacement_is_no_way_around_the_rules(alice, given):
    old = alice.create(flag("Sensitive", True), flag("Extractable", False), mask=12)
    line = alice.refused("ReKey", uid(old), structure("Attributes", given))
    assert line.startswith("Invalid_Attribute: ")
    assert links(alice, old) == {}


def test_replacement_of_a_sensitive_key_is_sensitive(alice):
    new = rekey(alice, alice.create(flag("Sensitive", True), flag("Extractable", False)))
    assert alice.refused("Get", uid(new)).startswith("Sensitive: ")
    assert known(alice, new, "AlwaysSensitive") is True
    assert known(alice, new, "NeverExtractable") is True


def test_given_attributes_win_where_they_may(alice):
    old = alice.create(text("Comment", "old"), text("Description", "kept"), tags=["t"])
    new = rekey(alice, old, structure("Attributes", text("Comment", "new"), tagged("u")))
    assert known(alice, new, "Comment") == "new"
    assert known(alice, new, "Description") == "kept"
    assert alice.do("GetAttributes", uid(new)).tags("Attributes") == ["u"]


def test_name_that_another_key_has_is_refused_and_nothing_changes(alice):
    alice.create(named("taken"))
    old = alice.create(named("mine"))
    line = alice.refused("ReKey", uid(old), structure("Attributes", named("taken")))
    assert line.startswith("Non_Unique_Name_Attribute: ")
    assert known(alice, old, "Name", "NameValue") == "mine"
    assert links(alice, old) == {}


def test_replacement_by_somebody_else_belongs_to_the_owner(alice, bob):
    old = alice.create(named("ours"))
    alice.grant(old, bob, "rekey")
    new = rekey(bob, old)
    assert bob.refused("Get", uid(new)).startswith("Item_Not_Found: ")
    assert {each["object_id"] for each in alice.listed("owned")} >= {old, new}
    assert alice.locate(named("ours")) == (1, [new])


def test_placeholder_means_the_old_key_before_and_the_new_one_after(alice):
    made, replaced, got = alice.ask(
        batch_item("Create", SYMMETRIC, attributes(ACTIVATED, bits=128)),
        batch_item("ReKey"),
        batch_item("GetAttributes", name("AttributeReference", "Link")),
    )
    old, new = (each["ResponsePayload", "UniqueIdentifier"] for each in (made, replaced))
    assert got["ResponsePayload", "UniqueIdentifier"] == new != old


# --- pairs --------------------------------------------------------------------------------------


def create_pair(user, *common):
    found = user.do(
        "CreateKeyPair",
        structure("CommonAttributes", name("CryptographicAlgorithm", "EC"), *common),
        structure("PrivateKeyAttributes", named("private")),
        structure("PublicKeyAttributes", named("public")),
    )
    return found["PrivateKeyUniqueIdentifier"], found["PublicKeyUniqueIdentifier"]


def rekey_pair(user, private, *more):
    found = user.do("ReKeyKeyPair", text("PrivateKeyUniqueIdentifier", private), *more)
    return found["PrivateKeyUniqueIdentifier"], found["PublicKeyUniqueIdentifier"]


def test_new_pair_takes_the_place_of_the_old_one(alice):
    old = create_pair(alice, number("CryptographicLength", 384))
    new = rekey_pair(alice, old[0])
    assert len({*old, *new}) == 4
    for each, kind, title in zip(
        new, ("PrivateKey", "PublicKey"), ("private", "public"), strict=True
    ):
        assert known(alice, each, "ObjectType") == kind
        assert known(alice, each, "CryptographicLength") == 384
        assert known(alice, each, "Name", "NameValue") == title
    assert [known(alice, each, "Name") for each in old] == [None, None]
    assert links(alice, new[0]) == {"PublicKeyLink": new[1], "ReplacedObjectLink": old[0]}
    assert links(alice, new[1]) == {"PrivateKeyLink": new[0], "ReplacedObjectLink": old[1]}
    assert links(alice, old[0]) == {"PublicKeyLink": old[1], "ReplacementObjectLink": new[0]}


def test_cover_crypt_is_refused_plainly(alice):
    line = alice.refused(
        "ReKeyKeyPair",
        text("PrivateKeyUniqueIdentifier", "master-key"),
        structure(
            "PrivateKeyAttributes",
            structure("VendorAttributes", vendor("cover_crypt_rekey_action", b"{}")),
        ),
    )
    assert line == "Feature_Not_Supported: CoverCrypt keys are not supported"


def test_right_on_the_private_key_alone_replaces_nothing(alice, bob):
    private, public = create_pair(alice)
    alice.grant(private, bob, "rekey_key_pair")
    line = bob.refused("ReKeyKeyPair", text("PrivateKeyUniqueIdentifier", private))
    assert line == f"Item_Not_Found: no object to be used for this operation: {public}"
    alice.grant(public, bob, "rekey_key_pair")
    rekey_pair(bob, private)


def test_link_to_a_public_key_of_somebody_else_is_no_pair(alice, bob):
    """The twin of the right on both: both rights, and keys that are no pair."""
    _, theirs = create_pair(alice)
    alice.grant(theirs, bob, "rekey_key_pair")
    private, _ = create_pair(bob)
    bob.do("DeleteAttribute", uid(private), name("AttributeReference", "Link"))
    link = structure(
        "Link", name("LinkType", "PublicKeyLink"), text("LinkedObjectIdentifier", theirs)
    )
    assert bob.refused("AddAttribute", uid(private), structure("NewAttribute", link)).startswith(
        "Item_Not_Found: "
    )
    alice.grant(theirs, bob, "get_attributes")
    bob.do("AddAttribute", uid(private), structure("NewAttribute", link))
    line = bob.refused("ReKeyKeyPair", text("PrivateKeyUniqueIdentifier", private))
    assert line.startswith("Invalid_Field: the keys are not a pair")


def test_pair_of_somebody_else_reads_like_no_pair(alice, bob):
    private, public = create_pair(alice)
    absent = "0" * len(private)
    nothing = bob.refused("ReKeyKeyPair", text("PrivateKeyUniqueIdentifier", absent))
    assert nothing == f"Item_Not_Found: no object to be used for this operation: {absent}"
    alice.grant(private, bob, "get", "rekey")
    alice.grant(public, bob, "get", "rekey_key_pair")
    line = bob.refused("ReKeyKeyPair", text("PrivateKeyUniqueIdentifier", private))
    assert line.replace(private, absent) == nothing


# --- where new keys may be stored ---------------------------------------------------------------


def permitted(mask, of=""):
    return structure(f"{of}ProtectionStorageMasks", number("ProtectionStorageMask", mask))


def test_key_that_is_to_be_stored_in_hardware_is_not_made_in_software(alice):
    """Its client would think it better protected than it is (KMIP 2.1 §7.33)."""
    common = structure("CommonAttributes", name("CryptographicAlgorithm", "Ed25519"))
    key = alice.create()
    private, _ = pair(alice, "Ed25519")
    named = text("PrivateKeyUniqueIdentifier", private)
    registered = [
        item
        for item in import_items("", bytes(16))
        if item["tag"] not in ("UniqueIdentifier", "ReplaceExisting")
    ]
    before = alice.locate()
    for operation, items, of in (
        ("Create", [SYMMETRIC, attributes()], ""),
        ("Register", registered, ""),
        ("ReKey", [uid(key)], ""),
        ("CreateKeyPair", [common], "Common"),
        ("CreateKeyPair", [common], "Private"),
        ("CreateKeyPair", [common], "Public"),
        ("ReKeyKeyPair", [named], "Private"),
    ):
        half = "" if of == "Common" else of and f"{of}_"
        assert alice.refused(operation, *items, permitted(2, of)) == (
            f"{half}Protection_Storage_Unavailable: this server stores objects in software alone: permit Software"
        )
    assert alice.locate() == before
    for operation, items, of in (
        ("Create", [SYMMETRIC, attributes()], ""),
        ("Register", registered, ""),
        ("ReKey", [uid(key)], ""),
        ("CreateKeyPair", [common], "Common"),
        ("ReKeyKeyPair", [named], "Private"),
    ):
        alice.do(operation, *items, permitted(1, of))
