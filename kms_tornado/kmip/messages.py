"""Bodies to requests and answers to bodies, for bare operations and for whole messages.

A bare operation is a root node with the operation's tag; a RequestMessage is read by `requests`, and a
ResponseMessage made by `responses`.
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

_OPERATIONS: Mapping[str, Operation] = {
    OPERATION_TAGS[operation]: operation for operation in Operation
}


class BareOperation(NamedTuple):
    """An operation without a message around it. dialect: of the answer."""

    operation: Operation
    request: Declared
    dialect: Dialect


def parse_request(body: bytes, payloads: Payloads) -> BareOperation | RequestMessage:
    """The body as what it is, a bare operation or a RequestMessage.

    payloads: of the operations that are offered. For a bare operation, raises OperationNotSupported where
    it is not among them, and InvalidMessage, InvalidField, MissingData or another KMIPError where its
    payload does not fit the declaration. For a RequestMessage nothing is raised: it holds its own refusal.
    """
    tree = json_codec.load(body)
    root, dialect = json_codec.identify_root(tree)
    if root == "RequestMessage":
        return _read_message_tree(tree, dialect, payloads)
    return _read_bare_operation(json_codec.parse_tree(tree, root), dialect, payloads)


def parse_message(body: bytes, payloads: Payloads) -> RequestMessage:
    """A RequestMessage and nothing else. Raises InvalidMessage where the body is no message of KMIP."""
    tree = json_codec.load(body)
    root, dialect = json_codec.identify_root(tree)
    if root != "RequestMessage":
        dialect = Dialect.OASIS if dialect is Dialect.COSMIAN else dialect
        return refuse_message(
            InvalidMessage(f"a RequestMessage is expected here, not {root}"), dialect
        )
    return _read_message_tree(tree, dialect, payloads)


def parse_binary_message(octets: bytes, payloads: Payloads) -> RequestMessage:
    """A RequestMessage in binary TTLV; one that cannot be read is returned as refused."""
    try:
        root = binary_codec.parse(octets)
    except KMIPError as exc:
        return refuse_message(exc, Dialect.BINARY)
    if root.tag != "RequestMessage":
        error = InvalidMessage(f"a RequestMessage is expected here, not {root.tag}")
        return refuse_message(error, Dialect.BINARY)
    return read_message(root, Dialect.BINARY, payloads)


def format_message(root: Node, dialect: Dialect) -> bytes:
    """The ResponseMessage in the dialect of the request."""
    if dialect is Dialect.BINARY:
        return binary_codec.format(root)
    return json_codec.format(root, dialect)


def format_bare_response(operation: Operation, payload: Declared, dialect: Dialect) -> bytes:
    """The answer to a bare operation: a root with the tag `<Operation>Response`."""
    return json_codec.format(to_node(payload, f"{OPERATION_TAGS[operation]}Response"), dialect)


def _read_message_tree(tree: object, dialect: Dialect, payloads: Payloads) -> RequestMessage:
    try:
        root = json_codec.parse_tree(tree, "RequestMessage")
    except KMIPError as exc:
        return refuse_message(InvalidMessage(str(exc)), dialect)
    return read_message(root, dialect, payloads)


def _read_bare_operation(root: Node, dialect: Dialect, payloads: Payloads) -> BareOperation:
    operation = _OPERATIONS.get(root.tag)
    if operation is None:
        raise InvalidMessage(f"{root.tag} is no operation")
    types = payloads.get(operation)
    if types is None:
        raise OperationNotSupported(f"{root.tag} is not offered by this server")
    return BareOperation(operation, from_node(types.request, root), dialect)
