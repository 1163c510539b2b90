"""Reading RequestMessages, without a server."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_tornado import errors
from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.messages.bodies import parse_message, parse_request
from kms_tornado.kmip.messages.requests import MAX_BATCH_ITEMS, RequestMessage, read_message
from kms_tornado.kmip.ttlv import Dialect, structure
from kms_tornado.kmip.versions import ProtocolVersion

from ...kmip_items import batch_item, message, name, text, uid, untyped
from ...kmip_items import structure as structure_item
from ..payload_table import PAYLOADS
from ..strategies import nodes

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
