"""LoopTurns: one step of long work in a turn of the loop, principals one after the other."""

from __future__ import annotations

import asyncio

from kms_tornado.service.load.loop_turns import LoopTurns


async def work(turns, principal, steps, log):
    for _ in range(steps):
        await turns.wait(principal)
        log.append(principal)


async def run_beside(works, log, rounds):
    """The log, with a "-" for each turn of a loop that has other things to do as well."""
    tasks = [asyncio.create_task(one) for one in works]
    for _ in range(rounds):
        log.append("-")
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)


def test_between_two_steps_others_have_a_turn_however_many_requests_there_are():
    turns, log = LoopTurns(), []
    works = [work(turns, "alice", 5, log) for _ in range(16)]
    asyncio.run(run_beside(works, log, 200))
    assert log.count("alice") == 80
    longest = max(len(run) for run in "".join(entry[0] for entry in log[:150]).split("-"))
    assert longest == 1


def test_principals_take_steps_in_turn():
    turns, log = LoopTurns(), []
    works = [work(turns, "alice", 10, log) for _ in range(8)]
    asyncio.run(run_beside([*works, work(turns, "bob", 10, log)], log, 1))
    steps = [entry for entry in log if entry != "-"]
    assert steps[:20].count("bob") >= 9
    assert len(steps) == 90


def test_cancelled_request_gives_its_step_to_the_next():
    async def scenario():
        turns, log = LoopTurns(), []
        gone = asyncio.create_task(work(turns, "alice", 1, log))
        stays = asyncio.create_task(work(turns, "bob", 1, log))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait({gone, stays}, timeout=10)
        return log

    assert asyncio.run(scenario()) == ["bob"]
