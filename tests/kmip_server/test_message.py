"""Which messages are carried out in the turn of the loop in which they were read."""

from __future__ import annotations

import pytest

from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.messages.bodies import parse_binary_message
from kms_tornado.kmip.ttlv import Node
from kms_tornado.kmip.versions import ProtocolVersion
from kms_tornado.kmip_server.message import goes_on_at_once
from kms_tornado.service.catalogue import collect_payload_types, select_operations

from ..kmip1_messages import item, message, octets, uid

OPERATIONS = select_operations(kmip_interop=False)

GET = item(Operation.GET, uid("a"))
ENCRYPT = item(Operation.ENCRYPT, uid("a"), octets("Data", b"x"))
DESTROY = item(Operation.DESTROY, uid("a"))
POLL = item(Operation.POLL)


@pytest.mark.parametrize(
    ("items", "has_more", "at_once"),
    [
        pytest.param([GET], False, True, id="reads"),
        pytest.param([ENCRYPT], False, True, id="uses"),
        pytest.param([DESTROY], False, False, id="changes"),
        pytest.param([POLL], False, False, id="is not offered"),
        pytest.param([GET, GET], False, False, id="has several items"),
        pytest.param([GET], True, False, id="of a client that sends ahead"),
    ],
)
def test_short_use_of_one_object_goes_on_at_once(
    items: list[Node], has_more: bool, at_once: bool
) -> None:
    payloads = collect_payload_types(OPERATIONS)
    parsed = parse_binary_message(message(ProtocolVersion(1, 2), *items), payloads)
    assert goes_on_at_once(parsed, OPERATIONS, has_more) is at_once


def test_message_that_is_refused_whole_waits() -> None:
    payloads = collect_payload_types(OPERATIONS)
    parsed = parse_binary_message(message(ProtocolVersion(1, 9), GET), payloads)
    assert goes_on_at_once(parsed, OPERATIONS, False) is False
