"""Exchange: one request to the server, and how to read its answer. Nothing is sent here.

A bare operation is written in the dialect of JSON TTLV in which structures have no type (docs/dialects.md, "The other
dialects"). Its answers are complete, whereas those to the published clients lack what these cannot read. A batch is a
RequestMessage of KMIP 2.1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .. import strict_json
from ..errors import InvalidField, KMIPError, ObjectAlreadyExists
from ..kmip.codecs import json_codec, json_parsing
from ..kmip.schema import Declared, from_node, to_node
from ..kmip.tables import OPERATION_TAGS
from ..kmip.ttlv import MAX_DEPTH as KMIP_DEPTH
from ..kmip.ttlv import Dialect, ItemType, Node, children_of, structure
from ..kmip.versions import ProtocolVersion
from .catalogue import find_row
from .errors import UnexpectedAnswer
from .refusals import make_refusal

T = TypeVar("T")
U = TypeVar("U")
R = TypeVar("R", bound=Declared)

#: The protocol version of batches.
VERSION = ProtocolVersion(2, 1)

#: The deepest nesting of arrays in an answer with plain JSON.
MAX_DEPTH = 16


@dataclass(frozen=True, slots=True)
class Exchange(Generic[T]):
    """One request, and what its answer means.

    path: below the server's URL.
    parse: turns the body of an answer with status 200 into the result; raises KMIPError and UnexpectedAnswer.
    is_repeatable: whether the request may be sent again if it is not known whether it arrived.
    conclude: the result where a repetition is refused with this error, because the first try was carried out; if the
    error means anything else, raises it.
    parse_with_headers: in place of parse, if headers of the answer are part of the result.
    """

    method: str
    path: str
    parse: Callable[[bytes], T]
    body: bytes | None = field(default=None, repr=False)
    is_repeatable: bool = False
    conclude: Callable[[KMIPError], T] | None = None
    parse_with_headers: Callable[[bytes, Mapping[str, str]], T] | None = None

    def read(self, body: bytes, headers: Mapping[str, str]) -> T:
        """The result of an answer with status 200."""
        if self.parse_with_headers is None:
            return self.parse(body)
        return self.parse_with_headers(body, headers)

    def then(self, convert: Callable[[T], U]) -> Exchange[U]:
        """The same request, whose result is then converted."""
        conclude, parse_with_headers = self.conclude, self.parse_with_headers
        return Exchange(
            self.method,
            self.path,
            lambda body: convert(self.parse(body)),
            self.body,
            self.is_repeatable,
            None if conclude is None else lambda error: convert(conclude(error)),
            None
            if parse_with_headers is None
            else lambda body, headers: convert(parse_with_headers(body, headers)),
        )


def perform(request: Declared, response: type[R], *, created: R | None = None) -> Exchange[R]:
    """One KMIP operation.

    request: an instance of a request class of `kms_tornado.kmip.payloads`.
    response: the class of its answer.
    created: the response to a request whose identifier the client has just made at random. Nobody else's object has
    that identifier, so if it exists when the request is repeated, the first try was carried out.
    """
    operation, row = find_row(request)
    assert row.response is response, request
    tag = OPERATION_TAGS[operation]

    def parse(body: bytes) -> R:
        return _read(response, _parse_root(body, f"{tag}Response"))

    def conclude(error: KMIPError) -> R:
        if created is not None and isinstance(error, ObjectAlreadyExists):
            return created
        raise error

    return Exchange(
        "POST",
        "/kmip_2_1",
        parse,
        _format(to_node(request, tag), Dialect.OASIS_UNTYPED),
        is_repeatable=created is not None or row.is_repeatable(request),
        conclude=conclude if created is not None else None,
    )


def perform_any(request: Declared) -> Exchange[Declared]:
    """Any KMIP operation. Raises TypeError for an argument that is not a request."""
    return perform(request, find_row(request)[1].response)


def perform_batch(requests: Sequence[Declared]) -> Exchange[list[Declared | KMIPError]]:
    """Several operations in one message. The result has a response or a KMIPError for each, in order.

    Messages follow the specification: a new key is Pre-Active unless it has an Activation Date.
    """
    rows = [find_row(request) for request in requests]
    items = [
        structure(
            "BatchItem",
            Node("Operation", ItemType.ENUMERATION, int(operation)),
            Node("UniqueBatchItemID", ItemType.BYTE_STRING, number.to_bytes(2, "big")),
            to_node(request, "RequestPayload"),
        )
        for number, (request, (operation, _)) in enumerate(zip(requests, rows, strict=True))
    ]
    header = structure(
        "RequestHeader",
        to_node(VERSION, "ProtocolVersion"),
        Node("BatchCount", ItemType.INTEGER, len(items)),
    )
    return Exchange(
        "POST",
        "/kmip",
        lambda body: _read_batch(body, [row.response for _, row in rows]),
        _format(structure("RequestMessage", header, *items), Dialect.OASIS),
        is_repeatable=all(
            row.is_repeatable(request) for request, (_, row) in zip(requests, rows, strict=True)
        ),
    )


def call_json(
    method: str,
    path: str,
    read: Callable[[Any], T],
    members: dict[str, Any] | None = None,
    *,
    is_repeatable: bool = True,
) -> Exchange[T]:
    """A request with plain JSON. read: turns the parsed body into the result; raises UnexpectedAnswer."""

    def parse(body: bytes) -> T:
        try:
            document = strict_json.loads(body, max_depth=MAX_DEPTH)
        except ValueError:
            raise UnexpectedAnswer("the server's answer is no JSON") from None
        return read(document)

    body = None if members is None else _encode(json.dumps(members, ensure_ascii=False))
    return Exchange(method, path, parse, body, is_repeatable=is_repeatable)


def _format(node: Node, dialect: Dialect) -> bytes:
    """The body. Raises InvalidField for a text that no server could read, such as an argument in Latin-1."""
    try:
        return json_codec.format(node, dialect)
    except (
        TypeError,
        UnicodeEncodeError,
    ):  # the former from orjson, where the extra `fast` is there
        raise _not_utf_8() from None


def _encode(text: str) -> bytes:
    """The text in UTF-8. Raises InvalidField as `_format` does."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise _not_utf_8() from None


