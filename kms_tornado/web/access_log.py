"""The access log: one line a request, or one for each operation of a batch."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tornado.web import RequestHandler

from ..transport.request_log import log, log_request
from ..wording import cut_value


class AnsweredRequest(NamedTuple):
    """A request whose answer was sent.

    path: without its query, in which careless clients put tokens.
    seconds: the time from the request's headers to its answer.
    principal: None where nobody was authenticated. An application may have assigned some other value.
    """

    status: int
    method: str | None
    path: str
    remote_ip: str | None
    seconds: float
    principal: Any


def log_handled_request(handler: RequestHandler) -> None:
    """Log a request that a handler answered; this is Tornado's ``log_function``.

    A ServiceHandler has `log_entries`; for a handler without them, one line without details is written.
    """
    request = handler.request
    answered = AnsweredRequest(
        handler.get_status(),
        request.method,
        request.path,
        request.remote_ip,
        request.request_time(),
        handler.current_user,
    )
    log_answered_request(answered, getattr(handler, "log_entries", [{}]))


def log_answered_request(answered: AnsweredRequest, entries: Sequence[Mapping[str, str]]) -> None:
    """Log a request. entries: [{field: value}], one for the request or one for each operation of its batch."""
    status = answered.status
    level = logging.ERROR if status >= 500 and status != 503 else logging.INFO
    if not log.isEnabledFor(level):
        return
    method, path = cut_value(answered.method or ""), cut_value(answered.path)
    took_ms = 1000.0 * answered.seconds
    common = {
        "status": status, "method": method, "path": path,
        "remote_ip": answered.remote_ip, "ms": round(took_ms, 1),
    }  # fmt: skip
    line = f"{status} {method} {path} {answered.remote_ip} {took_ms:.1f}ms"
    log_request(level, line, common, answered.principal, entries)
