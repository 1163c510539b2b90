"""A Sensitive object leaves under its owner's key only, and comes back with its rights to its owner."""

from __future__ import annotations

import hashlib
import json

import pytest

from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.codecs import binary_codec
from kms_tornado.kmip.enums import KeyFormatType
from kms_tornado.kmip.objects import KeyMaterialField, KeyValue, encode_key_value
from kms_tornado.kmip.structures import VendorAttribute

from ...kmip_items import (
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
)
from ...rows import each_row
from .wrapping import DECRYPT, ENCRYPT, KEY, UNWRAP, WRAP, sensitive_kek, under

NOT_WRAPPED, AS_REGISTERED = (name("KeyWrapType", each) for each in ("NotWrapped", "AsRegistered"))
MODES = ["NISTKeyWrap", "AESKeyWrapPadding", "GCM"]
ACTIVE = date("ActivationDate", "2020-01-01T00:00:00Z")


def limits(total, count=None):
    return structure(
        "UsageLimits",
        {"tag": "UsageLimitsTotal", "type": "LongInteger", "value": f"0x{total:016X}"},
        *([] if count is None else [
            {"tag": "UsageLimitsCount", "type": "LongInteger", "value": f"0x{count:016X}"}
        ]),
        name("UsageLimitsUnit", "Object"),
    )  # fmt: skip


def secret(user, *more, mask=ENCRYPT, **how):
    return user.create(flag("Sensitive", True), ACTIVE, *more, mask=mask, **how)


def leave(user, key, kek, mode=None, operation="Get"):
    """(its object type, its KeyBlock, which says in what mode it is wrapped)"""
    answer = user.do(operation, uid(key), under(kek, mode))
    data = next(each for each in answer["Object", "KeyBlock"] if each["tag"] == "KeyWrappingData")
    if mode is not None:
        how = structure("CryptographicParameters", name("BlockCipherMode", mode))
        data["value"][1]["value"].append(how)
    return answer["ObjectType"], answer["Object", "KeyBlock"]


def items(held, *stated, wrap_type=NOT_WRAPPED, identifier="", replace=False, object_type=None):
    more = [flag("ReplaceExisting", True)] if replace else []
    return [
        uid(identifier), name("ObjectType", object_type or held[0]), *more, wrap_type,
        structure("Attributes", *stated), structure("Object", structure("KeyBlock", *held[1])),
    ]  # fmt: skip


def come_back(user, held, *stated, **how):
    return user.do("Import", *items(held, *stated, **how)).uid


def told(user, key):
    return {each["tag"]: each["value"] for each in user.do("GetAttributes", uid(key))["Attributes"]}


def left(user, key):
    values = {each["tag"]: each["value"] for each in told(user, key)["UsageLimits"]}
    return int(str(values["UsageLimitsCount"]), 0)


# --- out --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["Get", "Export"])
def test_grantee_takes_nothing_away_under_a_key_of_their_own(alice, bob, operation):
    """Whatever is granted, but Decrypt: bob would import the key with a mask of his own."""
    key, theirs = secret(alice), sensitive_kek(bob)
    alice.grant(key, bob, "export", "get")
    line = bob.refused(operation, uid(key), under(theirs))
    assert line.startswith(
        "Sensitive: a Sensitive object leaves only wrapped by a key of its owner's"
    )
    bob.grant(theirs, alice, "encrypt", "decrypt")
    assert alice.refused(operation, uid(key), under(theirs)) == line
    mine = sensitive_kek(alice)
    alice.grant(mine, bob, "encrypt")
    assert bob.do(operation, uid(key), under(mine)).uid == key


