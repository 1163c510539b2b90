"""Exchange: one request to the server and how its answer is read. Nothing is sent here.

A bare operation is written in the dialect of JSON TTLV whose structures have no type
(docs/dialects.md, "The other dialects"): its answers lose nothing, where those to the published clients
leave out what these cannot read. A batch is a RequestMessage of KMIP 2.1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .. import strict_json
from ..errors import KMIPError, ObjectAlreadyExists
from ..kmip import json_codec
from ..kmip.schema import Declared, from_node, to_node
from ..kmip.tables import OPERATION_TAGS
from ..kmip.ttlv import Dialect, ItemType, Node, children_of, structure
from .catalogue import ROWS, find_row
from .errors import UnexpectedAnswer
from .refusals import make_refusal

T = TypeVar("T")
U = TypeVar("U")

#: What is read strictly and was not written by this server.
MAX_DEPTH = 16


@dataclass(frozen=True, slots=True)
class Exchange(Generic[T]):
    """One request, and what its answer means.

    path: below the server's URL. parse: the body of an answer of status 200 → the result; raises KMIPError
    and UnexpectedAnswer. is_repeatable: whether it may be sent again where nobody knows if it arrived.
    conclude: the result where a repeat is refused by this error, because the first try was carried out;
    raises the error where it means anything else.
    """

    method: str
    path: str
    parse: Callable[[bytes], T]
    body: bytes | None = field(default=None, repr=False)
    is_repeatable: bool = False
    conclude: Callable[[KMIPError], T] | None = None

    def then(self, convert: Callable[[T], U]) -> Exchange[U]:
        """The same request, of whose result the other is made."""
        conclude = self.conclude
        return Exchange(
            self.method,
            self.path,
            lambda body: convert(self.parse(body)),
            self.body,
            self.is_repeatable,
            None if conclude is None else lambda error: convert(conclude(error)),
        )


def perform(request: Declared, *, created: Any = None) -> Exchange[Any]:
    """One KMIP operation.

    request: a request class of `kms_tornado.kmip.payloads`. created: the response to a request whose
    identifier the client has just made at random; nobody else's object has it.
    """
    operation, row = find_row(request)
    tag = OPERATION_TAGS[operation]

    def parse(body: bytes) -> Any:
        node = _parse_root(body, f"{tag}Response")
        return _read(row.response, node)

    def conclude(error: KMIPError) -> Any:
        if isinstance(error, ObjectAlreadyExists):
            return created
        raise error

    return Exchange(
        "POST",
        "/kmip_2_1",
        parse,
        json_codec.format(to_node(request, tag), Dialect.OASIS_UNTYPED),
        is_repeatable=created is not None or row.is_repeatable(request),
        conclude=conclude if created is not None else None,
    )


def perform_batch(requests: Sequence[Declared]) -> Exchange[list[Any]]:
    """Several operations in one message; the result has a response or a KMIPError for each, in order."""
    rows = [find_row(request) for request in requests]
    header = structure(
        "RequestHeader",
        structure(
            "ProtocolVersion",
            Node("ProtocolVersionMajor", ItemType.INTEGER, 2),
            Node("ProtocolVersionMinor", ItemType.INTEGER, 1),
        ),
        Node("BatchCount", ItemType.INTEGER, len(rows)),
    )
    items = [
        structure(
            "BatchItem",
            Node("Operation", ItemType.ENUMERATION, int(operation)),
            Node("UniqueBatchItemID", ItemType.BYTE_STRING, number.to_bytes(2, "big")),
            to_node(request, "RequestPayload"),
        )
        for number, (request, (operation, _)) in enumerate(zip(requests, rows, strict=True))
    ]
    message = structure("RequestMessage", header, *items)

    def parse(body: bytes) -> list[Any]:
        root = _parse_root(body, "ResponseMessage")
        answers = [child for child in children_of(root) if child.tag == "BatchItem"]
        first = _read_item(answers[0], None) if len(answers) == 1 else None
        if len(rows) != 1 and isinstance(first, KMIPError):
            raise first  # the message was refused whole
        if len(answers) > len(rows) or not answers:
            raise UnexpectedAnswer("the server's answer has another number of items than the batch")
        return [
            _read_item(item, ROWS[operation].response)
            for item, (operation, _) in zip(answers, rows, strict=False)
        ]

    is_repeatable = all(
        row.is_repeatable(request) for request, (_, row) in zip(requests, rows, strict=True)
    )
    body = json_codec.format(message, Dialect.OASIS)
    return Exchange("POST", "/kmip", parse, body, is_repeatable=is_repeatable)


def call_json(
    method: str,
    path: str,
    read: Callable[[Any], T],
    members: dict[str, Any] | None = None,
    *,
    is_repeatable: bool = True,
) -> Exchange[T]:
    """A request with plain JSON. read: the parsed body → the result; raises UnexpectedAnswer."""

    def parse(body: bytes) -> T:
        try:
            document = strict_json.loads(body, max_depth=MAX_DEPTH)
        except ValueError:
            raise UnexpectedAnswer("the server's answer is no JSON") from None
        return read(document)

    body = None if members is None else json.dumps(members).encode()
    return Exchange(method, path, parse, body, is_repeatable=is_repeatable)


def _parse_root(body: bytes, tag: str) -> Node:
    try:
        node, _ = json_codec.parse(body)
    except KMIPError:
        raise UnexpectedAnswer("the server's answer is no KMIP in JSON") from None
    if node.tag != tag:
        raise UnexpectedAnswer(f"the server answered {node.tag} where {tag} belongs")
    return node


def _read(response: type[Declared], node: Node) -> Any:
    try:
        return from_node(response, node)
    except KMIPError as exc:
        raise UnexpectedAnswer(f"the server's answer is not as KMIP has it: {exc}") from None


def _read_item(item: Node, response: type[Declared] | None) -> Any:
    """The response of one batch item, or the error with which it was refused."""
    fields = {child.tag: child for child in children_of(item)}
    status = fields["ResultStatus"].value if "ResultStatus" in fields else None
    if status == 0 and response is not None and "ResponsePayload" in fields:
        return _read(response, fields["ResponsePayload"])
    if status == 0 and response is None:
        return None
    reason, message = fields.get("ResultReason"), fields.get("ResultMessage")
    if reason is None or not isinstance(reason.value, int):
        raise UnexpectedAnswer("an item of the server's answer has neither a payload nor a reason")
    return make_refusal(reason.value, str(message.value) if message is not None else "")
