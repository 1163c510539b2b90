"""Bounded lanes: who waits, who is refused, whose turn it is."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading

import pytest

from kms_tornado.errors import Unavailable
from kms_tornado.request_context import current_request_id
from kms_tornado.service.load.executor import Busy, Executor, LaneSize
from kms_tornado.service.load.loop_turns import LoopTurns

SMALL = LaneSize(threads=1, waiting=4, waiting_per_principal=2, retry_after_s=7)


class Held:
    """Jobs that run until they are let go, and the order in which they began."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.began: list[str] = []

    def job(self, name: str):
        def work() -> str:
            self.began.append(name)
            assert self.gate.wait(10)
            return name

        return work


def with_executor(body, *, light=SMALL, heavy=SMALL):
    async def main() -> None:
        executor, held = Executor(light=light, heavy=heavy), Held()
        try:
            await body(executor, held)
        finally:
            held.gate.set()
            executor.close()

    asyncio.run(main())


def submit(executor, held, *names, heavy=True):
    """Tasks of jobs named <principal><number>, each as far as it gets by itself."""
    return [
        asyncio.create_task(executor.run(held.job(name), principal=name[0], heavy=heavy))
        for name in names
    ]


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


def test_result_and_error_of_the_function_come_back():
    async def body(executor, held):
        assert await executor.run(lambda: 6 * 7) == 42
        with pytest.raises(KeyError):
            await executor.run(lambda: {}["x"])

    with_executor(body)


def test_work_does_not_run_on_the_thread_of_the_loop():
    async def body(executor, held):
        assert await executor.run(threading.get_ident) != threading.get_ident()

    with_executor(body)


def test_what_has_no_thread_and_no_place_to_wait_is_refused_with_a_time_to_come_back():
    async def body(executor, held):
        tasks = submit(executor, held, "a0", "a1", "b1", "c1", "d1", "e1")
        await settled()
        with pytest.raises(Busy) as caught:
            await tasks.pop()
        assert caught.value.retry_after_s == 7
        assert executor.heavy.waiting == 4
        assert executor.heavy.refused == 1
        held.gate.set()
        assert sorted(await asyncio.gather(*tasks)) == ["a0", "a1", "b1", "c1", "d1"]
        assert "e1" not in held.began

    with_executor(body)


def test_two_principals_who_fill_the_lane_do_not_keep_a_third_one_out():
    async def body(executor, held):
        tasks = submit(executor, held, "a0", "a1", "a2", "b1", "b2", "c1")
        await settled()
        with pytest.raises(Busy) as caught:
            await tasks.pop(4)
        assert caught.value.retry_after_s == 7
        assert (executor.heavy.waiting, executor.heavy.refused) == (4, 1)
        held.gate.set()
        await asyncio.gather(*tasks)
        assert held.began == ["a0", "a1", "b1", "c1", "a2"]

    with_executor(body)


def test_lane_is_bounded_in_bytes_too():
    async def body(executor, held):
        tasks = submit(executor, held, "a0")
        tasks += [
            asyncio.create_task(
                executor.run(held.job(name), principal=name[0], heavy=True, size=60)
            )
            for name in ("a1", "b1")
        ]
        await settled()
        assert isinstance(tasks.pop().exception(), Busy)
        held.gate.set()
        await asyncio.gather(*tasks)
        assert held.began == ["a0", "a1"]

    with_executor(body, heavy=dataclasses.replace(SMALL, waiting_bytes=100))


def test_place_is_free_again_once_work_has_ended():
    async def body(executor, held):
        tasks = submit(executor, held, "a0", "a1", "a2", "a3")
        await settled()
        assert isinstance(tasks.pop().exception(), Busy)
        held.gate.set()
        await asyncio.gather(*tasks)
        assert await executor.run(lambda: 1, principal="a", heavy=True) == 1
        assert executor.heavy.waiting == executor.heavy.running == 0

    with_executor(body)


def test_one_principal_gets_no_more_than_its_share_of_the_queue():
    async def body(executor, held):
        tasks = submit(executor, held, "a0", "a1", "a2", "a3", "b1")
        await settled()
        assert [task.done() for task in tasks] == [False, False, False, True, False]
        assert isinstance(tasks.pop(3).exception(), Busy)
        held.gate.set()
        await asyncio.gather(*tasks)

    with_executor(body)


def test_principals_take_turns():
    async def body(executor, held):
        tasks = submit(executor, held, "a0", "a1", "a2", "b1", "c1")
        await settled()
        held.gate.set()
        await asyncio.gather(*tasks)
        assert held.began == ["a0", "a1", "b1", "c1", "a2"]

    with_executor(body)


