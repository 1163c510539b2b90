"""Jobs that come close upon one another are taken together, each by one task.

Keys that are set apart, and jobs that wait too long, are in `test_writer`.
"""

from __future__ import annotations

import asyncio

from kms_tornado.store.postgres.writing.queue import JobQueue

MOST = 4


def run(main):
    async def run_within():
        await asyncio.wait_for(main(JobQueue(max_age_s=30)), 30)

    asyncio.run(run_within())


def job(number):
    return lambda runner: number


def numbers(batch):
    return [waiting.job(None) for waiting in batch]


def taking(queue):
    return asyncio.ensure_future(queue.take(MOST))


async def turns(number):
    for _ in range(number):
        await asyncio.sleep(0)


def test_job_alone_is_taken_without_waiting_for_others():
    async def main(queue):
        queue.put(job(1))
        taken = taking(queue)
        await turns(1)
        assert taken.done()
        assert numbers(taken.result()) == [1]

    run(main)


def test_jobs_of_the_next_turns_join_until_one_brings_none():
    async def main(queue):
        queue.put(job(1))
        queue.put(job(2))
        taken = taking(queue)
        await turns(1)
        queue.put(job(3))
        await turns(2)
        assert taken.done()
        queue.put(job(4))
        assert numbers(await taken) == [1, 2, 3]
        assert numbers(await queue.take(MOST)) == [4]

    run(main)


def test_as_many_as_may_be_are_taken_without_waiting_for_others():
    async def main(queue):
        for number in range(MOST + 1):
            queue.put(job(number))
        taken = taking(queue)
        await turns(1)
        assert taken.done()
        assert len(taken.result()) == MOST

    run(main)


def test_tasks_that_wait_take_different_jobs():
    async def main(queue):
        tasks = [taking(queue) for _ in range(3)]
        await turns(2)
        for number in (1, 2):
            queue.put(job(number), frozenset({"alice"}))
        (first,), _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        queue.put(job(3), frozenset({"alice"}))  # waits for the others of its key
        queue.put(job(4), frozenset({"bob"}))
        (second,), _ = await asyncio.wait(set(tasks) - {first}, return_when=asyncio.FIRST_COMPLETED)
        assert (numbers(first.result()), numbers(second.result())) == ([1, 2], [4])
        queue.finish(first.result())
        (third,) = set(tasks) - {first, second}
        assert numbers(await third) == [3]

    run(main)


def test_jobs_join_a_batch_of_their_keys_and_overtake_nobody():
    async def main(queue):
        names = ("alice", "alice bob", "bob", "carol", "alice carol", "bob", "bob", "bob")
        for number, keys in enumerate(names):
            queue.put(job(number), frozenset(keys.split()))
        (first,) = batch = await queue.take(1)
        assert numbers([first]) == [0]
        joined = queue.join(batch, 4, {"alice", "bob"}, lambda joining: joining(None) != 6)
        assert numbers(joined) == [1, 2, 5]
        assert numbers(batch) == [0, 1, 2, 5]
        queue.finish(batch)
        assert numbers(await queue.take(9)) == [3, 4, 6, 7]

    run(main)


def test_job_behind_one_that_may_not_join_does_not_join():
    async def main(queue):
        for number in range(4):
            queue.put(job(number), frozenset({"alice"}))
        batch = await queue.take(1)
        joined = queue.join(batch, 9, {"alice"}, lambda joining: joining(None) != 2)
        assert numbers(joined) == [1]

    run(main)


def test_task_that_is_cancelled_leaves_the_jobs_to_the_others():
    async def main(queue):
        cancelled, other = taking(queue), taking(queue)
        await turns(2)
        cancelled.cancel()
        queue.put(job(1))
        assert numbers(await other) == [1]

    run(main)


def test_all_tasks_end_once_the_queue_is_closed_and_empty():
    async def main(queue):
        tasks = [taking(queue) for _ in range(3)]
        await turns(2)
        queue.put(job(1))
        queue.close()
        taken = await asyncio.gather(*tasks)
        assert sorted(map(numbers, taken)) == [[], [], [1]]

    run(main)
