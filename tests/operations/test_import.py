"""Import (KMIP 2.1 §6.1.25): shapes of key material, identifiers, ReplaceExisting, attributes as supplied."""

from __future__ import annotations

import hashlib

import pytest

from ..kmip_items import (
    ACTIVATED,
    attributes,
    batch_item,
    date,
    flag,
    import_items,
    key_object,
    name,
    number,
    octets,
    structure,
    tagged,
    text,
    uid,
    vendor,
)

KEY = bytes(range(16))
SYMMETRIC = name("ObjectType", "SymmetricKey")


@pytest.fixture
def fresh(alice):
    """An identifier that nobody has."""
    return f"imported-{alice.token[-40:]}"


def block(*items):
    return structure("Object", structure("KeyBlock", name("KeyFormatType", "Raw"), *items))


def material(item):
    return block(structure("KeyValue", item), name("CryptographicAlgorithm", "AES"))


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(key_object(KEY), id="a ByteString inside"),
        pytest.param(key_object(KEY, form="TransparentSymmetricKey"), id="a Key inside"),
        pytest.param(material(octets("KeyMaterial", KEY)), id="a bare ByteString"),
        pytest.param(
            material(structure("KeyMaterial", octets("Key", KEY))), id="a Key that is called Raw"
        ),
        pytest.param(
            structure("SymmetricKey", *key_object(KEY)["value"]), id="under the name of OASIS"
        ),
    ],
)
def test_key_is_taken_in_each_of_the_shapes_that_clients_send(alice, fresh, shape):
    assert alice.do("Import", uid(fresh), SYMMETRIC, attributes(), shape).uid == fresh
    assert alice.key_of(fresh) == KEY
    assert alice.state_of(fresh) == "Active"


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        pytest.param([SYMMETRIC, attributes()], "Missing_Data", id="no object"),
        pytest.param([attributes(), key_object(KEY)], "Missing_Data", id="no object type"),
        pytest.param(
            [SYMMETRIC, attributes(algorithm=None), key_object(KEY, algorithm=None)],
            "Missing_Data",
            id="no algorithm anywhere",
        ),
        pytest.param(
            [SYMMETRIC, attributes(), key_object(b"")], "Invalid_Attribute_Value", id="no bytes"
        ),
        pytest.param(
            [SYMMETRIC, attributes(), key_object(KEY[:15])],
            "Invalid_Attribute_Value",
            id="120 bits",
        ),
        pytest.param(
            [SYMMETRIC, attributes(), key_object(bytes(64))],
            "Invalid_Attribute_Value",
            id="512 bits",
        ),
        pytest.param(
            [SYMMETRIC, attributes(algorithm="ChaCha20"), key_object(KEY)],
            "Invalid_Attribute_Value",
            id="AES's length for ChaCha20",
        ),
        pytest.param(
            [SYMMETRIC, attributes(algorithm="RSA"), key_object(KEY)],
            "Unsupported_Cryptographic_Parameters",
            id="symmetric RSA",
        ),
        pytest.param(
            [SYMMETRIC, attributes(), key_object(KEY, form="PKCS8")],
            "Key_Format_Type_Not_Supported",
            id="PKCS8",
        ),
        pytest.param(
            # It was stored as PKCS8, and Locate found it as such.
            [SYMMETRIC, attributes(name("KeyFormatType", "PKCS8")), key_object(KEY)],
            "Key_Format_Type_Not_Supported",
            id="PKCS8 among the attributes alone",
        ),
        pytest.param(
            [name("ObjectType", "PrivateKey"), attributes(), key_object(KEY, form="PKCS8")],
            "Invalid_Field",
            id="private key",
        ),
        pytest.param(
            [SYMMETRIC, attributes(), block()], "Missing_Data", id="no key value"
        ),
        pytest.param(
            [SYMMETRIC, attributes(), material(structure("KeyMaterial"))],
            "Missing_Data",
            id="empty key material",
        ),
        pytest.param(
            [SYMMETRIC, attributes(), material(structure("KeyMaterial", octets("Modulus", KEY)))],
            "Key_Format_Type_Not_Supported",
            id="key material of RSA",
        ),
        pytest.param(
            [SYMMETRIC, attributes(), material(text("KeyMaterial", "00"))],
            "Invalid_Field",
            id="key material as text",
        ),
        pytest.param(
            [SYMMETRIC, attributes(name("ObjectType", "PublicKey")), key_object(KEY)],
            "Invalid_Field",
            id="two object types",
        ),
        pytest.param(
            [
                SYMMETRIC,
                name("KeyWrapType", "NotWrapped"),
                attributes(),
                block(
                    structure("KeyValue", octets("KeyMaterial", KEY)),
                    structure(
                        "KeyWrappingData",
                        name("WrappingMethod", "Encrypt"),
                        structure("EncryptionKeyInformation", uid("kek")),
                    ),
                ),
            ],
            "Item_Not_Found",
            id="wrapped, which would store the wrapped bytes as the key",
        ),
        pytest.param(
            [SYMMETRIC, attributes(tagged("_kk")), key_object(KEY)],
            "Invalid_Attribute_Value",
            id="system tag",
        ),
    ],
)  # fmt: skip
def test_import_is_refused_and_leaves_nothing_behind(alice, fresh, items, reason):
    line = alice.refused("Import", uid(fresh), *items)
    assert line.startswith(f"{reason}: "), line
    assert KEY.hex() not in line.lower()
    assert alice.refused("Get", uid(fresh)).startswith("Item_Not_Found: ")


