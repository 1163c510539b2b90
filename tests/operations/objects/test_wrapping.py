"""Keys that leave and come in wrapped (KMIP 2.1 §7.10), and what wrapping must not open."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kms_tornado.kmip.codecs import binary_codec
from kms_tornado.kmip.ttlv import ItemType, Node

from ...keys import rsa_key
from ...kmip_items import (
    attributes,
    batch_item,
    flag,
    import_items,
    name,
    number,
    octets,
    structure,
    text,
    uid,
)
from ...rows import each_row
from ..new_objects import import_object, imported, pair
from .wrapping import (
    DECRYPT,
    ENCRYPT,
    KEK,
    KEY,
    UNWRAP,
    WRAP,
    come_back,
    sensitive_kek,
    under,
    wrapped_bytes,
)

WRAPPING = number("CryptographicUsageMask", WRAP | UNWRAP)


@pytest.fixture
def kek(alice):
    return alice.import_key("", KEK)


@pytest.fixture
def key(alice):
    return alice.import_key("", KEY)


# --- bare operations ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mode", [None, "NISTKeyWrap", "AESKeyWrapPadding"], ids=["default", "Cosmian's name", "KMIP's"]
)
def test_key_leaves_wrapped_as_rfc_5649_has_it(alice, kek, key, mode):
    answer = alice.do("Get", uid(key), under(kek, mode))
    assert keywrap.aes_key_unwrap_with_padding(KEK, wrapped_bytes(answer)) == KEY
    block = answer["Object", "KeyBlock"]
    data = next(each for each in block if each["tag"] == "KeyWrappingData")
    assert data["value"] == [
        name("WrappingMethod", "Encrypt"),
        structure("EncryptionKeyInformation", uid(kek)),
    ]


def test_key_leaves_wrapped_by_gcm(alice, kek, key):
    found = wrapped_bytes(alice.do("Get", uid(key), under(kek, "GCM")))
    assert AESGCM(KEK).decrypt(found[:12], found[12:], b"") == KEY


def test_export_wraps_as_get_does(alice, kek, key):
    answer = alice.do("Export", uid(key), under(kek))
    assert keywrap.aes_key_unwrap_with_padding(KEK, wrapped_bytes(answer)) == KEY


def test_private_key_leaves_wrapped_in_the_format_asked_for(alice, kek):
    private, _ = imported(alice)
    answer = alice.do("Get", uid(private), under(kek), name("KeyFormatType", "PKCS1"))
    plain = keywrap.aes_key_unwrap_with_padding(KEK, wrapped_bytes(answer))
    loaded = serialization.load_der_private_key(plain, None)
    assert loaded.private_numbers() == rsa_key(2048).private_numbers()


def test_key_leaves_wrapped_by_an_rsa_key(alice, key):
    _, public = imported(alice)
    found = wrapped_bytes(alice.do("Get", uid(key), under(public)))
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    assert rsa_key(2048).decrypt(found, oaep) == KEY


def test_wrapped_key_comes_back_in(alice, kek, key):
    again = come_back(alice, alice.do("Get", uid(key), under(kek)))
    assert alice.key_of(again) == KEY
    assert again != key


@pytest.mark.parametrize("kind", ["private", "public"])
def test_key_wrapped_by_an_rsa_key_is_unwrapped_by_its_private_half(alice, key, kind):
    made = pair(alice, "RSA", number("CryptographicLength", 2048))
    answer = alice.do("Get", uid(key), under(made[1]))
    if kind == "private":
        block = answer["Object", "KeyBlock"]
        data = next(each for each in block if each["tag"] == "KeyWrappingData")
        data["value"][1] = structure("EncryptionKeyInformation", uid(made[0]))
    assert alice.key_of(come_back(alice, answer)) == KEY


def test_altered_wrapped_key_is_one_cryptographic_failure(alice, kek, key):
    answer = alice.do("Get", uid(key), under(kek))
    (held,) = answer["Object", "KeyBlock", "KeyValue", "KeyMaterial"]
    good, lines = held["value"], set()
    for bad in ("00" + good[2:], good[:-16], good + "00" * 8, "00" * 24, ""):
        held["value"] = bad
        block = structure("KeyBlock", *answer["Object", "KeyBlock"])
        lines.add(
            alice.refused(
                "Import", uid(""), name("ObjectType", "SymmetricKey"),
                name("KeyWrapType", "NotWrapped"), structure("Attributes"),
                structure("Object", block),
            )
        )  # fmt: skip
    assert lines == {"Cryptographic_Failure: unwrapping failed"}


# --- in messages --------------------------------------------------------------------------------


def in_a_message(user, *items):
    (result,) = user.ask(batch_item(*items))
    assert result["ResultStatus"] == "Success", result.item
    return result


def test_message_wraps_the_key_value_in_ttlv(alice, kek, key):
    result = in_a_message(alice, "Get", uid(key), under(kek, "NISTKeyWrap"))
    block = {
        each["tag"]: each["value"] for each in result["ResponsePayload", "SymmetricKey", "KeyBlock"]
    }
    plain = keywrap.aes_key_unwrap(KEK, bytes.fromhex(block["KeyValue"]))
    value = binary_codec.parse(plain)
    assert [(each.tag, each.value) for each in value.value] == [("KeyMaterial", KEY)]
    tags = [each["tag"] for each in block["KeyWrappingData"]]
    assert tags == ["WrappingMethod", "EncryptionKeyInformation"]


@pytest.mark.parametrize(
    ("requested", "told"),
    [
        ([], ["OAEP", "SHA_256", "MGF1", "SHA_256"]),
        ([name("HashingAlgorithm", "SHA_1")], ["OAEP", "SHA_1", "MGF1", "SHA_1"]),
        (
            [name("MaskGeneratorHashingAlgorithm", "SHA_1")],
            ["OAEP", "SHA_256", "MGF1", "SHA_1"],
        ),
        ([name("PaddingMethod", "None")], ["None", "SHA_256", "RSA", "MGF1", "SHA_256"]),
        ([name("CryptographicAlgorithm", "AES")], ["None", "SHA_256", "AES", "MGF1", "SHA_256"]),
    ],
    ids=["nothing", "hash", "mask", "RSA-AES", "RSA-AES as older clients ask"],
)
def test_message_tells_all_parameters_by_which_an_rsa_key_wrapped(alice, key, requested, told):
    """A default of this server need not be that of whoever unwraps: OAEP's mask has SHA-1 in KMIP 2.1 §4.16."""
    private, public = imported(alice)
    specification = under(public)
    information = specification["value"][1]["value"]
    information.append(structure("CryptographicParameters", *requested))
    result = in_a_message(alice, "Get", uid(key), specification)
    block = result["ResponsePayload", "SymmetricKey", "KeyBlock"]
    data = {each["tag"]: each["value"] for each in block}["KeyWrappingData"]
    named, parameters = {each["tag"]: each["value"] for each in data}["EncryptionKeyInformation"]
    assert [each["value"] for each in parameters["value"]] == told
    named["value"] = private
    again = in_a_message(
        alice,
        "Import",
        uid(""),
        name("ObjectType", "SymmetricKey"),
        name("KeyWrapType", "NotWrapped"),
        structure("Attributes", name("CryptographicAlgorithm", "AES")),
        structure("SymmetricKey", *result["ResponsePayload", "SymmetricKey"]),
    )["ResponsePayload", "UniqueIdentifier"]
    assert alice.key_of(again) == KEY


