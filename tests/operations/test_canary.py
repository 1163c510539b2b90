"""After a whole life cycle: no key, plaintext or token in an error, a log or a file."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ..kmip_items import (
    attributes,
    flag,
    import_items,
    name,
    number,
    octets,
    structure,
    tagged,
    text,
    uid,
    vendor,
)
from ..kms import KMS, two_issuers
from ..leaks import spellings
from ..rows import each_row
from .new_objects import import_object, object_items

KEY, OTHER, PLAIN = os.urandom(32), os.urandom(32), os.urandom(40)
PASSWORD = base64.b64encode(os.urandom(24))
PAIR = ec.generate_private_key(ec.SECP256R1())
SCALAR = PAIR.private_numbers().private_value
PKCS8 = PAIR.private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


@pytest.fixture(scope="module", params=["text", "json"])
def after(request, tmp_path_factory):
    """(secret name → its bytes, place → what lies there)."""
    directory = tmp_path_factory.mktemp("canary")
    found = {}
    errors = []
    with two_issuers() as issuers:
        kms = KMS(directory, *issuers, options=["--log-format", request.param])
        with kms:
            alice, bob = kms.user("alice"), kms.user("bob")
            alice.import_key("k", KEY, tagged("t"), number("CryptographicUsageMask", 0x200000))
            made = alice.create()
            generated = alice.key_of(made)
            sealed = alice.encrypt("k", PLAIN)
            assert alice.decrypt("k", sealed) == PLAIN
            alice.key_of("k")
            for key in ("k", made):
                assert alice.do("GetAttributes", uid(key)).get("Attributes", "Digest")
            derived = alice.do("DeriveKey", *derivation("k")).uid
            derived_key = alice.key_of(derived)
            for operation in ("Encrypt", "MAC", "Hash"):
                for request_ in used(operation):
                    assert alice.send(request_).status == 200
            private = import_object(alice, "PrivateKey", "PKCS8", PKCS8)
            alice.do("Sign", uid(private), octets("Data", PLAIN))
            alice.do("Get", uid(private), name("KeyFormatType", "TransparentECPrivateKey"))
            import_object(alice, "SecretData", "Raw", PASSWORD)
            for user in (alice, bob):
                for request_ in (*hostile(sealed), *hostile_keys(private)):
                    errors.append(user.send(request_).body)
            alice.import_key("k", OTHER, replace=True)
            alice.revoke("k")
            found["files, while the key is there"] = files(kms)
            alice.destroy("k")
            alice.revoke(made)
            alice.destroy(made, remove=True)
            broken = kms.user()
            broken.token += "x"
            errors.append(broken.send(structure("Get", uid("k"))).body)
        found["files"] = files(kms)
        found["log"] = kms.log.encode("utf-8", "surrogateescape")
        found["errors"] = b"\n".join(errors)
        tokens = [alice.token, bob.token, broken.token]
    secrets = {
        "imported": KEY,
        "replaced": OTHER,
        "generated": generated,
        "derived": derived_key,
        "plaintext": PLAIN,
        "password": PASSWORD,
        "digest": hashlib.sha256(KEY).digest(),
        "digest of the generated": hashlib.sha256(generated).digest(),
        "digest of the private key": hashlib.sha256(PKCS8).digest(),
        "private key": SCALAR.to_bytes(32, "big"),
        "private key in decimal": str(SCALAR).encode(),
    }
    return secrets, tokens, found


def files(kms):
    held = [
        path.read_bytes()
        for path in sorted(kms.data_dir.rglob("*"))
        if path.is_file() and path.name != "master.key"
    ]
    assert held
    return b"\n".join(held)


def used(operation):
    """The operation on PLAIN, whole and as a part that stays the only one."""
    named = name("CryptographicAlgorithm", "HMACSHA256") if operation == "MAC" else None
    named = name("HashingAlgorithm", "SHA_256") if operation == "Hash" else named
    items = [octets("Data", PLAIN)]
    items += [] if operation == "Hash" else [uid("k")]
    items += [structure("CryptographicParameters", named)] if named else []
    yield structure(operation, *items)
    yield structure(operation, *items, flag("InitIndicator", True))


def derivation(base, **changes):
    return [
        uid(base),
        name("ObjectType", "SymmetricKey"),
        name("DerivationMethod", changes.get("method", "HMAC")),
        structure("DerivationParameters", octets("DerivationData", PLAIN)),
        attributes(bits=256),
    ]


def hostile(sealed):
    """Requests with secrets in them that are refused."""
    yield structure("Import", *import_items("k", KEY))
    yield structure("Import", *import_items("[k", KEY))
    yield structure("Import", *import_items("k2", KEY + b"x"))
    yield structure("Import", *import_items("k2", KEY, algorithm="RSA"))
    yield structure(
        "Import", *import_items("k2", KEY, structure("VendorAttributes", vendor("tag", KEY)))
    )
    yield structure("Encrypt", uid("k"), octets("Data", PLAIN), flag("InitIndicator", True))
    yield structure(
        "Encrypt", uid("k"), octets("Data", PLAIN), octets("IvCounterNonce", KEY + KEY + b"x")
    )
    yield structure("Encrypt", uid("k"), octets("Data", PLAIN), octets("NoSuchTag", KEY))
    yield structure("Encrypt", uid("k"), text("Data", PLAIN.hex()))
    yield structure(
        "Encrypt", uid("k"), {"tag": "Data", "type": "ByteString", "value": PLAIN.hex()[1:]}
    )
    yield structure("Encrypt", uid("k"), name("Data", KEY.hex().upper()))
    yield structure("Decrypt", uid("k"), *sealed.items(tag=KEY[:16]))
    yield structure("Decrypt", uid("k"), *sealed.items(iv=None, aad=PLAIN))
    yield structure("MAC", uid("k"), octets("Data", PLAIN), octets("CorrelationValue", KEY))
    yield structure("MACVerify", uid("k"), octets("Data", PLAIN), text("MACData", KEY.hex()))
    yield structure("Hash", octets("Data", PLAIN), text("CorrelationValue", PLAIN.hex()))
    yield structure("RNGSeed", text("Data", PLAIN.hex()))
    yield structure("DeriveKey", *derivation("k", method="HASH"))
    yield structure("DeriveKey", *derivation("k", method="NIST800_108_F"))
    yield structure("Create", attributes(octets("CryptographicLength", KEY)))
    yield b'{"tag": "Encrypt", "type": "Structure", "value": [' + KEY.hex().encode()
    yield b'{"tag": "Data", "type": "ByteString", "value": "' + KEY.hex().encode() + b'"}'


def hostile_keys(private):
    """The same of private keys and secret data."""
    for object_type, key_format, material in [
        ("PrivateKey", "PKCS8", PKCS8 + b"x"),
        ("PrivateKey", "PKCS8", PKCS8[:-1]),
        ("PrivateKey", "PKCS1", PKCS8),
        ("PrivateKey", "Raw", PKCS8),
        ("PublicKey", "X509", PKCS8),
        ("PrivateKey", "TransparentECPrivateKey", PKCS8),
        ("SecretData", "PKCS8", PASSWORD),
        ("OpaqueObject", "Raw", PASSWORD),
    ]:
        yield structure("Import", *object_items(object_type, key_format, material))
    halves = PKCS8.replace(PKCS8[36:40], PKCS8[37:41])
    yield structure("Import", *object_items("PrivateKey", "PKCS8", halves))
    yield structure("Sign", uid(private), octets("DigestedData", KEY + b"x"))
    yield structure("Sign", uid(private), octets("Data", PLAIN), name("PaddingMethod", "PSS"))
    yield structure("Decrypt", uid(private), octets("Data", PLAIN))
    yield structure("SignatureVerify", uid(private), octets("Data", PLAIN))
    yield structure("Get", uid(private), name("KeyFormatType", "PKCS1"))


@each_row(
    "secret",
    [
        "imported", "replaced", "generated", "derived", "plaintext", "password", "digest",
        "digest of the generated", "digest of the private key", "private key", "private key in decimal",
    ],
)  # fmt: skip
@each_row("place", ["files, while the key is there", "files", "log", "errors"])
def test_secret_is_in_no_place_in_any_spelling(after, secret, place):
    secrets, _, found = after
    haystack = found[place]
    assert haystack
    for spelling in spellings(secrets[secret]):
        assert len(spelling) >= 32
        assert spelling not in haystack


@pytest.mark.parametrize("place", ["files", "log", "errors"])
def test_token_is_in_no_place_nor_any_part_of_it(after, place):
    _, tokens, found = after
    for token in tokens:
        for part in token.split("."):
            assert part.encode() not in found[place]
            assert part[-40:].encode() not in found[place]


def test_search_finds_what_is_there():
    """The twin: the search itself works."""
    for position in range(3):
        around = bytes(position) + KEY + b"end"
        assert any(each in base64.b64encode(around) for each in spellings(KEY))
    assert spellings(KEY)[1] in KEY.hex().encode()
