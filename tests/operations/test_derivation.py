"""DeriveKey (KMIP 2.1 §6.1): new objects from those that are there, and no way around their rights."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..kmip_items import attributes, batch_item, flag, name, number, octets, structure, text, uid
from ..rows import each_row
from .deriving import (
    DERIVE,
    KEY,
    a_key,
    a_secret,
    cryptographic,
    data,
    derived,
    wanted,
)


def ecb(key, value):
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(value)


# --- what comes out -----------------------------------------------------------------------------


@each_row(
    ("method", "given", "right"),
    [
        pytest.param(
            "HKDF",
            [octets("Salt", b"salt"), data(b"info")],
            HKDF(SHA256(), 32, b"salt", b"info").derive(KEY),
            id="HKDF",
        ),
        pytest.param(
            "HKDF",
            [cryptographic(hash="SHA_512")],
            HKDF(SHA512(), 32, None, None).derive(KEY),
            id="HKDF with nothing but a hash",
        ),
        pytest.param(
            "PBKDF2",
            [octets("Salt", b"NaCl"), number("IterationCount", 1000)],
            hashlib.pbkdf2_hmac("sha256", KEY, b"NaCl", 1000, 32),
            id="PBKDF2",
        ),
        pytest.param(
            "PBKDF2",
            [
                cryptographic(hash="SHA_1"),
                octets("Salt", b"NaCl"),
                number("IterationCount", 2),
            ],
            hashlib.pbkdf2_hmac("sha1", KEY, b"NaCl", 2, 32),
            id="PBKDF2 with SHA-1",
        ),
        pytest.param("HMAC", [data(b"x")], hmac.digest(KEY, b"x", "sha256"), id="HMAC"),
        pytest.param(
            "HMAC",
            [cryptographic(algorithm="HMACSHA512"), data(b"x")],
            hmac.digest(KEY, b"x", "sha512")[:32],
            id="HMAC that is named",
        ),
        pytest.param(
            "NIST800_108_C",
            [data(b"fixed")],
            hmac.digest(KEY, b"\0\0\0\1fixed", "sha256"),
            id="SP 800-108 in counter mode",
        ),
    ],
)
def test_derived_key_is_what_the_method_gives(alice, method, given, right):
    base = a_key(alice)
    assert alice.key_of(derived(alice, base, method=method, given=given)) == right
    more = [number("CryptographicUsageMask", 0x80)]
    secret = derived(alice, base, method=method, given=given, kind="SecretData", more=more)
    named = cryptographic(algorithm="HMACSHA256")
    found = alice.do("MAC", uid(secret), named, octets("Data", b"x"))
    assert found.octets("MACData") == hmac.digest(right, b"x", "sha256")


@pytest.mark.parametrize("bits", [128, 192, 256])
def test_derived_key_has_the_length_that_was_asked_for(alice, bits):
    made = derived(alice, a_key(alice), given=[data(b"x")], bits=bits)
    assert len(alice.key_of(made)) * 8 == bits
    sealed = alice.encrypt(made, b"pay 12 EUR")
    assert alice.decrypt(made, sealed) == b"pay 12 EUR"


def test_password_makes_a_key(alice):
    base = a_secret(alice, b"correct horse")
    given = [octets("Salt", b"salt" * 4), number("IterationCount", 10_000)]
    made = derived(alice, base, method="PBKDF2", given=given)
    right = hashlib.pbkdf2_hmac("sha256", b"correct horse", b"salt" * 4, 10_000, 32)
    assert alice.key_of(made) == right


def test_second_object_is_the_derivation_data(alice):
    base, secret = a_key(alice), a_secret(alice, b"context")
    made = derived(alice, base, secret)
    assert alice.key_of(made) == hmac.digest(KEY, b"context", "sha256")


def test_encryption_derives_where_the_policy_has_such_modes(alice, carol):
    given = [cryptographic(mode="ECB"), data(b"x" * 32)]
    made = derived(carol, a_key(carol), method="ENCRYPT", given=given)
    assert carol.key_of(made) == ecb(KEY, b"x" * 32)
    line = alice.refused("DeriveKey", *wanted(a_key(alice), method="ENCRYPT", given=given))
    assert line.startswith("Unsupported_Cryptographic_Parameters: AES-ECB: off")


@pytest.mark.parametrize("mode", ["GCM", "CTR"])
def test_encryption_with_a_nonce_derives_nothing(carol, mode):
    """Data of the client's choice under a nonce of its choice is the key stream of other messages."""
    given = [
        cryptographic(mode=mode),
        data(bytes(32)),
        octets("InitializationVector", bytes(12 if mode == "GCM" else 16)),
    ]
    line = carol.refused("DeriveKey", *wanted(a_key(carol), method="ENCRYPT", given=given))
    assert line.startswith("Invalid_Field: derivation by encryption takes")


