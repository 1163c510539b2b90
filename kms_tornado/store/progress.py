"""LoggedProgress: lines of the log about work that a start does for every object, of which there may be a million."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)

_INTERVAL_S = 10.0


class LoggedProgress:
    """what: is done for objects, in words that follow their number. The first line comes after ten seconds."""

    def __init__(self, what: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._monotonic = monotonic
        self._done = 0
        self._next = monotonic() + _INTERVAL_S

    def add(self, number: int) -> None:
        """So many objects more are done."""
        self._done += number
        if self._monotonic() >= self._next:
            self._next = self._monotonic() + _INTERVAL_S
            _log.info("%d objects %s so far", self._done, self._what)
