"""KeyFormatType Opaque: keys and secrets of which only the client knows what they are (KMIP 2.1 §4.26, §3).

They are kept byte for byte and given back as Opaque. A symmetric key is not used for anything else; the octets
of secret data are the secret in either format, and PyKMIP registers all of its secret data as Opaque.
"""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import keywrap

from ...kmip_items import ACTIVATED, batch_item, flag, name, number, octets, structure, uid
from ...rows import each_row
from ..new_objects import got, key_block, registered

DATA = octets("Data", b"data")
#: What a client may keep: no length that an algorithm has, something in DER, nothing that is text.
MATERIALS = {
    "7 bytes": bytes(range(7)),
    "as long as an AES key": bytes(range(32)),
    "DER": bytes.fromhex("3003020100"),
    "a mebibit": bytes(128 * 1024),
}


def opaque_block(material, *, algorithm="AES", length=256):
    return key_block("Opaque", octets("KeyMaterial", material), algorithm=algorithm, length=length)


def opaque_key(material=bytes(range(32)), **stated):
    return structure("SymmetricKey", opaque_block(material, **stated))


def attributes_of(user, key):
    return {each["tag"]: each["value"] for each in user.do("GetAttributes", uid(key))["Attributes"]}


@each_row("material", MATERIALS.values(), ids=MATERIALS)
@each_row("stated", [{}, {"algorithm": None, "length": None}, {"length": 999}])
def test_key_comes_back_as_it_was_registered(alice, material, stated):
    """Its algorithm and length are what the client says they are, if it says anything."""
    held = opaque_key(material, **stated)
    key = registered(alice, "SymmetricKey", held)
    assert got(alice, key)["ResponsePayload", "SymmetricKey"] == held["value"]
    asked = name("KeyFormatType", "Opaque")
    assert got(alice, key, asked)["ResponsePayload", "SymmetricKey"] == held["value"]
    if stated.get("algorithm", "AES"):  # which the published clients need
        block = alice.do("Get", uid(key))["Object", "KeyBlock"]
        assert block[0] == name("KeyFormatType", "Opaque")
        assert alice.key_of(key) == material
    assert attributes_of(alice, key)["KeyFormatType"] == "Opaque"


def test_digest_is_of_the_octets_in_their_format(alice):
    key = registered(alice, "SymmetricKey", opaque_key())
    digest = {each["tag"]: each["value"] for each in attributes_of(alice, key)["Digest"]}
    assert digest["KeyFormatType"] == "Opaque"
    assert bytes.fromhex(digest["DigestValue"]) == hashlib.sha256(bytes(range(32))).digest()


@pytest.mark.parametrize("key_format", ["Raw", "TransparentSymmetricKey", "PKCS_8"])
def test_key_is_given_out_in_no_other_format(alice, key_format):
    key = registered(alice, "SymmetricKey", opaque_key())
    line = alice.refused("Get", uid(key), name("KeyFormatType", key_format))
    assert line.startswith("Key_Format_Type_Not_Supported: the key is Opaque")


def test_key_in_another_format_is_not_given_out_as_opaque(alice):
    key = alice.import_key("", bytes(32))
    line = alice.refused("Get", uid(key), name("KeyFormatType", "Opaque"))
    assert line.startswith("Key_Format_Type_Not_Supported: a symmetric key is Raw")


def derivation(key):
    return (
        name("ObjectType", "SymmetricKey"),
        uid(key),
        name("DerivationMethod", "HKDF"),
        structure("DerivationParameters", octets("Salt", b"salt")),
        structure("Attributes", name("CryptographicAlgorithm", "AES"),
                  number("CryptographicLength", 128)),
    )  # fmt: skip


#: Operation → its items. Each with a key whose mask allows everything.
USES = {
    "Encrypt": lambda key: (uid(key), DATA),
    "Decrypt": lambda key: (uid(key), DATA, octets("IVCounterNonce", bytes(12)),
                            octets("AuthenticatedEncryptionTag", bytes(16))),
    "MAC": lambda key: (uid(key), DATA),
    "MACVerify": lambda key: (uid(key), DATA, octets("MACData", bytes(32))),
    "DeriveKey": derivation,
    "ReKey": lambda key: (uid(key),),
}  # fmt: skip


@pytest.mark.parametrize("operation", USES)
def test_key_is_not_used(alice, operation):
    mask = number("CryptographicUsageMask", 0x000FFFFF)
    key = registered(alice, "SymmetricKey", opaque_key(), mask, ACTIVATED)
    line = alice.refused(operation, *USES[operation](key))
    assert line.startswith("Key_Format_Type_Not_Supported: the key is Opaque: it is kept")


@pytest.mark.parametrize("operation", ["Get", "Import"])
def test_key_wraps_nothing_and_unwraps_nothing(alice, operation):
    kek = registered(alice, "SymmetricKey", opaque_key(), number("CryptographicUsageMask", 0x30),
                     ACTIVATED)  # fmt: skip
    encryption = structure("EncryptionKeyInformation", uid(kek))
    method = name("WrappingMethod", "Encrypt")
    if operation == "Get":
        other = alice.import_key("", bytes(16))
        items = [uid(other), structure("KeyWrappingSpecification", method, encryption)]
    else:
        wrapped = keywrap.aes_key_wrap_with_padding(bytes(range(32)), bytes(16))
        block = key_block("Raw", octets("KeyMaterial", wrapped), algorithm="AES", length=128)
        block["value"].append(structure("KeyWrappingData", method, encryption))
        items = [uid(""), name("ObjectType", "SymmetricKey"), name("KeyWrapType", "NotWrapped"),
                 structure("Attributes"), structure("Object", block)]  # fmt: skip
    line = alice.refused(operation, *items)
    assert line.startswith("Key_Format_Type_Not_Supported: the key is Opaque")


