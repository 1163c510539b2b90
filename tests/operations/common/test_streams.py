"""Data in parts: Encrypt, Decrypt, MAC, MACVerify and Hash by correlation value (KMIP 2.1 §6.1)."""

from __future__ import annotations

import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from ...kmip_items import Fields, batch_item, flag, name, number, octets, structure, uid
from ...rows import each_row

DATA = bytes(range(256)) * 5
#: The mask of a key that both encrypts and makes MACs.
UNRESTRICTED = 0x200000
FIRST = flag("InitIndicator", True)
LAST = flag("FinalIndicator", True)
UNDO = name("BatchErrorContinuationOption", "Undo")
UNKNOWN = "Invalid_Correlation_Value: no data in parts is known under this CorrelationValue"


def parameters(**items):
    tags = {"mode": "BlockCipherMode", "padding": "PaddingMethod", "hash": "HashingAlgorithm"}
    held = [name(tags[key], value) for key, value in items.items() if value is not None]
    return structure("CryptographicParameters", *held)


def correlation(value: bytes):
    return octets("CorrelationValue", value)


def pieces(data: bytes, step: int) -> list[bytes]:
    return [data[n : n + step] for n in range(0, len(data), step)]


def in_parts(user, operation, key, parts, *first, last=()):
    """The answers. first, last: what goes with the first and the last part besides."""
    named = [] if key is None else [uid(key)]
    always = [parameters(hash="SHA_256")] if operation == "Hash" else []
    answers, value = [], None
    for position, part in enumerate(parts):
        items = [*named, octets("Data", part), *always]
        items += [FIRST, *first] if value is None else [correlation(value)]
        if position == len(parts) - 1:
            items += [LAST, *last]
        answers.append(user.do(operation, *items))
        value = answers[-1].octets("CorrelationValue") if position < len(parts) - 1 else None
    assert answers[-1].get("CorrelationValue") is None
    return answers


def begun(user, key, operation="Encrypt", *more):
    """The correlation value of a stream with one part."""
    return user.do(operation, uid(key), octets("Data", b"x" * 16), FIRST, *more).octets(
        "CorrelationValue"
    )


def go_on(user, key, value, operation="Encrypt", *more):
    return user.send(
        structure(operation, uid(key), octets("Data", b"y"), correlation(value), *more)
    )


# --- what comes out -----------------------------------------------------------------------------


@each_row(("algorithm", "cipher"), [("AES", AESGCM), ("ChaCha20", ChaCha20Poly1305)])
@each_row("step", [1, 15, 16, 700, 1280])
def test_encryption_in_parts_is_that_of_the_whole(alice, algorithm, cipher, step):
    key = alice.create(algorithm=algorithm)
    data = DATA[: 20 * step]
    aad = octets("AuthenticatedEncryptionAdditionalData", b"a")
    answers = in_parts(alice, "Encrypt", key, [*pieces(data, step), b""], aad)
    whole = b"".join(each.octets("Data") for each in answers)
    iv, tag = answers[0].octets("IvCounterNonce"), answers[-1].octets("AuthenticatedEncryptionTag")
    assert all(each.get("IvCounterNonce") is None for each in answers[1:])
    assert all(each.get("AuthenticatedEncryptionTag") is None for each in answers[:-1])
    assert cipher(alice.key_of(key)).decrypt(iv, whole + tag, b"a") == data


@pytest.mark.parametrize("algorithm", ["AES", "ChaCha20"])
def test_decryption_in_parts_gives_nothing_before_the_tag(alice, algorithm):
    key = alice.create(algorithm=algorithm)
    sealed = alice.encrypt(key, DATA)
    iv, tag = octets("IvCounterNonce", sealed.iv), octets("AuthenticatedEncryptionTag", sealed.tag)
    answers = in_parts(alice, "Decrypt", key, pieces(sealed.data, 100), iv, last=[tag])
    assert [each.octets("Data") for each in answers[:-1]] == [b""] * (len(answers) - 1)
    assert answers[-1].octets("Data") == DATA


