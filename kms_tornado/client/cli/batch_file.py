"""Files of KMIP requests for `kmsctl batch`: from their text to one RequestMessage, and its answer to rows.

A file holds one of these, each in JSON TTLV of any dialect that the server takes (docs/dialects.md):

    a RequestMessage                     sent as it is
    a bare operation                     {"tag": "Create", …}
    a JSON array of bare operations
    JSON lines: a bare operation on each line

Pure: nothing is sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from ... import strict_json
from ...errors import KMIPError
from ...kmip.codecs import json_codec
from ...kmip.tables import ENUMERATIONS, find_tag
from ..errors import UnexpectedAnswer

#: What the server takes in one message.
MAX_ITEMS: Final = 100

#: Nesting of JSON: that of KMIP twice, for the items and their values.
MAX_DEPTH: Final = 100


class InvalidBatchFile(ValueError):
    """The text is not a batch. str() is one line that says where the fault is, and what is expected."""


@dataclass(frozen=True, slots=True)
class ItemResult:
    """How one operation ended. status: Success, or OperationFailed and so on. payload: in JSON TTLV."""

    number: int
    operation: str
    status: str
    reason: str | None
    message: str | None
    unique_identifier: str | None
    payload: Any

    @property
    def is_success(self) -> bool:
        return self.status == "Success"


# --- requests -----------------------------------------------------------------------------------


def make_message(text: str, continuation: str | None = None) -> bytes:
    """The RequestMessage that the file asks for.

    continuation: what a failed operation means for the others, "Continue", "Stop" or "Undo".
    Raises InvalidBatchFile.
    """
    documents = _read_documents(text)
    if len(documents) == 1 and _tag_of(documents[0]) == "RequestMessage":
        if continuation is not None:
            raise InvalidBatchFile(
                "a RequestMessage says itself what a failure means for the others"
            )
        return json.dumps(documents[0]).encode()
    if len(documents) > MAX_ITEMS:
        raise InvalidBatchFile(
            f"{len(documents)} operations, and the server takes {MAX_ITEMS} at a time: split the file"
        )
    items = [_make_item(number, document) for number, document in enumerate(documents, start=1)]
    header = [
        _structure("ProtocolVersion", _integer("ProtocolVersionMajor", 2),
                   _integer("ProtocolVersionMinor", 1)),
        *([] if continuation is None
          else [_enumeration("BatchErrorContinuationOption", continuation)]),
        _integer("BatchCount", len(items)),
    ]  # fmt: skip
    return json.dumps(
        _structure("RequestMessage", _structure("RequestHeader", *header), *items)
    ).encode()


def _read_documents(text: str) -> list[Any]:
    """The JSON documents in the file: one, the members of an array, or one on each line."""
    try:
        document = _load(text)
    except ValueError as whole_fault:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        if not lines:
            raise InvalidBatchFile("the file is empty") from None
        documents = []
        for number, line in lines:
            try:
                documents.append(_load(line))
            except ValueError as exc:
                # The first line tells which of the two forms was meant.
                fault = f"line {number}: {exc}" if documents else str(whole_fault)
                raise InvalidBatchFile(fault) from None
        return documents
    documents = document if isinstance(document, list) else [document]
    if not documents:
        raise InvalidBatchFile("the array is empty")
    return documents


def _load(text: str) -> Any:
    return strict_json.loads(text.encode(), max_depth=MAX_DEPTH)


def _make_item(number: int, document: Any) -> dict[str, Any]:
    """A bare operation as a batch item; its number is its identifier."""
    where = f"operation {number}"
    tag = _tag_of(document)
    operation = None if tag is None else ENUMERATIONS["Operation"].number(tag)
    if tag is None or operation is None:
        raise InvalidBatchFile(
            f'{where} is none: an object with the tag of an operation is needed, such as {{"tag": "Create", …}}'
        )
    _check(document, where)
    return _structure(
        "BatchItem",
        _enumeration("Operation", ENUMERATIONS["Operation"].oasis[operation]),
        {"tag": "UniqueBatchItemID", "type": "ByteString", "value": f"{number:04X}"},
        _structure("RequestPayload", *document["value"]),
    )


def _check(document: Any, where: str) -> None:
    """Check the request with the codec.

    Otherwise the server would refuse it after the operations before it were done.
    """
    try:
        json_codec.parse(json.dumps(document).encode())
    except KMIPError as exc:
        raise InvalidBatchFile(f"{where}: {exc}") from None


def _tag_of(document: Any) -> str | None:
    spelling = document.get("tag") if isinstance(document, dict) else None
    return find_tag(spelling) if isinstance(spelling, str) else None


def _structure(tag: str, *items: Any) -> dict[str, Any]:
    return {"tag": tag, "type": "Structure", "value": list(items)}


def _integer(tag: str, value: int) -> dict[str, Any]:
    return {"tag": tag, "type": "Integer", "value": value}


def _enumeration(tag: str, value: str) -> dict[str, Any]:
    return {"tag": tag, "type": "Enumeration", "value": value}


# --- results ------------------------------------------------------------------------------------


def parse_results(body: bytes) -> list[ItemResult]:
    """How each operation ended, in order. Raises UnexpectedAnswer."""
    try:
        document = strict_json.loads(body, max_depth=MAX_DEPTH)
        if document["tag"] != "ResponseMessage":
            raise UnexpectedAnswer("the server's answer is no ResponseMessage")
        items = [item for item in document["value"] if item["tag"] == "BatchItem"]
        return [_read_item(number, item["value"]) for number, item in enumerate(items, start=1)]
    except (ValueError, KeyError, TypeError):
        raise UnexpectedAnswer("the server's answer is no KMIP in JSON") from None


def _read_item(number: int, children: list[dict[str, Any]]) -> ItemResult:
    values = {child["tag"]: child["value"] for child in children}
    payload = values.get("ResponsePayload")
    identifiers = [
        item["value"] for item in payload or [] if item["tag"] in _IDENTIFIERS
        and isinstance(item["value"], str)
    ]  # fmt: skip
    return ItemResult(
        number,
        values.get("Operation", ""),
        values["ResultStatus"],
        values.get("ResultReason"),
        values.get("ResultMessage"),
        identifiers[0] if identifiers else None,
        payload,
    )


_IDENTIFIERS = ("UniqueIdentifier", "PrivateKeyUniqueIdentifier")
