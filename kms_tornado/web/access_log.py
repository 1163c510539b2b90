"""The access log: one line a request, or one for each operation of a batch."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tornado.web import RequestHandler

from ..wording import cut_value, format_value

log = logging.getLogger("kms_tornado.access")


class AnsweredRequest(NamedTuple):
    """A request whose answer was sent.

    path: without its query, where careless clients put tokens. seconds: from the request's headers to
    its answer. principal: None where nobody was authenticated; an application may have put something else
    in its place.
    """

    status: int
    method: str | None
    path: str
    remote_ip: str | None
    seconds: float
    principal: Any


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
        handler.current_user,
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
    method, path = cut_value(answered.method or ""), cut_value(answered.path)
    took_ms = 1000.0 * answered.seconds
    common = {
        "status": status, "method": method, "path": path,
        "remote_ip": answered.remote_ip, "ms": round(took_ms, 1),
    }  # fmt: skip
    principal, user = answered.principal, {}
    name = getattr(principal, "name", None)
    if name is not None:
        user["user"] = name
        if issuer := getattr(principal, "issuer", ""):
            common["issuer"] = issuer
        if key_id := getattr(principal, "key_id", ""):
            common["key_id"] = key_id
    for entry in entries:
        fields = {**user, **{name: cut_value(value) for name, value in entry.items()}}
        log.log(
            level,
            "%d %s %s %s %.1fms%s",
            status, method, path, answered.remote_ip, took_ms,
            "".join([f" {name}={format_value(value)}" for name, value in fields.items()]),
            extra={"fields": {**common, **fields}},
        )  # fmt: skip