@pytest.mark.parametrize("algorithm", ["AES", "ChaCha20"])
@pytest.mark.parametrize("fault", ["tag", "no tag", "data"])
def test_altered_data_in_parts_gives_nothing_at_all(alice, algorithm, fault):
    key = alice.create(algorithm=algorithm)
    sealed = alice.encrypt(key, DATA)
    iv = octets("IvCounterNonce", sealed.iv)
    value = alice.do("Decrypt", uid(key), octets("Data", sealed.data[:-1]), FIRST, iv).octets(
        "CorrelationValue"
    )
    end = b"\0" if fault == "data" and sealed.data[-1:] != b"\0" else sealed.data[-1:]
    tag = bytes(16) if fault == "tag" else sealed.tag
    tags = [] if fault == "no tag" else [octets("AuthenticatedEncryptionTag", tag)]
    if fault == "data":
        end = bytes([sealed.data[-1] ^ 1])
    line = alice.refused("Decrypt", uid(key), octets("Data", end), correlation(value), LAST, *tags)
    assert line == "Cryptographic_Failure: decryption failed"
    assert go_on(alice, key, value, "Decrypt").text.startswith(UNKNOWN)


@each_row(
    ("algorithm", "mode", "padding"),
    [
        ("AES", "CBC", "PKCS5"), ("AES", "CBC", None), ("AES", "ECB", "PKCS5"), ("AES", "CTR", None),
        ("THREE_DES", "CBC", "PKCS5"), ("THREE_DES", "ECB", None),
    ],
)  # fmt: skip
@each_row("step", [7, 16, 1280])
def test_bare_modes_work_in_parts_in_both_directions(carol, algorithm, mode, padding, step):
    key, data = carol.create(algorithm=algorithm, bits=192), DATA[: 48 * step]
    how = parameters(mode=mode, padding=padding)
    answers = in_parts(carol, "Encrypt", key, pieces(data, step), how)
    ciphertext = b"".join(each.octets("Data") for each in answers)
    iv = answers[0].get("IvCounterNonce")
    ivs = [] if iv is None else [octets("IvCounterNonce", bytes.fromhex(iv))]
    whole = carol.do("Decrypt", uid(key), octets("Data", ciphertext), how, *ivs)
    assert whole.octets("Data") == data
    answers = in_parts(carol, "Decrypt", key, pieces(ciphertext, step), how, *ivs)
    assert b"".join(each.octets("Data") for each in answers) == data


@pytest.mark.parametrize("step", [1, 64, 100])
def test_mac_and_hash_in_parts_are_those_of_the_whole(alice, step):
    key = alice.create(algorithm="HMACSHA256")
    data = DATA[: 20 * step]
    answers = in_parts(alice, "MAC", key, pieces(data, step))
    right = hmac.digest(alice.key_of(key), data, "sha256")
    assert answers[-1].octets("MACData") == right
    for mac, word in ((right, "Valid"), (right[:-1], "Invalid"), (bytes(32), "Invalid")):
        last = [octets("MACData", mac)]
        answers = in_parts(alice, "MACVerify", key, pieces(data, step), last=last)
        assert answers[-1]["ValidityIndicator"] == word
        assert all(each.get("ValidityIndicator") is None for each in answers[:-1])
    answers = in_parts(alice, "Hash", None, pieces(data, step))
    assert answers[-1].octets("Data") == hashlib.sha256(data).digest()


def test_part_that_is_first_and_last_is_the_whole(alice):
    key = alice.create()
    found = alice.do("Encrypt", uid(key), octets("Data", DATA), FIRST, LAST)
    assert found.get("CorrelationValue") is None
    opened = AESGCM(alice.key_of(key)).decrypt(
        found.octets("IvCounterNonce"),
        found.octets("Data") + found.octets("AuthenticatedEncryptionTag"),
        None,
    )
    assert opened == DATA


def test_messages_carry_parts_too(alice):
    key = alice.create()
    (first,) = alice.ask(batch_item("Encrypt", uid(key), octets("Data", b"pay "), FIRST))
    value = first.octets("ResponsePayload", "CorrelationValue")
    iv = first.octets("ResponsePayload", "IVCounterNonce")
    middle, last = alice.ask(
        batch_item("Encrypt", uid(key), octets("Data", b"12 "), correlation(value), item_id=b"1"),
        batch_item(
            "Encrypt", uid(key), octets("Data", b"EUR"), correlation(value), LAST, item_id=b"2"
        ),
    )
    data = b"".join(each.octets("ResponsePayload", "Data") for each in (first, middle, last))
    tag = last.octets("ResponsePayload", "AuthenticatedEncryptionTag")
    assert AESGCM(alice.key_of(key)).decrypt(iv, data + tag, None) == b"pay 12 EUR"


