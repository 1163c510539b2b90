"""The format of the log: one line per record, as text or JSON, and no token in any line."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

from .redaction import mask_logs, mask_tokens

_LINE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

# Control characters, line separators, and those that change the direction of the text after them.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def configure(level: str, form: str, stream: TextIO | None = None) -> None:
    """Send all logging to stderr. level: a name of `logging`; form: "text" or "json"."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JSONFormatter() if form == "json" else TextFormatter(_LINE))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # No line shows threads, processes or source files, and collecting them takes a tenth of the time of
    # a line ("Optimization" in the documentation of `logging`).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs each plugin that it sets up
    # The line that names the URL tells that the server has started, so no level hides it.
    logging.getLogger("kms_tornado.server").setLevel(logging.INFO)
    mask_logs()


def redact(text: str) -> str:
    """The text without anything that looks like a token, and on one line."""
    text = mask_tokens(text)
    if text.isprintable():
        return text
    return _UNPRINTABLE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


class TextFormatter(logging.Formatter):
    """RFC 3339 time in UTC, level, logger, message; a traceback follows on lines of its own."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return _time(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = redact(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return "\n".join(redact(line) for line in super().formatException(ei).split("\n"))


class JSONFormatter(logging.Formatter):
    """One JSON object a line. The record's `fields`, passed by extra=, stand beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for name, value in getattr(record, "fields", {}).items():
            entry[name] = redact(value) if isinstance(value, str) else value
        if record.exc_info:
            entry["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def _time(record: logging.LogRecord) -> str:
    second, fraction = divmod(record.created, 1)
    return f"{_second(int(second))}.{int(fraction * 1000):03d}Z"


@lru_cache(maxsize=2)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
