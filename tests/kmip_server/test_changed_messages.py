"""One message of KMIP 1, changed at each of its fields: whichever way it takes, it is answered, and in the same way.

The ways are the port, POST /kmip in binary and POST /kmip in JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kms_tornado.kmip.codecs import binary_codec, json_codec
from kms_tornado.kmip.enums import ObjectType, Operation, ResultReason, ResultStatus
from kms_tornado.kmip.ttlv import Dialect, ItemType, Node, Value, children_of

from ..kmip1_messages import V12, aes, attribute, choice, item, message, symmetric_key, template
from ..server import NO_AUTH, ServerProcess
from .client import Connection, Site, serving_kmip

REGISTER = item(
    Operation.REGISTER,
    choice("ObjectType", ObjectType.SYMMETRIC_KEY),
    template(*aes(128), attribute("x-Rack", "1")),
    symmetric_key(b"k" * 16),
    item_id=b"one",
)
WHOLE = binary_codec.parse(
    message(V12, REGISTER, header=[choice("BatchErrorContinuationOption", 2)])
)

#: What stands in a field's place, whatever its type was.
OTHERS: list[tuple[ItemType, Value]] = [
    (ItemType.TEXT_STRING, "x"),
    (ItemType.TEXT_STRING, ""),
    (ItemType.TEXT_STRING, "\0\u202e%s{0}[]\"'"),
    (ItemType.TEXT_STRING, "long " * 2000),
    (ItemType.INTEGER, -1),
    (ItemType.INTEGER, 2**31 - 1),
    (ItemType.LONG_INTEGER, -(2**63)),
    (ItemType.BIG_INTEGER, -(2**200)),
    (ItemType.ENUMERATION, 0xFFFFFFFF),
    (ItemType.BOOLEAN, True),
    (ItemType.BYTE_STRING, b""),
    (ItemType.DATE_TIME, 2**62),
    (ItemType.INTERVAL, 2**32 - 1),
    (ItemType.STRUCTURE, ()),
]

#: An empty structure stands for an absent field in JSON (`json_parsing`).
ABSENT_IN_JSON = {"Attribute", "UniqueIdentifier"}

Summary = list[tuple[object, object, ResultStatus, ResultReason | None]]


def change(
    node: Node, path: tuple[int, ...], edit: Callable[[list[Node], int], list[Node]]
) -> Node:
    """The message with the field at this path, and those beside it, edited."""
    children = list(children_of(node))
    if len(path) == 1:
        children = edit(children, path[0])
    else:
        children[path[0]] = change(children[path[0]], path[1:], edit)
    return node._replace(value=tuple(children))


def iterate_paths(node: Node, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Node]]:
    for position, child in enumerate(children_of(node)):
        yield (*path, position), child
        yield from iterate_paths(child, (*path, position))


def iterate_changes() -> Iterator[tuple[str, Node, bool]]:
    """(what was changed, the message, whether it means the same in JSON)."""

    def swap(fields: list[Node], at: int) -> list[Node]:
        before = (at or len(fields)) - 1
        fields[at], fields[before] = fields[before], fields[at]
        return fields

    for path, field in iterate_paths(WHOLE):
        where = f"{field.tag} at {path}"
        yield f"{where} is missing", change(WHOLE, path, lambda f, at: f[:at] + f[at + 1 :]), True
        yield (
            f"{where} is twice there",
            change(WHOLE, path, lambda f, at: f[: at + 1] + f[at:]),
            True,
        )
        if len(path) > 1:  # the port refuses a message that does not begin with its header
            yield f"{where} is elsewhere", change(WHOLE, path, swap), True
        for item_type, value in OTHERS:
            other = Node(field.tag, item_type, value)
            changed = change(WHOLE, path, lambda f, at, other=other: [*f[:at], other, *f[at + 1 :]])
            is_absent = value == () and field.tag in ABSENT_IN_JSON
            yield f"{where} is {item_type.name} {str(value)[:20]!r}", changed, not is_absent


def summarize(answer: Node) -> Summary:
    """Of each item: operation, identifier, status and reason."""
    _, *items = children_of(answer)
    summary: Summary = []
    for each in items:
        fields = {field.tag: field.value for field in children_of(each)}
        reason = fields.get("ResultReason")
        summary.append(
            (
                fields.get("Operation"),
                fields.get("UniqueBatchItemID"),
                ResultStatus(fields["ResultStatus"]),
                None if reason is None else ResultReason(reason),
            )
        )
    return summary


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[ServerProcess]:
    with serving_kmip(site, *NO_AUTH) as running:
        yield running


def test_message_that_is_changed_anywhere_is_answered_alike_by_every_way(
    site: Site, server: ServerProcess
) -> None:
    http = server.client.connection()

    def post(body: bytes, media_type: str) -> bytes:
        http.request("POST", "/kmip", body=body, headers={"Content-Type": media_type})
        response = http.getresponse()
        assert response.status == 200
        return response.read()

    different, reasons = [], set()
    with Connection(server.kmip_port, site.trust(site.alice)) as port:
        for what, changed, is_same_in_json in iterate_changes():
            octets = binary_codec.format(changed)
            answers = [
                binary_codec.parse(port.exchange(octets)),
                binary_codec.parse(post(octets, "application/octet-stream")),
            ]
            if is_same_in_json:
                text = json_codec.format(changed, Dialect.OASIS)
                answers.append(json_codec.parse(post(text, "application/json"))[0])
            first, *others = map(summarize, answers)
            reasons |= {reason for *_, reason in first}
            if any(other != first for other in others):
                different.append((what, first, others))
    http.close()
    assert different == []
    assert {None, ResultReason.INVALID_MESSAGE, ResultReason.INVALID_FIELD} <= reasons
    assert ResultReason.GENERAL_FAILURE not in reasons
