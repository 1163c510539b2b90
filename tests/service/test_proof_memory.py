"""The memory of used DPoP proofs of a server: bounded, swept, and closed where the database is out of reach."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kms_tornado.errors import TooManyRequests, Unavailable
from kms_tornado.service.proof_memory import ProofMemory


class Table:
    """As the one of a database, which other servers fill, too."""

    def __init__(self) -> None:
        self.rows: dict[bytes, int] = {}
        self.is_dead = False
        self.was_swept = asyncio.Event()

    async def use(self, digest: bytes, until: int) -> bool:
        if self.is_dead:
            raise Unavailable("the database is out of reach", cause="timeout")
        if digest in self.rows:
            return False
        self.rows[digest] = until
        return True

    async def forget(self, before: int) -> int:
        if self.is_dead:
            raise Unavailable("the database is out of reach", cause="timeout")
        self.was_swept.set()
        held = len(self.rows)
        self.rows = {digest: until for digest, until in self.rows.items() if until >= before}
        return held - len(self.rows)

    async def count(self) -> int:
        return len(self.rows)


class Rig:
    def __init__(self, **arguments: Any) -> None:
        self.now = 1000.0
        self.table = Table()
        self.memory = ProofMemory(self.table, clock=lambda: self.now, **arguments)

    async def use(self, number: int, user: str = "alice") -> bool:
        return await self.memory.use(number.to_bytes(32, "big"), self.now + 120.5, user)


def test_a_proof_is_kept_at_least_until_it_is_no_longer_good() -> None:
    async def story() -> None:
        rig = Rig()
        assert await rig.use(1)
        assert not await rig.use(1)
        assert list(rig.table.rows.values()) == [1121]
        rig.now = 1181
        await rig.memory.sweep()
        assert len(rig.table.rows) == 1, "another server's clock may be a minute behind"
        rig.now = 1182
        await rig.memory.sweep()
        assert rig.table.rows == {}

    asyncio.run(story())


def test_copies_of_a_proof_do_not_use_up_its_users_share() -> None:
    async def story() -> None:
        rig = Rig(most=8)  # two of them
        assert await rig.use(1)
        for _ in range(8):
            assert not await rig.use(1)
        assert await rig.use(2)
        with pytest.raises(TooManyRequests):
            await rig.use(3)

    asyncio.run(story())


def test_a_full_table_lets_nobody_in_until_it_was_swept() -> None:
    async def story() -> None:
        rig = Rig(most=8)
        for number in range(8):
            assert await rig.use(number, f"user {number}")
        with pytest.raises(Unavailable):
            await rig.use(8, "bob")
        rig.now += 1000
        await rig.memory.sweep()
        assert await rig.use(8, "bob")

    asyncio.run(story())


def test_what_other_servers_have_used_counts_from_the_next_sweep_on() -> None:
    async def story() -> None:
        rig = Rig(most=8)
        rig.table.rows = {bytes([number]): 9999 for number in range(8)}
        assert await rig.use(1)
        await rig.memory.sweep()
        with pytest.raises(Unavailable):
            await rig.use(2)

    asyncio.run(story())


def test_no_user_fills_it_for_the_others() -> None:
    async def story() -> None:
        rig = Rig(most=8)
        assert await rig.use(1)
        assert await rig.use(2)
        with pytest.raises(TooManyRequests):
            await rig.use(3)
        assert await rig.use(3, "bob")

    asyncio.run(story())


def test_a_database_out_of_reach_lets_nobody_in() -> None:
    async def story() -> None:
        rig = Rig()
        rig.table.is_dead = True
        with pytest.raises(Unavailable):
            await rig.use(1)
        rig.table.is_dead = False
        assert await rig.use(1)

    asyncio.run(story())


def test_it_sweeps_beside_serving_where_proofs_were_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kms_tornado.service.proof_memory.SWEEP_S", 0.01)

    async def story() -> None:
        rig = Rig()
        rig.memory.start()
        async with asyncio.timeout(10):
            await rig.table.was_swept.wait()
            rig.table.was_swept.clear()
            await rig.use(1)
            await rig.table.was_swept.wait()
        await rig.memory.stop()

    asyncio.run(story())
