"""Reading RequestMessages and writing ResponseMessages, without a server."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_tornado import errors
from kms_tornado.kmip import json_codec
from kms_tornado.kmip.enums import ObjectType, Operation
from kms_tornado.kmip.messages import parse_message, parse_request
from kms_tornado.kmip.payloads import CreateResponse, ProtocolVersion
from kms_tornado.kmip.requests import MAX_BATCH_ITEMS, RequestItem, RequestMessage, read_message
from kms_tornado.kmip.responses import (
    render_failure,
    render_response,
    render_success,
    render_undone,
)
from kms_tornado.kmip.tables import ENUMERATIONS
from kms_tornado.kmip.ttlv import Dialect, ItemType, Node, encoded_length, structure

from ..kms import batch_item, message, name, text, uid, untyped
from ..kms import structure as structure_item
from .payload_table import PAYLOADS
from .strategies import nodes

ITEM = RequestItem(Operation.CREATE, errors.InvalidField("x"), b"\1")
WHOLE = message(
    batch_item("Get", uid("a"), item_id=b"\1"), batch_item("Query", name("QueryFunction", 1))
)


def reason(read: RequestMessage) -> str:
    assert read.header is None
    (only,) = read.items
    assert isinstance(only.request, errors.KMIPError)
    return only.request.reason


def test_whole_message_is_read():
    read = parse_request(json.dumps(WHOLE).encode(), PAYLOADS)
    assert isinstance(read, RequestMessage)
    assert read.dialect is Dialect.OASIS
    assert read.version == ProtocolVersion(2, 1)
    assert [each.operation for each in read.items] == [Operation.GET, Operation.QUERY]
    assert [each.unique_batch_item_id for each in read.items] == [b"\1", None]


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        pytest.param(WHOLE, Dialect.OASIS, id="message"),
        pytest.param(untyped(WHOLE), Dialect.OASIS_UNTYPED, id="untyped message"),
        pytest.param(batch_item("Get"), Dialect.OASIS, id="another root"),
        pytest.param({"tag": "Get", "value": []}, Dialect.OASIS_UNTYPED, id="untyped operation"),
    ],
)
def test_message_is_answered_in_an_oasis_dialect_whatever_it_was(body, dialect):
    assert parse_message(json.dumps(body).encode(), PAYLOADS).dialect is dialect


@pytest.mark.parametrize("number", [0, MAX_BATCH_ITEMS + 1])
def test_number_of_items_is_bounded(number):
    body = message(*[batch_item("Locate")] * number)
    assert reason(parse_message(json.dumps(body).encode(), PAYLOADS)) == "Invalid Message"


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        nodes(st.sampled_from(["BatchItem", "RequestHeader", "BatchCount", "ProtocolVersion",
                               "Operation", "RequestPayload", "MessageExtension", "Authentication",
                               "ProtocolVersionMajor", "UniqueIdentifier"])),
        max_size=5,
    )
)  # fmt: skip
def test_message_of_any_shape_is_read_or_refused(children):
    read = read_message(structure("RequestMessage", *children), Dialect.OASIS, PAYLOADS)
    assert read.items


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_damaged_message_raises_nothing_but_a_kmip_error(data):
    body = bytearray(json.dumps(WHOLE).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(body) - 1))
        body[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        read = parse_message(bytes(body), PAYLOADS)
    except errors.KMIPError:
        return
    assert read.items


@pytest.mark.parametrize(
    "error",
    [each for each in vars(errors).values()
     if isinstance(each, type) and issubclass(each, errors.KMIPError)],
    ids=lambda error: error.__name__,
)  # fmt: skip
def test_every_error_has_a_number_that_reads_as_its_reason(error):
    item = render_failure(ITEM, error("why"))
    parts = {child.tag: child.value for child in item.value}
    oasis = ENUMERATIONS["ResultReason"].oasis[parts["ResultReason"]]
    assert oasis == error.reason.replace(" ", "")
    assert parts["ResultMessage"] == "why"


def test_response_is_the_one_of_the_wire_reference():
    read = parse_message(json.dumps(WHOLE).encode(), PAYLOADS)
    answer = render_response(
        read,
        [render_success(ITEM, CreateResponse(ObjectType.SYMMETRIC_KEY, "a")), render_undone(ITEM)],
        now=1795430716,
    )
    assert json.loads(json_codec.format(answer, Dialect.OASIS_UNTYPED)) == {
        "tag": "ResponseMessage",
        "value": [
            {"tag": "ResponseHeader", "value": [
                {"tag": "ProtocolVersion", "value": [
                    {"tag": "ProtocolVersionMajor", "type": "Integer", "value": 2},
                    {"tag": "ProtocolVersionMinor", "type": "Integer", "value": 1}]},
                {"tag": "TimeStamp", "type": "DateTime", "value": "2026-11-23T10:45:16+00:00"},
                {"tag": "BatchCount", "type": "Integer", "value": 2}]},
            {"tag": "BatchItem", "value": [
                {"tag": "Operation", "type": "Enumeration", "value": "Create"},
                {"tag": "UniqueBatchItemID", "type": "ByteString", "value": "01"},
                {"tag": "ResultStatus", "type": "Enumeration", "value": "Success"},
                {"tag": "ResponsePayload", "value": [
                    {"tag": "ObjectType", "type": "Enumeration", "value": "SymmetricKey"},
                    {"tag": "UniqueIdentifier", "type": "TextString", "value": "a"}]}]},
            {"tag": "BatchItem", "value": [
                {"tag": "Operation", "type": "Enumeration", "value": "Create"},
                {"tag": "UniqueBatchItemID", "type": "ByteString", "value": "01"},
                {"tag": "ResultStatus", "type": "Enumeration", "value": "OperationUndone"}]},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("item_type", "value", "length"),
    [
        # Most of them are the examples of the specification's chapter on TTLV.
        pytest.param(ItemType.INTEGER, 8, 16, id="integer"),
        pytest.param(ItemType.LONG_INTEGER, 123456789000000000, 16, id="long integer"),
        pytest.param(ItemType.BIG_INTEGER, 1234567890000000000000000000, 24, id="big integer"),
        pytest.param(ItemType.BIG_INTEGER, 0, 16, id="zero"),
        pytest.param(ItemType.BIG_INTEGER, 2**63, 24, id="big integer with room for its sign"),
        pytest.param(ItemType.BIG_INTEGER, 2**63 - 1, 16, id="big integer that just fits"),
        pytest.param(ItemType.ENUMERATION, 255, 16, id="enumeration"),
        pytest.param(ItemType.BOOLEAN, True, 16, id="boolean"),
        pytest.param(ItemType.TEXT_STRING, "Hello World", 24, id="text"),
        pytest.param(ItemType.TEXT_STRING, "é" * 4, 16, id="text counts in UTF-8"),
        pytest.param(ItemType.TEXT_STRING, "", 8, id="empty text"),
        pytest.param(ItemType.BYTE_STRING, b"\1\2\3", 16, id="bytes"),
        pytest.param(ItemType.BYTE_STRING, bytes(8), 16, id="eight bytes"),
        pytest.param(ItemType.DATE_TIME, 0x47DA67F8, 16, id="date"),
        pytest.param(ItemType.INTERVAL, 864000, 16, id="interval"),
        pytest.param(
            ItemType.STRUCTURE,
            (Node("ApplicationData", ItemType.ENUMERATION, 254),
             Node("ApplicationData", ItemType.INTEGER, 255)),
            40, id="structure",
        ),
    ],
)  # fmt: skip
def test_length_is_that_of_the_specification_s_examples(item_type, value, length):
    assert encoded_length(Node("ApplicationData", item_type, value)) == length


@pytest.mark.parametrize(
    ("operation", "payload", "field", "value"),
    [
        ("Get", [name("UniqueIdentifier", "IDPlaceholder")], "unique_identifier", None),
        (
            "ReKeyKeyPair",
            [name("PrivateKeyUniqueIdentifier", "IDPlaceholder")],
            "private_key_unique_identifier",
            None,
        ),
        (
            "DeriveKey",
            [
                name("ObjectType", "SymmetricKey"),
                name("UniqueIdentifier", "IDPlaceholder"),
                name("DerivationMethod", "HASH"),
                structure_item("DerivationParameters"),
                structure_item("Attributes"),
            ],
            "unique_identifiers",
            (),
        ),
    ],
)
def test_placeholder_by_name_is_an_identifier_left_out(operation, payload, field, value):
    body = message(batch_item(operation, *payload))
    (item,) = parse_message(json.dumps(body).encode(), PAYLOADS).items
    assert getattr(item.request, field) == value


def test_placeholder_beside_another_identifier_is_refused():
    """Left out, it would have the key derived from half of what was asked for."""
    named, other = name("UniqueIdentifier", "IDPlaceholder"), text("UniqueIdentifier", "b")
    body = message(batch_item("DeriveKey", named, other))
    (item,) = parse_message(json.dumps(body).encode(), PAYLOADS).items
    assert isinstance(item.request, errors.FeatureNotSupported)