def test_the_bits_of_the_key_count_and_not_the_stated_length(alice, fresh):
    alice.do("Import", uid(fresh), SYMMETRIC, attributes(bits=1024), key_object(KEY))
    assert alice.do("GetAttributes", uid(fresh))["Attributes", "CryptographicLength"] == 128


def test_attributes_outside_win_over_the_copy_in_the_key_value(alice, fresh):
    inner = attributes(tagged("inner"), text("Comment", "inner"), mask=4)
    alice.do(
        "Import", uid(fresh), SYMMETRIC, attributes(tagged("outer"), mask=12),
        key_object(KEY, inner=inner),
    )  # fmt: skip
    found = alice.do("GetAttributes", uid(fresh))
    assert found.tags("Attributes") == ["outer"]
    assert found["Attributes", "CryptographicUsageMask"] == 12
    assert found["Attributes", "Comment"] == "inner"


def test_algorithm_may_stand_in_the_key_block_alone(alice, fresh):
    alice.do("Import", uid(fresh), SYMMETRIC, key_object(bytes(32), algorithm="ChaCha20"))
    found = alice.do("GetAttributes", uid(fresh))
    assert found["Attributes", "CryptographicAlgorithm"] == "ChaCha20"


def test_wrapping_key_id_is_refused_wherever_it_hides(alice, fresh):
    # An outer tag attribute made the inner wrapping_key_id go without a word.
    inner = attributes(structure("VendorAttributes", vendor("wrapping_key_id", b"kek")))
    for outer in (attributes(), attributes(tagged("t")), inner):
        line = alice.refused(
            "Import", uid(fresh), SYMMETRIC, outer, key_object(KEY, inner=inner)
        )  # fmt: skip
        assert line.startswith("Invalid_Attribute: wrapping_key_id")


def test_what_get_gave_can_be_imported_again(alice, fresh):
    """cloudproof_kms_js sends the fetched attributes back with the key."""
    first = alice.create(tagged("a", "b"), text("Comment", "c"), mask=12)
    got = alice.do("Get", uid(first))
    inner = {
        "tag": "Attributes",
        "type": "Structure",
        "value": got["Object", "KeyBlock", "KeyValue", "Attributes"],
    }
    held = {"tag": "Object", "type": "Structure", "value": got["Object"]}
    alice.do("Import", uid(fresh), SYMMETRIC, inner, held)
    assert alice.key_of(fresh) == alice.key_of(first)
    assert alice.do("GetAttributes", uid(fresh)).tags("Attributes") == ["a", "b"]


