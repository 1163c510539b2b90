"""CKM_RSA_AES_KEY_WRAP (PKCS#11 v3.0 §2.1.21): the form in which cloud providers take a customer's keys.

An AES key that is used once wraps the key by RFC 5649, and RSA-OAEP encrypts that AES key. `openssl` and
`cryptography` stand for the provider.
"""

from __future__ import annotations

import os
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import padding

from kms_tornado.kmip.codecs import binary_codec

from ...keys import private_key, rsa_key
from ...kmip_items import batch_item, flag, name, number, octets, structure, uid
from ...rows import each_row
from ..new_objects import imported, pair

DER, PLAIN = s.Encoding.DER, s.NoEncryption()
WRAP, UNWRAP = 0x10, 0x20
RSA = rsa_key(2048)
LENGTH = 256  # of the RSA key's modulus, in bytes
HASHES = {"SHA1": hashes.SHA1(), "SHA256": hashes.SHA256(), "SHA384": hashes.SHA384()}
NO_ENCODING = name("EncodingOption", "NoEncoding")


def pkcs8(key):
    return key.private_bytes(DER, s.PrivateFormat.PKCS8, PLAIN)


#: Kind → object type, its KeyFormatType, its octets, its algorithm.
TARGETS = {
    "AES": ("SymmetricKey", "Raw", bytes(range(32)), "AES"),
    "AES of 128 bits": ("SymmetricKey", "Raw", bytes(range(16)), "AES"),
    "RSA": ("PrivateKey", "PKCS8", pkcs8(rsa_key(2048, "target")), "RSA"),
    "EC": ("PrivateKey", "PKCS8", pkcs8(private_key("ES256", "target")), "EC"),
    "secret": ("SecretData", "Raw", b"correct horse battery staple!", None),
    "secret of one byte": ("SecretData", "Raw", b"!", None),
}

#: What clients send → the hash of OAEP. Cosmian's own forms, new and old, and what leaves a part to the default.
FORMS = {
    "ckms": (["RSA", "None", "SHA256"], "SHA256"),
    "ckms, SHA-1": (["RSA", "None", "SHA1"], "SHA1"),
    "older ckms": (["AES", "OAEP", "SHA256"], "SHA256"),
    "older ckms, SHA-1": (["AES", "OAEP", "SHA1"], "SHA1"),
    "SHA-384": (["RSA", "None", "SHA384"], "SHA384"),
    "padding alone": ([None, "None", None], "SHA256"),
    "algorithm alone": (["AES", None, None], "SHA256"),
}


def wrapping_parameters(algorithm, padding_method, hashing, *more):
    stated = {
        "PaddingMethod": padding_method,
        "HashingAlgorithm": hashing,
        "CryptographicAlgorithm": algorithm,
    }
    given = [name(tag, value) for tag, value in stated.items() if value]
    return structure("CryptographicParameters", *given, *more)


def under(key, parameters, *more):
    return structure(
        "KeyWrappingSpecification",
        name("WrappingMethod", "Encrypt"),
        structure("EncryptionKeyInformation", uid(key), parameters),
        *more,
    )


def oaep(hashing, mask=None):
    return padding.OAEP(padding.MGF1(HASHES[mask or hashing]), HASHES[hashing], None)


def unwrap_by_library(wrapped, hashing, mask=None):
    ephemeral = RSA.decrypt(wrapped[:LENGTH], oaep(hashing, mask))
    assert len(ephemeral) == 32
    return keywrap.aes_key_unwrap_with_padding(ephemeral, wrapped[LENGTH:])


def wrap_by_library(target, hashing, mask=None, size=32):
    ephemeral = os.urandom(size)
    encrypted = RSA.public_key().encrypt(ephemeral, oaep(hashing, mask))
    return encrypted + keywrap.aes_key_wrap_with_padding(ephemeral, target)


def openssl(*arguments, data):
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, input=data, check=True, capture_output=True, timeout=60).stdout


def oaep_options(hashing):
    options = ("rsa_padding_mode:oaep", f"rsa_oaep_md:{hashing}", f"rsa_mgf1_md:{hashing}")
    return [part for option in options for part in ("-pkeyopt", option)]


