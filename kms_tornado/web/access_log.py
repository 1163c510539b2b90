"""The access log: one line a request, or one for each operation of a batch."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tornado.web import RequestHandler

log = logging.getLogger("kms_tornado.access")

_NEEDS_NO_QUOTES = re.compile(r"[\w.@:#/+-]+")
_LONGEST_VALUE = 300  # characters of one value in a line; a path may have 64 KiB


class AnsweredRequest(NamedTuple):
    """A request whose answer was sent.

    path: without its query, where careless clients put tokens. seconds: from the request's headers to
    its answer. user: None where nobody was authenticated.
    """

    status: int
    method: str | None
    path: str
    remote_ip: str | None
    seconds: float
    user: str | None


def log_handled_request(handler: RequestHandler) -> None:
    """Tornado's ``log_function``: called for each request that a handler answered.

    A ServiceHandler has `log_entries`; a handler without them gets one line without details.
    """
    request = handler.request
    answered = AnsweredRequest(
        handler.get_status(),
        request.method,
        request.path,
        request.remote_ip,
        request.request_time(),
        getattr(handler.current_user, "name", None),
    )
    log_answered_request(answered, getattr(handler, "log_entries", [{}]))


def log_answered_request(answered: AnsweredRequest, entries: Sequence[Mapping[str, str]]) -> None:
    """Write one line for each entry of the request.

    entries: [{field: value}], one for the request or each operation of its batch. A line starts with the
    fields that all lines of the request share.
    """
    status = answered.status
    level = logging.ERROR if status >= 500 and status != 503 else logging.INFO
    if not log.isEnabledFor(level):
        return
    path, took_ms = _truncate(answered.path), 1000.0 * answered.seconds
    common = {
        "status": status, "method": answered.method, "path": path,
        "remote_ip": answered.remote_ip, "ms": round(took_ms, 1),
    }  # fmt: skip
    user = {} if answered.user is None else {"user": answered.user}
    for entry in entries:
        fields = {**user, **{name: _truncate(value) for name, value in entry.items()}}
        log.log(
            level,
            "%d %s %s %s %.1fms%s",
            status, answered.method, path, answered.remote_ip, took_ms,
            "".join([f" {name}={_format_value(value)}" for name, value in fields.items()]),
            extra={"fields": {**common, **fields}},
        )  # fmt: skip


def _format_value(value: str) -> str:
    """The value of ``name=value``, quoted where it could be read as several of them."""
    return value if _NEEDS_NO_QUOTES.fullmatch(value) else json.dumps(value)


def _truncate(value: str) -> str:
    return value if len(value) <= _LONGEST_VALUE else value[:_LONGEST_VALUE] + "…"
