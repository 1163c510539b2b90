"""From bodies to requests and from answers to bodies, for bare operations and for whole messages.

A bare operation is a root node with the operation's tag. `requests` reads a RequestMessage, and
`responses` makes a ResponseMessage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ... import strict_json
from ...errors import InvalidMessage, KMIPError, OperationNotSupported
from ..codecs import binary_codec, binary_frames, json_codec, json_parsing
from ..codecs.long_answers import format_long
from ..enums import Operation
from ..schema import Declared, from_node, to_node
from ..suggestions import suggest_root
from ..tables import OPERATION_TAGS
from ..ttlv import Dialect, Node
from ..versions import DEFAULT_VERSION, OLDEST_VERSION, ProtocolVersion, choose_answer_version
from .batch_items import Payloads
from .requests import RequestMessage, read_message, read_parts, refuse_message
from .salvage import Encoded, open_binary, open_json, salvage_message

_OPERATIONS: Mapping[str, Operation] = {
    OPERATION_TAGS[operation]: operation for operation in Operation
}


class BareOperation(NamedTuple):
    """An operation without a message around it. dialect: the one to answer in."""

    operation: Operation
    request: Declared
    dialect: Dialect


def parse_request(body: bytes, payloads: Payloads) -> BareOperation | RequestMessage:
    """The bare operation or the RequestMessage that the body holds.

    payloads: of the operations that are offered. Raises InvalidMessage where the body is neither. For a
    bare operation, raises OperationNotSupported where it is not offered, and InvalidField, MissingData or
    another KMIPError where its payload does not fit the declaration. A RequestMessage raises nothing of
    its own: one that must be refused holds its refusal.
    """
    tree = json_parsing.load(body)
    root, dialect = json_parsing.identify_root(tree)
    if root == "RequestMessage":
        return _read_message_tree(tree, dialect, payloads)
    return _read_bare_operation(json_parsing.parse_tree(tree, root), dialect, payloads)


def parse_message(body: bytes, payloads: Payloads) -> RequestMessage:
    """The RequestMessage in the body; a body with any other root is returned as a refused message.

    Raises InvalidMessage where the body is not JSON, or its root is not a tag of KMIP.
    """
    tree = json_parsing.load(body)
    root, dialect = json_parsing.identify_root(tree)
    if root != "RequestMessage":
        dialect = Dialect.OASIS if dialect is Dialect.COSMIAN else dialect
        way_out = ": post an operation alone to /kmip_2_1" if root in _OPERATIONS else ""
        error = InvalidMessage(f"a RequestMessage is expected here, not {root}{way_out}")
        return refuse_message(error, dialect)
    return _read_message_tree(tree, dialect, payloads)


def parse_binary_message(octets: bytes, payloads: Payloads) -> RequestMessage:
    """A RequestMessage in binary TTLV; one that cannot be read is returned as refused."""
    try:
        root = binary_codec.parse(octets)
    except KMIPError as exc:
        version = find_version(octets)
        try:
            binary_frames.check_frame(octets, "RequestMessage")
        except InvalidMessage:
            error = InvalidMessage(_recognise_other(octets) or str(exc))
            return refuse_message(error, Dialect.BINARY, version)
        return _read_damaged(open_binary(octets), Dialect.BINARY, payloads, version)
    if root.tag != "RequestMessage":
        error = InvalidMessage(f"a RequestMessage is expected here, not {root.tag}")
        return refuse_message(error, Dialect.BINARY, OLDEST_VERSION)
    return read_message(root, Dialect.BINARY, payloads, OLDEST_VERSION)


def _recognise_other(octets: bytes) -> str | None:
    """What was posted as binary TTLV by mistake; None where the octets resemble nothing else."""
    if octets.lstrip().startswith(b"{"):
        return "not binary TTLV but JSON: post it with Content-Type: application/json"
    form = strict_json.recognise(octets)
    return None if form is None else f"not binary TTLV: {form}"


def refuse_binary_message(octets: bytes, error: KMIPError) -> RequestMessage:
    """The refusal of a message that is not read, in its own version.

    octets: at least its first 56, if it has that many.
    """
    return refuse_message(error, Dialect.BINARY, find_version(octets))


def find_version(octets: bytes) -> ProtocolVersion:
    """The version in which to answer a message that cannot be read, if it at least begins like one."""
    start = _VERSION_START.match(octets)
    if start is None:
        return OLDEST_VERSION
    major, minor = (int.from_bytes(number, "big") for number in start.groups())
    return choose_answer_version(ProtocolVersion(major, minor))


#: RequestMessage, RequestHeader and ProtocolVersion, structures of any length, and the two Integers in it.
_VERSION_START = re.compile(
    rb"\x42\x00\x78\x01.{4}\x42\x00\x77\x01.{4}\x42\x00\x69\x01.{4}"
    rb"\x42\x00\x6a\x02.{4}(.{4}).{4}\x42\x00\x6b\x02.{4}(.{4})",
    re.DOTALL,
)


def find_authentication(octets: bytes) -> Node | None:
    """The Authentication in the header of a message in binary, of which nothing else is read; None without one.

    octets: of the message, at least up to the end of its header. Who sends a message is to be known before it is
    parsed, so what might hide an Authentication raises InvalidMessage: another first item than the header, a header
    that does not end within the octets, and an Authentication that cannot be read or is no Structure.
    """
    if octets[8:12] != _HEADER_START:
        raise InvalidMessage("a RequestMessage begins with its RequestHeader, a Structure")
    end = 16 + int.from_bytes(octets[12:16], "big")
    if len(octets) < 16 or end > len(octets):
        raise InvalidMessage("the RequestHeader is too long, or longer than the message")
    header = octets[8:end]
    if _AUTHENTICATION_TAG not in header:  # nearly every message
        return None
    for item in binary_frames.split(header):
        if item.startswith(_AUTHENTICATION_TAG):
            authentication = binary_codec.parse_item(item)
            if not isinstance(authentication.value, tuple):
                raise InvalidMessage("Authentication must be a Structure")
            return authentication
    return None


_HEADER_START, _AUTHENTICATION_TAG = b"\x42\x00\x77\x01", b"\x42\x00\x0c"


def format_bare_response(
    operation: Operation, payload: Declared, dialect: Dialect, *, is_long: bool = False
) -> bytes:
    """The answer to a bare operation: a root with the tag `<Operation>Response`. is_long: it may exceed some 64 KiB."""
    root = to_node(payload, f"{OPERATION_TAGS[operation]}Response")
    return format_long(root, dialect) if is_long else json_codec.format(root, dialect)


def _read_message_tree(tree: object, dialect: Dialect, payloads: Payloads) -> RequestMessage:
    try:
        root = json_parsing.parse_tree(tree, "RequestMessage")
    except KMIPError:
        return _read_damaged(open_json(tree), dialect, payloads)
    return read_message(root, dialect, payloads)


def _read_damaged(
    root: Encoded,
    dialect: Dialect,
    payloads: Payloads,
    version: ProtocolVersion = DEFAULT_VERSION,
) -> RequestMessage:
    """A message that could not be parsed as a whole: its damaged items, or all of it, are refused.

    version: to answer in where its header cannot be read.
    """
    try:
        parts = salvage_message(root)
    except KMIPError as exc:
        return refuse_message(InvalidMessage(str(exc)), dialect, version)
    return read_parts(parts, dialect, payloads, version)


def _read_bare_operation(root: Node, dialect: Dialect, payloads: Payloads) -> BareOperation:
    operation = _OPERATIONS.get(root.tag)
    if operation is None:
        raise InvalidMessage(f"{root.tag} is not an operation{suggest_root(root.tag)}")
    types = payloads.get(operation)
    if types is None:
        raise OperationNotSupported(f"{root.tag} is not offered by this server")
    return BareOperation(operation, from_node(types.request, root), dialect)