def wrap_by_openssl(target, hashing, directory):
    path, ephemeral = directory / "public.der", os.urandom(32)
    path.write_bytes(RSA.public_key().public_bytes(DER, s.PublicFormat.SubjectPublicKeyInfo))
    encrypted = openssl("pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", path,
                        *oaep_options(hashing), data=ephemeral)  # fmt: skip
    return encrypted + openssl("enc", "-id-aes256-wrap-pad", "-iv", "A65959A6", "-K",
                               ephemeral.hex(), data=target)  # fmt: skip


def unwrap_by_openssl(wrapped, hashing, directory):
    path = directory / "private.der"
    path.write_bytes(pkcs8(RSA))
    ephemeral = openssl("pkeyutl", "-decrypt", "-keyform", "DER", "-inkey", path,
                        *oaep_options(hashing), data=wrapped[:LENGTH])  # fmt: skip
    return openssl("enc", "-d", "-id-aes256-wrap-pad", "-iv", "A65959A6", "-K",
                   ephemeral.hex(), data=wrapped[LENGTH:])  # fmt: skip


def import_items(kind, material, *wrapping):
    """What Import takes of a target. material: wrapped where there is KeyWrappingData."""
    object_type, key_format, _, algorithm = TARGETS[kind]
    block = structure(
        "KeyBlock",
        name("KeyFormatType", key_format),
        structure("KeyValue", structure("KeyMaterial", octets("ByteString", material))),
        *([name("CryptographicAlgorithm", algorithm)] if algorithm else []),
        *wrapping,
    )
    kind_of = [name("SecretDataType", "Password")] if object_type == "SecretData" else []
    wrap_type = [name("KeyWrapType", "NotWrapped")] if wrapping else []
    return [uid(""), name("ObjectType", object_type), *wrap_type, structure("Attributes"),
            structure("Object", *kind_of, block)]  # fmt: skip


def import_wrapped(user, kind, wrapped, key, parameters):
    data = structure(
        "KeyWrappingData",
        name("WrappingMethod", "Encrypt"),
        structure("EncryptionKeyInformation", uid(key), parameters),
        NO_ENCODING,
    )
    return user.do("Import", *import_items(kind, wrapped, data)).uid


def material_of(user, key, *more):
    (held,) = user.do("Get", uid(key), *more)["Object", "KeyBlock", "KeyValue", "KeyMaterial"]
    return bytes.fromhex(held["value"])


def wrapped_by(user, kind, parameters, *more):
    """The target, imported and then given out under the public RSA key."""
    _, public = imported(user)
    target = user.do("Import", *import_items(kind, TARGETS[kind][2])).uid
    return material_of(user, target, under(public, parameters, NO_ENCODING), *more)


# --- out ----------------------------------------------------------------------------------------


@each_row("form", FORMS)
def test_key_leaves_in_the_form_that_clients_ask_for(alice, form):
    stated, hashing = FORMS[form]
    wrapped = wrapped_by(alice, "AES", wrapping_parameters(*stated))
    assert unwrap_by_library(wrapped, hashing) == TARGETS["AES"][2]


@pytest.mark.parametrize("kind", TARGETS)
def test_openssl_unwraps_what_the_server_wrapped(alice, kind, tmp_path):
    wrapped = wrapped_by(alice, kind, wrapping_parameters("RSA", "None", "SHA256"))
    assert unwrap_by_openssl(wrapped, "sha256", tmp_path) == TARGETS[kind][2]


def test_mask_may_have_another_hash(alice):
    mask = name("MaskGeneratorHashingAlgorithm", "SHA1")
    wrapped = wrapped_by(alice, "RSA", wrapping_parameters("RSA", "None", "SHA256", mask))
    assert unwrap_by_library(wrapped, "SHA256", "SHA1") == TARGETS["RSA"][2]


