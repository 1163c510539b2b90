"""Records of the log, one request after the other."""

from __future__ import annotations

import logging
import threading

from ...support import AppClient

SOON_S = 5  # nothing here waits: an answer takes milliseconds, and no answer takes for ever
LEFT_OUT = {"tornado.access", "kms_tornado.keys"}


class Records(logging.Handler):
    """What was logged at INFO and above."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def take(self, client: AppClient) -> list[logging.LogRecord]:
        """Those of the requests that were answered, without the access log and the fetching of keys."""
        done = threading.Event()
        client.loop.call_soon_threadsafe(done.set)
        assert done.wait(SOON_S)
        taken, self.records = self.records, []
        return [record for record in taken if record.name not in LEFT_OUT]