def test_hash_derives_where_the_policy_has_it(alice, carol):
    made = derived(carol, a_key(carol), method="HASH")
    assert carol.key_of(made) == hashlib.sha256(KEY).digest()
    line = carol.refused("DeriveKey", *wanted(a_key(carol), method="HASH", given=[data(b"x")]))
    assert line.startswith("Invalid_Field: DerivationData means nothing")
    line = alice.refused("DeriveKey", *wanted(a_key(alice), method="HASH"))
    assert line.startswith("Unsupported_Cryptographic_Parameters: derivation by hash: off")


# --- the new object -----------------------------------------------------------------------------


def links(user, key):
    found = user.do("GetAttributes", uid(key))["Attributes"]
    held = next((each["value"] for each in found if each["tag"] == "Link"), [])
    return {
        tuple(field["value"] for field in each["value"])
        for each in (held if all(each["tag"] == "Link" for each in held) else [{"value": held}])
    }


def test_base_and_derived_object_are_linked(alice):
    base = a_key(alice)
    made = derived(alice, base, given=[data(b"x")])
    assert links(alice, made) == {("DerivationBaseObjectLink", base)}
    assert links(alice, base) == {("DerivedKeyLink", made)}


@pytest.mark.parametrize("asked", [None, False, True])
def test_derived_from_sensitive_is_sensitive(alice, asked):
    base = a_key(alice, KEY, DERIVE, flag("Sensitive", True))
    more = [] if asked is None else [flag("Sensitive", asked)]
    made = derived(alice, base, given=[data(b"x")], more=more)
    assert alice.refused("Get", uid(made)).startswith("Sensitive: ")
    again = derived(alice, a_key(alice), given=[data(b"x")])
    assert alice.key_of(again)


def test_derived_from_what_is_not_extractable_is_not_extractable(alice):
    base = a_key(alice, KEY, DERIVE, flag("Extractable", False))
    made = derived(alice, base, given=[data(b"x")], more=[flag("Extractable", True)])
    assert alice.refused("Get", uid(made)).startswith("Not_Extractable: ")


@pytest.mark.parametrize("flags", [("Sensitive", True), ("Extractable", False)])
@pytest.mark.parametrize("kind", ["key", "data"])
def test_nothing_short_is_derived_from_what_nobody_may_know(alice, kind, flags):
    """One byte is found with 256 MACs, the next one with as many: so all of what Get refuses."""
    more = [flag(*flags)]
    bases = [a_key(alice, KEY, DERIVE, *(more if kind == "key" else []))]
    given = [data(b"context")]
    if kind == "data":
        bases, given = [*bases, a_secret(alice, b"context", *more)], []
    for bits in (8, 104):
        how = {"method": "HKDF", "given": given, "kind": "SecretData", "bits": bits}
        line = alice.refused("DeriveKey", *wanted(*bases, **how))
        assert line.startswith(
            "Sensitive: what is derived from a Sensitive object, or is Sensitive"
        )
    assert derived(alice, *bases, method="HKDF", given=given, kind="SecretData", bits=112)
    open_base = a_key(alice)
    assert derived(alice, open_base, method="HKDF", kind="SecretData", bits=8)


def test_sensitive_data_makes_a_sensitive_key(alice):
    secret = a_secret(alice, b"context", flag("Sensitive", True))
    made = derived(alice, a_key(alice), secret)
    assert alice.refused("Get", uid(made)).startswith("Sensitive: ")