def test_each_key_is_wrapped_by_an_aes_key_of_its_own(alice):
    parameters = wrapping_parameters("RSA", "None", "SHA256")
    first, second = (wrapped_by(alice, "AES", parameters) for _ in range(2))
    assert first[LENGTH:] != second[LENGTH:]


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        pytest.param(["AES", "PKCS1v15", None], "Unsupported", id="AES under PKCS#1 v1.5"),
        pytest.param(["ChaCha20", "None", None], "Unsupported", id="another algorithm"),
        pytest.param(["RSA", "PKCS5", None], "Unsupported", id="a padding of block ciphers"),
        pytest.param(["RSA", "None", "MD5"], "Unsupported", id="MD5"),
    ],
)
def test_what_is_no_such_form_is_refused(alice, stated, reason):
    _, public = imported(alice)
    target = alice.do("Import", *import_items("AES", TARGETS["AES"][2])).uid
    line = alice.refused("Get", uid(target), under(public, wrapping_parameters(*stated)))
    assert line.startswith(reason)


def test_aes_gcm_under_an_rsa_key_stays_refused(alice):
    _, public = imported(alice)
    target = alice.do("Import", *import_items("AES", TARGETS["AES"][2])).uid
    mode = name("BlockCipherMode", "GCM")
    line = alice.refused(
        "Get", uid(target), under(public, wrapping_parameters("AES", None, None, mode))
    )
    assert line.startswith("Unsupported")


# --- in -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TARGETS)
def test_key_that_openssl_wrapped_comes_in(alice, kind, tmp_path):
    private, _ = imported(alice)
    wrapped = wrap_by_openssl(TARGETS[kind][2], "sha256", tmp_path)
    parameters = wrapping_parameters("RSA", "None", "SHA256")
    key = import_wrapped(alice, kind, wrapped, private, parameters)
    assert material_of(alice, key) == TARGETS[kind][2]


@each_row("form", FORMS)
def test_every_form_that_leaves_comes_in(alice, form):
    stated, hashing = FORMS[form]
    private, _ = imported(alice)
    wrapped = wrap_by_library(TARGETS["EC"][2], hashing)
    key = import_wrapped(alice, "EC", wrapped, private, wrapping_parameters(*stated))
    assert material_of(alice, key) == TARGETS["EC"][2]


@pytest.mark.parametrize("size", [16, 24])
def test_shorter_aes_key_of_another_program_is_taken(alice, size):
    private, _ = imported(alice)
    wrapped = wrap_by_library(TARGETS["AES"][2], "SHA1", size=size)
    key = import_wrapped(alice, "AES", wrapped, private, wrapping_parameters("RSA", "None", "SHA1"))
    assert material_of(alice, key) == TARGETS["AES"][2]


def test_every_fault_of_the_octets_is_the_same_refusal(alice):
    private, _ = imported(alice)
    good = wrap_by_library(TARGETS["AES"][2], "SHA256")
    short = RSA.public_key().encrypt(bytes(8), oaep("SHA256")) + good[LENGTH:]
    lines = set()
    for bad in (
        b"", good[:-1], good[:-8], good[:LENGTH], good[LENGTH:], good + bytes(8), short,
        bytes(len(good)), bytes((good[0] ^ 1,)) + good[1:], good[:-1] + bytes((good[-1] ^ 1,)),
        wrap_by_library(TARGETS["AES"][2], "SHA1"), good[:LENGTH] + bytes(range(40)),
    ):  # fmt: skip
        data = structure(
            "KeyWrappingData",
            name("WrappingMethod", "Encrypt"),
            structure(
                "EncryptionKeyInformation", uid(private), wrapping_parameters("RSA", "None", None)
            ),
            NO_ENCODING,
        )
        lines.add(alice.refused("Import", *import_items("AES", bad, data)))
    assert lines == {"Cryptographic_Failure: unwrapping failed"}


@pytest.mark.parametrize("operation", ["Import", "Register"])
def test_what_left_in_a_message_comes_back_in_one_as_it_says_itself(alice, operation):
    """Register keeps the key wrapped: it is unwrapped by each use."""
    private, public = imported(alice)
    target = alice.do("Import", *import_items("RSA", TARGETS["RSA"][2])).uid
    parameters = wrapping_parameters("RSA", "None", "SHA256")
    (got,) = alice.ask(batch_item("Get", uid(target), under(public, parameters)))
    held = structure("PrivateKey", *got["ResponsePayload", "PrivateKey"])
    information = next(each["value"] for each in held["value"][0]["value"]
                       if each["tag"] == "KeyWrappingData")[1]  # fmt: skip
    information["value"][0] = uid(private)
    first = [uid("")] if operation == "Import" else []
    unwraps = name("KeyWrapType", "NotWrapped")
    (made,) = alice.ask(
        batch_item(operation, *first, name("ObjectType", "PrivateKey"),
                   *([unwraps] if operation == "Import" else []),
                   structure("Attributes", name("CryptographicAlgorithm", "RSA")), held)
    )  # fmt: skip
    assert made["ResultStatus"] == "Success", made.item
    again = made["ResponsePayload", "UniqueIdentifier"]
    assert material_of(alice, again, unwraps) == TARGETS["RSA"][2]