def test_sensitive_key_leaves_with_its_rights_or_not_at_all(alice):
    key, kek = secret(alice), sensitive_kek(alice)
    line = alice.refused("Get", uid(key), under(kek, "AESKeyWrapPadding", "NoEncoding"))
    assert line.startswith("Sensitive: ")
    (result,) = alice.ask(batch_item("Get", uid(key), under(kek, None, "NoEncoding")))
    assert result["ResultReason"] == "Sensitive"
    plain = alice.create()
    assert alice.do("Get", uid(plain), under(kek, None, "NoEncoding")).uid == plain
    assert alice.do("Get", uid(key), under(kek)).uid == key
    for encoding in (None, "TTLVEncoding"):
        (result,) = alice.ask(batch_item("Get", uid(key), under(kek, None, encoding)))
        assert result["ResultStatus"] == "Success"


def test_rsa_key_that_is_too_short_for_key_and_rights_says_so(alice):
    made = alice.do(
        "CreateKeyPair",
        structure("CommonAttributes", name("CryptographicAlgorithm", "RSA"),
                  number("CryptographicLength", 2048)),
        structure("PrivateKeyAttributes", flag("Sensitive", True),
                  number("CryptographicUsageMask", UNWRAP)),
        structure("PublicKeyAttributes", number("CryptographicUsageMask", WRAP)),
    )  # fmt: skip
    line = alice.refused("Get", uid(secret(alice)), under(made["PublicKeyUniqueIdentifier"]))
    assert line.startswith("Invalid_Field: this RSA key takes 190 bytes at once")
    assert line.endswith("take a longer key, or an AES key")


# --- in ---------------------------------------------------------------------------------------------

#: The request's attempts to widen → the attribute that stays as it was.
WIDER = {
    "CryptographicUsageMask": number("CryptographicUsageMask", ENCRYPT | DECRYPT),
    "CryptographicUsageMask, unrestricted": number("CryptographicUsageMask", 0x200000),
    "Sensitive": flag("Sensitive", False),
    "DeactivationDate": date("DeactivationDate", "2999-01-01T00:00:00Z"),
    "ProtectStopDate": date("ProtectStopDate", "2998-01-01T00:00:00Z"),
    "ProcessStartDate": date("ProcessStartDate", "2020-01-01T00:00:00Z"),
    "UsageLimits": limits(10**6),
    "UsageLimits, with all of its count": limits(10**6, 10**6),
    "State": name("State", "Active"),
    "AlwaysSensitive": flag("AlwaysSensitive", True),
    "CryptographicParameters": structure("CryptographicParameters", name("BlockCipherMode", "ECB")),
    "CryptographicAlgorithm": name("CryptographicAlgorithm", "ChaCha20"),
    "nothing": None,
}
OWN = (
    date("DeactivationDate", "2099-01-01T00:00:00Z"), date("ProtectStopDate", "2098-01-01T00:00:00Z"),
    date("ProcessStartDate", "2097-01-01T00:00:00Z"), limits(5),
    structure("CryptographicParameters", name("BlockCipherMode", "GCM")),
)  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_what_comes_back_has_what_it_had_whatever_the_request_says(alice, mode):
    key, kek = secret(alice, *OWN), sensitive_kek(alice)
    alice.encrypt(key, b"one")
    before = told(alice, key)
    held = leave(alice, key, kek, mode)
    for case, item in WIDER.items():
        again = come_back(alice, held, *([item] if item else []))
        after = told(alice, again)
        for tag in (
            "CryptographicUsageMask", "Sensitive", "DeactivationDate", "ProtectStopDate",
            "ProcessStartDate", "UsageLimits", "CryptographicParameters", "CryptographicAlgorithm",
            "ActivationDate", "AlwaysSensitive", "NeverExtractable", "State",
        ):  # fmt: skip
            assert after[tag] == before[tag], (case, tag)
        assert left(alice, again) == 4
        assert alice.refused("Get", uid(again)).startswith("Sensitive: ")
        sealed = alice.encrypt(again, b"x")
        assert "Usage_Mask" in alice.refused("Decrypt", uid(again), *sealed.items()) or (
            "Process Start" in alice.refused("Decrypt", uid(again), *sealed.items())
        )


