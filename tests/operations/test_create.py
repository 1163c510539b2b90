"""Create (KMIP 2.1 §6.1.8): which keys, which attributes."""

from __future__ import annotations

import pytest

from ..kmip_items import (
    attributes,
    batch_item,
    date,
    flag,
    name,
    number,
    octets,
    structure,
    tagged,
    text,
    uid,
    vendor,
)
from ..rows import each_row

SYMMETRIC = name("ObjectType", "SymmetricKey")


@each_row(
    ("algorithm", "bits", "found"),
    [
        pytest.param("AES", 128, 128, id="AES-128"),
        pytest.param("AES", 192, 192, id="AES-192"),
        pytest.param("AES", 256, 256, id="AES-256"),
        pytest.param("ChaCha20", 256, 256, id="ChaCha20"),
        pytest.param("ChaCha20Poly1305", 256, 256, id="ChaCha20-Poly1305"),
        pytest.param("CHACHA20", 256, 256, id="another spelling"),
        pytest.param("0x00000003", 256, 256, id="algorithm in hexadecimal"),
        pytest.param("AES", None, 256, id="AES of no length"),
        pytest.param("ChaCha20", None, 256, id="ChaCha20 of no length"),
    ],
)
def test_key_has_the_bits_that_were_asked_for_and_works_at_once(alice, algorithm, bits, found):
    key = alice.create(algorithm=algorithm, bits=bits)
    assert 8 * len(alice.key_of(key)) == found
    assert alice.do("GetAttributes", uid(key))["Attributes", "CryptographicLength"] == found
    assert alice.state_of(key) == "Active"
    assert alice.decrypt(key, alice.encrypt(key, b"data")) == b"data"


@each_row(
    ("items", "reason"),
    [
        pytest.param([attributes(bits=0)], "Invalid_Attribute_Value", id="0 bits"),
        pytest.param([attributes(bits=-256)], "Invalid_Attribute_Value", id="negative"),
        pytest.param([attributes(bits=255)], "Invalid_Attribute_Value", id="255 bits"),
        pytest.param([attributes(bits=64)], "Invalid_Attribute_Value", id="64 bits"),
        pytest.param([attributes(bits=512)], "Invalid_Attribute_Value", id="512 bits"),
        pytest.param([attributes(bits=2**31 - 1)], "Invalid_Attribute_Value", id="huge"),
        pytest.param([attributes(bits=2**31)], "Invalid_Field", id="over 31 bits"),
        pytest.param(
            [attributes(algorithm="ChaCha20", bits=128)],
            "Invalid_Attribute_Value",
            id="ChaCha20 of 128",
        ),
        pytest.param(
            [attributes(algorithm="RSA", bits=2048)],
            "Unsupported_Cryptographic_Parameters",
            id="RSA",
        ),
        pytest.param(
            [attributes(algorithm="3DES", bits=168)],
            "Unsupported_Cryptographic_Parameters",
            id="3DES",
        ),
        pytest.param(
            [attributes(algorithm="CoverCrypt")],
            "Unsupported_Cryptographic_Parameters",
            id="CoverCrypt",
        ),
        pytest.param([attributes(algorithm="ROT13")], "Invalid_Field", id="unknown algorithm"),
        pytest.param([attributes(algorithm=None)], "Missing_Data", id="no algorithm"),
        pytest.param([], "Missing_Data", id="no attributes"),
        pytest.param(
            [attributes(name("ObjectType", "PrivateKey"))], "Invalid_Field", id="two object types"
        ),
        pytest.param(
            [attributes(name("KeyFormatType", "PKCS8"))],
            "Key_Format_Type_Not_Supported",
            id="format of other keys",
        ),
        pytest.param(
            [attributes(), attributes()], "Invalid_Message", id="attributes given twice"
        ),
    ],
)  # fmt: skip
def test_key_of_no_such_kind_is_refused(alice, items, reason):
    assert alice.refused("Create", SYMMETRIC, *items).startswith(f"{reason}: ")
    assert alice.locate() == (0, [])


