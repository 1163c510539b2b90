"""AuditRequest: what `GET /audit` asks for, from the parameters of its query."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from ..audit.query import MAX_TERM_LENGTH, Place, RecordQuery
from ..audit.record import FAILED, REFUSED, SUCCESS, UNDONE
from ..errors import KMSError

#: Records of one answer.
MAX_RECORDS = 1_000
_RECORDS = 100

_PARAMETERS = (
    "uid", "principal", "operation", "result", "since", "until", "limit", "cursor",
)  # fmt: skip
_RESULTS = (SUCCESS, FAILED, REFUSED, UNDONE)
_CURSOR = re.compile(r"(\d{1,15})(?:\.(\d{1,15})\.(\d{1,15})\.(\d{1,15}))?", re.ASCII)


class BadAuditRequest(KMSError):
    """A parameter is none, or has a value that none has. ``str()`` tells the caller which, and what it may be."""


class Cursor(NamedTuple):
    """Where an answer goes on: at a page of the index, behind the record of that place in it, or at its newest."""

    page: int
    place: Place | None = None

    def format(self) -> str:
        return ".".join(map(str, (self.page, *(self.place or ()))))


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """limit: records of one answer."""

    query: RecordQuery
    limit: int = _RECORDS
    cursor: Cursor | None = None


def parse_audit_request(parameters: Mapping[str, Sequence[str]]) -> AuditRequest:
    """parameters: name → its values. Raises BadAuditRequest, which repeats no value."""
    for name, values in parameters.items():
        if name not in _PARAMETERS:  # an unknown one may be meant to limit what is told
            raise BadAuditRequest(f"there are only the parameters {', '.join(_PARAMETERS)}")
        if len(values) > 1:
            raise BadAuditRequest(f"{name}: give it once")
    given = {name: values[0] for name, values in parameters.items()}
    query = RecordQuery(
        uid=_read_term(given, "uid"),
        principal=_read_term(given, "principal"),
        operation=_read_operation(given),
        result=_read_result(given),
        since_ms=_read_time(given, "since"),
        until_ms=_read_time(given, "until"),
    )
    return AuditRequest(query, _read_limit(given), _read_cursor(given))


def _read_term(given: Mapping[str, str], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not 1 <= len(value) <= MAX_TERM_LENGTH:
        raise BadAuditRequest(f"{name}: 1 to {MAX_TERM_LENGTH} characters")
    return value


def _read_operation(given: Mapping[str, str]) -> str | None:
    value = given.get("operation")
    if value is not None and not re.fullmatch("[A-Za-z]{1,40}", value):
        raise BadAuditRequest("operation: a name as records have it, such as Encrypt")
    return value


def _read_result(given: Mapping[str, str]) -> str | None:
    value = given.get("result")
    if value is not None and value not in _RESULTS:
        raise BadAuditRequest(f"result: one of {', '.join(_RESULTS)}")
    return value


def _read_time(given: Mapping[str, str], name: str) -> int | None:
    """Milliseconds since the Unix epoch."""
    value = given.get(name)
    if value is None:
        return None
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?", value, re.ASCII):
            raise ValueError(name)
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise BadAuditRequest(
            f"{name}: a date or a time of RFC 3339, such as 2026-11-29 or 2026-11-29T11:45:00Z; "
            "+ is written %2B"
        ) from None


def _read_limit(given: Mapping[str, str]) -> int:
    value = given.get("limit")
    if value is None:
        return _RECORDS
    if not re.fullmatch(r"\d{1,4}", value, re.ASCII) or not 1 <= int(value) <= MAX_RECORDS:
        raise BadAuditRequest(f"limit: 1 to {MAX_RECORDS}")
    return int(value)


def _read_cursor(given: Mapping[str, str]) -> Cursor | None:
    value = given.get("cursor")
    if value is None:
        return None
    match = _CURSOR.fullmatch(value)
    if match is None:
        raise BadAuditRequest("cursor: take it from the link of the answer before")
    page, *place = match.groups()
    return Cursor(int(page), Place(*map(int, place)) if place[0] is not None else None)