# --- identifiers --------------------------------------------------------------------------------


def test_empty_identifier_lets_the_server_choose(alice):
    one, two = (alice.import_key("", KEY) for _ in range(2))
    assert one
    assert one != two
    assert alice.key_of(one) == KEY


def test_missing_identifier_is_named(alice):
    line = alice.refused("Import", SYMMETRIC, attributes(), key_object(KEY))
    assert line == "Missing_Data: UniqueIdentifier is missing in Import"


# --- ReplaceExisting ----------------------------------------------------------------------------


def test_taken_identifier_is_refused_unless_told_to_replace(alice, fresh):
    alice.import_key(fresh, KEY)
    for items in (
        import_items(fresh, bytes(16)),
        [each for each in import_items(fresh, bytes(16)) if each["tag"] != "ReplaceExisting"],
    ):
        assert alice.refused("Import", *items).startswith("Object_Already_Exists: ")
    assert alice.key_of(fresh) == KEY
    alice.import_key(fresh, bytes(16), replace=True)
    assert alice.key_of(fresh) == bytes(16)


def test_replacing_starts_anew_and_keeps_nothing_of_the_old_key(alice, fresh):
    alice.import_key(fresh, KEY, tagged("old"), text("Comment", "old"))
    sealed = alice.encrypt(fresh, b"data")
    alice.revoke(fresh)
    alice.import_key(fresh, bytes(16), tagged("new"), replace=True)
    found = alice.do("GetAttributes", uid(fresh))
    assert found["Attributes", "State"] == "Active"
    assert found.tags("Attributes") == ["new"]
    assert found.get("Attributes", "Comment") is None
    assert found.get("Attributes", "RevocationReason") is None
    refusal = alice.refused("Decrypt", uid(fresh), *sealed.items())
    assert refusal.startswith("Cryptographic_Failure: ")
    assert alice.refused("Encrypt", uid(["old"]), octets("Data", b"")).startswith("Item_Not_Found")
    assert alice.encrypt(["new"], b"").uid == fresh


def test_replacing_what_is_not_there_imports_it(alice, fresh):
    assert alice.import_key(fresh, KEY, replace=True) == fresh
    assert alice.key_of(fresh) == KEY


def test_nobody_replaces_somebody_else_s_key(alice, bob, fresh):
    alice.import_key(fresh, KEY)
    lines = {
        bob.refused("Import", *import_items(fresh, bytes(16), replace=replace))
        for replace in (True, False)
    }
    # Nothing in the words tells whose it is: the owner reads the same.
    assert lines == {alice.refused("Import", *import_items(fresh, bytes(16)))}
    assert alice.key_of(fresh) == KEY


def test_create_never_replaces(alice, fresh):
    alice.import_key(fresh, KEY)
    line = alice.refused("Create", SYMMETRIC, attributes(uid(fresh)))
    assert line.startswith("Object_Already_Exists: ")
    assert alice.key_of(fresh) == KEY


@pytest.mark.parametrize("replace", [False, True])
def test_removed_identifier_stays_its_owners(alice, bob, fresh, replace):
    alice.import_key(fresh, KEY)
    alice.revoke(fresh)
    alice.destroy(fresh)
    while_it_is_there = bob.refused("Import", *import_items(fresh, KEY, replace=replace))
    alice.destroy(fresh, remove=True)
    for _ in range(2):
        refused = bob.refused("Import", *import_items(fresh, KEY, replace=replace))
        assert refused == while_it_is_there, "whether the object is gone is its owner's affair"
        assert refused.startswith("Object_Already_Exists: ")
        alice.import_key(fresh, bytes(16), replace=replace)
        assert alice.key_of(fresh) == bytes(16)
        assert bob.refused("Get", uid(fresh)).startswith("Item_Not_Found")
        alice.revoke(fresh)
        alice.destroy(fresh, remove=True)


