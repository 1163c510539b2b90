"""LoggedProgress: log lines about work that a start does for every object, of which there may be a million."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)

_INTERVAL_S = 10.0


class LoggedProgress:
    """Logs how far the work has come, for the first time after ten seconds.

    what: the words that follow the number of objects.
    """

    def __init__(self, what: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._monotonic = monotonic
        self._done = 0
        self._next = monotonic() + _INTERVAL_S

    def add(self, number: int) -> None:
        """Count this many more objects as done."""
        self._done += number
        if self._monotonic() >= self._next:
            self._next = self._monotonic() + _INTERVAL_S
            _log.info("%d objects %s so far", self._done, self._what)
