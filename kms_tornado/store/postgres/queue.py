"""Jobs that wait for a transaction, first come, first served, and none of them for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ..base import make_unavailable
from ..sql.commits import Job


class Waiting:
    """A job, and the future that its caller waits for."""

    __slots__ = ("future", "job", "timer")

    def __init__(self, job: Job, future: asyncio.Future[Any]) -> None:
        self.job = job
        self.future = future
        self.timer: asyncio.TimerHandle | None = None

    def resolve(self, *, result: Any = None, error: BaseException | None = None) -> None:
        if self.future.done():  # cancelled
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class JobQueue:
    """For one event loop. max_age_s: how long a job waits here before it fails with Unavailable, not begun."""

    def __init__(self, *, max_age_s: float) -> None:
        self._max_age_s = max_age_s
        self._loop = asyncio.get_running_loop()
        #: In the order in which they came.
        self._jobs: dict[Waiting, None] = {}
        self._has_news = asyncio.Event()
        self._is_closed = False

    def put(self, job: Job) -> asyncio.Future[Any]:
        """The job's future."""
        waiting = Waiting(job, self._loop.create_future())
        waiting.timer = self._loop.call_later(self._max_age_s, self._give_up, waiting)
        self._jobs[waiting] = None
        self._has_news.set()
        return waiting.future

    async def take(self, most: int) -> Sequence[Waiting]:
        """Wait for a job; those that wait then, `most` at most. None once the queue is closed and empty."""
        while not self._jobs:
            if self._is_closed:
                return ()
            self._has_news.clear()
            await self._has_news.wait()
        taken = list(self._jobs)[:most] if len(self._jobs) > most else list(self._jobs)
        for waiting in taken:
            self._remove(waiting)
        return taken

    def close(self) -> None:
        """Nothing more is put in; what is there is still taken."""
        self._is_closed = True
        self._has_news.set()

    def fail_all(self, error: BaseException) -> None:
        for waiting in list(self._jobs):
            self._remove(waiting)
            waiting.resolve(error=error)

    def _give_up(self, waiting: Waiting) -> None:
        del self._jobs[waiting]
        detail = f"no transaction began within {self._max_age_s:.3g} s"
        waiting.resolve(error=make_unavailable(detail))

    def _remove(self, waiting: Waiting) -> None:
        del self._jobs[waiting]
        if waiting.timer is not None:
            waiting.timer.cancel()
