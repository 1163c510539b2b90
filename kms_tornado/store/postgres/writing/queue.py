"""Jobs that wait for a transaction, first come, first served. None of them waits for ever.

Each job has *keys*: the objects that it changes, or the owners to whom it adds objects. Jobs with a common key run in
their order, and never at the same time. If something else holds a lock on the row of a key, the key is *set apart*: its
jobs are run separately, so that nobody else's jobs wait for the lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from ...interface.faults import make_unavailable
from ...sql.commits import Job

Keys = frozenset[str]


class Waiting:
    """A job, and the future for which its caller waits. expires: when the job is given up, in the loop's time."""

    __slots__ = ("expires", "future", "job", "keys", "timer")

    def __init__(self, job: Job, keys: Keys, future: asyncio.Future[Any], expires: float) -> None:
        self.job = job
        self.keys = keys
        self.future = future
        self.expires = expires
        self.timer: asyncio.TimerHandle | None = None

    def resolve(self, *, result: Any = None, error: BaseException | None = None) -> None:
        if self.future.done():  # cancelled
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class JobQueue:
    """A queue of jobs. For one event loop.

    max_age_s: how long a job waits here before it fails with Unavailable; it has then not begun.
    """

    def __init__(self, *, max_age_s: float) -> None:
        self._max_age_s = max_age_s
        self._loop = asyncio.get_running_loop()
        #: In the order in which they came.
        self._jobs: dict[Waiting, None] = {}
        #: Keys of the jobs that are being run.
        self._running: set[str] = set()
        self._apart: set[str] = set()
        self._has_news = asyncio.Event()
        #: One task waits for jobs of each kind, and the others for it: a new job wakes no more tasks than can take it.
        self._turns = {apart: asyncio.Lock() for apart in (False, True)}
        self._is_closed = False

    def put(self, job: Job, keys: Keys = frozenset()) -> asyncio.Future[Any]:
        """Add a job; its future."""
        expires = self._loop.time() + self._max_age_s
        waiting = Waiting(job, keys, self._loop.create_future(), expires)
        self._add(waiting)
        return waiting.future

    async def take(
        self, most: int, *, apart: bool = False, company_s: float = 0.0
    ) -> list[Waiting]:
        """Wait for jobs, and take at most `most` of those that may run. None once the queue is closed and empty.

        apart: wait for jobs whose keys are set apart; all that are taken have the same keys.
        company_s: how long jobs wait for others to join them.
        The caller calls `finish` afterwards.
        """
        async with self._turns[apart]:
            while not (jobs := await self._gather(most, apart, company_s)):
                if self._is_closed and not self._jobs:
                    return []
                self._has_news.clear()
                await self._has_news.wait()
            for waiting in jobs:
                self._remove(waiting)
            self._running |= collect_keys(jobs)
        return jobs

    def join(
        self,
        batch: list[Waiting],
        most: int,
        keys: Collection[str],
        may_join: Callable[[Job], bool],
    ) -> Sequence[Waiting]:
        """Add jobs that came meanwhile to a batch that is being run, `most` in all; those that were added.

        keys: of the batch, among which all keys of the jobs have to be.
        """
        joined: list[Waiting] = []
        passed: set[str] = set()
        for waiting in self._jobs:
            if len(batch) + len(joined) >= most:
                break
            if (
                waiting.keys.issubset(keys)
                and passed.isdisjoint(waiting.keys)
                and may_join(waiting.job)
            ):
                joined.append(waiting)
            else:
                passed |= waiting.keys
        for waiting in joined:
            self._remove(waiting)
        batch += joined
        return joined

    def finish(self, batch: Sequence[Waiting]) -> None:
        """Let other jobs with the keys of these run: their transaction has ended."""
        self._running -= collect_keys(batch)
        self._has_news.set()

    def put_back(self, batch: Sequence[Waiting]) -> None:
        """Let the jobs wait again, in front of all others, and no longer than they would have waited."""
        later, self._jobs = self._jobs, {}
        for waiting in batch:
            if not waiting.future.done():
                self._add(waiting)
        self._jobs |= later

    def set_apart(self, keys: Iterable[str]) -> None:
        self._apart.update(keys)
        self._has_news.set()

    def join_again(self, keys: Iterable[str]) -> None:
        """End setting the keys apart: nothing is in the way of their jobs any more."""
        self._apart.difference_update(keys)
        self._has_news.set()

    def close(self) -> None:
        """Accept no more jobs. Those that are waiting are still taken."""
        self._is_closed = True
        self._has_news.set()

    def fail_all(self, error: BaseException) -> None:
        for waiting in list(self._jobs):
            self._remove(waiting)
            waiting.resolve(error=error)

    async def _gather(self, most: int, apart: bool, company_s: float) -> list[Waiting]:
        """The jobs that may run; if there are several, as soon as a turn of the event loop brings no other."""
        jobs = self._choose(most, apart)
        if jobs and company_s:
            await asyncio.sleep(company_s)
            jobs = self._choose(most, apart)
        seen = 1
        while seen < len(jobs) < most:
            seen = len(jobs)
            await asyncio.sleep(0)
            jobs = self._choose(most, apart)
        return jobs

    def _choose(self, most: int, apart: bool) -> list[Waiting]:
        chosen: list[Waiting] = []
        #: Keys of jobs that stay: a later job does not overtake an earlier one with the same key.
        passed: set[str] = set()
        for waiting in self._jobs:
            keys = waiting.keys
            if (
                self._apart.isdisjoint(keys) is not apart
                and (not apart or not chosen or keys == chosen[0].keys)
                and passed.isdisjoint(keys)
                and self._running.isdisjoint(keys)
            ):
                chosen.append(waiting)
                if len(chosen) == most:
                    break
            else:
                passed |= keys
        return chosen

    def _add(self, waiting: Waiting) -> None:
        waiting.timer = self._loop.call_at(waiting.expires, self._give_up, waiting)
        self._jobs[waiting] = None
        self._has_news.set()

    def _give_up(self, waiting: Waiting) -> None:
        del self._jobs[waiting]
        detail = f"no transaction began within {self._max_age_s:.3g} s"
        waiting.resolve(error=make_unavailable(detail))
        self._has_news.set()

    def _remove(self, waiting: Waiting) -> None:
        del self._jobs[waiting]
        if waiting.timer is not None:
            waiting.timer.cancel()


def collect_keys(batch: Iterable[Waiting]) -> Keys:
    return frozenset().union(*(waiting.keys for waiting in batch))