def test_request_tightens(alice):
    key, kek = secret(alice, *OWN, mask=ENCRYPT | DECRYPT), sensitive_kek(alice)
    again = come_back(
        alice, leave(alice, key, kek), number("CryptographicUsageMask", ENCRYPT), limits(2),
        date("DeactivationDate", "2098-06-01T00:00:00Z"), flag("Extractable", False),
    )  # fmt: skip
    after = told(alice, again)
    assert after["CryptographicUsageMask"] == ENCRYPT
    assert after["DeactivationDate"] == "2098-06-01T00:00:00+00:00"
    assert after["Extractable"] is False
    assert left(alice, again) == 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "wrap_type", [NOT_WRAPPED, AS_REGISTERED], ids=["unwrapped", "stored wrapped"]
)
def test_it_comes_back_to_its_owner_alone(alice, bob, mode, wrap_type):
    """bob has all rights to the wrapping key, and what left under it."""
    key, kek = secret(alice), sensitive_kek(alice)
    held = leave(alice, key, kek, mode)
    alice.grant(kek, bob, "encrypt", "decrypt", "get", "export")
    wider = number("CryptographicUsageMask", ENCRYPT | DECRYPT)
    somebody_else_s = (
        "Permission_Denied: the wrapped object is somebody else's: only its owner brings it back"
    )
    if wrap_type is NOT_WRAPPED:
        assert bob.refused("Import", *items(held, wider)) == somebody_else_s
        assert come_back(alice, held)
        return
    kept = come_back(bob, held, wider, name("CryptographicAlgorithm", "AES"), wrap_type=wrap_type)
    for operation, more in (
        ("Encrypt", [octets("Data", b"x")]),
        ("Decrypt", [octets("Data", b"x"), octets("IvCounterNonce", bytes(12)),
                     octets("AuthenticatedEncryptionTag", bytes(16))]),
        ("Get", [NOT_WRAPPED]),
        ("Get", [NOT_WRAPPED, under(sensitive_kek(bob))]),
    ):  # fmt: skip
        assert bob.refused(operation, uid(kept), *more) == somebody_else_s


def test_register_keeps_the_owner_s_rights_too(alice, bob):
    key, kek = secret(alice), sensitive_kek(alice)
    held = leave(alice, key, kek)
    alice.grant(kek, bob, "decrypt")
    for user in (alice, bob):
        made = user.do(
            "Register", name("ObjectType", "SymmetricKey"),
            attributes(number("CryptographicUsageMask", ENCRYPT | DECRYPT)),
            structure("Object", structure("KeyBlock", *held[1])),
        ).uid  # fmt: skip
        if user is bob:
            assert user.refused("Encrypt", uid(made), octets("Data", b"")).startswith("Permission_")
        else:
            sealed = user.encrypt(made, b"x")
            line = user.refused("Decrypt", uid(made), *sealed.items())
            assert line.startswith("Incompatible_Cryptographic_Usage_Mask: ")


def test_object_that_is_stored_wrapped_has_its_rights_at_each_use(alice):
    """The row has what the client stated; what was wrapped binds, and what is left is counted."""
    key, kek = secret(alice, limits(3)), sensitive_kek(alice)
    stated = [number("CryptographicUsageMask", ENCRYPT | DECRYPT), limits(10**6), ACTIVE,
              name("CryptographicAlgorithm", "AES")]  # fmt: skip
    kept = come_back(alice, leave(alice, key, kek), *stated, wrap_type=AS_REGISTERED)
    sealed = [alice.encrypt(kept, b"x") for _ in range(3)]
    assert alice.refused("Encrypt", uid(kept), octets("Data", b"")).startswith(
        "Permission_Denied: "
    )
    line = alice.refused("Decrypt", uid(kept), *sealed[0].items())
    assert line.startswith("Incompatible_Cryptographic_Usage_Mask: ")
    assert alice.refused("Get", uid(kept), NOT_WRAPPED).startswith("Sensitive: ")


