"""Writing ResponseMessages, without a server."""

from __future__ import annotations

import json

import pytest

from kms_tornado import errors
from kms_tornado.kmip.codecs import json_codec
from kms_tornado.kmip.enums import ObjectType, Operation
from kms_tornado.kmip.messages.batch_items import RequestItem
from kms_tornado.kmip.messages.bodies import parse_message
from kms_tornado.kmip.messages.responses import (
    make_correlation_value,
    render_failure,
    render_response,
    render_success,
    render_undone,
)
from kms_tornado.kmip.payloads import CreateResponse
from kms_tornado.kmip.tables import ENUMERATIONS
from kms_tornado.kmip.ttlv import Dialect, ItemType, Node, structure

from ...kmip_items import batch_item, message, name, text, uid, untyped
from ...rows import each_row
from ..payload_table import PAYLOADS

ITEM = RequestItem(Operation.CREATE, errors.InvalidField("x"), b"\1")
WHOLE = message(
    batch_item("Get", uid("a"), item_id=b"\1"), batch_item("Query", name("QueryFunction", 1))
)


@each_row(
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


def test_response_has_header_and_items_in_the_order_of_the_specification():
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


def test_item_that_was_taken_back_names_its_object_and_nothing_else():
    item = render_undone(ITEM, "a")
    assert item.value[-1] == structure(
        "ResponsePayload", Node("UniqueIdentifier", ItemType.TEXT_STRING, "a")
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(WHOLE, "ItemNotFound", id="types throughout, as the published servers"),
        pytest.param(untyped(WHOLE), "ObjectNotFound", id="no type on structures, as the profiles"),
    ],
)
def test_missing_object_is_reported_in_the_words_of_the_client_s_dialect(body, reason):
    read = parse_message(json.dumps(body).encode(), PAYLOADS)
    answer = render_response(read, [render_failure(ITEM, errors.ItemNotFound("x"))], now=0)
    numbers = ENUMERATIONS["ResultReason"].oasis
    (item,) = [child for child in answer.value if child.tag == "BatchItem"]
    (number,) = [child.value for child in item.value if child.tag == "ResultReason"]
    assert numbers[number] == reason


def test_correlation_value_is_made_for_clients_that_sent_their_own():
    plain = parse_message(json.dumps(WHOLE).encode(), PAYLOADS)
    correlated = message(
        batch_item("Get", uid("a")), header=[text("ClientCorrelationValue", "mine")]
    )
    assert make_correlation_value(plain) is None
    value = make_correlation_value(parse_message(json.dumps(correlated).encode(), PAYLOADS))
    assert value
    assert value != "mine"
    answer = render_response(plain, (), now=0, server_correlation_value=value)
    assert Node("ServerCorrelationValue", ItemType.TEXT_STRING, value) in answer.value[0].value
