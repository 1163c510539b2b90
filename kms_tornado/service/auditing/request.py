"""AuditRequest: what `GET /audit` asks for, from the parameters of its query."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from ...audit.query import MAX_TERM_LENGTH, Place, RecordQuery
from ...audit.record import FAILED, REFUSED, SUCCESS, UNDONE
from ...errors import KMSError
from .operation_names import find_operation

#: The most records in one answer.
MAX_RECORDS = 1_000
_RECORDS = 100

_PARAMETERS = (
    "uid", "principal", "operation", "result", "since", "until", "limit", "cursor",
)  # fmt: skip
_STATISTICS_PARAMETERS = ("uid", "principal", "operation", "since", "until", "step")
#: The most steps in one answer with numbers.
MAX_STEPS = 400
_STEPS = {"minute": 60, "hour": 3600, "day": 86_400}
_RESULTS = (SUCCESS, FAILED, REFUSED, UNDONE)
_CURSOR = re.compile(r"(\d{1,15})(?:\.(\d{1,15})\.(\d{1,15})\.(\d{1,15}))?", re.ASCII)


class BadAuditRequest(KMSError):
    """A parameter is unknown, or has an impossible value. ``str()`` tells the caller which, and what is possible."""


class Cursor(NamedTuple):
    """Where an answer begins: on a page of the index, after the record with that place in it or at its newest one."""

    page: int
    place: Place | None = None

    def format(self) -> str:
        return ".".join(map(str, (self.page, *(self.place or ()))))


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """The records that are asked for. limit: how many of them one answer has."""

    query: RecordQuery
    limit: int = _RECORDS
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class StatisticsRequest:
    """Which records are counted, in steps from since_ms to until_ms, in milliseconds since the Unix epoch."""

    query: RecordQuery
    since_ms: int
    until_ms: int
    step_ms: int


def parse_statistics_request(
    parameters: Mapping[str, Sequence[str]], *, now: float
) -> StatisticsRequest:
    """The request that the parameters make; without times, it is for the last 24 hours.

    now: seconds since the Unix epoch. Raises the errors of `parse_audit_request`.
    """
    fields = _read_once(parameters, _STATISTICS_PARAMETERS)
    step_ms = _read_step(fields) * 1000
    until_ms = _read_time(fields, "until")
    until_ms = round(now * 1000) if until_ms is None else until_ms
    since_ms = _read_time(fields, "since")
    since_ms = until_ms - 86_400_000 if since_ms is None else since_ms
    if not since_ms < until_ms <= since_ms + MAX_STEPS * step_ms:
        raise BadAuditRequest(
            f"since, until and step: until is later than since, and 1 to {MAX_STEPS} steps are between them"
        )
    query = RecordQuery(
        uid=_read_term(fields, "uid"),
        principal=_read_term(fields, "principal"),
        operation=_read_operation(fields),
        since_ms=since_ms,
        until_ms=until_ms,
    )
    return StatisticsRequest(query, since_ms, until_ms, step_ms)


def _read_once(parameters: Mapping[str, Sequence[str]], names: Sequence[str]) -> Mapping[str, str]:
    """{name: value}, where each parameter may occur once."""
    for name, values in parameters.items():
        if name not in names:  # an unknown one may be meant to limit what is told
            raise BadAuditRequest(f"there are only the parameters {', '.join(names)}")
        if len(values) > 1:
            raise BadAuditRequest(f"{name}: give it once")
    return {name: values[0] for name, values in parameters.items()}


def parse_audit_request(parameters: Mapping[str, Sequence[str]]) -> AuditRequest:
    """parameters: name → its values. Raises BadAuditRequest, which repeats no value."""
    fields = _read_once(parameters, _PARAMETERS)
    query = RecordQuery(
        uid=_read_term(fields, "uid"),
        principal=_read_term(fields, "principal"),
        operation=_read_operation(fields),
        result=_read_result(fields),
        since_ms=_read_time(fields, "since"),
        until_ms=_read_time(fields, "until"),
    )
    return AuditRequest(query, _read_limit(fields), _read_cursor(fields))


def _read_term(fields: Mapping[str, str], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not 1 <= len(value) <= MAX_TERM_LENGTH:
        raise BadAuditRequest(f"{name}: 1 to {MAX_TERM_LENGTH} characters")
    return value


def _read_operation(fields: Mapping[str, str]) -> str | None:
    value = fields.get("operation")
    if value is not None and not re.fullmatch("[A-Za-z_]{1,40}", value):
        raise BadAuditRequest("operation: a name such as Encrypt or get_attributes")
    return None if value is None else find_operation(value)


def _read_result(fields: Mapping[str, str]) -> str | None:
    value = fields.get("result")
    if value is not None and value not in _RESULTS:
        raise BadAuditRequest(f"result: one of {', '.join(_RESULTS)}")
    return value


def _read_time(fields: Mapping[str, str], name: str) -> int | None:
    """A time in milliseconds since the Unix epoch."""
    value = fields.get(name)
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


def _read_step(fields: Mapping[str, str]) -> int:
    """The length of a step, in seconds."""
    value = fields.get("step", "hour")
    if value not in _STEPS:
        raise BadAuditRequest(f"step: one of {', '.join(_STEPS)}")
    return _STEPS[value]


def _read_limit(fields: Mapping[str, str]) -> int:
    value = fields.get("limit")
    if value is None:
        return _RECORDS
    if not re.fullmatch(r"\d{1,4}", value, re.ASCII) or not 1 <= int(value) <= MAX_RECORDS:
        raise BadAuditRequest(f"limit: 1 to {MAX_RECORDS}")
    return int(value)


def _read_cursor(fields: Mapping[str, str]) -> Cursor | None:
    value = fields.get("cursor")
    if value is None:
        return None
    match = _CURSOR.fullmatch(value)
    if match is None:
        raise BadAuditRequest("cursor: take it from the link of the answer before")
    page, *place = match.groups()
    return Cursor(int(page), Place(*map(int, place)) if place[0] is not None else None)
