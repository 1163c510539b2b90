"""--crypto-policy through the operations: what conservative refuses, permissive does."""

from __future__ import annotations

import pytest

from ..kmip_items import attributes, batch_item, name, number, octets, structure, uid
from ..rows import each_row

DATA = bytes(range(64))


def parameters(mode=None, padding=None, tag=None):
    held = [
        mode and name("BlockCipherMode", mode),
        padding and name("PaddingMethod", padding),
        tag and number("TagLength", tag),
    ]
    return structure("CryptographicParameters", *(each for each in held if each))


#: What is off → the algorithm, the parameters, and the caller's IV, if it is that which is refused.
REFUSED = {
    "AES-CBC": ("AES", {"mode": "CBC"}, None),
    "AES-CTR": ("AES", {"mode": "CTR"}, None),
    "AES-ECB": ("AES", {"mode": "ECB", "padding": "PKCS5"}, None),
    "ChaCha20 without Poly1305": ("ChaCha20", {}, bytes(8)),
    "an authentication tag under 16 bytes": ("AES", {"mode": "GCM", "tag": 12}, None),
    "a GCM nonce under 12 bytes": ("AES", {"mode": "GCM"}, bytes(8)),
}


@each_row("operation", ["Encrypt", "Decrypt"])
@each_row("technique", REFUSED)
def test_conservative_refuses_it_in_both_directions(alice, operation, technique):
    algorithm, how, iv = REFUSED[technique]
    key = alice.create(algorithm=algorithm)
    ivs = [octets("IvCounterNonce", iv)] if iv else []
    line = alice.refused(operation, uid(key), octets("Data", DATA), parameters(**how), *ivs)
    assert line.startswith(f"Unsupported_Cryptographic_Parameters: {technique}: off, as it ")
    assert line.endswith(
        "(--crypto-policy permissive allows it; on the KMIP port alone, --kmip-crypto-policy permissive)"
    )


@pytest.mark.parametrize("technique", REFUSED)
def test_permissive_does_it(carol, technique):
    algorithm, how, iv = REFUSED[technique]
    key = carol.create(algorithm=algorithm)
    ivs = [octets("IvCounterNonce", iv)] if iv else []
    found = carol.do("Encrypt", uid(key), octets("Data", DATA), parameters(**how), *ivs)
    items = [
        octets(tag, found.octets(tag))
        for tag in ("IvCounterNonce", "AuthenticatedEncryptionTag")
        if found.get(tag) is not None
    ]
    again = carol.do("Decrypt", uid(key), found_data(found), parameters(**how), *items)
    assert again.octets("Data") == DATA


def found_data(found):
    return octets("Data", found.octets("Data"))


def test_3des_key_is_made_under_permissive_alone(alice, carol):
    assert carol.create(algorithm="THREE_DES", bits=168)
    items = [name("CryptographicAlgorithm", "THREE_DES"), number("CryptographicLength", 168)]
    line = alice.refused(
        "Create", name("ObjectType", "SymmetricKey"), structure("Attributes", *items)
    )
    assert line.startswith("Unsupported_Cryptographic_Parameters: 3DES keys: off")


@pytest.mark.parametrize("bits", [168, 192])
def test_3des_key_is_derived_whole_whether_its_parity_is_counted(carol, bits):
    base = carol.create(mask=0x200)
    derived = carol.do(
        "DeriveKey",
        name("ObjectType", "SymmetricKey"),
        uid(base),
        name("DerivationMethod", "HKDF"),
        structure("DerivationParameters", octets("DerivationData", b"label")),
        attributes(algorithm="3DES", bits=bits),
    ).uid
    assert len(carol.key_of(derived)) == 24
    told = carol.do("GetAttributes", uid(derived))
    assert told["Attributes", "CryptographicLength"] == bits


def test_parameters_of_the_key_are_under_the_policy_too(alice):
    """A client may say at Create how its key is to be used; that overrules nothing."""
    key = alice.create(parameters(mode="CBC", padding="PKCS5"))
    line = alice.refused("Encrypt", uid(key), octets("Data", DATA))
    assert line.startswith("Unsupported_Cryptographic_Parameters: AES-CBC: off")
    line = alice.refused("Encrypt", uid(key), octets("Data", DATA), parameters(mode="GCM"))
    assert line.startswith("Bad_Cryptographic_Parameters: ")


