"""Executor: the threads for work that would block the event loop, with bounded and fair queues.

There are two lanes, so that work of milliseconds never waits for work of seconds. In each lane, jobs wait in a
`FairQueue`, where principals take turns. A principal who sends a hundred jobs delays nobody else's first one. Two
principals who fill a lane do not keep a third one out: someone without a waiting job takes the place of the newest job
of whoever has most. A job that finds no place, or loses it, is refused at once, before any of it has begun: an answer
that says when to come back is better than one that comes after the client has given up.

Each process of `--workers` has lanes of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ...cores import count_cores
from ...errors import Unavailable
from .fair_queue import FairQueue, Full, QueueBounds
from .loop_turns import LoopTurns

T = TypeVar("T")

_CORES = count_cores()


class Busy(Unavailable):
    """The queue for this kind of work is full, and the job was not begun."""

    reason = "busy"


_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LaneSize:
    """The limits of one lane.

    waiting, waiting_per_principal: how many jobs may wait for a thread, in total and for one principal.
    running_per_principal: how many jobs of one principal may run at once.
    waiting_bytes, waiting_bytes_per_principal: of data that these jobs hold until they are done.
    niceness: of the threads, above that of the event loop's thread (on Linux; ignored elsewhere).
    rest_s: how long a thread rests after a job, for each stage of a short request that the loop ran meanwhile; never
    longer than the job took.
    """

    threads: int
    waiting: int
    waiting_per_principal: int
    running_per_principal: int = sys.maxsize
    waiting_bytes: int = 128 * _MIB
    waiting_bytes_per_principal: int = 64 * _MIB
    retry_after_s: int = 1
    niceness: int = 0
    rest_s: float = 0.0


#: For work of milliseconds: long bodies, large data, searches and what they find. It holds the interpreter's lock most
#: of the time, so that more threads get no more done. And the event loop has to share the lock with each of them: beside
#: four threads and two of the store, the slowest short requests took thirteen times as long as alone; beside one thread that
#: does the work of all, two and a half times. That one takes half of the lock's time from the loop for as long as it computes,
#: so that a server at half of its load had more to do than it could: beside a walk of 100,000 objects, half of 600 encrypts
#: a second took more than 5 ms. With a rest behind each job, none of which should take more than some milliseconds, it was 2.
LIGHT = LaneSize(threads=1, waiting=128, waiting_per_principal=64, rest_s=0.0005)

#: For work of up to seconds that releases the interpreter's lock: RSA keys, PBKDF2. One principal has a thread a core at
#: most, and there is one more, so that another's first job need not wait until one of these ends. They are nice, so
#: that the event loop gets a core the moment it needs one.
HEAVY = LaneSize(
    threads=_CORES + 1,
    waiting=64,
    waiting_per_principal=32,
    running_per_principal=_CORES,
    retry_after_s=5,
    niceness=10,
)


@dataclass(frozen=True, slots=True)
class _Job:
    """A function that waits for a thread.

    context: the context of the request for which it runs, since another job's end may start it; lines of the log name
    that request.
    """

    function: Callable[[], Any]
    principal: str
    result: asyncio.Future[Any]
    context: Context = field(default_factory=copy_context)


class Lane:
    """One pool of threads and its queue. Only the event loop's thread uses it.

    waiting, running: numbers of jobs.
    refused: how many jobs were refused since the start.
    """

    def __init__(self, name: str, size: LaneSize, turns: LoopTurns) -> None:
        self.name = name
        self._turns = turns
        self.running = self.refused = 0
        self._size = size
        self._running_of: Counter[str] = Counter()  # principals with none are not in it
        self._at_most: set[str] = set()  # principals with as many as may run at once
        self._queue: FairQueue[_Job] = FairQueue(
            QueueBounds(
                size.waiting,
                size.waiting_per_principal,
                size.waiting_bytes,
                size.waiting_bytes_per_principal,
            )
        )
        self._pool = ThreadPoolExecutor(
            size.threads, thread_name_prefix=f"kms-{name}", initializer=_set_niceness, initargs=(size.niceness,)
        )  # fmt: skip

    @property
    def waiting(self) -> int:
        return len(self._queue)

    async def run(self, function: Callable[[], T], principal: str, size: int = 0) -> T:
        """Run the function; its result, or the exception that it raises.

        size: bytes that the job holds while it waits.
        Raises Busy where the queue is full, or where another principal's first job took this one's place in it.
        """
        job = _Job(function, principal, asyncio.get_running_loop().create_future())
        if self.running < self._size.threads and principal not in self._at_most:
            self._start(job)
        else:
            self._enqueue(job, size)
        result: T = await job.result
        return result

    def close(self) -> None:
        """Refuse the jobs that wait, and wait for those that run."""
        while (job := self._queue.take()) is not None:
            if not job.result.done():
                job.result.set_exception(Busy("the server is stopping"))
        self._pool.shutdown()

    def _enqueue(self, job: _Job, size: int) -> None:
        try:
            displaced = self._queue.add(job.principal, job, size)
        except Full as exc:
            raise self._refuse(f"{exc.waiting} of this principal") from None
        for other in displaced:
            if not other.result.done():
                error = self._refuse("this one gave its place to a principal who had none")
                other.result.set_exception(error)

    def _refuse(self, detail: str) -> Busy:
        self.refused += 1
        return Busy(
            "the server is too busy with work of this kind; try again later",
            retry_after_s=self._size.retry_after_s,
            detail=f"lane {self.name}: {self.waiting} waiting, {detail}",
        )

    def _start(self, job: _Job) -> None:
        self.running += 1
        self._running_of[job.principal] += 1
        if self._running_of[job.principal] >= self._size.running_per_principal:
            self._at_most.add(job.principal)
        loop = asyncio.get_running_loop()
        began, stages = loop.time(), self._turns.short_stages
        work = loop.run_in_executor(self._pool, job.context.run, job.function)

        def finish(done: asyncio.Future[Any]) -> None:
            rest_s = self._size.rest_s * (self._turns.short_stages - stages)
            if rest_s:
                rest_s = min(rest_s, loop.time() - began)
                loop.call_later(rest_s, self._free_thread, job)
            else:
                self._free_thread(job)
            self._set_result(job, done)

        work.add_done_callback(finish)

    def _free_thread(self, job: _Job) -> None:
        self.running -= 1
        self._at_most.discard(job.principal)
        self._running_of[job.principal] -= 1
        if not self._running_of[job.principal]:
            del self._running_of[job.principal]
        self._start_next()

    @staticmethod
    def _set_result(job: _Job, done: asyncio.Future[Any]) -> None:
        if job.result.done():  # nobody waits for it any more
            done.exception()  # read, or asyncio would log that it never was
        elif (error := done.exception()) is not None:
            job.result.set_exception(error)
        else:
            job.result.set_result(done.result())

    def _start_next(self) -> None:
        while (job := self._queue.take(passing_over=self._at_most)) is not None:
            if not job.result.done():
                self._start(job)
                return


class Executor:
    """Both lanes. It must be closed after the last use."""

    def __init__(
        self,
        *,
        light: LaneSize = LIGHT,
        heavy: LaneSize = HEAVY,
        loop_turns: LoopTurns | None = None,
    ) -> None:
        turns = LoopTurns() if loop_turns is None else loop_turns
        self.light = Lane("light", light, turns)
        self.heavy = Lane("heavy", heavy, turns)

    async def run(
        self, function: Callable[[], T], *, principal: str = "", heavy: bool = False, size: int = 0
    ) -> T:
        """As `Lane.run`. heavy: the function may take longer than about 50 ms."""
        return await (self.heavy if heavy else self.light).run(function, principal, size)

    def close(self) -> None:
        self.light.close()
        self.heavy.close()


def _set_niceness(increment: int) -> None:
    """Make the current thread alone nicer. To Linux a thread is a process with an ID of its own."""
    if increment and hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):
            thread = threading.get_native_id()
            niceness = os.getpriority(os.PRIO_PROCESS, thread) + increment
            os.setpriority(os.PRIO_PROCESS, thread, niceness)
