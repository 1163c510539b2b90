"""The format of the log: one line per record, as text or JSON, and no token in any line."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

_LINE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

# A second line of defence: no code of ours logs a token, but libraries quote what they refuse.
# The quantifiers are possessive (`++`), and no match begins inside a word: a stranger chooses the path
# that is logged, and a path of 60 kB kept a pattern that backtracks busy for 14 s.
_TOKEN = re.compile(
    r"""
    bearer[\s:=+%20]+(?!tokens?\b)[A-Za-z0-9\-._~+/]++=*+    # a credential, whole or broken
    | eyJ[A-Za-z0-9_-]{8,}+(?:(?:\.|%2e)[A-Za-z0-9_-]*+)*+    # a compact JWS from its "{" on
    | (?<![A-Za-z0-9_-])[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{20,}+
                                            # whatever its header; a host name ends in less
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Every match contains "bearer", "eyJ" or a part like this. Hardly any line does, so hardly any pays for
# the whole pattern.
_LAST_PART = re.compile(r"\.[A-Za-z0-9_-]{20}", re.IGNORECASE)
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
    # Tornado quotes the malformed header, which may be the Authorization header.
    logging.getLogger("tornado.general").addFilter(_cut_quoted_header)


def redact(text: str) -> str:
    """The text without anything that looks like a token, and on one line."""
    lowered = text.lower()
    if "bearer" in lowered or "eyj" in lowered or _LAST_PART.search(text):
        text = _TOKEN.sub("[token]", text)
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


def _cut_quoted_header(record: logging.LogRecord) -> bool:
    """Cut Tornado's "Malformed HTTP message from …: Invalid header value '…'" before the value."""
    if str(record.msg).startswith("Malformed HTTP message") and isinstance(record.args, tuple):
        record.args = tuple(re.split(r"['\":]", str(arg), maxsplit=1)[0] for arg in record.args)
    return True