def test_attributes_asked_for_are_wrapped_with_the_key(alice, kek, key):
    specification = under(kek)
    specification["value"].append(text("AttributeName", "Cryptographic Length"))
    result = in_a_message(alice, "Get", uid(key), specification)
    wrapped = bytes.fromhex(result["ResponsePayload", "SymmetricKey", "KeyBlock", "KeyValue"])
    value = binary_codec.parse(keywrap.aes_key_unwrap_with_padding(KEK, wrapped))
    held = value.value[1]
    assert [(each.tag, each.value) for each in held.value] == [("CryptographicLength", 128)]


@pytest.mark.parametrize("encoding", ["TTLVEncoding", "NoEncoding"])
@pytest.mark.parametrize("operation", ["Import", "Register"])
def test_what_left_in_a_message_comes_back_in_one(alice, kek, encoding, operation):
    """Import unwraps where it is told to; Register keeps what it gets, to be unwrapped by Get."""
    private, _ = imported(alice)
    unwraps = [name("KeyWrapType", "NotWrapped")]
    got = in_a_message(alice, "Get", uid(private), under(kek, "AESKeyWrapPadding", encoding))
    held = structure("PrivateKey", *got["ResponsePayload", "PrivateKey"])
    first = [uid("")] if operation == "Import" else []
    more = unwraps if operation == "Import" else []
    stated = structure("Attributes", name("CryptographicAlgorithm", "RSA"))
    made = in_a_message(
        alice, operation, *first, name("ObjectType", "PrivateKey"), *more, stated, held
    )
    again = made["ResponsePayload", "UniqueIdentifier"]
    plain = [
        in_a_message(alice, "Get", uid(each), *unwraps)["ResponsePayload", "PrivateKey", "KeyBlock"]
        for each in (private, again)
    ]
    assert plain[0] == plain[1]