def test_granted_base_makes_an_object_of_the_callers(kms, alice):
    base, bob = a_key(alice), kms.user()
    alice.grant(base, bob, "derive_key")
    made = derived(bob, base, given=[data(b"x")])
    assert bob.key_of(made) == hmac.digest(KEY, b"x", "sha256")
    assert alice.refused("Get", uid(made)).startswith("Item_Not_Found: ")
    assert links(alice, base) == set(), "what others derive is none of the owner's attributes"


def test_message_derives_from_the_placeholder_and_leaves_the_new_one(alice):
    items = alice.ask(
        batch_item(
            "Create",
            name("ObjectType", "SymmetricKey"),
            attributes(
                {"tag": "ActivationDate", "type": "DateTime", "value": "2020-01-01T00:00:00+00:00"},
                bits=256,
                mask=DERIVE,
            ),
            item_id=b"1",
        ),
        batch_item("DeriveKey", *wanted(given=[data(b"x")]), item_id=b"2"),
        batch_item("Get", item_id=b"3"),
    )
    assert [each["ResultStatus"] for each in items] == ["Success"] * 3
    made = items[1]["ResponsePayload", "UniqueIdentifier"]
    assert items[2]["ResponsePayload", "UniqueIdentifier"] == made


# --- refusals -----------------------------------------------------------------------------------


@each_row(
    ("how", "words"),
    [
        pytest.param({"given": []}, "Missing_Data: DerivationData", id="HMAC of nothing"),
        pytest.param(
            {"method": "NIST800_108_C"}, "Missing_Data: DerivationData", id="800-108 of nothing"
        ),
        pytest.param(
            {"method": "PBKDF2", "given": [number("IterationCount", 1000)]},
            "Missing_Data: Salt",
            id="PBKDF2 without salt",
        ),
        pytest.param(
            {"method": "PBKDF2", "given": [octets("Salt", b"x")]},
            "Missing_Data: IterationCount",
            id="PBKDF2 without a count",
        ),
        *(
            pytest.param(
                {
                    "method": "PBKDF2",
                    "given": [octets("Salt", b"x"), number("IterationCount", count)],
                },
                "Invalid_Field: IterationCount",
                id=f"{count} iterations",
            )
            for count in (-1, 0, 4_000_001, 2**31 - 1)
        ),
        pytest.param(
            {
                "method": "PBKDF2",
                "given": [octets("Salt", b"x"), number("IterationCount", 4_000_000)],
                "kind": "SecretData",
                "bits": 8192,
            },
            "Invalid_Field: IterationCount is at most 125000",
            id="as many iterations for each of 32 blocks",
        ),
        pytest.param(
            {"given": [data(b"x")], "kind": "SecretData", "bits": 264},
            "Invalid_Field: this derivation gives 32 bytes",
            id="more than the hash has",
        ),
        pytest.param(
            {"method": "HKDF", "kind": "SecretData", "bits": 8200},
            "Invalid_Field: a derived object has 1 to 1024 bytes",
            id="more than anybody needs",
        ),
        pytest.param(
            {"method": "HKDF", "kind": "SecretData", "bits": 2**31 - 8},
            "Invalid_Field: a derived object has 1 to 1024 bytes",
            id="256 MiB",
        ),
        pytest.param(
            {"method": "HKDF", "kind": "SecretData", "bits": 0}, "Invalid_Field: ", id="nothing"
        ),
        pytest.param(
            {"method": "HKDF", "kind": "SecretData", "bits": -8}, "Invalid_Field: ", id="negative"
        ),
        pytest.param({"method": "HKDF", "bits": None}, "Missing_Data: ", id="no length"),
        pytest.param({"method": "HKDF", "bits": 129}, "Invalid_Field: ", id="half a byte"),
        pytest.param({"method": "HKDF", "bits": 64}, "Invalid_Attribute_Value: ", id="AES-64"),
        pytest.param(
            {"given": [data(b"x"), octets("Salt", b"x")]},
            "Invalid_Field: Salt means nothing",
            id="salt for HMAC",
        ),
        pytest.param(
            {"given": [cryptographic(hash="MD5"), data(b"x")]},
            "Unsupported_Cryptographic_Parameters: ",
            id="MD5",
        ),
        pytest.param(
            {"method": "HKDF", "given": [octets("Salt", bytes(65_537))]},
            "Invalid_Field: salt and derivation data",
            id="a salt of 64 KiB",
        ),
        *(
            pytest.param({"method": method}, "Feature_Not_Supported: ", id=method)
            for method in ("NIST800_108_F", "NIST800_108_DPI", "AsymmetricKey")
        ),
        pytest.param({"kind": "PublicKey"}, "Feature_Not_Supported: ", id="a public key"),
    ],
)
def test_derivation_that_makes_no_sense_is_refused(alice, how, words):
    base = a_key(alice)
    assert alice.refused("DeriveKey", *wanted(base, **how)).startswith(words)
    assert links(alice, base) == set()


