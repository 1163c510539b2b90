"""The call that reads the audit (docs/audit.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

from ..errors import UnexpectedAnswer
from ..exchanges import Exchange

_NEXT = re.compile(r'<\?([^>]*)>; rel="next"')


@dataclass(frozen=True, slots=True)
class AuditRecords:
    """Records, the newest first, each as docs/audit.md describes it.

    next_cursor: for a call that goes on behind them; None where there is nothing older.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    next_cursor: str | None = None


def read_audit(
    *,
    uid: str | None = None,
    principal: str | None = None,
    operation: str | None = None,
    result: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Exchange[AuditRecords]:
    """Records of the audit: what the caller did, and what anybody did with the caller's objects.

    since, until: dates or times of RFC 3339. cursor: of the records before, asked for with the same other
    arguments. There may be further ones even where no record is returned.
    """
    parameters = {
        "uid": uid, "principal": principal, "operation": operation, "result": result,
        "since": since, "until": until, "limit": limit, "cursor": cursor,
    }  # fmt: skip
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    return Exchange(
        "GET",
        f"/audit?{query}" if query else "/audit",
        lambda body: AuditRecords(_read_lines(body)),
        is_repeatable=True,
        parse_with_headers=lambda body, headers: AuditRecords(
            _read_lines(body), _read_cursor(headers)
        ),
    )


def _read_lines(body: bytes) -> list[dict[str, Any]]:
    try:
        records = [json.loads(line) for line in body.splitlines()]
    except (ValueError, RecursionError):
        raise UnexpectedAnswer("the server's answer is no JSON") from None
    if not all(isinstance(record, dict) for record in records):
        raise UnexpectedAnswer("the server's answer has a line that is no record")
    return records


def _read_cursor(headers: Mapping[str, str]) -> str | None:
    match = _NEXT.fullmatch(headers.get("Link", ""))
    return None if match is None else parse_qs(match[1]).get("cursor", [None])[0]
