"""Digest (KMIP 2.1 §4.20): told to those who may read the object, and nothing of it is left elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import keywrap, serialization

from kms_tornado.crypto.hashes import compute_digest
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.kmip.enums import HashingAlgorithm, KeyFormatType, ObjectType
from kms_tornado.kmip.structures import Digest
from kms_tornado.operations.objects import digests

from ...keys import rsa_key
from ...kmip_items import (
    attributes,
    batch_item,
    flag,
    import_items,
    name,
    octets,
    structure,
    text,
    uid,
)
from ...rows import each_row
from ..new_objects import certificate_der, import_object, imported, told
from .wrapping import under

KEY = bytes(range(100, 132))
DIGEST = hashlib.sha256(KEY).digest()
ASKED = name("AttributeReference", "Digest")


def is_listed(user, key):
    found = user.do("GetAttributeList", uid(key)).item["value"]
    return "Digest" in {each["value"] for each in found if each["tag"] == "AttributeReference"}


def exported(user, key, *more):
    answer = user.do("Export", uid(key), *more)
    return answer.get("Attributes", "Digest", "DigestValue")


def private_der():
    return rsa_key(2048).private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


SECRETS = {
    "symmetric": (lambda user, *more: user.import_key("", KEY, *more), KEY),
    "private": (
        lambda user, *more: import_object(user, "PrivateKey", "PKCS8", private_der(), *more),
        private_der(),
    ),
}


@pytest.mark.parametrize("kind", SECRETS)
def test_owner_is_told_the_digest_of_a_key_that_may_be_read(alice, kind):
    make, octets_of_key = SECRETS[kind]
    key = make(alice)
    digest = hashlib.sha256(octets_of_key).hexdigest().upper()
    assert told(alice, key) == told(alice, key, ASKED) == exported(alice, key) == digest
    assert is_listed(alice, key)
    alice.revoke(key)
    assert told(alice, key) == digest


@pytest.mark.parametrize("flags", [("Sensitive", True), ("Extractable", False)])
@pytest.mark.parametrize("kind", SECRETS)
def test_nobody_is_told_the_digest_of_what_nobody_may_read(alice, kms, kind, flags):
    key, bob = SECRETS[kind][0](alice, flag(*flags)), kms.user()
    alice.grant(key, bob, "get", "export", "get_attributes", "get_attribute_list")
    for user in (alice, bob):
        assert told(user, key) is None
        assert told(user, key, ASKED) is None
        assert not is_listed(user, key)


def test_what_becomes_sensitive_has_no_digest_from_then_on(alice):
    key = alice.import_key("", KEY)
    assert told(alice, key)
    alice.do("SetAttribute", uid(key), structure("NewAttribute", flag("Sensitive", True)))
    assert told(alice, key) is None


@each_row("kind", SECRETS)
@each_row(
    ("rights", "is_told"),
    [
        (["get_attributes", "get_attribute_list"], False),
        (["get_attributes", "get_attribute_list", "encrypt", "decrypt", "sign", "mac"], False),
        (["get_attributes", "get_attribute_list", "derive_key", "locate", "rekey"], False),
        (["get_attributes", "get_attribute_list", "get"], True),
        (["get_attributes", "get_attribute_list", "export"], True),
    ],
    ids=lambda value: "-".join(value[2:]) if isinstance(value, list) else "",
)
def test_grantee_is_told_the_digest_where_they_may_read_the_key(alice, kms, kind, rights, is_told):
    key, bob = SECRETS[kind][0](alice), kms.user()
    alice.grant(key, bob, *rights)
    assert (told(bob, key) is not None) is is_told
    assert (told(bob, key, ASKED) is not None) is is_told
    assert is_listed(bob, key) is is_told
    if "export" in rights:
        assert exported(bob, key)


def test_export_of_a_sensitive_key_tells_no_digest(alice):
    key = alice.import_key("", KEY, flag("Sensitive", True))
    kek = alice.create(flag("Sensitive", True), mask=0x30)
    assert exported(alice, key, under(kek)) is None


def test_key_that_is_stored_wrapped_has_no_digest(alice):
    kek = alice.create()
    (wrapped,) = alice.do("Get", uid(alice.import_key("", KEY)), under(kek)).item["value"][2:]
    items = import_items("", KEY)[:4]
    key = alice.do("Import", *items, name("KeyWrapType", "AsRegistered"), wrapped).uid
    assert told(alice, key) is None
    assert alice.encrypt(key, b"x")


def test_secret_data_and_opaque_objects_have_no_digest(alice):
    secret = import_object(alice, "SecretData", "Raw", b"correct horse")
    assert told(alice, secret) is None


@pytest.mark.parametrize("kind", ["public", "certificate"])
def test_digest_of_what_is_public_is_told_until_it_is_destroyed(alice, kms, kind):
    if kind == "public":
        key = imported(alice)[1]
    else:
        key = alice.do(
            "Import",
            uid(""),
            name("ObjectType", "Certificate"),
            attributes(algorithm=None),
            structure(
                "Object",
                name("CertificateType", "X509"),
                octets("CertificateValue", certificate_der(rsa_key(2048))),
            ),
        ).uid
    bob = kms.user()
    alice.grant(key, bob, "get_attributes")
    digest = told(alice, key)
    assert told(bob, key) == digest
    searched = structure(
        "Digest", name("HashingAlgorithm", "SHA_256"), octets("DigestValue", bytes.fromhex(digest))
    )
    assert alice.locate(searched)[1]
    alice.revoke(key)
    alice.destroy(key)
    assert told(alice, key) is None
    assert not is_listed(alice, key)
    destroyed = name("State", "Destroyed")
    assert key not in alice.locate(searched, destroyed)[1]


@pytest.mark.parametrize("kind", SECRETS)
def test_destroyed_key_has_no_digest(alice, kind):
    key = SECRETS[kind][0](alice)
    alice.revoke(key)
    alice.destroy(key)
    assert told(alice, key) is None
    assert exported(alice, key) is None
    assert not is_listed(alice, key)


@pytest.mark.parametrize("kind", SECRETS)
def test_locate_compares_no_digest_of_a_secret(alice, kms, kind):
    make, octets_of_key = SECRETS[kind]
    key, bob = make(alice), kms.user()
    alice.grant(key, bob, "get", "get_attributes", "locate")
    digest = hashlib.sha256(octets_of_key).digest()
    value = structure("Digest", name("HashingAlgorithm", "SHA_256"), octets("DigestValue", digest))
    for user in (alice, bob):
        assert user.locate(value) == (0, [])


def stated_digest(octets_of_key, key_format="Raw", hashing="SHA_256"):
    value = hashlib.new(hashing.replace("_", "").lower(), octets_of_key).digest()
    return structure(
        "Digest",
        name("HashingAlgorithm", hashing),
        octets("DigestValue", value),
        name("KeyFormatType", key_format),
    )


@pytest.mark.parametrize("kind", SECRETS)
def test_right_digest_of_a_secret_is_taken_and_kept_nowhere(kms, alice, kind):
    """Not even one by another hash, which the server would not compute itself."""
    make, octets_of_key = SECRETS[kind]
    key_format = {"symmetric": "Raw", "private": "PKCS8"}[kind]
    for hashing in ("SHA_256", "SHA_512"):
        stated = stated_digest(octets_of_key, key_format, hashing)
        make(alice, stated)
        assert alice.locate(stated) == (0, [])
        value = stated["value"][1]["value"].lower().encode()
        for file in filter(Path.is_file, kms.data_dir.rglob("*")):
            held = file.read_bytes()
            assert value not in held
            assert bytes.fromhex(value.decode()) not in held


@pytest.mark.parametrize("kind", SECRETS)
def test_wrong_digest_is_refused(alice, kind):
    make, _ = SECRETS[kind]
    with pytest.raises(AssertionError, match="Digest is not that of the object"):
        make(alice, stated_digest(b"another key"))


def test_thousands_of_digests_cost_one_hash(monkeypatch):
    """On the event loop, of an object of up to 256 KiB."""
    hashed = []
    monkeypatch.setattr(
        digests, "compute_digest", lambda *args: hashed.append(args) or compute_digest(*args)
    )
    supplied = 3000 * (Digest(HashingAlgorithm.SHA_256, DIGEST, KeyFormatType.RAW),)
    checked = digests.select_true_digests(ObjectType.SYMMETRIC_KEY, KeyMaterial(KEY), KEY, supplied)
    assert (checked, len(hashed)) == (supplied, 1)


def test_right_digest_of_what_is_public_is_told_beside_the_server_s_own(alice):
    der = (
        rsa_key(2048)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    stated = stated_digest(der, "X509", "SHA_512")
    key = import_object(alice, "PublicKey", "X509", der, stated)
    assert key in alice.locate(stated)[1]
    (answer,) = alice.ask(batch_item("GetAttributes", uid(key)))
    found = [each for each in answer["ResponsePayload", "Attributes"] if each["tag"] == "Digest"]
    assert [each["value"][0]["value"] for each in found] == ["SHA_256", "SHA_512"]


def test_client_gives_no_digest_to_a_secret_that_is_there(alice):
    stated, key = stated_digest(KEY), alice.import_key("", KEY)
    for operation in ("AddAttribute", "SetAttribute"):
        line = alice.refused(operation, uid(key), structure("NewAttribute", stated))
        assert line.startswith("Attribute_Read_Only: ")


def test_attributes_that_are_wrapped_with_a_key_have_no_digest(alice):
    """The wrapping key's other users could learn it without a right to the wrapped key."""
    key, kek = alice.import_key("", KEY), alice.import_key("", bytes(32))
    specification = under(kek, encoding="TTLVEncoding")
    for attribute in ("Digest", "Cryptographic Length"):
        specification["value"].insert(2, text("AttributeName", attribute))
    (answer,) = alice.ask(batch_item("Get", uid(key), specification))
    wrapped = answer.octets("ResponsePayload", "SymmetricKey", "KeyBlock", "KeyValue")
    opened = keywrap.aes_key_unwrap_with_padding(bytes(32), wrapped)
    assert KEY in opened
    assert bytes.fromhex("42002A") in opened, "the length came along"
    assert bytes.fromhex("420034") not in opened
    assert DIGEST not in opened
