"""The mandatory cases of the KMIP 2.1 profiles, rewritten from XML to JSON TTLV, are understood."""

from __future__ import annotations

import json

import pytest

from kms_tornado.kmip import json_codec
from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.payloads import PAYLOADS
from kms_tornado.kmip.schema import from_node
from kms_tornado.kmip.ttlv import Dialect, Node

from ..oasis import CASES, read_messages, with_stand_ins


def payloads(message: Node) -> list[tuple[Operation, Node]]:
    found = []
    for item in message.value:
        parts = {child.tag: child for child in item.value} if item.tag == "BatchItem" else {}
        payload = parts.get("RequestPayload") or parts.get("ResponsePayload")
        if payload and "Operation" in parts:
            found.append((Operation(parts["Operation"].value), payload))
    return found


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_messages_of_the_case_are_read_and_written(path):
    for item in read_messages(path):
        message, dialect = json_codec.parse(json.dumps(with_stand_ins(item)).encode())
        assert dialect is Dialect.OASIS_UNTYPED
        assert json_codec.parse(json_codec.format(message, dialect))[0] == message
        for operation, payload in payloads(message):
            request, response = PAYLOADS[operation]
            from_node(request if payload.tag == "RequestPayload" else response, payload)