@pytest.mark.parametrize("mask", [0, 0x4, 0x8, 0x1FF, 0x80])
def test_mask_must_have_the_bit(alice, mask):
    line = alice.refused("DeriveKey", *wanted(a_key(alice, KEY, mask), given=[data(b"x")]))
    assert line.startswith("Incompatible_Cryptographic_Usage_Mask: ")


def test_every_object_needs_a_right_of_its_own(kms, alice):
    bob = kms.user()
    ours, theirs = a_key(bob), a_secret(alice, b"context")
    absent = "0" * len(theirs)
    lines = [bob.refused("DeriveKey", *wanted(ours, each)) for each in (theirs, absent)]
    assert lines[0].replace(theirs, absent) == lines[1]
    alice.grant(theirs, bob, "get")
    assert bob.refused("DeriveKey", *wanted(ours, theirs)) == lines[0], "get does not cover it"
    alice.grant(theirs, bob, "derive_key")
    assert derived(bob, ours, theirs)


def test_key_that_is_no_longer_active_derives_nothing(alice):
    base = a_key(alice)
    alice.revoke(base)
    line = alice.refused("DeriveKey", *wanted(base, given=[data(b"x")]))
    assert line.startswith("Wrong_Key_Lifecycle_State: ")


def test_bases_must_be_two_different_objects_at_most(alice):
    one, two, three = a_key(alice), a_secret(alice, b"2"), a_secret(alice, b"3")
    for bases in ((one, one), (one, two, three), (one, a_key(alice, bytes(16)))):
        assert alice.refused("DeriveKey", *wanted(*bases)).startswith("Invalid_Field: ")
    line = alice.refused("DeriveKey", *wanted(one, two, given=[data(b"x")]))
    assert line == "Invalid_Field: DerivationData is given twice: by value and by object"
    assert alice.refused("DeriveKey", *wanted(given=[data(b"x")])).startswith("Missing_Data: ")


def test_derivation_counts_for_the_usage_limit(alice):
    limits = structure(
        "UsageLimits",
        {"tag": "UsageLimitsTotal", "type": "LongInteger", "value": "0x0000000000000002"},
        name("UsageLimitsUnit", "Object"),
    )
    base = a_key(alice, KEY, DERIVE, limits)
    for _ in range(2):
        assert derived(alice, base, given=[data(b"x")])
    line = alice.refused("DeriveKey", *wanted(base, given=[data(b"x")]))
    assert line.startswith("Permission_Denied: ")


def test_links_of_a_base_do_not_grow_for_ever(alice):
    base = a_key(alice)
    for _ in range(105):
        made = derived(alice, base, given=[data(b"x")], bits=128)
    assert len(links(alice, base)) == 100
    assert links(alice, made) == {("DerivationBaseObjectLink", base)}


def test_identifier_of_the_clients_choice_must_be_free(alice):
    base = a_key(alice)
    chosen = text("UniqueIdentifier", base)
    line = alice.refused("DeriveKey", *wanted(base, given=[data(b"x")], more=[chosen]))
    assert line.startswith("Object_Already_Exists: ")