@pytest.mark.parametrize(
    ("mode", "size"), [("NISTKeyWrap", 16), ("AESKeyWrapPadding", 16), ("GCM", 16)]
)
def test_no_encoding_wraps_the_octets_alone(alice, kek, key, mode, size):
    result = in_a_message(alice, "Get", uid(key), under(kek, mode, "NoEncoding"))
    block = result["ResponsePayload", "SymmetricKey", "KeyBlock"]
    value = next(each for each in block if each["tag"] == "KeyValue")
    assert value["type"] == "ByteString", (
        "a wrapped KeyValue is one in either encoding (KMIP 2.1 §3.2)"
    )
    wrapped = bytes.fromhex(value["value"])
    unwrap = {
        "NISTKeyWrap": lambda: keywrap.aes_key_unwrap(KEK, wrapped),
        "AESKeyWrapPadding": lambda: keywrap.aes_key_unwrap_with_padding(KEK, wrapped),
        "GCM": lambda: AESGCM(KEK).decrypt(wrapped[:12], wrapped[12:], b""),
    }[mode]
    assert unwrap() == KEY
    assert len(KEY) == size


def test_transparent_key_has_no_bare_octets_to_wrap(alice, kek, key):
    """A client that parses the material by its format would look for a Key in the wrapped octets."""
    transparent = name("KeyFormatType", "TransparentSymmetricKey")
    for encoding in (None, "NoEncoding"):
        line = alice.refused("Get", uid(key), transparent, under(kek, encoding=encoding))
        assert line.startswith("Invalid_Field: a transparent key is wrapped with TTLVEncoding only")
    ttlv = alice.do("Get", uid(key), transparent, under(kek, encoding="TTLVEncoding"))
    assert ttlv["Object", "KeyBlock", "KeyFormatType"] == "TransparentSymmetricKey"


def test_attributes_are_wrapped_with_a_key_in_ttlv_alone(alice, kek, key):
    asked = text("AttributeName", "CryptographicLength")
    specification = under(kek, encoding="NoEncoding")
    specification["value"].insert(-1, asked)
    line = alice.refused("Get", uid(key), specification)
    assert line == "Encoding_Option_Error: attributes are wrapped with TTLVEncoding only"


