"""The access log: one line a request, or one for each operation of a batch."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from tornado.web import RequestHandler

log = logging.getLogger("kms_tornado.access")

_PLAIN = re.compile(r"[\w.@:#/+-]+")
_LONGEST_SHOWN = 300  # characters of one value; a path may have 64 KiB


def log_request(handler: RequestHandler) -> None:
    """One line a request, or one for each operation of a batch.

    The path without its query, where careless clients put tokens.
    """
    status = handler.get_status()
    level = logging.ERROR if status >= 500 and status != 503 else logging.INFO
    if not log.isEnabledFor(level):
        return
    for fields in getattr(handler, "entries", None) or [getattr(handler, "fields", {})]:
        _log_entry(handler, level, {name: _cut(value) for name, value in fields.items()})


def _log_entry(handler: RequestHandler, level: int, fields: dict[str, Any]) -> None:
    status = handler.get_status()
    request = handler.request
    path = _cut(request.path)
    user = getattr(handler.current_user, "name", None)
    if user is not None:
        fields = {"user": user, **fields}
    took_ms = 1000.0 * request.request_time()
    log.log(
        level,
        "%d %s %s %s %.1fms%s",
        status, request.method, path, request.remote_ip, took_ms,
        "".join(f" {name}={_shown(value)}" for name, value in fields.items()),
        extra={
            "fields": {
                "status": status, "method": request.method, "path": path,
                "remote_ip": request.remote_ip, "ms": round(took_ms, 1), **fields,
            }
        },
    )  # fmt: skip


def _shown(value: object) -> str:
    """A value of name=value: quoted where it could be taken for more than one of them."""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _cut(value: str) -> str:
    return value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…"