def test_object_that_leaves_again_leaves_with_what_it_had(alice):
    """Stored wrapped with a wider mask, and wrapped once more by another key."""
    key, kek, other = secret(alice, limits(3)), sensitive_kek(alice), sensitive_kek(alice)
    stated = [
        number("CryptographicUsageMask", ENCRYPT | DECRYPT),
        name("CryptographicAlgorithm", "AES"),
    ]
    kept = come_back(alice, leave(alice, key, kek), *stated, wrap_type=AS_REGISTERED)
    answer = alice.do("Export", uid(kept), NOT_WRAPPED, under(other))
    again = come_back(alice, (answer["ObjectType"], answer["Object", "KeyBlock"]), *stated)
    assert told(alice, again)["CryptographicUsageMask"] == ENCRYPT
    assert left(alice, again) == 3


@pytest.mark.parametrize("how", ["revoked", "compromised"])
def test_key_that_ended_comes_back_ended(alice, how):
    key, kek = secret(alice), sensitive_kek(alice)
    alice.revoke(key, number("RevocationReason", 2) if how == "compromised" else None)
    held = leave(alice, key, kek)
    again = come_back(alice, held, date("DeactivationDate", "2999-01-01T00:00:00Z"))
    kept = come_back(
        alice, held, ACTIVE, name("CryptographicAlgorithm", "AES"), wrap_type=AS_REGISTERED
    )
    revived = come_back(alice, held, name("State", "Active"), ACTIVE)
    assert alice.state_of(again) == alice.state_of(revived) == alice.state_of(key)
    for each in (again, kept, revived):
        line = alice.refused("Encrypt", uid(each), octets("Data", b""))
        assert line.startswith("Wrong_Key_Lifecycle_State: ")


@pytest.mark.parametrize("wrap_type", [NOT_WRAPPED, AS_REGISTERED], ids=["unwrapped", "kept"])
def test_digest_beside_a_wrapped_key_is_no_way_to_guess_it(alice, wrap_type):
    """Who brings a Sensitive key back may not read it, so a right guess and a wrong one look the same."""
    key, kek = alice.import_key("", KEY, flag("Sensitive", True)), sensitive_kek(alice)
    held = leave(alice, key, kek)
    for guess in (KEY, bytes(16)):
        digest = structure(
            "Digest",
            name("HashingAlgorithm", "SHA256"),
            octets("DigestValue", hashlib.sha256(guess).digest()),
        )
        algorithm = name("CryptographicAlgorithm", "AES")
        again = come_back(alice, held, digest, algorithm, wrap_type=wrap_type)
        assert "Digest" not in told(alice, again)


def test_digest_of_a_key_that_came_wrapped_and_may_be_read_is_compared(alice):
    kek = alice.create()
    held = leave(alice, alice.import_key("", KEY), kek)
    for octets_of, is_right in ((KEY, True), (bytes(16), False)):
        digest = structure(
            "Digest",
            name("HashingAlgorithm", "SHA256"),
            octets("DigestValue", hashlib.sha256(octets_of).digest()),
        )
        if is_right:
            assert alice.key_of(come_back(alice, held, digest)) == KEY
        else:
            line = alice.refused("Import", *items(held, digest))
            assert line.startswith("Invalid_Attribute_Value: Digest is not that of the object")


def test_key_comes_back_as_no_other_type_of_object(alice):
    key, kek = secret(alice), sensitive_kek(alice)
    held = leave(alice, key, kek)
    line = alice.refused("Import", *items(held, object_type="SecretData"))
    assert line.startswith("Invalid_Field: ")


def test_key_takes_the_place_of_itself_with_the_mask_that_it_had(alice):
    key, kek = secret(alice), sensitive_kek(alice)
    held = leave(alice, key, kek)
    wider = number("CryptographicUsageMask", ENCRYPT | DECRYPT)
    assert come_back(alice, held, wider, identifier=key, replace=True) == key
    assert told(alice, key)["CryptographicUsageMask"] == ENCRYPT