def test_key_that_was_stored_transparent_is_wrapped_raw_where_no_format_is_asked_for(alice, kek):
    stored = alice.create(name("KeyFormatType", "TransparentSymmetricKey"), bits=128)
    result = in_a_message(alice, "Get", uid(stored), under(kek, "NISTKeyWrap", "NoEncoding"))
    block = ("ResponsePayload", "SymmetricKey", "KeyBlock")
    assert result[(*block, "KeyFormatType")] == "Raw"
    assert keywrap.aes_key_unwrap(KEK, result.octets(*block, "KeyValue")) == alice.key_of(stored)


# --- which encoding a key that comes in has -------------------------------------------------------

BARE_KEY, TTLV_KEY = (
    KEY,
    binary_codec.format(
        Node("KeyValue", ItemType.STRUCTURE, (Node("KeyMaterial", ItemType.BYTE_STRING, KEY),))
    ),
)
#: Message or bare operation, form of the KeyValue, EncodingOption → what is unwrapped then.
ENCODINGS = {
    ("message", "Structure", None): TTLV_KEY,
    ("message", "Structure", "TTLVEncoding"): TTLV_KEY,
    ("message", "Structure", "NoEncoding"): BARE_KEY,
    ("message", "ByteString", None): TTLV_KEY,
    ("message", "ByteString", "TTLVEncoding"): TTLV_KEY,
    ("message", "ByteString", "NoEncoding"): BARE_KEY,
    ("bare", "Structure", None): BARE_KEY,
    ("bare", "Structure", "TTLVEncoding"): TTLV_KEY,
    ("bare", "Structure", "NoEncoding"): BARE_KEY,
    ("bare", "ByteString", None): TTLV_KEY,
    ("bare", "ByteString", "TTLVEncoding"): TTLV_KEY,
    ("bare", "ByteString", "NoEncoding"): BARE_KEY,
}


def brought_in(user, kek, content, way, form, encoding, *wrap_type):
    """Import of the content, wrapped by KEK, in a message or bare: the identifier, or the refusal."""
    wrapped = keywrap.aes_key_wrap_with_padding(KEK, content)
    value = (
        octets("KeyValue", wrapped)
        if form == "ByteString"
        else structure("KeyValue", octets("KeyMaterial", wrapped))
    )
    data = structure(
        "KeyWrappingData",
        name("WrappingMethod", "Encrypt"),
        structure(
            "EncryptionKeyInformation",
            uid(kek),
            structure("CryptographicParameters", name("BlockCipherMode", "AESKeyWrapPadding")),
        ),
        *([name("EncodingOption", encoding)] if encoding else []),
    )
    block = structure(
        "KeyBlock",
        name("KeyFormatType", "Raw"),
        value,
        name("CryptographicAlgorithm", "AES"),
        number("CryptographicLength", 128),
        data,
    )
    items = [uid(""), name("ObjectType", "SymmetricKey"), *wrap_type, structure("Attributes")]
    if way == "bare":
        return user.send(structure("Import", *items, structure("Object", block)))
    (result,) = user.ask(batch_item("Import", *items, structure("SymmetricKey", block)))
    return result


def imported_uid(user, way, answer):
    if way == "bare":
        assert answer.status == 200, answer.text
        (held,) = json.loads(answer.body)["value"]
        return held["value"]
    assert answer["ResultStatus"] == "Success", answer.item
    return answer["ResponsePayload", "UniqueIdentifier"]


def is_refused(way, answer):
    if way == "bare":
        return answer.status == 422 and answer.text.startswith("Invalid_Field: ")
    return (answer["ResultStatus"], answer["ResultReason"]) == ("OperationFailed", "InvalidField")


UNWRAPPED = name("KeyWrapType", "NotWrapped")


@pytest.mark.parametrize(("way", "form", "encoding"), ENCODINGS)
def test_encoding_option_decides_what_was_wrapped_whatever_the_form(
    alice, kek, way, form, encoding
):
    content = ENCODINGS[way, form, encoding]
    answer = brought_in(alice, kek, content, way, form, encoding, UNWRAPPED)
    assert alice.key_of(imported_uid(alice, way, answer)) == KEY


