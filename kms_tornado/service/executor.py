"""Executor: the threads for work that would block the event loop, with bounded and fair queues.

There are two lanes, so that work of milliseconds never waits for work of seconds. In each lane jobs
wait by principal, and principals take turns: a principal who sends a hundred jobs delays nobody else's
first one. Where the lane, or one principal's share of it, is full, a job is refused at once: an answer
that says when to come back beats one that comes after the client has given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import Unavailable

T = TypeVar("T")

_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Busy(Unavailable):
    """The queue for this kind of work is full, and the job was not begun."""

    reason = "busy"


@dataclass(frozen=True, slots=True)
class LaneSize:
    """waiting, waiting_per_principal: how many jobs may wait for a thread, in all and of one principal.

    niceness: of the threads, above that of the event loop's thread (on Linux; elsewhere ignored).
    """

    threads: int
    waiting: int
    waiting_per_principal: int
    retry_after_s: int = 1
    niceness: int = 0


#: For work of milliseconds: long bodies, large data. More threads only compete for the interpreter's lock.
LIGHT = LaneSize(threads=4, waiting=128, waiting_per_principal=64)

#: For work of up to seconds that releases the interpreter's lock: RSA keys, PBKDF2. One thread a core,
#: and nice, so that the event loop gets a core the moment it needs one.
HEAVY = LaneSize(threads=_CORES, waiting=64, waiting_per_principal=32, retry_after_s=5, niceness=10)


@dataclass(frozen=True, slots=True)
class _Job:
    function: Callable[[], Any]
    result: asyncio.Future[Any]


class Lane:
    """One pool of threads and its queue. Only the event loop's thread touches it.

    waiting, running: numbers of jobs. refused: how many jobs were refused since the start.
    """

    def __init__(self, name: str, size: LaneSize) -> None:
        self.name = name
        self.waiting = self.running = self.refused = 0
        self._size = size
        #: {principal: its waiting jobs, at least one}. The first principal is the next to get a thread.
        self._queues: dict[str, deque[_Job]] = {}
        self._pool = ThreadPoolExecutor(
            size.threads, thread_name_prefix=f"kms-{name}", initializer=_set_niceness, initargs=(size.niceness,)
        )  # fmt: skip

    async def run(self, function: Callable[[], T], principal: str) -> T:
        """The function's result, or what it raises. Raises Busy where the queue is full."""
        job = _Job(function, asyncio.get_running_loop().create_future())
        if self.running < self._size.threads:
            self._start(job)
        else:
            self._enqueue(job, principal)
        result: T = await job.result
        return result

    def close(self) -> None:
        """Refuse the jobs that wait, and wait for those that run."""
        for queue in self._queues.values():
            for job in queue:
                if not job.result.done():
                    job.result.set_exception(Busy("the server is stopping"))
        self._queues.clear()
        self.waiting = 0
        self._pool.shutdown()

    def _enqueue(self, job: _Job, principal: str) -> None:
        queue = self._queues.get(principal)
        if (
            self.waiting >= self._size.waiting
            or len(queue or ()) >= self._size.waiting_per_principal
        ):
            self.refused += 1
            raise Busy(
                "the server is too busy with work of this kind; try again later",
                retry_after_s=self._size.retry_after_s,
                detail=f"lane {self.name}: {self.waiting} waiting, {len(queue or ())} of this principal",
            )
        if queue is None:
            queue = self._queues[principal] = deque()
        queue.append(job)
        self.waiting += 1

    def _start(self, job: _Job) -> None:
        self.running += 1
        work = asyncio.get_running_loop().run_in_executor(self._pool, job.function)
        work.add_done_callback(lambda done: self._finish(job, done))

    def _finish(self, job: _Job, done: asyncio.Future[Any]) -> None:
        self.running -= 1
        self._start_next()
        if job.result.done():  # nobody waits for it any more
            done.exception()  # read, or asyncio would log that it never was
        elif (error := done.exception()) is not None:
            job.result.set_exception(error)
        else:
            job.result.set_result(done.result())

    def _start_next(self) -> None:
        while self._queues:
            principal = next(iter(self._queues))
            queue = self._queues.pop(principal)
            job = queue.popleft()
            self.waiting -= 1
            if queue:
                self._queues[principal] = queue  # at the end, behind all other principals
            if not job.result.done():
                self._start(job)
                return


class Executor:
    """Both lanes. Must be closed after the last use."""

    def __init__(self, *, light: LaneSize = LIGHT, heavy: LaneSize = HEAVY) -> None:
        self.light = Lane("light", light)
        self.heavy = Lane("heavy", heavy)

    async def run(
        self, function: Callable[[], T], *, principal: str = "", heavy: bool = False
    ) -> T:
        """As `Lane.run`. heavy: the function may take longer than some 50 ms."""
        return await (self.heavy if heavy else self.light).run(function, principal)

    def close(self) -> None:
        self.light.close()
        self.heavy.close()


def _set_niceness(increment: int) -> None:
    """Make the current thread alone nicer: to Linux a thread is a process with an id of its own."""
    if increment and hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):
            thread = threading.get_native_id()
            niceness = os.getpriority(os.PRIO_PROCESS, thread) + increment
            os.setpriority(os.PRIO_PROCESS, thread, niceness)