def test_first_part_of_a_stream_is_under_the_policy(alice):
    key = alice.create()
    items = [{"tag": "InitIndicator", "type": "Boolean", "value": True}, parameters(mode="CBC")]
    line = alice.refused("Encrypt", uid(key), octets("Data", DATA), *items)
    assert line.startswith("Unsupported_Cryptographic_Parameters: AES-CBC: off")


# --- under permissive ---------------------------------------------------------------------------


def test_every_fault_of_padding_reads_alike(carol):
    """Whether it is one still shows: so the mode is off by default."""
    key = carol.create()
    bare, padded = parameters(mode="CBC"), parameters(mode="CBC", padding="PKCS5")
    iv = octets("IvCounterNonce", bytes(16))
    lines = set()
    for end in (b"\0", b"\x11", b"\x02\x03", b"\xff" * 16, b"\x10" * 15 + b"\x11"):
        block = end.rjust(16, b"x")
        found = carol.do("Encrypt", uid(key), octets("Data", block), bare, iv)
        lines.add(carol.refused("Decrypt", uid(key), found_data(found), padded, iv))
    for data in (b"", b"x", bytes(15), bytes(17)):
        lines.add(carol.refused("Decrypt", uid(key), octets("Data", data), padded, iv))
    assert lines == {"Cryptographic_Failure: decryption failed"}


def test_message_without_an_iv_has_the_reason_of_the_oasis_cases(carol):
    key = carol.create()
    item = batch_item("Decrypt", uid(key), octets("Data", bytes(16)), parameters(mode="CBC"))
    (answer,) = carol.ask(item)
    assert answer["ResultReason"] == "InvalidMessage"
    line = carol.refused("Decrypt", uid(key), octets("Data", bytes(16)), parameters(mode="CBC"))
    assert line.startswith("Missing_Initialization_Vector: ")


def test_iv_is_told_to_a_message_where_the_server_made_it(carol):
    given = octets("IVCounterNonce", b"nonce of 12.")
    one, two = carol.ask(
        batch_item("Encrypt", uid(carol.create()), octets("Data", DATA), given, item_id=b"1"),
        batch_item("Encrypt", uid(carol.create()), octets("Data", DATA), item_id=b"2"),
    )
    assert one.get("ResponsePayload", "IVCounterNonce") is None
    assert len(two.octets("ResponsePayload", "IVCounterNonce")) == 12


def test_caller_who_insists_on_bringing_the_iv_must_bring_it(alice):
    key = alice.create()
    insists = structure(
        "CryptographicParameters", {"tag": "RandomIv", "type": "Boolean", "value": False}
    )
    line = alice.refused("Encrypt", uid(key), octets("Data", DATA), insists)
    assert line.startswith("Missing_Initialization_Vector: ")
    assert alice.encrypt(key, DATA, insists, octets("IvCounterNonce", b"nonce of 12.")).iv


def test_additional_data_that_nothing_authenticates_is_refused(carol):
    key = carol.create()
    aad = octets("AuthenticatedEncryptionAdditionalData", b"a")
    line = carol.refused("Encrypt", uid(key), octets("Data", DATA), parameters(mode="CTR"), aad)
    assert line == "Invalid_Field: additional data needs an authenticated mode"


@pytest.mark.parametrize("mode", ["CBC", "ECB"])
def test_data_that_needs_padding_is_refused_without_it(carol, mode):
    key = carol.create()
    line = carol.refused("Encrypt", uid(key), octets("Data", b"x" * 17), parameters(mode=mode))
    assert line.startswith("Invalid_Field: without padding (PaddingMethod PKCS5)")


def test_key_wrapping_is_no_encryption(carol):
    """Else Decrypt would unwrap what only UnwrapKey, and the rules of Sensitive keys, may."""
    key = carol.create()
    for mode in ("NISTKeyWrap", "AESKeyWrapPadding"):
        for operation in ("Encrypt", "Decrypt"):
            line = carol.refused(operation, uid(key), octets("Data", DATA), parameters(mode=mode))
            assert "is not offered" in line