@pytest.mark.parametrize(("way", "form", "encoding"), ENCODINGS)
@pytest.mark.parametrize("used", ["message", "bare"])
def test_encoding_of_a_key_that_is_stored_wrapped_is_that_of_its_import(
    alice, kek, way, form, encoding, used
):
    """Whoever uses it later, and in whatever way: it is what the client that sent it meant."""
    content = ENCODINGS[way, form, encoding]
    key = imported_uid(alice, way, brought_in(alice, kek, content, way, form, encoding))
    if used == "bare":
        assert wrapped_bytes(alice.do("Get", uid(key), UNWRAPPED)) == KEY
        return
    block = in_a_message(alice, "Get", uid(key), UNWRAPPED)[
        "ResponsePayload", "SymmetricKey", "KeyBlock"
    ]
    (held,) = next(each["value"] for each in block if each["tag"] == "KeyValue")
    assert bytes.fromhex(held["value"]) == KEY


@pytest.mark.parametrize(
    ("way", "form", "encoding"),
    [each for each, content in ENCODINGS.items() if content is TTLV_KEY],
)
def test_bare_octets_are_no_key_value_in_ttlv(alice, kek, way, form, encoding):
    assert is_refused(way, brought_in(alice, kek, BARE_KEY, way, form, encoding, UNWRAPPED))
    key = imported_uid(alice, way, brought_in(alice, kek, BARE_KEY, way, form, encoding))
    assert alice.refused("Get", uid(key), UNWRAPPED).startswith("Invalid_Field: ")


@pytest.mark.parametrize("encoding", ["TTLVEncoding", "NoEncoding", None])
@pytest.mark.parametrize("way", ["message", "bare"])
def test_key_that_left_wrapped_comes_back_in_either_way(alice, kek, key, way, encoding):
    """What Get gave is sent back as it is, as Go clients do it."""
    specification = under(kek, "AESKeyWrapPadding", encoding)
    if way == "bare":
        again = come_back(alice, alice.do("Get", uid(key), specification))
    else:
        got = in_a_message(alice, "Get", uid(key), specification)
        held = structure("SymmetricKey", *got["ResponsePayload", "SymmetricKey"])
        made = in_a_message(
            alice, "Import", uid(""), name("ObjectType", "SymmetricKey"), UNWRAPPED,
            structure("Attributes"), held,
        )  # fmt: skip
        again = made["ResponsePayload", "UniqueIdentifier"]
    assert alice.key_of(again) == KEY


# --- rights, state, mask ------------------------------------------------------------------------


def test_wrapping_key_of_somebody_else_reads_as_not_there(alice, bob, key):
    theirs = bob.import_key("", KEK)
    absent = "0" * len(theirs)
    lines = [alice.refused("Get", uid(key), under(each)) for each in (theirs, absent)]
    assert lines[0].replace(theirs, absent) == lines[1]
    assert lines[1].startswith("Item_Not_Found: ")


@pytest.mark.parametrize(
    ("right", "is_enough"),
    [("encrypt", True), ("get", True), ("decrypt", False), ("export", False), ("revoke", False)],
)
def test_wrapping_takes_the_right_to_encrypt_with_the_key(alice, bob, right, is_enough):
    mine, theirs = alice.import_key("", KEY), bob.import_key("", KEK)
    bob.grant(theirs, alice, right)
    if is_enough:
        assert alice.do("Get", uid(mine), under(theirs)).uid == mine
    else:
        assert alice.refused("Get", uid(mine), under(theirs)).startswith("Item_Not_Found: ")


@pytest.mark.parametrize(
    ("right", "is_enough"), [("decrypt", True), ("get", True), ("encrypt", False)]
)
def test_unwrapping_takes_the_right_to_decrypt_with_the_key(alice, bob, right, is_enough):
    mine, theirs = bob.import_key("", KEY), bob.import_key("", KEK)
    answer = bob.do("Get", uid(mine), under(theirs))
    bob.grant(theirs, alice, right)
    if is_enough:
        assert alice.key_of(come_back(alice, answer)) == KEY
    else:
        with pytest.raises(AssertionError, match="Item_Not_Found"):
            come_back(alice, answer)