# --- Sensitive keys -----------------------------------------------------------------------------


def sensitive_pair(user):
    private = structure("PrivateKeyAttributes", flag("Sensitive", True),
                        number("CryptographicUsageMask", UNWRAP))  # fmt: skip
    public = structure("PublicKeyAttributes", number("CryptographicUsageMask", WRAP))
    made = user.do(
        "CreateKeyPair",
        structure("CommonAttributes", name("CryptographicAlgorithm", "RSA"),
                  number("CryptographicLength", 2048)),
        private, public,
    )  # fmt: skip
    return made["PrivateKeyUniqueIdentifier"], made["PublicKeyUniqueIdentifier"]


PARAMETERS = wrapping_parameters("RSA", "None", "SHA256")


def test_sensitive_key_leaves_under_a_key_of_its_owner_alone_and_comes_back_with_its_rights(
    alice, bob
):
    """The rights take more room than RSA alone has: a key of 2048 bits does here."""
    private, public = sensitive_pair(alice)
    key = alice.create(flag("Sensitive", True), mask=4)
    (got,) = alice.ask(batch_item("Get", uid(key), under(public, PARAMETERS)))
    assert got["ResultStatus"] == "Success", got.item
    held = structure("SymmetricKey", *got["ResponsePayload", "SymmetricKey"])
    asked = batch_item("Import", uid(""), name("ObjectType", "SymmetricKey"),
                       name("KeyWrapType", "NotWrapped"),
                       structure("Attributes", number("CryptographicUsageMask", 12)), held)  # fmt: skip
    (made,) = alice.ask(asked)
    assert made["ResultStatus"] == "Success", made.item
    again = made["ResponsePayload", "UniqueIdentifier"]
    assert alice.refused("Get", uid(again)).startswith("Sensitive: ")
    assert alice.do("GetAttributes", uid(again))["Attributes", "CryptographicUsageMask"] == 4
    for half in (private, public):
        alice.grant(half, bob, "decrypt")
    (refused,) = bob.ask(asked)
    assert refused["ResultReason"] == "PermissionDenied"


@pytest.mark.parametrize("whose", ["imported by alice", "not sensitive", "bob's"])
def test_sensitive_key_does_not_leave_under_a_key_that_somebody_may_know(alice, bob, whose):
    if whose == "imported by alice":
        _, public = imported(alice)
    elif whose == "not sensitive":
        _, public = pair(alice, "RSA", number("CryptographicLength", 2048))
    else:
        _, public = sensitive_pair(bob)
        bob.grant(public, alice, "encrypt")
    key = alice.create(flag("Sensitive", True), mask=4)
    assert alice.refused("Get", uid(key), under(public, PARAMETERS)).startswith("Sensitive: ")


def test_sensitive_key_is_not_wrapped_bare(alice):
    _, public = sensitive_pair(alice)
    key = alice.create(flag("Sensitive", True), mask=4)
    line = alice.refused("Get", uid(key), under(public, PARAMETERS, NO_ENCODING))
    assert line.startswith("Sensitive: ")


def test_key_is_wrapped_in_ttlv_unless_told_otherwise_in_a_message(alice):
    _, public = imported(alice)
    target = alice.do("Import", *import_items("AES", TARGETS["AES"][2])).uid
    (got,) = alice.ask(batch_item("Get", uid(target), under(public, PARAMETERS)))
    block = {
        each["tag"]: each["value"] for each in got["ResponsePayload", "SymmetricKey", "KeyBlock"]
    }
    value = binary_codec.parse(unwrap_by_library(bytes.fromhex(block["KeyValue"]), "SHA256"))
    assert [(each.tag, each.value) for each in value.value] == [("KeyMaterial", TARGETS["AES"][2])]
