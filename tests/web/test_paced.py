"""Work that many ask for is done once for all who wait, after they asked, with pauses."""

from __future__ import annotations

import asyncio
import time

import pytest

from kms_tornado.web.paced import Paced


class Work:
    def __init__(self):
        self.begun = self.running = self.most_at_once = 0
        self.times = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.has_begun = asyncio.Event()

    async def __call__(self):
        self.begun += 1
        self.has_begun.set()
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        self.times.append(time.monotonic())
        number = self.begun
        await self.gate.wait()
        self.running -= 1
        return number


def test_all_who_ask_before_it_begins_share_it_and_who_asks_later_gets_a_newer_one():
    async def main():
        work = Work()
        paced = Paced(work, 0)
        work.gate.clear()
        early = [asyncio.create_task(paced.run()) for _ in range(50)]
        await work.has_begun.wait()
        late = [asyncio.create_task(paced.run()) for _ in range(50)]
        await asyncio.sleep(0)
        work.gate.set()
        assert await asyncio.gather(*early) == [1] * 50
        assert await asyncio.gather(*late) == [2] * 50
        assert work.most_at_once == 1

    asyncio.run(main())


def test_flood_gets_no_more_than_the_pauses_allow_and_the_first_one_need_not_wait():
    async def main():
        work = Work()
        paced = Paced(work, 0.05)
        for _ in range(4):
            await asyncio.gather(*[paced.run() for _ in range(20)])
        gaps = [after - before for before, after in zip(work.times, work.times[1:], strict=False)]
        assert len(gaps) == 3
        assert min(gaps) >= 0.049

    asyncio.run(main())


def test_who_leaves_takes_it_from_nobody():
    async def main():
        work = Work()
        paced = Paced(work, 0)
        work.gate.clear()
        leaving, staying = (asyncio.create_task(paced.run()) for _ in range(2))
        await work.has_begun.wait()
        leaving.cancel()
        await asyncio.sleep(0)
        work.gate.set()
        assert await staying == 1

    asyncio.run(main())


def test_what_fails_is_told_to_all_and_done_anew_for_the_next_one():
    async def main():
        outcomes = [OSError("no"), None]

        async def work():
            outcome = outcomes.pop(0)
            if outcome is not None:
                raise outcome
            return "well"

        paced = Paced(work, 0)
        found = await asyncio.gather(paced.run(), paced.run(), return_exceptions=True)
        assert [str(each) for each in found] == ["no", "no"]
        assert await paced.run() == "well"
        with pytest.raises(IndexError):
            await paced.run()

    asyncio.run(main())