@pytest.mark.parametrize(("mask", "is_enough"), [(WRAP, True), (UNWRAP, False), (12, False)])
def test_wrapping_takes_the_bit_in_the_mask(alice, key, mask, is_enough):
    wrapping = alice.create(mask=mask)
    if is_enough:
        assert alice.do("Get", uid(key), under(wrapping)).uid == key
    else:
        line = alice.refused("Get", uid(key), under(wrapping))
        assert line.startswith("Incompatible_Cryptographic_Usage_Mask: ")


def test_revoked_key_wraps_no_more_and_still_unwraps(alice, kek, key):
    answer = alice.do("Get", uid(key), under(kek))
    alice.revoke(kek)
    line = alice.refused("Get", uid(key), under(kek))
    assert line.startswith("Wrong_Key_Lifecycle_State: ")
    assert alice.key_of(come_back(alice, answer)) == KEY


OTHER_KEYS = {
    "ChaCha20": lambda user: user.create(WRAPPING, algorithm="ChaCha20"),
    "EC": lambda user: pair(user, "EC", WRAPPING)[1],
    "private": lambda user: imported(user, None, WRAPPING)[0],
    "secret": lambda user: import_object(user, "SecretData", "Raw", KEY, WRAPPING),
}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("ChaCha20", "Unsupported_Cryptographic_Parameters"),
        ("EC", "Unsupported_Cryptographic_Parameters"),
        ("private", "Invalid_Object_Type"),
        ("secret", "Invalid_Object_Type"),
    ],
)
def test_other_keys_wrap_nothing(alice, key, kind, reason):
    line = alice.refused("Get", uid(key), under(OTHER_KEYS[kind](alice)))
    assert line.startswith(f"{reason}: ")


def test_key_does_not_wrap_itself(alice, kek):
    assert alice.refused("Get", uid(kek), under(kek)).startswith("Invalid_Field: ")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"WrappingMethod": "MACSign"}, "Key_Wrap_Type_Not_Supported"),
        ({"EncryptionKeyInformation": None}, "Missing_Data"),
        ({"mode": "CBC"}, "Unsupported_Cryptographic_Parameters"),
    ],
    ids=["method", "no key", "mode"],
)
def test_other_ways_are_refused(alice, kek, key, change, reason):
    specification = under(kek, change.get("mode"))
    held = [
        each if each["tag"] not in change else name(each["tag"], change[each["tag"]])
        for each in specification["value"]
        if change.get(each["tag"], "") is not None
    ]
    line = alice.refused("Get", uid(key), structure("KeyWrappingSpecification", *held))
    assert line.startswith(f"{reason}: ")


def test_data_too_long_for_an_rsa_key_is_refused(alice):
    private, public = imported(alice)
    line = alice.refused("Get", uid(private), under(public))
    assert line.startswith("Invalid_Field: ")


# --- Sensitive and Extractable ------------------------------------------------------------------


def test_sensitive_key_leaves_wrapped_by_a_key_that_nobody_knows(alice):
    key, wrapping = alice.create(flag("Sensitive", True)), sensitive_kek(alice)
    assert alice.do("Get", uid(key), under(wrapping)).uid == key
    assert alice.refused("Get", uid(key)).startswith("Sensitive: ")


