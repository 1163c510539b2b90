"""Objects that are stored wrapped: as imported, or by cosmian_kms's ``wrapping_key_id``."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import keywrap

from ...kmip_items import attributes, batch_item, flag, name, number, octets, structure, uid, vendor
from .wrapping import KEK, KEY, UNWRAP, WRAP, sensitive_kek, under, wrapped_bytes

AS_REGISTERED, NOT_WRAPPED = (name("KeyWrapType", each) for each in ("AsRegistered", "NotWrapped"))


def kept(user, answer, *more):
    """Import what Get gave, to be kept as it is."""
    return user.do(
        "Import",
        uid(""),
        name("ObjectType", answer["ObjectType"]),
        AS_REGISTERED,
        structure("Attributes", *more),
        structure("Object", structure("KeyBlock", *answer["Object", "KeyBlock"])),
    ).uid


def made_under(user, wrapping, *more):
    held = structure("VendorAttributes", vendor("wrapping_key_id", wrapping.encode()))
    return user.do("Create", name("ObjectType", "SymmetricKey"), attributes(held, *more)).uid


@pytest.fixture
def kek(alice):
    return alice.import_key("", KEK)


@pytest.fixture
def key(alice, kek):
    """KEY, stored wrapped by the kek."""
    return kept(alice, alice.do("Get", uid(alice.import_key("", KEY)), under(kek)))


@pytest.mark.parametrize("items", [[], [AS_REGISTERED]], ids=["default", "as registered"])
def test_wrapped_key_is_given_out_as_it_came(alice, kek, key, items):
    answer = alice.do("Get", uid(key), *items)
    assert keywrap.aes_key_unwrap_with_padding(KEK, wrapped_bytes(answer)) == KEY
    block = answer["Object", "KeyBlock"]
    data = next(each for each in block if each["tag"] == "KeyWrappingData")
    assert data["value"][1] == structure("EncryptionKeyInformation", uid(kek))


def test_wrapped_key_that_says_it_is_uncompressed_is_kept_and_used(alice, kek):
    answer = alice.do("Get", uid(alice.import_key("", KEY)), under(kek))
    stated = name("KeyCompressionType", "ECPublicKeyTypeUncompressed")
    answer["Object", "KeyBlock"].insert(1, stated)
    key = kept(alice, answer)
    (message,) = alice.ask(batch_item("Get", uid(key), stated))
    assert stated in message["ResponsePayload", "SymmetricKey", "KeyBlock"]
    assert wrapped_bytes(alice.do("Get", uid(key), stated)) == wrapped_bytes(answer)
    assert wrapped_bytes(alice.do("Get", uid(key), NOT_WRAPPED, stated)) == KEY


def test_wrapped_key_is_unwrapped_where_that_is_asked_for(alice, key):
    answer = alice.do("Get", uid(key), NOT_WRAPPED)
    assert wrapped_bytes(answer) == KEY
    assert "KeyWrappingData" not in [each["tag"] for each in answer["Object", "KeyBlock"]]


def test_wrapped_key_is_wrapped_by_another_one_after_unwrapping(alice, key):
    other = alice.import_key("", bytes(32))
    answer = alice.do("Get", uid(key), NOT_WRAPPED, under(other))
    assert keywrap.aes_key_unwrap_with_padding(bytes(32), wrapped_bytes(answer)) == KEY
    assert alice.refused("Get", uid(key), under(other)).startswith("Invalid_Field: ")


def test_wrapped_key_encrypts_what_the_plain_one_decrypts(alice, key):
    plain = alice.import_key("", KEY)
    sealed = alice.encrypt(key, b"data")
    again = type(sealed)(plain, sealed.data, sealed.iv, sealed.tag)
    assert alice.decrypt(plain, again) == b"data"
    assert alice.decrypt(key, sealed) == b"data"


def test_without_its_wrapping_key_it_is_of_no_use(alice, kek, key):
    sealed = alice.encrypt(key, b"data")
    alice.revoke(kek)
    assert alice.decrypt(key, sealed) == b"data"
    alice.destroy(kek)
    for operation, items in (
        ("Encrypt", [octets("Data", b"x")]),
        ("Decrypt", sealed.items()),
        ("Get", [NOT_WRAPPED]),
    ):
        line = alice.refused(operation, uid(key), *items)
        assert line.startswith("Object_Destroyed: ")
    assert len(wrapped_bytes(alice.do("Get", uid(key)))) == 24


@pytest.mark.parametrize(("right", "is_enough"), [("decrypt", True), ("encrypt", False)])
def test_who_uses_it_needs_a_right_to_the_wrapping_key_as_well(
    alice, bob, kek, key, right, is_enough
):
    alice.grant(key, bob, "encrypt")
    line = bob.refused("Encrypt", uid(key), octets("Data", b"x"))
    assert line == f"Item_Not_Found: no object to be used for this operation: {kek}"
    alice.grant(kek, bob, right)
    if is_enough:
        assert bob.encrypt(key, b"x").uid == key
    else:
        assert bob.refused("Encrypt", uid(key), octets("Data", b"x")) == line


def test_wrapped_bytes_that_nobody_can_unwrap_are_kept_too(alice, key):
    answer = alice.do("Get", uid(key))
    block = answer["Object", "KeyBlock"]
    data = next(each for each in block if each["tag"] == "KeyWrappingData")
    data["value"][1] = structure("EncryptionKeyInformation", uid("a key of another server"))
    again = kept(alice, answer)
    assert wrapped_bytes(alice.do("Get", uid(again))) == wrapped_bytes(answer)
    line = alice.refused("Encrypt", uid(again), octets("Data", b"x"))
    assert line.startswith("Item_Not_Found: ")


def test_wrapping_key_of_somebody_else_reads_as_not_there(alice, bob, key):
    theirs = bob.import_key("", KEK)
    answer, lines = alice.do("Get", uid(key)), []
    block = answer["Object", "KeyBlock"]
    data = next(each for each in block if each["tag"] == "KeyWrappingData")
    for other in (theirs, "0" * len(theirs)):
        data["value"][1] = structure("EncryptionKeyInformation", uid(other))
        again = kept(alice, answer)
        lines.append(alice.refused("Encrypt", uid(again), octets("Data", b"x")))
        assert lines[-1] == alice.refused("Get", uid(again), NOT_WRAPPED)
    assert lines[0].replace(theirs, "0" * len(theirs)) == lines[1]
    assert lines[1].startswith("Item_Not_Found: ")


def test_keys_that_wrap_one_another_lead_nowhere(alice, key):
    answer = alice.do("Get", uid(key))
    block = answer["Object", "KeyBlock"]
    data = next(each for each in block if each["tag"] == "KeyWrappingData")
    data["value"][1] = structure("EncryptionKeyInformation", uid(f"ring-{key}"))
    first = kept(alice, answer)
    data["value"][1] = structure("EncryptionKeyInformation", uid(first))
    alice.do(
        "Import", uid(f"ring-{key}"), name("ObjectType", "SymmetricKey"), AS_REGISTERED,
        structure("Attributes"), structure("Object", structure("KeyBlock", *block)),
    )  # fmt: skip
    line = alice.refused("Encrypt", uid(first), octets("Data", b"x"))
    assert line.startswith("Feature_Not_Supported: ")


def test_lists_say_that_it_is_wrapped(alice, kek, key):
    assert {each["object_id"]: each["is_wrapped"] for each in alice.listed("owned")}[key] is True
    link = alice.do("GetAttributes", uid(key), name("AttributeReference", "Link"))
    assert link["Attributes", "Link"][0]["value"] == [
        name("LinkType", "WrappingKeyLink"), {**uid(kek), "tag": "LinkedObjectIdentifier"},
    ]  # fmt: skip


def test_message_keeps_and_gives_a_key_value_in_ttlv(alice, kek):
    plain = alice.import_key("", KEY)
    (got,) = alice.ask(batch_item("Get", uid(plain), under(kek, "NISTKeyWrap")))
    held = structure("SymmetricKey", *got["ResponsePayload", "SymmetricKey"])
    (made,) = alice.ask(
        batch_item(
            "Import", uid(""), name("ObjectType", "SymmetricKey"), AS_REGISTERED,
            structure("Attributes", number("CryptographicUsageMask", 12)), held,
        )
    )  # fmt: skip
    again = made["ResponsePayload", "UniqueIdentifier"]
    (found,) = alice.ask(batch_item("Get", uid(again)))
    assert found["ResponsePayload", "SymmetricKey"] == held["value"]
    (opened,) = alice.ask(batch_item("Get", uid(again), NOT_WRAPPED))
    block = opened["ResponsePayload", "SymmetricKey", "KeyBlock"]
    assert next(each for each in block if each["tag"] == "KeyValue")["value"] == [
        octets("KeyMaterial", KEY)
    ]


@pytest.mark.parametrize("more", [[], [flag("Sensitive", False)]], ids=["silent", "not Sensitive"])
def test_sensitive_key_that_comes_back_to_be_kept_wrapped_is_sensitive_still(alice, kek, more):
    key, wrapping = alice.create(flag("Sensitive", True)), sensitive_kek(alice)
    again = kept(alice, alice.do("Get", uid(key), under(wrapping)), *more)
    for items in ([NOT_WRAPPED], [NOT_WRAPPED, under(kek)]):
        assert alice.refused("Get", uid(again), *items).startswith("Sensitive: ")
        assert alice.refused("Export", uid(again), *items).startswith("Sensitive: ")
    assert alice.decrypt(again, alice.encrypt(again, b"data")) == b"data"


def test_what_is_derived_from_a_sensitive_key_that_is_kept_wrapped_is_sensitive(alice):
    """Its own attributes, which came with it, say that it is not."""
    mask = number("CryptographicUsageMask", 0x200)
    key, wrapping = alice.create(flag("Sensitive", True), mask=0x200), sensitive_kek(alice)
    base = kept(alice, alice.do("Get", uid(key), under(wrapping)), flag("Sensitive", False), mask)
    items = [
        name("ObjectType", "SymmetricKey"), uid(base), name("DerivationMethod", "HKDF"),
        structure("DerivationParameters"),
    ]  # fmt: skip
    made = alice.do("DeriveKey", *items, attributes(bits=256)).uid
    assert alice.refused("Get", uid(made)).startswith("Sensitive: ")


# --- wrapping_key_id ----------------------------------------------------------------------------


def test_new_key_is_kept_wrapped_by_the_key_that_wrapping_key_id_names(alice, kek):
    key = made_under(alice, kek)
    assert alice.decrypt(key, alice.encrypt(key, b"data")) == b"data"
    wrapped = wrapped_bytes(alice.do("Get", uid(key), AS_REGISTERED))
    plain = keywrap.aes_key_unwrap_with_padding(KEK, wrapped)
    assert len(plain) == 32
    assert wrapped_bytes(alice.do("Get", uid(key), NOT_WRAPPED)) == plain


@pytest.mark.parametrize("wrapping", ["absent", "", '["a"]'], ids=["absent", "empty", "a tag list"])
def test_wrapping_key_id_is_honoured_or_refused(alice, wrapping):
    held = structure("VendorAttributes", vendor("wrapping_key_id", wrapping.encode()))
    line = alice.refused("Create", name("ObjectType", "SymmetricKey"), attributes(held))
    assert line.startswith(
        "Item_Not_Found: " if wrapping == "absent" else "Invalid_Attribute_Value"
    )
    assert alice.locate() == (0, [])


def test_wrapping_key_id_of_somebody_else_reads_as_not_there(alice, bob):
    theirs = bob.import_key("", KEK)
    lines = [
        alice.refused(
            "Create", name("ObjectType", "SymmetricKey"),
            attributes(structure("VendorAttributes", vendor("wrapping_key_id", each.encode()))),
        )
        for each in (theirs, "0" * len(theirs))
    ]  # fmt: skip
    assert lines[0].replace(theirs, "0" * len(theirs)) == lines[1]


def test_sensitive_key_is_kept_wrapped_only_by_a_key_that_nobody_knows(alice, kek):
    held = structure("VendorAttributes", vendor("wrapping_key_id", kek.encode()))
    line = alice.refused(
        "Create", name("ObjectType", "SymmetricKey"), attributes(held, flag("Sensitive", True))
    )
    assert line.startswith("Sensitive: ")
    key = made_under(alice, sensitive_kek(alice, WRAP | UNWRAP), flag("Sensitive", True))
    assert alice.do("Get", uid(key)).uid == key
    assert alice.refused("Get", uid(key), NOT_WRAPPED).startswith("Sensitive: ")
    assert alice.decrypt(key, alice.encrypt(key, b"data")) == b"data"


def test_wrapped_key_is_not_replaced_by_a_plain_one(alice, key):
    assert alice.refused("ReKey", uid(key)).startswith("Feature_Not_Supported: ")
