"""Every message of the mandatory KMIP 2.1 profile cases: XML → model → JSON → model → binary → model."""

from __future__ import annotations

import json
from typing import Any

from kms_tornado.errors import KMIPError
from kms_tornado.kmip.codecs import binary_codec, json_codec
from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.messages.requests import read_message
from kms_tornado.kmip.schema import from_node, to_node
from kms_tornado.kmip.ttlv import Dialect, Node

from ..oasis import ABSENT, CASES, read_messages, with_stand_ins
from ..rows import each_row
from .payload_table import PAYLOADS


def model_of(message: Node) -> Any:
    """The message in classes of ours, down to the last field; of a response's envelope the tree."""
    if message.tag == "RequestMessage":
        read = read_message(message, Dialect.OASIS, PAYLOADS)
        assert read.header is not None, str(read.items[0].request)
        assert not [each for each in read.items if isinstance(each.request, KMIPError)]
        return read.header, read.items
    assert message.tag == "ResponseMessage"
    return [with_payload_model(each) for each in message.value]


def with_payload_model(part: Node) -> Any:
    if part.tag != "BatchItem":
        return part
    fields = {child.tag: child for child in part.value}
    payload = fields.pop("ResponsePayload", None)
    if payload is None:
        return fields
    return fields, from_node(PAYLOADS[Operation(fields["Operation"].value)][1], payload)


def rewritten(message: Node) -> Node:
    """The same with its payloads written from their models."""
    return message._replace(value=tuple(map(rewritten_part, message.value)))


def rewritten_part(part: Node) -> Node:
    children = []
    for child in part.value:
        if child.tag in {"RequestPayload", "ResponsePayload"}:
            operation = Operation(part.value[0].value)
            cls = PAYLOADS[operation][child.tag == "ResponsePayload"]
            child = to_node(from_node(cls, child), child.tag)
        children.append(child)
    return part._replace(value=tuple(children))


@each_row("path", CASES, ids=lambda path: path.stem, absent=ABSENT)
def test_messages_go_through_model_json_and_binary_unchanged(path):
    for item in read_messages(path):
        message, dialect = json_codec.parse(json.dumps(with_stand_ins(item)).encode())
        assert dialect is Dialect.OASIS_UNTYPED
        model = model_of(message)

        written = json_codec.format(rewritten(message), dialect)
        from_json, _ = json_codec.parse(written)
        assert model_of(from_json) == model

        from_binary = binary_codec.parse(binary_codec.format(rewritten(from_json)))
        assert model_of(from_binary) == model
        assert json_codec.format(from_binary, dialect) == written