def _not_utf_8() -> InvalidField:
    return InvalidField("a text of the request is not UTF-8: nothing was sent")


def _parse_root(body: bytes, tag: str) -> Node:
    try:
        # Not `json_parsing.load`: how many items a message may have is for those that a server reads.
        tree = strict_json.loads(body, max_depth=2 * KMIP_DEPTH)
        node = json_parsing.parse_tree(tree, json_parsing.identify_root(tree)[0])
    except (ValueError, KMIPError):
        raise UnexpectedAnswer("the server's answer is no KMIP in JSON") from None
    if node.tag != tag:
        raise UnexpectedAnswer(f"the server answered {node.tag} where {tag} belongs")
    return node


def _read(response: type[R], node: Node) -> R:
    try:
        return from_node(response, node)
    except KMIPError as exc:
        raise UnexpectedAnswer(f"the server's answer is not as KMIP has it: {exc}") from None


def _read_batch(body: bytes, responses: Sequence[type[Declared]]) -> list[Declared | KMIPError]:
    root = _parse_root(body, "ResponseMessage")
    items = [child for child in children_of(root) if child.tag == "BatchItem"]
    if len(items) == 1 and len(responses) != 1:
        raise _read_failure(items[0])  # the message was refused whole
    if len(items) != len(responses):
        raise UnexpectedAnswer("the server's answer has another number of items than the batch")
    return [_read_item(*pair) for pair in zip(items, responses, strict=True)]


def _read_item(item: Node, response: type[Declared]) -> Declared | KMIPError:
    """The response of one batch item, or the error with which it was refused."""
    for child in children_of(item):
        if child.tag == "ResponsePayload":
            return _read(response, child)
    return _read_failure(item)


def _read_failure(item: Node) -> KMIPError:
    fields = {child.tag: child.value for child in children_of(item)}
    reason, message = fields.get("ResultReason"), fields.get("ResultMessage", "")
    if not isinstance(reason, int) or not isinstance(message, str):
        raise UnexpectedAnswer("an item of the server's answer has neither a payload nor a reason")
    return make_refusal(reason, message)