UNFIT = {
    "imported": lambda user: user.import_key("", KEK),
    "imported as Sensitive": lambda user: (
        user.do(
            "Import",
            *import_items("", KEK)[:3],
            attributes(flag("Sensitive", True), mask=WRAP),
            import_items("", KEK)[4],
        ).uid
    ),
    "plain": lambda user: user.create(mask=WRAP),
    "without a mask": lambda user: user.create(flag("Sensitive", True)),
    "decrypts, too": lambda user: sensitive_kek(user, WRAP | DECRYPT),
    "encrypts, too": lambda user: sensitive_kek(user, WRAP | ENCRYPT),
    "unrestricted": lambda user: sensitive_kek(user, WRAP | 0x200000),
    "RSA from outside": lambda user: imported(user)[1],
    "RSA made here, plain": lambda user: pair(user, "RSA", number("CryptographicLength", 2048))[1],
}


@each_row("kind", UNFIT)
@each_row("operation", ["Get", "Export"])
def test_sensitive_key_does_not_leave_under_a_key_that_the_caller_may_know(alice, kind, operation):
    key, wrapping = alice.create(flag("Sensitive", True)), UNFIT[kind](alice)
    line = alice.refused(operation, uid(key), under(wrapping))
    assert line.startswith("Sensitive: ")
    plain = alice.create()
    assert alice.do(operation, uid(plain), under(wrapping)).uid == plain


def test_key_that_became_sensitive_later_protects_nothing(alice):
    wrapping = alice.create(mask=WRAP)
    known = alice.key_of(wrapping)
    alice.do("SetAttribute", uid(wrapping), structure("NewAttribute", flag("Sensitive", True)))
    key = alice.create(flag("Sensitive", True))
    assert alice.refused("Get", uid(key), under(wrapping)).startswith("Sensitive: ")
    assert len(known) == 32


def test_sensitive_key_leaves_under_the_public_half_of_a_sensitive_pair(alice):
    made = alice.do(
        "CreateKeyPair",
        structure(
            "CommonAttributes", name("CryptographicAlgorithm", "RSA"),
            number("CryptographicLength", 3072),
        ),
        structure(
            "PrivateKeyAttributes", flag("Sensitive", True),
            number("CryptographicUsageMask", UNWRAP),
        ),
        structure("PublicKeyAttributes", number("CryptographicUsageMask", WRAP)),
    )  # fmt: skip
    key = alice.create(flag("Sensitive", True))
    answer = alice.do("Get", uid(key), under(made["PublicKeyUniqueIdentifier"]))
    again = come_back(alice, answer)
    assert alice.refused("Get", uid(again)).startswith("Sensitive: ")


def test_sensitive_key_that_went_out_and_came_in_is_sensitive_again(alice):
    key, wrapping = alice.create(flag("Sensitive", True)), sensitive_kek(alice)
    answer = alice.do("Get", uid(key), under(wrapping))
    for more in ([], [flag("Sensitive", False)]):
        again = come_back(alice, answer, *more)
        assert alice.refused("Get", uid(again)).startswith("Sensitive: ")


def test_key_that_protects_others_never_leaves(alice):
    """Else it would come back with Decrypt in its mask, and decrypt what left under it."""
    wrapping, other = sensitive_kek(alice), sensitive_kek(alice)
    assert alice.refused("Get", uid(wrapping), under(other)).startswith("Sensitive: ")
    plain = alice.create(mask=WRAP)
    assert alice.do("Get", uid(plain), under(other)).uid == plain


def test_key_that_is_not_extractable_leaves_in_no_way(alice):
    key, wrapping = alice.create(flag("Extractable", False)), sensitive_kek(alice)
    for items in ([], [under(wrapping)]):
        assert alice.refused("Get", uid(key), *items).startswith("Not_Extractable: ")
        assert alice.refused("Export", uid(key), *items).startswith("Not_Extractable: ")


def test_wrapped_bytes_are_in_no_refusal(alice, kek, key):
    answer = alice.do("Get", uid(key), under(kek))
    (held,) = answer["Object", "KeyBlock", "KeyValue", "KeyMaterial"]
    held["value"] = held["value"][:-2] + "00"
    with pytest.raises(AssertionError) as caught:
        come_back(alice, answer)
    assert held["value"][:16] not in str(caught.value)
    assert "unwrapping failed" in str(caught.value)
