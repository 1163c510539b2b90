"""The DPoP proofs that were used: each is good once for all servers of the database."""

from __future__ import annotations

import asyncio

from kms_tornado.store.sql.tables import used_proofs
from kms_tornado.store.sql.tables.used_proofs import PAGE

from ...helpers import store_at, with_store

FIRST, SECOND = bytes(range(32)), bytes(32)


def test_a_proof_is_good_once_and_after_a_restart(place):
    async def body(store):
        return [
            await store.proofs.use(FIRST, 1100),
            await store.proofs.use(FIRST, 1100),
            await store.proofs.use(FIRST, 9999),
            await store.proofs.use(SECOND, 1100),
        ]

    assert with_store(place, body) == [True, False, False, True]
    assert not with_store(place, lambda store: store.proofs.use(FIRST, 1100))


def test_of_two_servers_at_once_one_takes_it(place):
    async def body(store):
        other = store_at(place)
        await other.start()
        try:
            results = []
            for number in range(20):
                digest = number.to_bytes(32, "big")
                both = await asyncio.gather(
                    store.proofs.use(digest, 1100), other.proofs.use(digest, 1100)
                )
                results.append(sorted(both))
            return results
        finally:
            await other.stop()

    assert with_store(place, body) == [[False, True]] * 20


def test_two_servers_that_are_sent_many_in_opposite_order_take_each_once(place):
    digests = [number.to_bytes(32, "big") for number in range(40)]

    async def body(store):
        other = store_at(place)
        await other.start()
        try:
            results = await asyncio.gather(
                *(store.proofs.use(digest, 1100) for digest in digests),
                *(other.proofs.use(digest, 1100) for digest in reversed(digests)),
            )
            return sum(results)
        finally:
            await other.stop()

    assert with_store(place, body) == len(digests)


def test_what_is_over_is_forgotten_and_never_good_again(place):
    async def body(store):
        await store.proofs.use(FIRST, 1100)
        await store.proofs.use(SECOND, 1200)
        assert await store.proofs.forget(1100) == 0
        assert await store.proofs.count() == 2, "it is good until 1100"
        assert await store.proofs.forget(1101) == 1
        assert await store.proofs.count() == 2, "one proof, and up to when they are forgotten"
        return [
            await store.proofs.use(FIRST, 1100),  # the clock was set back
            await store.proofs.use(b"\1" * 32, 1100),
            await store.proofs.use(b"\2" * 32, 1101),
            await store.proofs.use(SECOND, 1200),
        ]

    assert with_store(place, body) == [False, False, True, False]


def test_what_was_forgotten_is_remembered_by_its_latest_end(place):
    async def body(store):
        for before, until in ((1301, 1300), (1101, 1100)):
            await store.proofs.use(FIRST, until)
            await store.proofs.forget(before)
        return await store.proofs.use(SECOND, 1300)

    assert with_store(place, body) is False


def test_many_are_forgotten_page_by_page(place, monkeypatch):
    assert PAGE > 3
    monkeypatch.setattr(
        used_proofs,
        "_select_end",
        used_proofs.Statement(
            used_proofs.select(used_proofs._P.until)
            .where(used_proofs._is_over)
            .order_by(used_proofs._P.until)
            .limit(1)
            .offset(2)
        ),
    )

    async def body(store):
        for number in range(10):
            await store.proofs.use(number.to_bytes(32, "big"), 1000 + number)
        steps = []
        while forgotten := await store.proofs.forget(2000):
            steps.append(forgotten)
        return steps, await store.proofs.count()

    assert with_store(place, body) == ([3, 3, 3, 1], 1)


def test_nothing_is_written_where_nothing_is_over(place):
    async def body(store):
        await store.proofs.forget(2000)
        return await store.proofs.count()

    assert with_store(place, body) == 0