@each_row(
    "object_type",
    ["PrivateKey", "PublicKey", "Certificate", "SecretData", "OpaqueObject", "SplitKey", "PGPKey"],
)
def test_other_objects_are_refused(alice, object_type):
    line = alice.refused("Create", name("ObjectType", object_type), attributes())
    assert line == (
        "Feature_Not_Supported: Create makes symmetric keys; CreateKeyPair makes the others"
    )


# --- attributes ---------------------------------------------------------------------------------


def links(*found: tuple[str, str]):
    return structure(
        "Link",
        *(
            structure("Link", name("LinkType", kind), text("LinkedObjectIdentifier", linked))
            for kind, linked in found
        ),
    )


@each_row(
    "item",
    [
        pytest.param(text("Comment", "für Zoë\u2028\U0001f511"), id="comment"),
        pytest.param(text("Description", ""), id="empty description"),
        pytest.param(text("ContactInformation", "a@example.com"), id="contact"),
        pytest.param(text("ObjectGroup", "backups"), id="group"),
        pytest.param(flag("Sensitive", False), id="not sensitive"),
        pytest.param(flag("Extractable", True), id="extractable"),
        pytest.param(number("CryptographicUsageMask", 2108), id="mask of cosmian_kms"),
        pytest.param(name("KeyFormatType", "TransparentSymmetricKey"), id="key format"),
        pytest.param(links(("ParentLink", "a"), ("ChildLink", "b")), id="links"),
        pytest.param(structure("VendorAttributes", vendor("colour", b"red", "me")), id="vendor"),
    ],
)
def test_attribute_is_kept_as_it_was_set(alice, item):
    key = alice.create(item)
    assert item in alice.do("GetAttributes", uid(key))["Attributes"]


def test_links_come_back_with_the_key(alice):
    item = links(("ParentLink", "a"), ("PreviousLink", "ü"))
    found = alice.do("Get", uid(alice.create(item)))
    assert item in found["Object", "KeyBlock", "KeyValue", "Attributes"]


PAST, FUTURE = (date("ActivationDate", f"{year}-01-01T00:00:00Z") for year in (2020, 2999))


@pytest.mark.parametrize(
    ("items", "bare", "message"),
    [
        pytest.param([], "Active", "PreActive", id="no date"),
        pytest.param([PAST], "Active", "Active", id="date in the past"),
        pytest.param([FUTURE], "PreActive", "PreActive", id="date to come"),
    ],
)
def test_first_state_follows_from_the_date_and_from_the_kind_of_request(
    alice, items, bare, message
):
    assert alice.state_of(alice.create(*items)) == bare
    (made,) = alice.ask(batch_item("Create", SYMMETRIC, attributes(*items)))
    assert alice.state_of(made["ResponsePayload", "UniqueIdentifier"]) == message


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(name("State", "Compromised"), id="State"),
        pytest.param(
            {"tag": "InitialDate", "type": "DateTime", "value": "2030-01-01T00:00:00Z"},
            id="InitialDate",
        ),
        pytest.param(flag("AlwaysSensitive", False), id="AlwaysSensitive"),
        pytest.param(flag("NeverExtractable", True), id="NeverExtractable"),
        pytest.param(flag("RotateAutomatic", True), id="RotateAutomatic"),
    ],
)
def test_attribute_that_is_the_servers_or_a_promise_is_refused_by_name(alice, item):
    line = alice.refused("Create", SYMMETRIC, attributes(item))
    assert line == f"Invalid_Attribute: {item['tag']} cannot be set by a client here"


@pytest.mark.parametrize("vendor_identification", ["cosmian", "me"])
def test_wrapping_key_id_is_refused_and_not_ignored(alice, vendor_identification):
    held = structure("VendorAttributes", vendor("wrapping_key_id", b"kek", vendor_identification))
    line = alice.refused("Create", SYMMETRIC, attributes(held))
    assert line.startswith("Item_Not_Found: ")
    assert alice.locate() == (0, [])