@each_row("form", ["Structure", "ByteString"])
@each_row("encoding", [None, "NoEncoding", "TTLVEncoding"])
@each_row("key_format", ["Raw", "TransparentSymmetricKey", "Opaque"])
def test_no_name_for_its_encoding_strips_the_rights(alice, bob, form, encoding, key_format):
    key, kek = secret(alice), sensitive_kek(alice)
    (got,) = alice.ask(batch_item("Get", uid(key), under(kek)))
    wrapped = got.octets("ResponsePayload", "SymmetricKey", "KeyBlock", "KeyValue")
    value = (
        octets("KeyValue", wrapped)
        if form == "ByteString"
        else structure("KeyValue", octets("KeyMaterial", wrapped))
    )
    data = structure(
        "KeyWrappingData", name("WrappingMethod", "Encrypt"),
        structure("EncryptionKeyInformation", uid(kek)),
        *([name("EncodingOption", encoding)] if encoding else []),
    )  # fmt: skip
    alice.grant(kek, bob, "decrypt")
    stated = attributes(number("CryptographicUsageMask", ENCRYPT | DECRYPT))
    block = structure(
        "KeyBlock", name("KeyFormatType", key_format), value,
        name("CryptographicAlgorithm", "AES"), number("CryptographicLength", 256), data,
    )  # fmt: skip
    for user in (alice, bob):
        for kind in ("SymmetricKey", "SecretData"):
            content = [block] if kind == "SymmetricKey" else [name("SecretDataType", "Seed"), block]
            (made,) = user.ask(
                batch_item(
                    "Import", uid(""), name("ObjectType", kind), NOT_WRAPPED, stated,
                    structure(kind, *content),
                )
            )  # fmt: skip
            if made["ResultStatus"] != "Success":
                continue
            assert (user, kind) == (alice, "SymmetricKey")
            again = made["ResponsePayload", "UniqueIdentifier"]
            assert told(alice, again)["CryptographicUsageMask"] == ENCRYPT


def test_secret_data_and_private_keys_have_their_rights_too(alice, bob):
    kek = sensitive_kek(alice)
    made = alice.do(
        "CreateKeyPair",
        structure("CommonAttributes", name("CryptographicAlgorithm", "EC")),
        structure("PrivateKeyAttributes", flag("Sensitive", True), limits(2), ACTIVE,
                  number("CryptographicUsageMask", 1)),
    )  # fmt: skip
    key = made["PrivateKeyUniqueIdentifier"]
    held = leave(alice, key, kek)
    again = come_back(alice, held, number("CryptographicUsageMask", 0x201), limits(99))
    assert told(alice, again)["CryptographicUsageMask"] == 1
    assert left(alice, again) == 2
    assert alice.do("Sign", uid(again), octets("Data", b"x")).uid == again
    alice.grant(kek, bob, "decrypt")
    assert bob.refused("Import", *items(held)).startswith("Permission_Denied: ")


def test_tags_and_a_mask_in_the_clear_come_back_as_the_client_s(alice, bob):
    """Bare operations have attributes beside the wrapped key: they name it, and give it no right."""
    key, kek = secret(alice, tags=["payroll"]), sensitive_kek(alice)
    kind, block = leave(alice, key, kek)
    value = next(each for each in block if each["tag"] == "KeyValue")
    inner = next(each for each in value["value"] if each["tag"] == "Attributes")
    mask = next(each for each in inner["value"] if each["tag"] == "CryptographicUsageMask")
    mask["value"] = ENCRYPT | DECRYPT
    again = come_back(alice, (kind, block))
    assert told(alice, again)["CryptographicUsageMask"] == ENCRYPT
    assert set(alice.locate(tagged("payroll"))[1]) == {key, again}


# --- what a client wrote ----------------------------------------------------------------------------