@pytest.mark.parametrize("is_bare", [False, True], ids=["message", "bare"])
def test_what_export_gives_is_imported_as_it_was(alice, is_bare):
    key = registered(alice, "SymmetricKey", opaque_key(b"anything", algorithm="AES", length=64))
    if is_bare:
        held = structure("Object", *alice.do("Get", uid(key))["Object"])
        again = alice.do("Import", uid(""), name("ObjectType", "SymmetricKey"),
                         structure("Attributes"), held).uid  # fmt: skip
    else:
        (exported,) = alice.ask(batch_item("Export", uid(key)))
        held = structure("SymmetricKey", *exported["ResponsePayload", "SymmetricKey"])
        (made,) = alice.ask(
            batch_item("Import", uid(""), name("ObjectType", "SymmetricKey"),
                       structure("Attributes"), held)
        )  # fmt: skip
        again = made["ResponsePayload", "UniqueIdentifier"]
    assert again != key
    assert got(alice, again)["ResponsePayload"][2] == got(alice, key)["ResponsePayload"][2]


def test_key_leaves_wrapped_and_comes_back_opaque(alice):
    kek = alice.import_key("", bytes(range(32)))
    key = registered(alice, "SymmetricKey", opaque_key(b"anything"))
    specification = structure(
        "KeyWrappingSpecification",
        name("WrappingMethod", "Encrypt"),
        structure("EncryptionKeyInformation", uid(kek)),
    )
    held = structure("Object", *alice.do("Get", uid(key), specification)["Object"])
    again = alice.do("Import", uid(""), name("ObjectType", "SymmetricKey"),
                     name("KeyWrapType", "NotWrapped"), structure("Attributes"), held).uid  # fmt: skip
    assert alice.key_of(again) == b"anything"
    assert attributes_of(alice, again)["KeyFormatType"] == "Opaque"


def test_key_that_stays_wrapped_is_opaque_too(alice):
    kek = alice.import_key("", bytes(range(32)))
    wrapped = keywrap.aes_key_wrap_with_padding(bytes(range(32)), b"anything")
    block = opaque_block(wrapped)
    block["value"].append(
        structure(
            "KeyWrappingData",
            name("WrappingMethod", "Encrypt"),
            structure("EncryptionKeyInformation", uid(kek)),
            name("EncodingOption", "NoEncoding"),
        )
    )
    key = registered(alice, "SymmetricKey", structure("SymmetricKey", block), ACTIVATED)
    assert alice.key_of(key) == wrapped
    plain = alice.do("Get", uid(key), name("KeyWrapType", "NotWrapped"))
    assert (
        plain.octets("Object", "KeyBlock", "KeyValue", "KeyMaterial", "ByteString") == b"anything"
    )
    assert alice.refused("Encrypt", uid(key), DATA).startswith("Key_Format_Type_Not_Supported: ")


def test_sensitive_opaque_key_stays(alice):
    key = registered(alice, "SymmetricKey", opaque_key(), flag("Sensitive", True))
    assert alice.refused("Get", uid(key)).startswith("Sensitive: ")


@pytest.mark.parametrize("object_type", ["PrivateKey", "PublicKey"])
def test_key_of_a_pair_is_not_kept_opaque_and_the_refusal_says_what_to_do(alice, object_type):
    held = structure(object_type, opaque_block(b"anything", algorithm="RSA", length=2048))
    (result,) = alice.ask(
        batch_item("Register", name("ObjectType", object_type), structure("Attributes"), held)
    )
    assert result["ResultReason"] == "KeyFormatTypeNotSupported"
    assert "register its octets as an OpaqueObject" in result["ResultMessage"]


@pytest.mark.parametrize("kind", ["Seed", "Password"])
@pytest.mark.parametrize("mask", [0, 2, None])
def test_secret_data_comes_back_opaque(alice, kind, mask):
    """MongoDB keeps 96 bytes as a Seed whose usage mask is 0, and Synology a Password to be verified (2)."""
    held = structure("SecretData", name("SecretDataType", kind),
                     key_block("Opaque", octets("KeyMaterial", bytes(range(96)))))  # fmt: skip
    more = [] if mask is None else [number("CryptographicUsageMask", mask)]
    key = registered(alice, "SecretData", held, *more)
    (activated,) = alice.ask(batch_item("Activate", uid(key)))
    assert activated["ResultStatus"] == "Success"
    assert got(alice, key)["ResponsePayload", "SecretData"] == held["value"]
    if mask is not None:
        assert attributes_of(alice, key)["CryptographicUsageMask"] == mask


def test_secret_data_that_pykmip_registers_is_a_base_of_derivation(alice):
    held = structure("SecretData", name("SecretDataType", "Password"),
                     key_block("Opaque", octets("KeyMaterial", b"correct horse")))  # fmt: skip
    key = registered(alice, "SecretData", held, ACTIVATED, number("CryptographicUsageMask", 0x200))
    assert alice.do("DeriveKey", *derivation(key)).uid
