"""What a client probably meant by a misspelt name, as the errors of both dialects say it."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_tornado.domain.access import parse_operation_name
from kms_tornado.errors import InvalidField, InvalidMessage, KMIPError
from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.messages.bodies import parse_binary_message, parse_message, parse_request
from kms_tornado.kmip.messages.requests import RequestMessage
from kms_tornado.kmip.suggestions import suggest_name, suggest_root, suggest_tag, suggest_value
from kms_tornado.kmip.tables import ENUMERATIONS, TAG_NUMBERS, loosen
from kms_tornado.service.catalogue import CATALOGUE, collect_payload_types
from kms_tornado.wording import find_closest, suggest

from ..rows import each_row

PAYLOADS = collect_payload_types(CATALOGUE)


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("Encyrpt", "Encrypt"),
        ("encrypt", "Encrypt"),
        ("ENCRYPT", "Encrypt"),
        ("Crete", "Create"),
        ("create_key_pair", "CreateKeyPair"),
        ("GetAttribute", "GetAttributes"),
        ("RequestMesage", "RequestMessage"),
    ],
)
def test_misspelt_operation_gets_the_one_that_was_meant(misspelt: str, meant: str) -> None:
    assert suggest_root(misspelt) == f"; did you mean {meant}?"


@each_row(
    "misspelt",
    ["", " ", "qq", "Frobnicate", "Encrypt" * 9, "Encrypt" + "x" * 10_000, "日本", "0x42"],
)
def test_nothing_is_suggested_where_nothing_is_close(misspelt: str) -> None:
    assert suggest_root(misspelt) == ""
    assert suggest_tag(misspelt) == ""
    assert suggest_value("CryptographicAlgorithm", misspelt) == ""


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("CryptographicAlgoritm", "CryptographicAlgorithm"),
        ("cryptographic_algorithm", "CryptographicAlgorithm"),
        ("UniqueIdentifer", "UniqueIdentifier"),
        ("VendorAttribute", "VendorAttributes"),
        ("IvCounterNounce", "IVCounterNonce"),
    ],
)
def test_misspelt_tag_gets_the_one_that_was_meant(misspelt: str, meant: str) -> None:
    assert suggest_tag(misspelt) == f"; did you mean {meant}?"


@each_row("tag", sorted(ENUMERATIONS))
def test_every_name_of_an_enumeration_is_suggested_for_one_letter_too_many(tag: str) -> None:
    for name in ENUMERATIONS[tag].oasis.values():
        if 8 < len(name) < 60:
            meant = suggest_value(tag, f"{name[:4]}q{name[4:]}")
            assert meant.startswith("; did you mean ")


def test_looking_for_a_name_is_quick_for_the_longest_text_that_is_looked_at() -> None:
    began = time.perf_counter()
    for misspelt in ("certificate" * 5, "aeioucr" * 8, "X" * 60, "c" * 60):
        suggest_tag(misspelt)
    assert time.perf_counter() - began < 1  # it takes some milliseconds


# --- in both dialects -----------------------------------------------------------------------------


def item(tag: str, item_type: str, value: Any) -> dict[str, Any]:
    return {"tag": tag, "type": item_type, "value": value}


def create(**changes: str) -> list[dict[str, Any]]:
    """The payload of a Create, in which names are replaced."""
    text = json.dumps(
        [
            item("ObjectType", "Enumeration", "SymmetricKey"),
            item(
                "Attributes",
                "Structure",
                [
                    item("CryptographicAlgorithm", "Enumeration", "AES"),
                    item("CryptographicLength", "Integer", 256),
                    item("CryptographicUsageMask", "Integer", "Encrypt|Decrypt"),
                ],
            ),
        ]
    )
    for name, replacement in changes.items():
        text = text.replace(name, replacement)
    payload: list[dict[str, Any]] = json.loads(text)
    return payload


def message(operation: str, payload: list[dict[str, Any]]) -> dict[str, Any]:
    version = [
        item("ProtocolVersionMajor", "Integer", 2),
        item("ProtocolVersionMinor", "Integer", 1),
    ]
    header = [item("ProtocolVersion", "Structure", version), item("BatchCount", "Integer", 1)]
    batch_item = [
        item("Operation", "Enumeration", operation),
        item("RequestPayload", "Structure", payload),
    ]
    return item(
        "RequestMessage",
        "Structure",
        [item("RequestHeader", "Structure", header), item("BatchItem", "Structure", batch_item)],
    )


def refusal(body: Any) -> str:
    """The error with which a bare operation, a message or its item is refused."""
    try:
        parsed = parse_request(json.dumps(body).encode(), PAYLOADS)
    except KMIPError as exc:
        return str(exc)
    assert isinstance(parsed, RequestMessage)
    error = parsed.items[0].request
    assert isinstance(error, KMIPError)
    return str(error)


CASES = {
    "CryptographicAlgorithm": (
        "CryptographicAlgoritm",
        "unknown tag 'CryptographicAlgoritm'; did you mean CryptographicAlgorithm?",
    ),
    "Attributes": ("Attribute", "Attribute is not supported in {}; did you mean Attributes?"),
    "SymmetricKey": (
        "SymetricKey",
        "ObjectType has no value 'SymetricKey'; did you mean SymmetricKey?",
    ),
    "Decrypt": (
        "Decrpyt",
        "CryptographicUsageMask has no value 'Decrpyt'; did you mean Decrypt?",
    ),
    "Integer": ("Intger", "CryptographicLength has no valid type; did you mean Integer?"),
    "AES": ("Rijndael", "CryptographicAlgorithm has no value 'Rijndael'"),
}


@pytest.mark.parametrize("name", CASES)
def test_bare_operation_is_told_what_was_meant(name: str) -> None:
    misspelt, text = CASES[name]
    assert refusal(item("Create", "Structure", create(**{name: misspelt}))) == text.format("Create")


@pytest.mark.parametrize("name", CASES)
def test_message_is_told_what_was_meant(name: str) -> None:
    misspelt, text = CASES[name]
    body = message("Create", create(**{name: misspelt}))
    assert refusal(body) == text.format("RequestPayload")


def test_operation_of_a_message_is_told_as_that_of_a_bare_one() -> None:
    assert refusal(message("Encyrpt", [])) == (
        "Operation has no value 'Encyrpt'; did you mean Encrypt?"
    )
    assert refusal(item("Encyrpt", "Structure", [])) == (
        "'Encyrpt' is not the tag of an operation; did you mean Encrypt?"
    )
    assert refusal(item("CreateResponse", "Structure", [])) == "CreateResponse is not an operation"


@pytest.mark.parametrize("dialect", ["bare", "message"])
def test_long_name_is_neither_repeated_nor_compared(dialect: str) -> None:
    name = "Encrypt" * 100_000
    body = message(name, []) if dialect == "message" else item(name, "Structure", [])
    assert len(refusal(body)) < 120


def test_lone_operation_is_told_where_it_is_posted() -> None:
    parsed = parse_message(json.dumps(item("Create", "Structure", create())).encode(), PAYLOADS)
    assert str(parsed.items[0].request) == (
        "a RequestMessage is expected here, not Create: post an operation alone to /kmip_2_1"
    )


def test_binary_message_is_told_where_it_is_posted() -> None:
    with pytest.raises(InvalidMessage, match="binary TTLV is posted to /kmip, with Content-Type"):
        parse_request(bytes.fromhex("4200780100000000"), PAYLOADS)


def test_compressed_message_is_told_to_be_sent_as_it_is() -> None:
    body = json.dumps(item("Create", "Structure", create())).encode()
    with pytest.raises(InvalidMessage, match=r"^not JSON: it is compressed: send it as it is$"):
        parse_request(gzip.compress(body), PAYLOADS)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b' {"tag": "RequestMessage"}', "not binary TTLV but JSON: post it with Content-Type: application/json"),
        (gzip.compress(bytes.fromhex("4200780100000000"), mtime=0), "not binary TTLV: it is compressed: send it as it is"),
        (b"", "not binary TTLV: nothing is there"),
        (b"\x42\0\x78", "the message ends within an item"),
    ],
)  # fmt: skip
def test_what_is_posted_as_binary_by_mistake_is_told(octets: bytes, text: str) -> None:
    assert str(parse_binary_message(octets, PAYLOADS).items[0].request) == text


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("encrpyt", "; did you mean encrypt?"),
        ("re-keyy", "; did you mean rekey?"),
        ("nothing at all", ""),
        ("x\n" * 1000, ""),
    ],
)
def test_operation_of_a_grant_is_told_what_was_meant(name: str, meant: str) -> None:
    with pytest.raises(InvalidField) as caught:
        parse_operation_name(name)
    text = "operation_types names an operation that KMIP does not have"
    assert str(caught.value) == text + meant


def test_the_right_names_pass() -> None:
    parsed = parse_request(json.dumps(item("Create", "Structure", create())).encode(), PAYLOADS)
    assert not isinstance(parsed, RequestMessage)
    assert parsed.operation is Operation.CREATE
    assert parse_operation_name("Re_Key") is Operation.RE_KEY


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(TAG_NUMBERS)), st.data())
def test_misspelt_name_is_told_what_is_closest_of_all(name: str, data: st.DataObject) -> None:
    letters = list(name)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(letters)))
        letters[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.text("eanXé7", max_size=2)
        )
    names = {loosen(each): each for each in TAG_NUMBERS}
    closest = find_closest(loosen("".join(letters)), names)
    assert suggest_name("".join(letters), names) == suggest([names[each] for each in closest])
