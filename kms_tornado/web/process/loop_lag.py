"""LoopLag: how late the event loop is, which delays every request of the process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

_INTERVAL_S = 0.25


class LoopLag:
    """Within ``async with``, tells `observe` four times a second how many seconds late a timer was."""

    def __init__(self, observe: Callable[[float], object]) -> None:
        self._observe = observe
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> LoopLag:
        self._set_timer()
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._timer is not None
        self._timer.cancel()

    def _set_timer(self) -> None:
        self._due = time.monotonic() + _INTERVAL_S
        self._timer = asyncio.get_running_loop().call_later(_INTERVAL_S, self._on_timer)

    def _on_timer(self) -> None:
        # uvloop rounds timers to milliseconds, so that one may come early.
        self._observe(max(0.0, time.monotonic() - self._due))
        self._set_timer()
