"""Get and Export: formats, and what never leaves (KMIP 2.1 §6.1.17, §6.1.16)."""

from __future__ import annotations

import copy

import pytest

from ..kmip_items import batch_item, flag, name, number, octets, structure, text, uid
from ..leaks import spellings
from ..rows import each_row
from .new_objects import BLOCKS, normal, pair, registered

BLOCK = ("Object", "KeyBlock")


@each_row(
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
@each_row("operation", ["Get", "Export"])
def test_key_comes_in_the_format_that_was_asked_for(alice, operation, items, form, held):
    key = alice.create(name("KeyFormatType", "TransparentSymmetricKey"), bits=128, mask=12)
    found = alice.do(operation, uid(key), *items)
    assert found["ObjectType"] == "SymmetricKey"
    assert found[(*BLOCK, "KeyFormatType")] == form
    assert found[(*BLOCK, "KeyValue", "Attributes", "KeyFormatType")] == form
    assert found.octets(*BLOCK, "KeyValue", "KeyMaterial", held) == alice.key_of(key)


@each_row(
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
            name("KeyCompressionType", "ECPublicKeyTypeX9_62CompressedPrime"),
            "Key_Compression_Type_Not_Supported",
            id="compressed",
        ),
    ],
)
@each_row("operation", ["Get", "Export"])
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


UNCOMPRESSED = name("KeyCompressionType", "ECPublicKeyTypeUncompressed")
WRAPPED_BY_KEK = structure(
    "KeyWrappingData",
    name("WrappingMethod", "Encrypt"),
    structure("EncryptionKeyInformation", uid("kek")),
)
OTHER_COMPRESSIONS = {
    "compressed, prime": "ECPublicKeyTypeX9_62CompressedPrime",
    "compressed, char2": "ECPublicKeyTypeX9_62CompressedChar2",
    "hybrid": "ECPublicKeyTypeX9_62Hybrid",
    "a vendor's": "0x80000001",
}


def stated_compression(held, compression):
    """The object, with the KeyCompressionType in its KeyBlock."""
    object_ = copy.deepcopy(held)
    object_["value"][0]["value"].insert(1, compression)
    return object_


@each_row("compression", [None, UNCOMPRESSED], ids=["not stated", "the default"])
@each_row("operation", ["Get", "Export"])
@each_row(("object_type", "held"), BLOCKS)
def test_uncompressed_is_what_every_key_may_be_said_to_be(
    alice, object_type, held, operation, compression
):
    """KeyCompressionType 1 is the default (KMIP 2.1 §3): stating it, in or out, changes nothing."""
    key = registered(alice, object_type, stated_compression(held, UNCOMPRESSED))
    (answer,) = alice.ask(batch_item(operation, uid(key), *([compression] if compression else [])))
    assert answer["ResultStatus"] == "Success", answer.item
    assert normal(answer["ResponsePayload", object_type]) == normal(held["value"])


@each_row("form", OTHER_COMPRESSIONS)
@each_row("operation", ["Get", "Export"])
def test_no_key_is_given_out_compressed(alice, operation, form):
    _, public = pair(alice, "EC", number("CryptographicLength", 256))
    asked = name("KeyCompressionType", OTHER_COMPRESSIONS[form])
    line = alice.refused(operation, uid(public), asked)
    assert line.startswith("Key_Compression_Type_Not_Supported: ")
    (answer,) = alice.ask(batch_item(operation, uid(public), asked))
    assert answer["ResultReason"] == "KeyCompressionTypeNotSupported"
    assert alice.do(operation, uid(public), UNCOMPRESSED).uid == public


@each_row("form", OTHER_COMPRESSIONS)
@each_row("operation", ["Register", "Import"])
@each_row("wrapping", [(), (WRAPPED_BY_KEK,)], ids=["plain", "wrapped"])
def test_no_key_comes_in_compressed(alice, operation, form, wrapping):
    held = structure(
        "SymmetricKey",
        structure(
            "KeyBlock",
            name("KeyFormatType", "Raw"),
            name("KeyCompressionType", OTHER_COMPRESSIONS[form]),
            structure("KeyValue", octets("KeyMaterial", bytes(24))),
            name("CryptographicAlgorithm", "AES"),
            *wrapping,
        ),
    )
    first = [uid("")] if operation == "Import" else []
    (answer,) = alice.ask(
        batch_item(
            operation, *first, name("ObjectType", "SymmetricKey"), structure("Attributes"), held
        )
    )
    assert answer["ResultReason"] == "KeyCompressionTypeNotSupported"


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
