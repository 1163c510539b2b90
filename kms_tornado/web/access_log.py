"""The access log: one line a request, or one for each operation of a batch."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tornado.web import RequestHandler

log = logging.getLogger("kms_tornado.access")

_PLAIN = re.compile(r"[\w.@:#/+-]+")
_LONGEST_SHOWN = 300  # characters of one value; a path may have 64 KiB


class Answered(NamedTuple):
    """A request to which the answer was sent. path: without its query, where careless clients put tokens.

    user: None where nobody is known to have asked.
    """

    status: int
    method: str | None
    path: str
    remote_ip: str | None
    seconds: float
    user: str | None


def log_request(handler: RequestHandler) -> None:
    """What Tornado calls for each request that a handler answered."""
    request = handler.request
    answered = Answered(
        handler.get_status(),
        request.method,
        request.path,
        request.remote_ip,
        request.request_time(),
        getattr(handler.current_user, "name", None),
    )
    log_answered(answered, getattr(handler, "entries", None) or [getattr(handler, "fields", {})])


def log_answered(answered: Answered, entries: Sequence[Mapping[str, Any]]) -> None:
    """One line a request, or one for each operation of a batch. entries: what each has to say."""
    status = answered.status
    level = logging.ERROR if status >= 500 and status != 503 else logging.INFO
    if not log.isEnabledFor(level):
        return
    path, took_ms = _cut(answered.path), 1000.0 * answered.seconds
    common = {
        "status": status, "method": answered.method, "path": path,
        "remote_ip": answered.remote_ip, "ms": round(took_ms, 1),
    }  # fmt: skip
    user = {} if answered.user is None else {"user": answered.user}
    for entry in entries:
        fields = {**user, **{name: _cut(value) for name, value in entry.items()}}
        log.log(
            level,
            "%d %s %s %s %.1fms%s",
            status, answered.method, path, answered.remote_ip, took_ms,
            "".join([f" {name}={_shown(value)}" for name, value in fields.items()]),
            extra={"fields": {**common, **fields}},
        )  # fmt: skip


def _shown(value: object) -> str:
    """A value of name=value: quoted where it could be taken for more than one of them."""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _cut(value: str) -> str:
    return value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…"