def forged(owner, **rights):
    owner_attribute = VendorAttribute.of_bytes("kms_tornado", "owner", owner.encode())
    inner = Attributes(vendor_attributes=(owner_attribute,), **rights)
    return encode_key_value(KeyValue(KeyMaterialField(KEY), inner))


def test_rights_that_a_client_wrote_win_nothing(alice, bob):
    """Who may wrap with the key can wrap octets that look like a key with rights: of material they know."""
    kek = sensitive_kek(alice)
    alice.grant(kek, bob, "encrypt", "decrypt")
    octets_wrapped = forged(bob.name, always_sensitive=True, never_extractable=True)
    assert binary_codec.parse(octets_wrapped).tag == "KeyValue"
    bare = bob.do(
        "Register", name("ObjectType", "SecretData"), structure("Attributes"),
        structure("Object", name("SecretDataType", "Seed"), structure(
            "KeyBlock", name("KeyFormatType", "Raw"),
            structure("KeyValue", structure("KeyMaterial", octets("ByteString", octets_wrapped))),
        )),
    ).uid  # fmt: skip
    answer = bob.do("Get", uid(bare), under(kek, "AESKeyWrapPadding", "NoEncoding"))
    block = answer["Object", "KeyBlock"]
    value = next(each for each in block if each["tag"] == "KeyValue")
    value["value"] = [each for each in value["value"] if each["tag"] == "KeyMaterial"]
    again = bob.do(
        "Import", uid(""), name("ObjectType", "SymmetricKey"), NOT_WRAPPED,
        attributes(number("CryptographicUsageMask", WRAP | UNWRAP)),
        structure("Object", structure("KeyBlock", *block)),
    ).uid  # fmt: skip
    assert bob.refused("Get", uid(again)).startswith("Sensitive: ")
    assert told(bob, again)["NeverExtractable"] is False
    mine = secret(bob)
    assert bob.refused("Get", uid(mine), under(again)).startswith("Sensitive: "), (
        "it is known outside"
    )


@pytest.mark.parametrize(
    "wrap_type", [NOT_WRAPPED, AS_REGISTERED], ids=["unwrapped", "stored wrapped"]
)
def test_owner_in_the_clear_is_nobody_s_right(alice, bob, wrap_type):
    """Beside a key without rights it would make bob the one to whom it comes back."""
    kek = sensitive_kek(alice)
    kind, block = leave(alice, alice.create(), kek)
    alice.grant(kek, bob, "decrypt")
    owner = structure(
        "VendorAttributes", text("VendorIdentification", "kms_tornado"),
        text("AttributeName", "owner"), octets("AttributeValue", bob.name.encode()),
    )  # fmt: skip
    value = next(each for each in block if each["tag"] == "KeyValue")
    inner = next(each for each in value["value"] if each["tag"] == "Attributes")
    inner["value"] = [structure("VendorAttributes", owner)]
    stated = [name("CryptographicAlgorithm", "AES")]
    line = bob.refused("Import", *items((kind, block), *stated, wrap_type=wrap_type))
    assert line.startswith(("Permission_Denied: ", "Invalid_Attribute: "))


@pytest.mark.parametrize("operation", ["Create", "AddAttribute"])
def test_clients_set_no_attribute_of_the_server_s(alice, operation):
    owner = [
        text("VendorIdentification", "kms_tornado"), text("AttributeName", "owner"),
        octets("AttributeValue", b"mallory"),
    ]  # fmt: skip
    if operation == "Create":
        held = structure("VendorAttributes", structure("VendorAttributes", *owner))
        line = alice.refused(
            "Create", name("ObjectType", "SymmetricKey"), attributes(held, bits=256)
        )
    else:
        item = structure("NewAttribute", structure("Attribute", *owner))
        line = alice.refused("AddAttribute", uid(alice.create()), item)
    assert line == "Invalid_Attribute: attributes of kms_tornado are the server's own"


