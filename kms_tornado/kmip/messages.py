"""Messages: what a body asks for, a bare operation or a RequestMessage, and the body that answers.

A bare operation is a root node with the operation's tag. Batches stand in `batch`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..errors import InvalidMessage, KMIPError, OperationNotSupported
from . import binary_codec, json_codec
from .enums import Operation
from .requests import Payloads, RequestMessage, read_message, refuse_message
from .schema import Declared, from_node, to_node
from .tables import OPERATION_TAGS
from .ttlv import Dialect, Node

_OPERATIONS: Mapping[str, Operation] = {OPERATION_TAGS[each]: each for each in Operation}


class BareOperation(NamedTuple):
    """dialect: the one to answer in."""

    operation: Operation
    request: Declared
    dialect: Dialect


def parse_request(body: bytes, payloads: Payloads) -> BareOperation | RequestMessage:
    """Whichever of the two the body is. payloads: of the operations that are offered.

    Raises InvalidMessage, InvalidField, MissingData or another KMIPError for a payload of a bare
    operation that is not as declared, and OperationNotSupported for an operation that has none. A
    RequestMessage that cannot be read is no error here: it knows how it is to be answered.
    """
    tree = json_codec.load(body)
    root, dialect = json_codec.root_of(tree)
    if root == "RequestMessage":
        return _message(tree, dialect, payloads)
    return _bare(json_codec.parse_tree(tree, root), dialect, payloads)


def parse_message(body: bytes, payloads: Payloads) -> RequestMessage:
    """A RequestMessage and nothing else. Raises InvalidMessage for what is no message of KMIP."""
    tree = json_codec.load(body)
    root, dialect = json_codec.root_of(tree)
    if root != "RequestMessage":
        dialect = Dialect.OASIS if dialect is Dialect.COSMIAN else dialect
        return refuse_message(
            InvalidMessage(f"a RequestMessage is expected here, not {root}"), dialect
        )
    return _message(tree, dialect, payloads)


def parse_binary_message(octets: bytes, payloads: Payloads) -> RequestMessage:
    """A RequestMessage in binary TTLV, or one that is refused: nothing is raised."""
    try:
        root = binary_codec.parse(octets)
    except KMIPError as exc:
        return refuse_message(exc, Dialect.BINARY)
    if root.tag != "RequestMessage":
        error = InvalidMessage(f"a RequestMessage is expected here, not {root.tag}")
        return refuse_message(error, Dialect.BINARY)
    return read_message(root, Dialect.BINARY, payloads)


def format_message(root: Node, dialect: Dialect) -> bytes:
    """The ResponseMessage as the client wrote its request."""
    if dialect is Dialect.BINARY:
        return binary_codec.format(root)
    return json_codec.format(root, dialect)


def parse_bare_operation(body: bytes, payloads: Payloads) -> BareOperation:
    """As `parse_request`, with InvalidMessage for a RequestMessage."""
    return _bare(*json_codec.parse(body), payloads)


def format_bare_response(operation: Operation, payload: Declared, dialect: Dialect) -> bytes:
    """The answer to a bare operation: a root of the tag `<Operation>Response`."""
    return json_codec.format(to_node(payload, f"{OPERATION_TAGS[operation]}Response"), dialect)


def _message(tree: object, dialect: Dialect, payloads: Payloads) -> RequestMessage:
    try:
        root = json_codec.parse_tree(tree, "RequestMessage")
    except KMIPError as exc:
        return refuse_message(InvalidMessage(str(exc)), dialect)
    return read_message(root, dialect, payloads)


def _bare(root: Node, dialect: Dialect, payloads: Payloads) -> BareOperation:
    operation = _OPERATIONS.get(root.tag)
    if operation is None:
        raise InvalidMessage(f"{root.tag} is no operation")
    types = payloads.get(operation)
    if types is None:
        raise OperationNotSupported(f"{root.tag} is not offered by this server")
    return BareOperation(operation, from_node(types.request, root), dialect)
