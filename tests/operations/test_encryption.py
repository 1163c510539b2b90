"""Encrypt and Decrypt (docs/dialects.md, "Ciphers"): one authenticated cipher a key, and nothing around it."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from ..kmip_items import attributes, batch_item, flag, name, number, octets, structure, text, uid
from ..rows import each_row

PLAIN = b"pay 12 EUR"


def parameters(*items):
    return structure("CryptographicParameters", *items)


def aad(value):
    return octets("AuthenticatedEncryptionAdditionalData", value)


@pytest.fixture(params=["AES", "ChaCha20"])
def key(request, alice):
    return alice.create(algorithm=request.param)


# --- tags of other lengths ----------------------------------------------------------------------


@each_row("length", [-1, 0, 1, 3, 4, 8, 11, 17, 32, 2**31 - 1])
@each_row("operation", ["Encrypt", "Decrypt"])
def test_tag_of_a_length_that_is_not_offered_is_a_bad_parameter(alice, key, operation, length):
    sealed = alice.encrypt(key, PLAIN)
    stated = parameters(number("TagLength", length))
    held = [octets("Data", PLAIN)] if operation == "Encrypt" else sealed.items()
    line = alice.refused(operation, uid(key), stated, *held)
    assert line.startswith("Bad_Cryptographic_Parameters: the tag has 12 to 16 bytes")
    # In a message, the profile cases want General Failure for what no cipher has (CS-BC-M-GCM-1).
    (answer,) = alice.ask(batch_item(operation, uid(key), stated, *held))
    is_possible = 4 <= length <= 16
    reason = "BadCryptographicParameters" if is_possible else "GeneralFailure"
    assert answer["ResultReason"] == reason
    assert alice.decrypt(key, sealed) == PLAIN


# --- what comes out -----------------------------------------------------------------------------


def test_fixed_vector_of_the_wire_reference(alice):
    vector = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0")
    wanted = alice.import_key(f"billing-1-{alice.token[-16:]}", vector)
    iv = octets("IvCounterNonce", bytes(range(0x10, 0x1C)))
    sealed = alice.encrypt(wanted, PLAIN, iv, aad(b"invoice 7"))
    assert sealed.data.hex().upper() == "F71CC780D0693E6AFC82"
    assert sealed.iv == bytes(range(0x10, 0x1C))
    assert sealed.tag.hex().upper() == "995BA3203588121ABF88DAEE23440E1E"
    assert alice.decrypt(wanted, sealed, aad=b"invoice 7") == PLAIN


@each_row(("algorithm", "cipher"), [("AES", AESGCM), ("ChaCha20", ChaCha20Poly1305)])
@each_row("data", [b"", b"x", PLAIN, bytes(1000)], ids=len)
def test_anybody_with_the_key_reads_what_was_encrypted(alice, algorithm, cipher, data):
    wanted = alice.create(algorithm=algorithm)
    sealed = alice.encrypt(wanted, data, aad(b"a"))
    assert (len(sealed.data), len(sealed.iv), len(sealed.tag)) == (len(data), 12, 16)
    key = alice.key_of(wanted)
    assert cipher(key).decrypt(sealed.iv, sealed.data + sealed.tag, b"a") == data


def test_every_encryption_has_an_iv_of_its_own(alice, key):
    found = [alice.encrypt(key, PLAIN) for _ in range(30)]
    assert len({sealed.iv for sealed in found}) == 30
    assert len({sealed.data for sealed in found}) == 30


@each_row(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x87\x87", id="bulk magic of Cosmian alone"),
        pytest.param(b"\x87\x87\x02\x01a\x01b", id="a bulk list of Cosmian"),
        pytest.param(bytes(range(256)), id="every byte"),
        pytest.param(b"x" * 3_000_000, id="3 MB"),
    ],
)
def test_data_comes_back_as_it_was(alice, key, data):
    sealed = alice.encrypt(key, data)
    assert len(sealed.data) == len(data)
    assert alice.decrypt(key, sealed) == data


@pytest.mark.parametrize("spelling", ["IvCounterNonce", "IVCounterNonce"])
def test_either_spelling_of_the_iv_is_read_and_one_is_written(alice, key, spelling):
    sealed = alice.encrypt(key, PLAIN, octets(spelling, b"i" * 12))
    assert sealed.iv == b"i" * 12
    items = [octets(spelling, sealed.iv), *sealed.items(iv=None)]
    assert alice.do("Decrypt", uid(key), *items).octets("Data") == PLAIN


def test_no_additional_data_is_empty_additional_data(alice, key):
    sealed = alice.encrypt(key, PLAIN)
    assert alice.decrypt(key, sealed, aad=b"") == PLAIN


def test_longer_iv_is_legal_for_gcm_and_not_for_chacha20(alice, carol):
    """By the policy `permissive`; `conservative` takes 12 bytes only."""
    iv = octets("IvCounterNonce", bytes(16))
    sealed = carol.encrypt(aes := carol.create(), PLAIN, iv)
    assert carol.decrypt(aes, sealed) == PLAIN
    line = alice.refused("Encrypt", uid(alice.create()), octets("Data", b""), iv)
    assert line.startswith("Unsupported_Cryptographic_Parameters: a GCM nonce over 12 bytes")
    for user in (alice, carol):
        chacha = user.create(algorithm="ChaCha20")
        line = user.refused("Encrypt", uid(chacha), octets("Data", b""), iv)
        assert line == "Invalid_Field: the IV has 12 bytes"


# --- decryption is refused ----------------------------------------------------------------------


def flipped(data: bytes, position: int = 0) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


@each_row(
    "change",
    [
        *(
            pytest.param(lambda s, n=n: {"tag": s.tag[:n]}, id=f"tag of {n} bytes")
            for n in (0, 1, 4, 8, 12, 13, 14, 15)
        ),
        pytest.param(lambda s: {"tag": s.tag + b"\0"}, id="tag of 17 bytes"),
        pytest.param(lambda s: {"tag": None}, id="no tag"),
        pytest.param(lambda s: {"tag": flipped(s.tag)}, id="tag altered in front"),
        pytest.param(lambda s: {"tag": flipped(s.tag, 15)}, id="tag altered at its end"),
        pytest.param(lambda s: {"tag": bytes(16)}, id="tag of zeros"),
        pytest.param(lambda s: {"data": flipped(s.data)}, id="data altered"),
        pytest.param(lambda s: {"data": s.data[:-1]}, id="data cut"),
        pytest.param(lambda s: {"data": s.data + b"\0"}, id="data longer"),
        pytest.param(lambda s: {"data": b""}, id="data gone"),
        pytest.param(lambda s: {"data": s.data + s.tag, "tag": None}, id="tag behind the data"),
        pytest.param(
            lambda s: {"data": s.data + s.tag[:4], "tag": s.tag[4:]}, id="tag split elsewhere"
        ),
        pytest.param(lambda s: {"iv": flipped(s.iv)}, id="IV altered"),
        pytest.param(lambda s: {"iv": s.iv[:7]}, id="IV of 7 bytes"),
        pytest.param(lambda s: {"iv": b""}, id="empty IV"),
        pytest.param(lambda s: {"iv": s.iv + b"\0"}, id="IV of 13 bytes"),
        pytest.param(lambda s: {"iv": bytes(65)}, id="IV of 65 bytes"),
        pytest.param(lambda s: {"aad": b"b"}, id="other additional data"),
        pytest.param(lambda s: {"aad": b""}, id="empty additional data"),
        pytest.param(lambda s: {"aad": None}, id="no additional data"),
        pytest.param(lambda s: {"aad": b"a\0"}, id="longer additional data"),
    ],
)  # fmt: skip
def test_anything_altered_is_one_and_the_same_refusal(alice, key, change):
    sealed = alice.encrypt(key, PLAIN, aad(b"a"))
    line = alice.refused("Decrypt", uid(key), *sealed.items(**{"aad": b"a", **change(sealed)}))
    assert line == "Cryptographic_Failure: decryption failed"
    assert alice.decrypt(key, sealed, aad=b"a") == PLAIN


def test_another_key_does_not_decrypt(alice, key):
    sealed = alice.encrypt(key, PLAIN)
    line = alice.refused("Decrypt", uid(alice.create()), *sealed.items())
    assert line == "Cryptographic_Failure: decryption failed"


def test_missing_iv_is_named(alice, key):
    line = alice.refused("Decrypt", uid(key), *alice.encrypt(key, PLAIN).items(iv=None))
    assert line.startswith("Missing_Initialization_Vector: ")


@pytest.mark.parametrize("operation", ["Encrypt", "Decrypt"])
def test_missing_data_is_named_and_empty_data_is_not_missing(alice, key, operation):
    assert alice.refused(operation, uid(key)) == "Missing_Data: Data is missing"
    assert alice.decrypt(key, alice.encrypt(key, b"")) == b""


@each_row("length", [0, 1, 7, 65])
def test_encryption_with_an_iv_of_no_safe_length_is_refused(alice, key, length):
    iv = octets("IvCounterNonce", bytes(length))
    line = alice.refused("Encrypt", uid(key), octets("Data", PLAIN), iv)
    assert line.startswith("Invalid_Field: the IV has ")


# --- parameters ---------------------------------------------------------------------------------

JS = (
    name("BlockCipherMode", "GCM"),
    name("PaddingMethod", "OAEP"),
    name("HashingAlgorithm", "SHA_256"),
    name("CryptographicAlgorithm", "AES"),
    flag("RandomIv", True),
    number("TagLength", 16),
)


@pytest.mark.parametrize(
    "items",
    [
        pytest.param((), id="none"),
        pytest.param(JS, id="all of cloudproof_kms_js"),
        pytest.param([name("BlockCipherMode", "AEAD")], id="AEAD"),
        pytest.param([name("BlockCipherMode", 9)], id="GCM by number"),
        pytest.param([number("IVLength", 12)], id="IV length"),
    ],
)
def test_parameters_that_mean_the_same_change_nothing(alice, items):
    key = alice.create()
    sealed = alice.encrypt(key, PLAIN, parameters(*items))
    assert alice.decrypt(key, sealed) == PLAIN
    assert alice.decrypt(key, sealed, parameters(*items)) == PLAIN


def test_chacha20_and_chacha20poly1305_are_one_cipher(alice):
    key = alice.create(algorithm="ChaCha20")
    both = parameters(name("CryptographicAlgorithm", "ChaCha20Poly1305"))
    assert alice.decrypt(key, alice.encrypt(key, PLAIN, both)) == PLAIN


@each_row(
    "item",
    [
        *(
            pytest.param(name("BlockCipherMode", mode), id=mode)
            for mode in (
                "CBC", "ECB", "PCBC", "CFB", "OFB", "CTR", "CMAC", "CCM", "XTS", "GCMSIV",
                "NISTKeyWrap", "AESKeyWrapPadding", "X9_102AESKW", "0x80000001",
            )
        ),
        *(
            pytest.param(name("CryptographicAlgorithm", other), id=other)
            for other in ("ChaCha20", "RSA", "THREE_DES", "HMACSHA256", "CoverCrypt")
        ),
        *(pytest.param(number("TagLength", n), id=f"tag {n}") for n in (12, 13, 14, 15)),
        *(pytest.param(number("IVLength", n), id=f"IV {n}") for n in (0, 8, 16, -1)),
    ],
)  # fmt: skip
@each_row("operation", ["Encrypt", "Decrypt"])
def test_parameters_that_ask_for_something_else_are_refused(alice, operation, item):
    key = alice.create()
    sealed = alice.encrypt(key, PLAIN)
    items = sealed.items() if operation == "Decrypt" else [octets("Data", PLAIN)]
    line = alice.refused(operation, uid(key), *items, parameters(item))
    assert line.startswith("Unsupported_Cryptographic_Parameters: ")


@pytest.mark.parametrize("operation", ["Encrypt", "Decrypt"])
@pytest.mark.parametrize(
    ("algorithm", "length", "words"),
    [("AES", 8, "a GCM nonce under 12 bytes"), ("ChaCha20", 8, "ChaCha20 without Poly1305")],
)
def test_short_iv_is_refused_with_the_option_that_allows_it(
    alice, operation, algorithm, length, words
):
    key = alice.create(algorithm=algorithm)
    iv = octets("IvCounterNonce", bytes(length))
    line = alice.refused(operation, uid(key), octets("Data", PLAIN), iv)
    assert line.startswith(f"Unsupported_Cryptographic_Parameters: {words}: off")
    assert "--crypto-policy permissive" in line


# --- usage masks --------------------------------------------------------------------------------


@each_row("bit", [1 << n for n in (*range(12), 12, 13, 20, 21, 22, 23)], ids=hex)
def test_each_bit_of_the_mask_allows_what_it_says(alice, bit):
    key = alice.create(mask=bit)
    for operation, needed in (("Encrypt", 0x4), ("Decrypt", 0x8)):
        answer = alice.send(structure(operation, uid(key), octets("Data", b"")))
        if bit in {needed, 0x200000}:
            assert answer.status == 200 or answer.text.startswith("Missing_Initialization_Vector")
        else:
            assert answer.text.startswith("Incompatible_Cryptographic_Usage_Mask: ")


@pytest.mark.parametrize("mask", [None, 12, 2108, 0x200000], ids=["none", "js", "py", "all"])
def test_masks_of_the_clients_allow_both(alice, mask):
    key = alice.create(mask=mask)
    assert alice.decrypt(key, alice.encrypt(key, PLAIN)) == PLAIN


def test_mask_of_no_bit_allows_neither(alice):
    key = alice.create(mask=0)
    line = alice.refused("Encrypt", uid(key), octets("Data", b""))
    assert line.startswith("Incompatible_Cryptographic_Usage_Mask: ")


def test_mask_counts_for_imported_keys_too(alice):
    for mask, words in ((8, "Incompatible"), (4, None)):
        key = alice.do(
            "Import", uid(""), name("ObjectType", "SymmetricKey"), attributes(mask=mask),
            structure(
                "Object",
                structure(
                    "KeyBlock",
                    name("KeyFormatType", "Raw"),
                    structure("KeyValue", octets("KeyMaterial", bytes(16))),
                ),
            ),
        ).uid  # fmt: skip
        if words:
            assert alice.refused("Encrypt", uid(key), octets("Data", b"")).startswith(words)
        else:
            assert alice.encrypt(key, b"").uid == key


def test_text_where_bytes_belong_is_refused(alice, key):
    line = alice.refused("Encrypt", uid(key), text("Data", "00"))
    assert line == "Invalid_Field: Data must be a ByteString"
