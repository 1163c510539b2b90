"""Messages: which operation a body asks for, and the body that answers it.

A bare operation is a root node with the operation's tag. Batches (RequestMessage, KMIP.md §12) have
their place here too, and take the same trees and payloads.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import InvalidMessage, OperationNotSupported
from . import json_codec
from .enums import Operation
from .payloads import PAYLOADS
from .schema import Declared, from_node, to_node
from .tables import OPERATION_TAGS
from .ttlv import Dialect

_OPERATIONS: Mapping[str, Operation] = {OPERATION_TAGS[each]: each for each in Operation}


def parse_bare_operation(body: bytes) -> tuple[Operation, Declared, Dialect]:
    """(the operation, its request payload, the dialect to answer in).

    Raises InvalidMessage, InvalidField, MissingData or another KMIPError for a payload that is not
    as declared, and OperationNotSupported for an operation that has none.
    """
    root, dialect = json_codec.parse(body)
    if root.tag == "RequestMessage":
        raise OperationNotSupported("RequestMessage is not supported yet, send a bare operation")
    operation = _OPERATIONS.get(root.tag)
    if operation is None:
        raise InvalidMessage(f"{root.tag} is no operation")
    if operation not in PAYLOADS:
        raise OperationNotSupported(f"{root.tag} is not offered by this server")
    request, _ = PAYLOADS[operation]
    return operation, from_node(request, root), dialect


def format_bare_response(operation: Operation, payload: Declared, dialect: Dialect) -> bytes:
    """The answer to a bare operation: a root of the tag `<Operation>Response`."""
    return json_codec.format(to_node(payload, f"{OPERATION_TAGS[operation]}Response"), dialect)