def test_key_value_in_the_clear_has_no_rights_of_the_server_s(alice):
    inner = structure(
        "Attributes", structure("VendorAttributes", structure(
            "VendorAttributes", text("VendorIdentification", "kms_tornado"),
            text("AttributeName", "owner"), octets("AttributeValue", b"mallory"),
        )),
    )  # fmt: skip
    block = structure(
        "KeyBlock", name("KeyFormatType", KeyFormatType.RAW.name.title()),
        structure("KeyValue", structure("KeyMaterial", octets("ByteString", KEY)), inner),
        name("CryptographicAlgorithm", "AES"), number("CryptographicLength", 128),
    )  # fmt: skip
    line = alice.refused(
        "Import", uid(""), name("ObjectType", "SymmetricKey"), structure("Attributes"),
        structure("Object", block),
    )  # fmt: skip
    assert line.startswith("Invalid_Attribute: ")


def test_key_without_rights_under_a_sensitive_key_comes_back_sensitive(alice):
    """As those that left before rights were wrapped, and those that were not Sensitive."""
    plain, kek = alice.create(), sensitive_kek(alice)
    again = come_back(alice, leave(alice, plain, kek), number("CryptographicUsageMask", ENCRYPT))
    assert alice.refused("Get", uid(again)).startswith("Sensitive: ")
    assert json.dumps(told(alice, again)).count("kms_tornado") == 0


@pytest.mark.parametrize(
    "wrap_type", [NOT_WRAPPED, AS_REGISTERED], ids=["unwrapped", "stored wrapped"]
)
def test_key_without_rights_comes_back_to_the_owner_of_the_wrapping_key_alone(
    alice, bob, wrap_type
):
    """bob could otherwise widen the mask of a key that left, and which he may export, before rights did."""
    plain, kek = alice.create(), sensitive_kek(alice)
    held = leave(alice, plain, kek)
    alice.grant(kek, bob, "encrypt", "decrypt")
    stated = [name("CryptographicAlgorithm", "AES")]
    line = "Permission_Denied: a key that a Sensitive key wrapped without its rights comes back to "
    if wrap_type is NOT_WRAPPED:
        assert bob.refused("Import", *items(held, *stated)).startswith(line)
        assert come_back(alice, held, *stated)
        return
    kept = {user: come_back(user, held, *stated, wrap_type=wrap_type) for user in (alice, bob)}
    assert bob.refused("Encrypt", uid(kept[bob]), octets("Data", b"")).startswith(line)
    alice.grant(kept[alice], bob, "encrypt")
    for user in (alice, bob):
        assert user.encrypt(kept[alice], b"").uid == kept[alice]


def test_pkcs_1_v1_5_neither_wraps_nor_unwraps_with_a_sensitive_pair(carol):
    made = carol.do(
        "CreateKeyPair",
        structure("CommonAttributes", name("CryptographicAlgorithm", "RSA"),
                  number("CryptographicLength", 3072)),
        structure("PrivateKeyAttributes", flag("Sensitive", True),
                  number("CryptographicUsageMask", UNWRAP)),
        structure("PublicKeyAttributes", number("CryptographicUsageMask", WRAP)),
    )  # fmt: skip
    public = made["PublicKeyUniqueIdentifier"]
    pkcs1 = structure("CryptographicParameters", name("PaddingMethod", "PKCS1v15"))
    specification = structure(
        "KeyWrappingSpecification", name("WrappingMethod", "Encrypt"),
        structure("EncryptionKeyInformation", uid(public), pkcs1),
    )  # fmt: skip
    key = secret(carol)
    assert carol.refused("Get", uid(key), specification).startswith("Sensitive: ")
    held = leave(carol, key, public)
    data = next(each for each in held[1] if each["tag"] == "KeyWrappingData")
    data["value"][1]["value"].append(pkcs1)
    assert carol.refused("Import", *items(held)).startswith("Sensitive: ")