def test_identifier_removed_in_a_batch_stays_its_owners(alice, bob, fresh):
    alice.import_key(fresh, KEY)
    alice.grant(fresh, bob, "destroy")
    remove = batch_item("Destroy", uid(fresh), flag("Remove", True))
    take = batch_item("Import", *import_items(fresh, KEY))
    alice.revoke(fresh)
    removed, taken = bob.ask(remove, take)
    assert (removed["ResultStatus"], taken["ResultReason"]) == ("Success", "ObjectAlreadyExists")
    (taken,) = bob.ask(take)
    assert taken["ResultReason"] == "ObjectAlreadyExists"
    (again,) = alice.ask(take)
    assert again["ResultStatus"] == "Success"


def test_stated_flags_of_wrapping_do_not_disturb_a_plain_key(alice, fresh):
    for position, form in enumerate(("NotWrapped", "AsRegistered")):
        alice.do(
            "Import", uid(f"{fresh}{position}"), SYMMETRIC, flag("ReplaceExisting", False),
            name("KeyWrapType", form), attributes(number("CryptographicLength", 128)),
            key_object(KEY),
        )  # fmt: skip
        assert alice.key_of(f"{fresh}{position}") == KEY


# --- attributes as supplied ---------------------------------------------------------------------

PAST, FUTURE = "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"


def state(value):
    return name("State", value)


def long(tag, value):
    return {"tag": tag, "type": "LongInteger", "value": f"0x{value:016X}"}


def limits(total, count):
    return structure(
        "UsageLimits", long("UsageLimitsTotal", total), long("UsageLimitsCount", count),
        name("UsageLimitsUnit", "Object"),
    )  # fmt: skip


def told(user, key):
    return {each["tag"]: each["value"] for each in user.do("GetAttributes", uid(key))["Attributes"]}


def encrypt_refused(user, key):
    return user.refused("Encrypt", uid(key), octets("Data", b"data"))


@pytest.mark.parametrize("value", ["Deactivated", "Compromised"])
def test_key_that_was_revoked_elsewhere_is_not_usable_here(alice, fresh, value):
    alice.import_key(fresh, KEY, ACTIVATED, state(value))
    assert told(alice, fresh)["State"] == value
    assert encrypt_refused(alice, fresh).startswith("Wrong_Key_Lifecycle_State: ")


def test_state_holds_for_clients_whose_objects_are_active_at_once(alice, fresh):
    alice.import_key(fresh, KEY, state("PreActive"))
    assert told(alice, fresh)["State"] == "PreActive"
    assert "ActivationDate" not in told(alice, fresh)
    assert encrypt_refused(alice, fresh).startswith("Wrong_Key_Lifecycle_State: ")


@pytest.mark.parametrize(
    ("supplied", "after"),
    [
        ([state("PreActive"), date("ActivationDate", PAST)], "Active"),
        ([state("PreActive"), date("ActivationDate", FUTURE)], "PreActive"),
        ([state("Active"), date("DeactivationDate", PAST)], "Deactivated"),
        ([state("Active"), date("DeactivationDate", FUTURE)], "Active"),
        ([date("DeactivationDate", PAST)], "Deactivated"),
        ([date("CompromiseDate", PAST)], "Compromised"),
        ([text("RevocationReason", "rotated")], "Deactivated"),
        ([number("RevocationReason", 2)], "Compromised"),
    ],
)
def test_dates_that_have_passed_and_reasons_have_their_effect_at_once(
    alice, fresh, supplied, after
):
    alice.import_key(fresh, KEY, *supplied)
    assert told(alice, fresh)["State"] == after


