"""Get and Export: formats, and what never leaves (KMIP 2.1 §6.1.17, §6.1.16)."""

from __future__ import annotations

import pytest

from ..kms import flag, name, spellings, structure, text, uid

BLOCK = ("Object", "KeyBlock")


@pytest.mark.parametrize(
    ("items", "form", "held"),
    [
        pytest.param([], "Raw", "ByteString", id="default"),
        pytest.param([name("KeyFormatType", "Raw")], "Raw", "ByteString", id="Raw"),
        pytest.param(
            [name("KeyFormatType", "TransparentSymmetricKey")],
            "TransparentSymmetricKey",
            "Key",
            id="transparent, of cloudproof_kms_js",
        ),
        pytest.param(
            [name("KeyWrapType", "AsRegistered")], "Raw", "ByteString", id="of cosmian_kms"
        ),
        pytest.param([name("KeyWrapType", "NotWrapped")], "Raw", "ByteString", id="not wrapped"),
    ],
)
@pytest.mark.parametrize("operation", ["Get", "Export"])
def test_key_comes_in_the_format_that_was_asked_for(alice, operation, items, form, held):
    key = alice.create(name("KeyFormatType", "TransparentSymmetricKey"), bits=128, mask=12)
    found = alice.do(operation, uid(key), *items)
    assert found["ObjectType"] == "SymmetricKey"
    assert found[(*BLOCK, "KeyFormatType")] == form
    assert found[(*BLOCK, "KeyValue", "Attributes", "KeyFormatType")] == form
    assert found.octets(*BLOCK, "KeyValue", "KeyMaterial", held) == alice.key_of(key)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        *(
            pytest.param(name("KeyFormatType", form), "Key_Format_Type_Not_Supported", id=form)
            for form in ("PKCS1", "PKCS8", "Opaque", "X509", "PKCS12", "CoverCryptSecretKey")
        ),
        pytest.param(name("KeyFormatType", "JPEG"), "Invalid_Field", id="no format"),
        pytest.param(
            structure(
                "KeyWrappingSpecification",
                structure("EncryptionKeyInformation", uid("kek")),
                name("WrappingMethod", "Encrypt"),
            ),
            "Item_Not_Found",
            id="wrapped, which must not come in the clear",
        ),
        pytest.param(
            name("KeyCompressionType", "ECPublicKeyTypeUncompressed"),
            "Feature_Not_Supported",
            id="compressed",
        ),
    ],
)
@pytest.mark.parametrize("operation", ["Get", "Export"])
def test_other_forms_are_refused(alice, operation, item, reason):
    key = alice.create()
    assert alice.refused(operation, uid(key), item).startswith(f"{reason}: ")
    assert alice.do(operation, uid(key)).uid == key


@pytest.mark.parametrize("operation", ["Get", "Export"])
@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        pytest.param(flag("Sensitive", True), "Sensitive", id="sensitive"),
        pytest.param(flag("Extractable", False), "Not_Extractable", id="not extractable"),
    ],
)
def test_key_that_may_not_leave_does_not_and_still_works(alice, operation, kept, reason):
    key = alice.create(kept)
    line = alice.refused(operation, uid(key))
    assert line.startswith(f"{reason}: ")
    assert alice.decrypt(key, alice.encrypt(key, b"x")) == b"x"
    free = alice.create(flag("Sensitive", False), flag("Extractable", True))
    assert alice.do(operation, uid(free)).uid == free


def test_flags_tell_that_a_key_never_left(alice):
    path = "Attributes"
    found = alice.do(
        "GetAttributes", uid(alice.create(flag("Sensitive", True), flag("Extractable", False)))
    )
    assert [found[path, tag] for tag in ("AlwaysSensitive", "NeverExtractable")] == [True, True]
    found = alice.do("GetAttributes", uid(alice.create()))
    assert [found[path, tag] for tag in ("Sensitive", "AlwaysSensitive")] == [False, False]
    assert [found[path, tag] for tag in ("Extractable", "NeverExtractable")] == [True, False]


def test_replacing_is_no_way_to_read_a_sensitive_key(alice):
    key = alice.create(flag("Sensitive", True))
    sealed = alice.encrypt(key, b"secret")
    alice.import_key(key, bytes(32), replace=True)
    assert alice.key_of(key) == bytes(32)
    line = alice.refused("Decrypt", uid(key), *sealed.items())
    assert line.startswith("Cryptographic_Failure")


def test_get_attributes_of_a_sensitive_key_hold_no_bytes_of_it(alice):
    secret = bytes(range(32))
    alice.import_key("sensitive", secret, flag("Sensitive", True))
    body = alice.send(structure("GetAttributes", uid("sensitive"))).body
    assert not [each for each in spellings(secret) if each in body]


def test_only_the_crypto_attributes_go_with_the_key(alice):
    key = alice.create(text("Comment", "c"), flag("Sensitive", False))
    held = alice.do("Get", uid(key))[(*BLOCK, "KeyValue", "Attributes")]
    assert {item["tag"] for item in held} <= {
        "CryptographicAlgorithm", "CryptographicLength", "CryptographicUsageMask", "KeyFormatType",
        "ObjectType", "Link", "VendorAttributes",
    }  # fmt: skip
