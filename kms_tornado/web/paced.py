"""Paced: work that anybody may ask for at any time, done once for all who wait, with a pause after it.

Each caller gets a result of work that began after they asked, so no result is older than it would be without pauses.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Paced(Generic[T]):
    """Runs the work. pause_s: between the end of the work and its next beginning; a caller after that need not wait."""

    def __init__(self, work: Callable[[], Awaitable[T]], pause_s: float) -> None:
        self._work = work
        self._pause_s = pause_s
        self._may_begin_at = 0.0
        #: The work that has not begun; further callers join it. At most one other runs meanwhile.
        self._next: asyncio.Task[T] | None = None
        self._turn = asyncio.Lock()

    async def run(self) -> T:
        """The result, or the exception that the work raises. If a caller is cancelled, the others still get it."""
        if self._next is None:
            self._next = asyncio.create_task(self._run_in_turn())
        return await asyncio.shield(self._next)

    async def _run_in_turn(self) -> T:
        async with self._turn:
            await asyncio.sleep(max(0.0, self._may_begin_at - time.monotonic()))
            self._next = None
            try:
                return await self._work()
            finally:
                self._may_begin_at = time.monotonic() + self._pause_s