# --- what is refused ----------------------------------------------------------------------------


def test_what_cannot_be_undone_is_not_begun(alice):
    key = alice.create()
    (item,) = alice.ask(batch_item("Encrypt", uid(key), octets("Data", b"x"), FIRST), header=[UNDO])
    assert item["ResultReason"] == "FeatureNotSupported"
    value = begun(alice, key)
    (item,) = alice.ask(
        batch_item("Encrypt", uid(key), octets("Data", b"x"), correlation(value)), header=[UNDO]
    )
    assert item["ResultReason"] == "FeatureNotSupported"


@each_row(
    ("items", "words"),
    [
        pytest.param([FIRST, correlation(b"x" * 16)], "Invalid_Field: ", id="first and later"),
        pytest.param(
            [flag("FinalIndicator", False)], "Invalid_Field: ", id="later without a value"
        ),
        pytest.param([correlation(b"")], "Invalid_Correlation_Value: ", id="empty"),
        pytest.param([correlation(b"x" * 16)], UNKNOWN, id="never given"),
        pytest.param([correlation(b"x" * 100_000), LAST], UNKNOWN, id="long"),
    ],
)
@each_row("operation", ["Encrypt", "Decrypt", "MAC"])
def test_indicators_that_make_no_sense_are_refused(alice, operation, items, words):
    key = alice.create(mask=UNRESTRICTED)
    assert alice.refused(operation, uid(key), octets("Data", b"x"), *items).startswith(words)


def test_stream_is_for_its_caller_alone_and_survives_others(kms, alice):
    key = alice.create()
    bob = kms.user()
    alice.grant(key, bob, "encrypt")
    value = begun(alice, key)
    line = bob.refused("Encrypt", uid(key), octets("Data", b"y"), correlation(value), LAST)
    assert line.startswith(UNKNOWN)
    line = bob.refused("Encrypt", uid(bob.create()), octets("Data", b"y"), correlation(value))
    assert line.startswith(UNKNOWN)
    assert go_on(alice, key, value, "Encrypt", LAST).status == 200


def test_stream_is_for_its_key_and_operation_alone(alice):
    key, other = alice.create(mask=UNRESTRICTED), alice.create(mask=UNRESTRICTED)
    value = begun(alice, key)
    assert go_on(alice, other, value).text.startswith(UNKNOWN)
    assert go_on(alice, key, value, "MAC").text.startswith(UNKNOWN)
    items = [octets("Data", b"y"), correlation(value), parameters(hash="SHA_256")]
    assert alice.refused("Hash", *items).startswith(UNKNOWN)
    assert go_on(alice, key, value, "Encrypt", LAST).status == 200


def test_stream_ends_with_its_last_part(alice):
    key = alice.create()
    value = begun(alice, key)
    assert go_on(alice, key, value, "Encrypt", LAST).status == 200
    assert go_on(alice, key, value, "Encrypt", LAST).text.startswith(UNKNOWN)


def test_key_is_looked_at_with_every_part(kms, alice):
    key = alice.create()
    value = begun(alice, key)
    alice.revoke(key)
    assert go_on(alice, key, value).text.startswith("Wrong_Key_Lifecycle_State: ")
    alice.destroy(key)
    assert go_on(alice, key, value).text.startswith("Object_Destroyed: ")


def test_right_is_looked_at_with_every_part(kms, alice):
    key, bob = alice.create(), kms.user()
    alice.grant(key, bob, "encrypt")
    value = begun(bob, key)
    assert go_on(bob, key, value).status == 200
    alice.withdraw(key, bob, "encrypt")
    assert go_on(bob, key, value).text.startswith("Item_Not_Found: ")


def test_stream_does_not_go_on_with_replaced_material(alice):
    key = f"replaced-{alice.name[-12:]}".replace("#", "-")
    alice.import_key(key, bytes(32))
    value = begun(alice, key)
    alice.import_key(key, bytes(range(32)), replace=True)
    assert go_on(alice, key, value).text.startswith(UNKNOWN)