@pytest.mark.parametrize(
    ("supplied", "line"),
    [
        ([state("Destroyed")], "Invalid_Field: a destroyed object has no key material"),
        ([date("DestroyDate", PAST)], "Invalid_Field: a destroyed object has no key material"),
        ([state("Active"), date("CompromiseDate", PAST)], "Invalid_Attribute_Value: State contradicts"),
        ([state("Active"), date("ActivationDate", FUTURE)], "Invalid_Attribute_Value: State is Active"),
        ([limits(100, 101)], "Invalid_Attribute_Value: UsageLimitsCount"),
        ([flag("AlwaysSensitive", True)], "Invalid_Attribute_Value: AlwaysSensitive"),
        ([flag("KeyValuePresent", False)], "Invalid_Attribute_Value: KeyValuePresent"),
        ([name("ObjectGroupMember", 1)], "Invalid_Attribute: ObjectGroupMember"),
        ([structure("VendorAttributes", vendor("owner", b"mallory", "kms_tornado"))],
         "Invalid_Attribute: "),
        ([flag("QuantumSafe", True)], "Invalid_Attribute_Value: a key of this"),
    ],
)  # fmt: skip
def test_attributes_that_cannot_be_true_here_are_refused_in_words(alice, fresh, supplied, line):
    assert alice.refused("Import", *import_items(fresh, KEY, *supplied)).startswith(line)


def test_limits_begin_with_the_count_that_is_left(alice, fresh):
    alice.import_key(fresh, KEY, limits(100, 1))
    alice.encrypt(fresh, b"last")
    assert encrypt_refused(alice, fresh).startswith("Permission_Denied: ")


def test_destroyed_object_takes_the_place_of_none_but_one_s_own(alice, bob, fresh):
    alice.import_key(fresh, KEY)
    gone = [uid(fresh), SYMMETRIC, flag("ReplaceExisting", True), attributes(state("Destroyed"))]
    assert bob.refused("Import", *gone).startswith("Object_Already_Exists: ")
    assert alice.key_of(fresh) == KEY
    alice.do("Import", *gone)
    assert told(alice, fresh)["State"] == "Destroyed"
    assert alice.refused("Get", uid(fresh)).startswith("Object_Destroyed: ")


def digest(octets_of, algorithm="SHA256", **more):
    value = hashlib.new(algorithm, octets_of).digest()
    return structure(
        "Digest", name("HashingAlgorithm", algorithm), octets("DigestValue", value),
        *(name(tag, each) for tag, each in more.items()),
    )  # fmt: skip


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA1", "SHA512"])
def test_digest_is_compared_with_the_key(alice, fresh, algorithm):
    wrong = digest(b"another key", algorithm)
    line = alice.refused("Import", *import_items(fresh, KEY, wrong))
    assert line.startswith("Invalid_Attribute_Value: Digest is not that of the object")
    alice.import_key(fresh, KEY, digest(KEY, algorithm, KeyFormatType="Raw"))
    assert alice.key_of(fresh) == KEY


def test_generator_cannot_be_claimed_nor_the_past_of_a_wrapping_key(alice, fresh):
    """Keys that this server made may wrap Sensitive ones; whoever brings one knows it."""
    claims = [
        flag("Sensitive", True), flag("AlwaysSensitive", True), number("CryptographicUsageMask", 48),
        flag("Extractable", False), flag("NeverExtractable", True), state("Active"), ACTIVATED,
        structure("RandomNumberGenerator", name("RNGAlgorithm", "Unspecified")),
    ]  # fmt: skip
    alice.import_key(fresh, KEY, *claims)
    assert "RandomNumberGenerator" not in told(alice, fresh)
    assert told(alice, fresh)["AlwaysSensitive"] is True
    key = alice.create(flag("Sensitive", True))
    how = structure(
        "KeyWrappingSpecification",
        name("WrappingMethod", "Encrypt"),
        structure("EncryptionKeyInformation", uid(fresh)),
    )
    assert alice.refused("Get", uid(key), how).startswith("Sensitive: ")


def test_lease_lasts_as_long_as_the_imported_object_says(alice, fresh):
    alice.import_key(fresh, KEY, {"tag": "LeaseTime", "type": "Interval", "value": 90})
    assert alice.do("ObtainLease", uid(fresh))["LeaseTime"] == 90
    longer = {"tag": "LeaseTime", "type": "Interval", "value": 91}
    assert alice.refused("Check", uid(fresh), longer).startswith("Permission_Denied: ")
