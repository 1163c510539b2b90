"""Protocol versions, and the gate that a row of the table makes."""

from __future__ import annotations

import json

import pytest

from kms_tornado import errors
from kms_tornado.kmip import requests, responses, versions
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.messages import parse_message
from kms_tornado.kmip.payloads import (
    EncryptRequest,
    EncryptResponse,
    GetAttributesResponse,
    QueryResponse,
)
from kms_tornado.kmip.requests import RequestMessage
from kms_tornado.kmip.responses import render_response, render_success
from kms_tornado.kmip.tables import TAG_NUMBERS
from kms_tornado.kmip.ttlv import Node, children_of
from kms_tornado.kmip.versions import (
    HISTORY,
    SUPPORTED_VERSIONS,
    Changes,
    ProtocolVersion,
    Vocabulary,
    check_supported,
    format_versions,
    make_gate,
    select_versions,
)

from ..kms import batch_item, message, octets, structure, text, uid, version
from .payload_table import PAYLOADS

V20, V21 = ProtocolVersion(2, 0), ProtocolVersion(2, 1)

#: As if 2.1 had brought an attribute, two fields and an operation, and dropped a field.
ROW = Changes(
    added=Vocabulary(
        attributes=frozenset({"Comment"}),
        fields=frozenset({("Encrypt", "InitIndicator"), ("EncryptResponse", "CorrelationValue")}),
        values=frozenset({("Operation", int(Operation.HASH))}),
    ),
    removed=Vocabulary(fields=frozenset({("Encrypt", "FinalIndicator")})),
)


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    history = {**HISTORY, V21: ROW}
    gates = {version: make_gate(version, history) for version in history}
    for module in (versions, requests, responses):
        monkeypatch.setattr(module, "GATES", gates)


def read(minor: int, operation: str, *payload: dict) -> RequestMessage:
    body = message(batch_item(operation, *payload), header=[version(2, minor)])
    return parse_message(json.dumps(body).encode(), PAYLOADS)


def answer(request: RequestMessage, response: object) -> Node:
    """The payload of the answer."""
    (item,) = request.items
    root = render_response(request, [render_success(item, response)], now=0)
    return children_of(root)[1].value[-1]


# --- which versions -----------------------------------------------------------------------------


def test_newest_version_is_preferred():
    assert SUPPORTED_VERSIONS == (V21, V20)


@pytest.mark.parametrize("supported", SUPPORTED_VERSIONS, ids=str)
def test_supported_version_passes(supported):
    check_supported(supported)


@pytest.mark.parametrize(
    "unsupported", [ProtocolVersion(1, 4), ProtocolVersion(2, 2), ProtocolVersion(3, 0)], ids=str
)
def test_unsupported_version_is_answered_with_those_to_try(unsupported):
    with pytest.raises(
        errors.UnsupportedProtocolVersion, match=r"this server speaks KMIP 2\.1 and 2\.0"
    ):
        check_supported(unsupported)
    assert format_versions() == "2.1 and 2.0"


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        pytest.param((), (V21, V20), id="none: all of ours"),
        pytest.param((V20, V21), (V21, V20), id="in our order"),
        pytest.param((ProtocolVersion(1, 4), V20), (V20,), id="what both speak"),
        pytest.param((ProtocolVersion(1, 4),), (), id="nothing in common"),
    ],
)
def test_discovery_selects_what_both_sides_speak(offered, selected):
    assert select_versions(offered) == selected


# --- the gate -----------------------------------------------------------------------------------


@pytest.mark.parametrize("supported", SUPPORTED_VERSIONS, ids=str)
def test_both_versions_are_the_same_to_the_server_today(supported):
    assert versions.GATES[supported] is None


@pytest.mark.usefixtures("row")
@pytest.mark.parametrize(
    ("operation", "payload"),
    [
        pytest.param(
            "Encrypt",
            [octets("Data", b"x"), {"tag": "InitIndicator", "type": "Boolean", "value": True}],
            id="a field",
        ),
        pytest.param(
            "AddAttribute", [structure("NewAttribute", text("Comment", "x"))], id="an attribute"
        ),
        pytest.param(
            "GetAttributes",
            [{"tag": "AttributeReference", "type": "Enumeration", "value": "Comment"}],
            id="a reference to the attribute",
        ),
        pytest.param(
            "Hash",
            [
                structure(
                    "CryptographicParameters",
                    {"tag": "HashingAlgorithm", "type": "Enumeration", "value": "SHA_256"},
                ),
                octets("Data", b"x"),
            ],
            id="an operation",
        ),
    ],
)
def test_request_may_name_only_what_its_version_has(operation, payload):
    (older,) = read(0, operation, *payload).items
    (newer,) = read(1, operation, *payload).items
    assert isinstance(older.request, errors.KMIPError)
    assert "KMIP 2.0" in str(older.request)
    assert not isinstance(newer.request, errors.KMIPError)


@pytest.mark.usefixtures("row")
def test_what_a_version_dropped_is_gone_from_it_on():
    last = {"tag": "FinalIndicator", "type": "Boolean", "value": True}
    (older,) = read(0, "Encrypt", octets("Data", b"x"), last).items
    (newer,) = read(1, "Encrypt", octets("Data", b"x"), last).items
    assert isinstance(older.request, EncryptRequest)
    assert isinstance(newer.request, errors.InvalidField)


@pytest.mark.usefixtures("row")
@pytest.mark.parametrize(
    ("operation", "response", "older", "newer"),
    [
        pytest.param(
            "Encrypt",
            EncryptResponse("a", b"x", correlation_value=b"c"),
            ["UniqueIdentifier", "Data"],
            ["UniqueIdentifier", "Data", "CorrelationValue"],
            id="a field",
        ),
        pytest.param(
            "Query",
            QueryResponse(operations=(Operation.GET, Operation.HASH)),
            ["Operation"],
            ["Operation", "Operation"],
            id="a value",
        ),
    ],
)
def test_answer_holds_only_what_its_version_has(operation, response, older, newer):
    for minor, tags in ((0, older), (1, newer)):
        payload = answer(read(minor, operation, uid("a")), response)
        assert [child.tag for child in children_of(payload)] == tags


@pytest.mark.usefixtures("row")
def test_attribute_that_the_version_lacks_is_left_out_of_an_answer():
    response = GetAttributesResponse("a", Attributes(comment="x", description="y"))
    for minor, tags in ((0, ["Description"]), (1, ["Comment", "Description"])):
        payload = answer(read(minor, "GetAttributes", uid("a")), response)
        assert [child.tag for child in children_of(children_of(payload)[1])] == tags


def test_version_without_an_attribute_has_no_reference_to_it():
    gate = make_gate(V20, {V20: Changes(), V21: ROW})
    assert gate is not None
    assert ("AttributeReference", TAG_NUMBERS["Comment"]) in gate.absent.values