@pytest.mark.parametrize(
    "item",
    [
        octets("IvCounterNonce", b"i" * 12),
        octets("AuthenticatedEncryptionAdditionalData", b"a"),
    ],
    ids=["IV", "additional data"],
)
@pytest.mark.parametrize("operation", ["Encrypt", "Decrypt"])
def test_what_belongs_to_the_first_part_is_refused_later(alice, operation, item):
    key = alice.create()
    first = [octets("IvCounterNonce", b"i" * 12)] if operation == "Decrypt" else []
    value = begun(alice, key, operation, *first)
    assert go_on(alice, key, value, operation, item).text.startswith("Invalid_Field: ")
    assert go_on(alice, key, value, operation).status == 200


def test_every_part_counts_for_the_usage_limit(alice):
    limits = structure(
        "UsageLimits",
        {"tag": "UsageLimitsTotal", "type": "LongInteger", "value": "0x0000000000000020"},
        name("UsageLimitsUnit", "Byte"),
    )
    key = alice.create(limits)
    value = begun(alice, key)
    items = [octets("Data", b"y" * 16), correlation(value)]
    assert alice.send(structure("Encrypt", uid(key), *items)).status == 200
    assert alice.refused("Encrypt", uid(key), *items).startswith("Permission_Denied: ")


def test_lost_streams_make_room_for_new_ones(alice):
    key = alice.create()
    values = [begun(alice, key) for _ in range(40)]
    assert go_on(alice, key, values[0]).text.startswith(UNKNOWN)
    assert go_on(alice, key, values[-1]).status == 200
    assert len(set(values)) == 40


def test_nothing_is_begun_without_data(alice):
    key = alice.create()
    assert alice.refused("Encrypt", uid(key), FIRST) == "Missing_Data: Data is missing"
    value = begun(alice, key)
    found = alice.do("Encrypt", uid(key), correlation(value), LAST)
    assert found.octets("Data") == b""
    assert len(found.octets("AuthenticatedEncryptionTag")) == 16


def test_number_is_no_correlation_value(alice):
    items = [octets("Data", b""), number("CorrelationValue", 1)]
    line = alice.refused("Encrypt", uid(alice.create()), *items)
    assert line == "Invalid_Field: CorrelationValue must be a ByteString"


@pytest.mark.parametrize("is_message", [False, True], ids=["bare", "message"])
def test_streams_at_once_on_a_limited_key_lose_no_part(alice, is_message):
    """Each part changes the key's limit, so that all meet conflicts; no cipher sees a part twice."""
    limits = structure(
        "UsageLimits",
        {"tag": "UsageLimitsTotal", "type": "LongInteger", "value": "0x0000000000010000"},
        name("UsageLimitsUnit", "Byte"),
    )
    key = alice.create(limits)
    parts = pieces(DATA, 128)

    def send(user, *items):
        if not is_message:
            return user.do("Encrypt", uid(key), *items)
        (answer,) = user.ask(batch_item("Encrypt", uid(key), *items))
        assert answer["ResultStatus"] == "Success", answer.item
        return Fields({"tag": "", "value": answer["ResponsePayload"]})

    def whole(user):
        first = send(user, octets("Data", parts[0]), FIRST)
        value = correlation(first.octets("CorrelationValue"))
        rest = [send(user, octets("Data", part), value) for part in parts[1:]]
        last = send(user, value, LAST)
        data = b"".join(each.octets("Data") for each in (first, *rest, last))
        iv = first.octets("IVCounterNonce" if is_message else "IvCounterNonce")
        return iv, data + last.octets("AuthenticatedEncryptionTag")

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(whole, [alice.again() for _ in range(4)]))
    cipher = AESGCM(alice.key_of(key))
    assert [cipher.decrypt(iv, data, None) for iv, data in found] == [DATA] * 4
    count = alice.do("GetAttributes", uid(key))["Attributes", "UsageLimits"]
    left = next(each["value"] for each in count if each["tag"] == "UsageLimitsCount")
    assert int(left, 16) == 0x10000 - 4 * (len(DATA) + 1)  # the empty last part counts as a byte