def test_light_work_does_not_wait_for_heavy_work():
    async def body(executor, held):
        tasks = submit(executor, held, "a0", "a1", "a2")
        await settled()
        assert await executor.run(lambda: "quick", principal="a") == "quick"
        assert held.began == ["a0"]
        held.gate.set()
        await asyncio.gather(*tasks)

    with_executor(body)


def test_job_that_nobody_waits_for_any_more_is_not_begun():
    async def body(executor, held):
        tasks = submit(executor, held, "a0", "a1", "b1")
        await settled()
        tasks.pop(1).cancel()
        await settled()
        held.gate.set()
        await asyncio.gather(*tasks)
        assert held.began == ["a0", "b1"]
        assert executor.heavy.waiting == executor.heavy.running == 0

    with_executor(body)


def test_closing_refuses_what_waits_and_ends_what_runs():
    async def body(executor, held):
        running, waiting = submit(executor, held, "a0", "a1")
        await settled()
        held.gate.set()
        executor.close()
        with pytest.raises(Unavailable):
            await waiting
        assert await running == "a0"

    with_executor(body)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="niceness of threads is Linux's")
def test_heavy_threads_stand_back_behind_the_loop():
    async def body(executor, held):
        def niceness() -> int:
            return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

        mine = niceness()
        assert await executor.run(niceness, heavy=True) == min(19, mine + 5)
        assert await executor.run(niceness) == niceness() == mine

    with_executor(body, heavy=LaneSize(threads=1, waiting=1, waiting_per_principal=1, niceness=5))


def test_lines_that_a_job_writes_name_the_request_that_it_is_for():
    """Not the request whose job's end has started it."""

    async def body(executor, held):
        async def ask(request_id):
            current_request_id.set(request_id)
            return await executor.run(current_request_id.get, principal=request_id)

        first = asyncio.create_task(executor.run(held.job("a"), principal="a"))
        await settled()
        waiting = [asyncio.create_task(ask(request_id)) for request_id in ("r1", "r2")]
        await settled()
        held.gate.set()
        assert await asyncio.gather(first, *waiting) == ["a", "r1", "r2"]

    with_executor(body)


def test_principal_has_only_so_many_jobs_at_once_and_the_threads_left_are_for_others():
    lane = dataclasses.replace(SMALL, threads=3, running_per_principal=1)

    async def body(executor, held):
        tasks = submit(executor, held, "a1", "a2", "a3", "b1", "b2", heavy=False)
        await settled()
        assert (executor.light.running, executor.light.waiting) == (2, 3)
        held.gate.set()
        await asyncio.gather(*tasks)
        assert set(held.began[:2]) == {"a1", "b1"}
        assert (executor.light.running, executor.light.waiting) == (0, 0)

    with_executor(body, light=lane)


def test_waiting_job_of_a_busy_principal_is_passed_over_and_not_lost():
    lane = dataclasses.replace(SMALL, threads=2, running_per_principal=1)

    async def body(executor, held):
        first = submit(executor, held, "a1", "b1", heavy=False)
        waiting = submit(executor, held, "a2", "a3", "b2", heavy=False)
        await settled()
        held.gate.set()
        assert await asyncio.gather(*first, *waiting) == ["a1", "b1", "a2", "a3", "b2"]

    with_executor(body, light=lane)


def rest_behind_a_job(monkeypatch, *, stages):
    """What the lane asked the loop to do later, when a job ended that had so many stages of short requests beside it."""
    later = []

    async def main() -> None:
        turns, held = LoopTurns(), Held()
        executor = Executor(light=dataclasses.replace(SMALL, rest_s=1000.0), loop_turns=turns)
        try:
            tasks = submit(executor, held, "a0", "b0", heavy=False)
            await settled()
            for _ in range(stages):
                await turns.let_others_run()
            loop = asyncio.get_running_loop()
            monkeypatch.setattr(loop, "call_later", lambda *call: later.append(call))
            held.gate.set()
            assert await tasks[0] == "a0"
            assert executor.light.waiting == len(later)
            for _, function, *arguments in later:
                function(*arguments)
            assert await tasks[1] == "b0"
        finally:
            held.gate.set()
            executor.close()

    asyncio.run(main())
    return later


def test_thread_rests_behind_a_job_beside_which_short_requests_went_on(monkeypatch):
    ((rest_s, *_),) = rest_behind_a_job(monkeypatch, stages=2)
    assert 0 < rest_s < 1000  # no longer than the job took


def test_thread_that_delayed_no_short_request_begins_the_next_job_at_once(monkeypatch):
    assert rest_behind_a_job(monkeypatch, stages=0) == []
