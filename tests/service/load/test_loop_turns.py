"""LoopTurns: one step of long work in a turn of the loop, principals one after the other."""

from __future__ import annotations

import asyncio

import pytest

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


async def answer(turns, log):
    """A short request, of five stages."""
    for stage in "abcde":
        log.append(stage)
        if stage != "e":
            await turns.let_others_run()


def test_short_request_passes_the_steps_that_wait_between_its_stages():
    async def scenario():
        turns, log = LoopTurns(), []
        long = [asyncio.create_task(work(turns, "alice", 5, log)) for _ in range(16)]
        for pause in range(20):  # whatever the long ones are about to do
            await asyncio.sleep(0)
            for _ in range(pause % 3):
                await asyncio.sleep(0)
            await answer(turns, log)
        await asyncio.gather(*long)
        return log

    log = asyncio.run(scenario())
    answered = "".join(log).replace("alice", "-")
    assert answered.count("abcde") == 20
    assert answered.count("-") == 80


def test_long_requests_go_on_however_many_short_ones_come():
    async def scenario():
        turns, log = LoopTurns(), []
        long = asyncio.create_task(work(turns, "alice", 10, log))

        async def keep_answering():
            while True:
                await answer(turns, log)

        short = [asyncio.create_task(keep_answering()) for _ in range(8)]
        await asyncio.wait_for(long, 10)
        for task in short:
            task.cancel()
        return log

    assert asyncio.run(scenario()).count("alice") == 10


def test_request_that_is_cancelled_with_its_turn_given_leaves_the_next_to_another():
    async def scenario():
        turns, log = LoopTurns(), []
        first, second = (
            asyncio.create_task(work(turns, name, 1, log)) for name in ("alice", "bob")
        )
        for _ in range(2):  # both wait, and the first has its turn, but has not gone on
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait({first, second}, timeout=10)
        return log

    assert "bob" in asyncio.run(scenario())


async def answer_in_parts(turns, log):
    """A short request whose second stage has two parts."""
    log.append("a")
    await turns.let_others_run()
    log.append("b")
    await turns.let_others_catch_up()
    log.append("c")


def test_short_requests_run_each_part_of_a_stage_in_a_row():
    async def scenario():
        turns, log = LoopTurns(), []
        await asyncio.gather(*(answer_in_parts(turns, log) for _ in range(3)))
        return log

    assert "".join(asyncio.run(scenario())) == "aaabbbccc"


def test_short_request_that_is_alone_goes_on_within_its_stage_without_a_turn():
    async def scenario():
        turns, log = LoopTurns(), []
        alone = asyncio.create_task(answer_in_parts(turns, log))
        for _ in range(2):
            await asyncio.sleep(0)
            log.append("-")
        await alone
        return log

    assert "".join(asyncio.run(scenario())) == "a-bc-"


def test_short_request_that_is_cancelled_while_it_waits_leaves_the_next_one_alone():
    async def scenario():
        turns, log = LoopTurns(), []
        gone = asyncio.create_task(answer_in_parts(turns, log))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait({gone}, timeout=10)
        with pytest.raises(StopIteration):  # it would yield, if the one that is gone still counted
            turns.let_others_catch_up().send(None)

    asyncio.run(scenario())