@each_row(
    ("item_type", "value", "found"),
    [
        pytest.param("TextString", "red", b"red", id="text"),
        pytest.param("ByteString", "00FF", b"\x00\xff", id="bytes"),
        pytest.param("Integer", 5, b"5", id="number"),
        pytest.param("Boolean", True, b"true", id="boolean"),
        pytest.param("LongInteger", 5, b'"0x0000000000000005"', id="long number"),
        # Python writes no number of more than 4300 digits; Create ended in a 500 by it.
        pytest.param("BigInteger", "0x" + "7F" * 2048, None, id="big number"),
        pytest.param(
            "DateTime", "0x7FFFFFFFFFFFFFFF", b'"0x7FFFFFFFFFFFFFFF"', id="date after the year 9999"
        ),
        # cosmian_kms refuses an AttributeValue that is no ByteString; a structure came out as one.
        pytest.param(
            "Structure",
            [text("Comment", "x")],
            b'[{"tag":"Comment","type":"TextString","value":"x"}]',
            id="structure",
        ),
        pytest.param("Structure", [], b"[]", id="empty structure"),
    ],
)  # fmt: skip
def test_vendor_attribute_of_any_type_comes_back_as_bytes(alice, item_type, value, found):
    held = structure(
        "VendorAttributes",
        text("VendorIdentification", "me"),
        text("AttributeName", "colour"),
        {"tag": "AttributeValue", "type": item_type, "value": value},
    )
    key = alice.create(held)
    for operation, path in [
        ("GetAttributes", ("Attributes",)),
        ("Export", ("Attributes",)),
        ("Get", ("Object", "KeyBlock", "KeyValue", "Attributes")),
    ]:
        (attribute,) = alice.do(operation, uid(key))[(*path, "VendorAttributes")]
        octets_found = bytes.fromhex(attribute["value"][2]["value"])
        assert octets_found == (found or b'"0x' + b"7F" * 2048 + b'"')


def test_attributes_of_a_document_s_size_are_refused(alice):
    assert alice.create(text("Comment", "x" * 60_000))
    line = alice.refused("Create", SYMMETRIC, attributes(text("Comment", "x" * 70_000)))
    assert line.startswith("Invalid_Field: attributes and tags have more than 65536")


def test_two_keys_are_never_the_same(alice):
    keys = [alice.create() for _ in range(20)]
    assert len(set(keys)) == 20
    assert len({alice.key_of(key) for key in keys}) == 20


def test_create_takes_the_identifier_that_is_among_the_attributes(alice):
    wanted = f"mine-{alice.token[-20:]}"
    items = SYMMETRIC, attributes(uid(wanted))
    assert alice.do("Create", *items).uid == wanted
    assert alice.refused("Create", *items).startswith("Object_Already_Exists: ")


def test_create_reads_masks_in_every_form(alice):
    for form in (
        number("CryptographicUsageMask", 12),
        name("CryptographicUsageMask", 12),
        {"tag": "CryptographicUsageMask", "type": "Integer", "value": "Encrypt|Decrypt"},
        {"tag": "CryptographicUsageMask", "type": "Integer", "value": "0x0000000C"},
    ):
        found = alice.do("GetAttributes", uid(alice.create(form)))
        assert found["Attributes", "CryptographicUsageMask"] == 12


def test_a_field_of_no_meaning_here_is_refused_and_not_dropped(alice):
    line = alice.refused("Create", SYMMETRIC, attributes(), octets("Data", b"x"))
    assert line == "Invalid_Field: Data is not supported in Create"


def test_server_sets_what_kmip_asks_for(alice):
    found = alice.do("GetAttributes", uid(alice.create(tagged("t"))))
    held = {item["tag"] for item in found["Attributes"]}
    assert held >= {
        "ActivationDate", "AlwaysSensitive", "CryptographicAlgorithm", "CryptographicLength",
        "Extractable", "InitialDate", "KeyFormatType", "LastChangeDate", "NeverExtractable",
        "ObjectType", "OriginalCreationDate", "Sensitive", "State", "UniqueIdentifier",
    }  # fmt: skip
    assert found["Attributes", "KeyFormatType"] == "Raw"
