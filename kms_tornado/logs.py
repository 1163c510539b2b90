"""The format of the log: one line per record, as text or JSON, and no token in any line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import sys
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

from .redaction import mask_logs, mask_tokens
from .request_context import current_request_id
from .wording import cut

#: Characters. Whoever writes a line cuts what clients send much shorter (`wording.cut_value`); this is for
#: what was forgotten, and for what libraries quote.
_LONGEST_MESSAGE = 4000
_LONGEST_TRACEBACK = 40_000
#: How long a start may take before its log lines are shown.
_LONGEST_HOLD_S = 10.0

# Control characters, line separators, and those that change the direction of the text after them.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def configure(
    level: str, form: str, stream: TextIO | None = None, *, worker: int | None = None
) -> None:
    """Send all logging to stderr.

    level: a name of `logging`. form: "text" or "json".
    worker: the number of this process if there are several, and 0 for the one that supervises them; each of them calls
    this again.
    """
    handler = TurnHandler(stream or sys.stderr)
    handler.setFormatter(
        JSONFormatter(1 if worker is None else worker) if form == "json" else TextFormatter(worker)
    )
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


def hold() -> None:
    """Keep log lines from now on until `release`, so that a start that is refused prints its reason, and nothing else.

    If the start takes longer than ten seconds, the next line releases all of them.
    """
    for handler in logging.getLogger().handlers:
        if isinstance(handler, TurnHandler):
            handler.hold_lines()


def release() -> None:
    """Write the lines that were held. A stream that cannot be written does not end the server, now or later."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, TurnHandler):
            with contextlib.suppress(OSError):
                handler.release_lines()


def redact(text: str, longest: int = _LONGEST_MESSAGE) -> str:
    """The text on one line, without anything that looks like a token, and cut to the length."""
    text = cut(mask_tokens(text), longest)
    if text.isprintable():
        return text
    return _UNPRINTABLE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


_encode = json.JSONEncoder(ensure_ascii=False).encode


class TurnHandler(logging.StreamHandler[TextIO]):
    """Writes the lines of one turn of the event loop together, because writing a line takes longer than making it.

    A line above INFO, or one from elsewhere than an event loop, is written immediately, together with those that wait.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []
        #: The event loop that will call `flush` at the end of its turn.
        self._loop: asyncio.AbstractEventLoop | None = None
        #: Until when lines are held; None where they are not.
        self._held_until: float | None = None

    def hold_lines(self) -> None:
        self.flush()
        self._held_until = time.monotonic() + _LONGEST_HOLD_S

    def release_lines(self) -> None:
        self._held_until = None
        self.flush()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record))
            if self._held_until is not None:
                if time.monotonic() > self._held_until:
                    self.release_lines()
                return
            loop = _find_loop() if record.levelno <= logging.INFO else None
            if loop is None:
                self.flush()
            elif loop is not self._loop:
                self._loop = loop
                loop.call_soon(self._end_turn, record)
        except Exception:  # as all handlers of `logging`: a line must not end what it tells of
            self.handleError(record)

    def _end_turn(self, first: logging.LogRecord) -> None:
        """Write the lines of the turn.

        An error of `flush`, as on a full disk, is not passed on to the loop, which would log it.
        """
        try:
            self.flush()
        except Exception:  # as in `emit`
            self.handleError(first)

    def flush(self) -> None:
        if self._held_until is not None:
            return
        with self.lock or contextlib.nullcontext():
            lines, self._lines, self._loop = self._lines, [], None
            if lines:
                self.stream.write("\n".join([*lines, ""]))
            super().flush()


def _find_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class TextFormatter(logging.Formatter):
    """RFC 3339 time in UTC, level, logger, message; a traceback follows on lines of its own.

    The identifier of the request and the number of the worker, if there are any, follow the message.
    """

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._suffix = f" worker={worker}" if worker else ""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        message = redact(record.message)
        request_id = current_request_id.get()
        # Otherwise the message contains it.
        if request_id and "request_id" not in getattr(record, "fields", ()):
            message += f" request_id={request_id}"
        # By `logging`'s own template this takes four times as long, of each line of the access log.
        return f"{_time(record)} {record.levelname:7} {record.name}: {message}{self._suffix}"

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return "\n".join(redact(line) for line in super().formatException(ei).split("\n"))


class JSONFormatter(logging.Formatter):
    """One JSON object on each line. The record's `fields`, passed by extra=, stand beside the message."""

    def __init__(self, worker: int = 1) -> None:
        super().__init__()
        self._process = {"worker": worker, "pid": os.getpid()}

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
            **self._process,
        }
        if request_id := current_request_id.get():
            entry["request_id"] = request_id
        for name, value in getattr(record, "fields", {}).items():
            entry[name] = redact(value) if isinstance(value, str) else value
        if record.exc_info:
            text = self.formatException(record.exc_info)
            entry["exception"] = redact(text, _LONGEST_TRACEBACK)
        return _encode(entry)


def _time(record: logging.LogRecord) -> str:
    return f"{_second(int(record.created))}.{int(record.msecs):03d}Z"


@lru_cache(maxsize=2)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
