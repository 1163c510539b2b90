"""Bare operations as the published clients send and read them.

docs/dialects.md, "Operations of the published clients".
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_tornado.errors import (
    InvalidField,
    InvalidMessage,
    KMIPError,
    MissingData,
    OperationNotSupported,
)
from kms_tornado.kmip.attributes import Attributes, parse_user_tags
from kms_tornado.kmip.codecs import binary_codec, json_codec
from kms_tornado.kmip.enums import (
    CryptographicAlgorithm,
    KeyFormatType,
    KeyWrapType,
    ObjectType,
    Operation,
)
from kms_tornado.kmip.messages.bodies import (
    find_authentication,
    format_bare_response,
    parse_binary_message,
    parse_request,
)
from kms_tornado.kmip.objects import KeyBlock, KeyMaterialField, KeyValue, SymmetricKey
from kms_tornado.kmip.payloads import (
    CreateResponse,
    EncryptRequest,
    EncryptResponse,
    GetRequest,
    GetResponse,
    LocateResponse,
)
from kms_tornado.kmip.schema import from_node, to_node
from kms_tornado.kmip.tables import OPERATION_TAGS
from kms_tornado.kmip.ttlv import Dialect, ItemType, Node
from kms_tornado.kmip.versions import ProtocolVersion

from ...rows import each_row
from ..payload_table import PAYLOADS
from ..strategies import values_of

SHARED = Path(__file__).parents[4] / "shared/KMIP.md"


def encode(tag: str, *items: object) -> bytes:
    return json.dumps({"tag": tag, "type": "Structure", "value": items}).encode()


def text(tag: str, value: str) -> dict[str, str]:
    return {"tag": tag, "type": "TextString", "value": value}


def octets(tag: str, value: str) -> dict[str, str]:
    return {"tag": tag, "type": "ByteString", "value": value}


def name(tag: str, value: str) -> dict[str, str]:
    return {"tag": tag, "type": "Enumeration", "value": value}


# --- typed in: what must not break even where the shared page is absent --------------------------


def test_create_of_the_python_client_is_read():
    body = b"""{"tag": "Create", "type": "Structure", "value": [
      {"tag": "ObjectType", "type": "Enumeration", "value": "SymmetricKey"},
      {"tag": "Attributes", "type": "Structure", "value": [
        {"tag": "CryptographicAlgorithm", "type": "Enumeration", "value": "AES"},
        {"tag": "CryptographicLength", "type": "Integer", "value": 256},
        {"tag": "CryptographicUsageMask", "type": "Integer", "value": 2108},
        {"tag": "KeyFormatType", "type": "Enumeration", "value": "TransparentSymmetricKey"},
        {"tag": "ObjectType", "type": "Enumeration", "value": "SymmetricKey"},
        {"tag": "Sensitive", "type": "Boolean", "value": false},
        {"tag": "VendorAttributes", "type": "Structure", "value": [
          {"tag": "VendorAttributes", "type": "Structure", "value": [
            {"tag": "VendorIdentification", "type": "TextString", "value": "cosmian"},
            {"tag": "AttributeName", "type": "TextString", "value": "tag"},
            {"tag": "AttributeValue", "type": "ByteString",
             "value": "5B22696E766F69636573225D"}]}]}]}]}"""
    operation, request, dialect = parse_request(body, PAYLOADS)
    assert (operation, dialect) == (Operation.CREATE, Dialect.COSMIAN)
    assert request.object_type is ObjectType.SYMMETRIC_KEY
    assert parse_user_tags(request.attributes) == {"invoices"}
    assert request.attributes == Attributes(
        cryptographic_algorithm=CryptographicAlgorithm.AES,
        cryptographic_length=256,
        cryptographic_usage_mask=2108,
        key_format_type=KeyFormatType.TRANSPARENT_SYMMETRIC_KEY,
        object_type=ObjectType.SYMMETRIC_KEY,
        sensitive=False,
        vendor_attributes=request.attributes.vendor_attributes,
    )


def test_encrypt_of_the_javascript_client_is_read():
    body = encode(
        "Encrypt",
        octets("IvCounterNonce", "101112131415161718191a1b"),
        octets("AuthenticatedEncryptionAdditionalData", "696e766f6963652037"),
        text("UniqueIdentifier", "billing-1"),
        octets("Data", "70617920313220455552"),
    )
    assert parse_request(body, PAYLOADS)[:2] == (
        Operation.ENCRYPT,
        EncryptRequest(
            unique_identifier="billing-1",
            data=b"pay 12 EUR",
            iv_counter_nonce=bytes(range(0x10, 0x1C)),
            authenticated_encryption_additional_data=b"invoice 7",
        ),
    )


def test_get_of_the_python_client_is_read():
    body = encode("Get", text("UniqueIdentifier", "a"), name("KeyWrapType", "AsRegistered"))
    assert parse_request(body, PAYLOADS)[1] == GetRequest(
        "a", key_wrap_type=KeyWrapType.AS_REGISTERED
    )


def test_responses_are_written_as_the_clients_read_them():
    response = EncryptResponse("billing-1", b"\xf7", b"\x1a", b"\x99")
    assert json.loads(format_bare_response(Operation.ENCRYPT, response, Dialect.COSMIAN)) == {
        "tag": "EncryptResponse",
        "type": "Structure",
        "value": [
            text("UniqueIdentifier", "billing-1"),
            octets("Data", "F7"),
            octets("IvCounterNonce", "1A"),
            octets("AuthenticatedEncryptionTag", "99"),
        ],
    }


def test_every_object_of_a_response_has_its_members_in_order():
    attributes = Attributes(cryptographic_length=128, key_format_type=KeyFormatType.RAW)
    block = KeyBlock(
        KeyFormatType.RAW, key_value=KeyValue(KeyMaterialField(b"\0" * 16), attributes)
    )
    response = GetResponse(ObjectType.SYMMETRIC_KEY, "a", SymmetricKey(block))
    body = format_bare_response(Operation.GET, response, Dialect.COSMIAN)
    seen = []
    json.loads(body, object_pairs_hook=lambda pairs: seen.append([key for key, _ in pairs]))
    assert seen
    assert all(members == ["tag", "type", "value"] for members in seen)


def test_located_identifiers_are_nested_for_cosmian_and_repeated_for_oasis():
    response = LocateResponse(1, ("a",))
    inner = text("UniqueIdentifier", "a")
    located = {"tag": "LocatedItems", "type": "Integer", "value": 1}
    cosmian = json.loads(format_bare_response(Operation.LOCATE, response, Dialect.COSMIAN))
    oasis = json.loads(format_bare_response(Operation.LOCATE, response, Dialect.OASIS_UNTYPED))
    nested = {"tag": "UniqueIdentifier", "type": "Structure", "value": [inner]}
    assert cosmian["value"] == [located, nested]
    assert oasis == {"tag": "LocateResponse", "value": [located, inner]}


# --- every example of the shared page -----------------------------------------------------------


def _examples() -> list[dict[str, object]]:
    if not SHARED.exists():
        return []
    chapter = SHARED.read_text("utf-8").partition("\n## 8. ")[2].partition("\n## 9. ")[0]
    found = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", chapter, re.DOTALL)]
    tags = {tag + suffix for tag in OPERATION_TAGS.values() for suffix in ("", "Response")}
    return [example for example in found if example["tag"] in tags]


EXAMPLES = [
    pytest.param(example, id=f"{position}-{example['tag']}")
    for position, example in enumerate(_examples())
]
REQUESTS = [each for each in EXAMPLES if "Response" not in each.id]
RESPONSES = [each for each in EXAMPLES if "Response" in each.id]
ABSENT = "the wire reference is not here"


@each_row("example", REQUESTS, absent=ABSENT)
def test_request_of_the_wire_reference_is_read(example):
    operation, request, dialect = parse_request(json.dumps(example).encode(), PAYLOADS)
    assert OPERATION_TAGS[operation] == example["tag"]
    assert isinstance(request, PAYLOADS[operation][0])
    assert dialect is Dialect.COSMIAN


@each_row("example", RESPONSES, absent=ABSENT)
def test_response_of_the_wire_reference_is_written_in_the_same_way(example):
    node, dialect = json_codec.parse(json.dumps(example).encode())
    tag = example["tag"].removesuffix("Response")
    operation = next(each for each in PAYLOADS if OPERATION_TAGS[each] == tag)
    payload = from_node(PAYLOADS[operation][1], node)
    assert json.loads(format_bare_response(operation, payload, dialect)) == example


def test_wire_reference_has_the_examples_that_are_expected():
    if not SHARED.exists():
        pytest.skip("the shared page is not here")
    assert len(REQUESTS) >= 12
    assert len(RESPONSES) >= 10


# --- refusals -----------------------------------------------------------------------------------


@each_row(
    ("body", "error", "message"),
    [
        pytest.param(
            encode("Certify"), OperationNotSupported, "Certify is not offered", id="not offered"
        ),
        pytest.param(
            encode("Certify", {"tag": "Attributes", "value": []}),
            OperationNotSupported,
            "Certify",
            id="not offered, with a payload",
        ),
        pytest.param(encode("Foo"), InvalidMessage, "tag of an operation", id="no tag of KMIP"),
        pytest.param(encode("Data"), InvalidMessage, "Data is not an operation", id="no operation"),
        pytest.param(
            encode("GetResponse"),
            InvalidMessage,
            "GetResponse is not an operation",
            id="a response",
        ),
        pytest.param(b"", InvalidMessage, "not JSON", id="empty body"),
        pytest.param(encode("Create"), MissingData, "ObjectType", id="create of nothing"),
        pytest.param(
            encode("Create", name("ObjectType", "SymmetricKey")),
            MissingData,
            "Attributes",
            id="create without attributes",
        ),
        pytest.param(
            encode("Create", name("ObjectType", "Key")),
            InvalidField,
            "ObjectType has no value 'Key'",
            id="unknown object type",
        ),
        pytest.param(
            encode("Get", text("UniqueIdentifier", "a"), text("UniqueIdentifier", "b")),
            InvalidMessage,
            "UniqueIdentifier is given twice",
            id="two identifiers",
        ),
        pytest.param(
            encode("Get", text("UniqueIdentifier", "a"), octets("Data", "")),
            InvalidField,
            "Data is not supported in Get",
            id="field of another operation",
        ),
        pytest.param(
            encode("Get", name("UniqueIdentifier", "IDPlaceholder")),
            InvalidField,
            "UniqueIdentifier must be a TextString",
            id="placeholder by name",
        ),
        pytest.param(
            encode("Encrypt", text("Data", "00")), InvalidField, "Data must be", id="data as text"
        ),
        pytest.param(
            encode("Encrypt", octets("IvCounterNonce", "00"), octets("IVCounterNonce", "00")),
            InvalidMessage,
            "IVCounterNonce is given twice",
            id="both spellings of the IV",
        ),
        pytest.param(
            encode("Import", text("UniqueIdentifier", "a"), {"tag": "Object", "value": []}),
            MissingData,
            "ObjectType",
            id="import without object type",
        ),
        pytest.param(encode("Query"), MissingData, "QueryFunction", id="query of nothing"),
        pytest.param(
            encode(
                "Create",
                name("ObjectType", "SymmetricKey"),
                {"tag": "Attributes", "value": [{"tag": "Name", "value": []}]},
            ),
            MissingData,
            "NameValue is missing",
            id="empty name",
        ),
        pytest.param(
            encode("Locate", {"tag": "Attributes", "value": [{"tag": "ObjectGroup", "value": []}]}),
            InvalidField,
            "ObjectGroup must be a TextString",
            id="empty group",
        ),
    ],
)
def test_request_is_refused(body, error, message):
    with pytest.raises(error, match=re.escape(message)):
        parse_request(body, PAYLOADS)


@each_row("operation", sorted(set(Operation) - set(PAYLOADS)))
def test_operation_without_payload_is_named_in_the_refusal(operation):
    tag = OPERATION_TAGS[operation]
    with pytest.raises(OperationNotSupported, match=f"^{tag} "):
        parse_request(encode(tag), PAYLOADS)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_damaged_request_raises_nothing_but_a_kmip_error(data):
    operation = data.draw(st.sampled_from(sorted(PAYLOADS)))
    request = data.draw(values_of(PAYLOADS[operation][0]))
    body = bytearray(
        json_codec.format(to_node(request, OPERATION_TAGS[operation]), Dialect.COSMIAN)
    )
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(body) - 1))
        body[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(KMIPError):
        parse_request(bytes(body), PAYLOADS)


def test_create_response_is_the_one_of_the_wire_reference():
    response = CreateResponse(ObjectType.SYMMETRIC_KEY, "036ef37d")
    assert format_bare_response(Operation.CREATE, response, Dialect.COSMIAN) == (
        b'{"tag":"CreateResponse","type":"Structure","value":['
        b'{"tag":"ObjectType","type":"Enumeration","value":"SymmetricKey"},'
        b'{"tag":"UniqueIdentifier","type":"TextString","value":"036ef37d"}]}'
    )


def test_payload_of_an_operation_that_is_not_offered_is_not_looked_at():
    body = encode("Activate", octets("Data", "00"))
    with pytest.raises(OperationNotSupported, match=r"^Activate is not offered"):
        parse_request(body, {Operation.GET: PAYLOADS[Operation.GET]})
    with pytest.raises(InvalidField, match="Data is not supported"):
        parse_request(body, {Operation.ACTIVATE: PAYLOADS[Operation.ACTIVATE]})


def test_octets_that_tell_no_version_are_refused_in_1_0():
    """Whatever says a version in a place where it can be found is refused in that one."""
    message = structure_of(
        "RequestMessage",
        structure_of("RequestHeader", to_node(ProtocolVersion(1, 2), "ProtocolVersion")),
    )
    whole = binary_codec.format(message)
    for octets, version in (
        (whole[:-1], (1, 2)),
        (whole[8:], (1, 0)),
        (b"", (1, 0)),
        (b"{}", (1, 0)),
    ):
        refused = parse_binary_message(octets, PAYLOADS)
        assert refused.header is None
        assert refused.version == ProtocolVersion(*version)


def binary_message(*children):
    root = Node("RequestMessage", ItemType.STRUCTURE, children)
    return binary_codec.format(root)


def structure_of(tag, *children):
    return Node(tag, ItemType.STRUCTURE, children)


AUTHENTICATION = structure_of("Authentication")
ITEM = structure_of("BatchItem")
HEADER = structure_of("RequestHeader", AUTHENTICATION)


@pytest.mark.parametrize(
    ("children", "found"),
    [((HEADER, ITEM), AUTHENTICATION), ((structure_of("RequestHeader"), ITEM), None)],
)
def test_authentication_is_found_in_the_header_alone(children, found):
    assert find_authentication(binary_message(*children)) == found


WHOLE = binary_message(HEADER, ITEM)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(binary_message(ITEM, HEADER), id="the header behind an item"),
        pytest.param(binary_message(), id="nothing"),
        pytest.param(
            binary_message(Node("RequestHeader", ItemType.TEXT_STRING, "x")),
            id="a text for a header",
        ),
        pytest.param(WHOLE[:12], id="half a frame of a header"),
        pytest.param(WHOLE[:16], id="the frame of a header alone"),
        pytest.param(
            binary_message(
                structure_of("RequestHeader", Node("Authentication", ItemType.TEXT_STRING, "x"))
            ),
            id="a text for an Authentication",
        ),
    ],
)
def test_message_in_which_an_authentication_might_be_overlooked_is_refused(octets):
    with pytest.raises(InvalidMessage):
        find_authentication(octets)
