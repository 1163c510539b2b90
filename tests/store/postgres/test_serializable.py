"""Two servers on a database whose transactions are serializable, as on engines with optimistic transactions."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

import pytest

from kms_tornado.errors import Unavailable
from kms_tornado.kmip.enums import Operation
from kms_tornado.store.interface.changes import Conflict, Grant, Insert, Replace
from kms_tornado.store.postgres import engine

from ... import postgres
from ..helpers import ALICE, BOB, an_object, opened, run

TASKS, TURNS = 4, 6


@pytest.fixture
def url():
    made = postgres.cluster().new_database()
    name = postgres.name_of(made)
    with postgres.cluster().connect() as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    return made


async def until_done(outcomes, commit):
    """As a client does: again after 503, and after Conflict with what was read anew."""
    while True:
        try:
            await commit()
            outcomes["done"] += 1
            return
        except (Conflict, Unavailable) as exc:
            outcomes[type(exc).__name__] += 1
            await asyncio.sleep(0)


async def change(store, uid):
    seen = await store.get(uid)
    await store.commit([Replace(seen, seen.generation)])


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_two_servers_write_the_same_rows_and_nothing_is_lost_or_unexpected(
    url, monkeypatch, isolation
):
    monkeypatch.setattr(engine, "WRITE_ISOLATION", isolation)
    outcomes = Counter()

    async def main():
        async with opened(url) as one, opened(url) as other:
            await one.commit([Insert(an_object("a")), Insert(an_object("b"))])

            async def work(store, name):
                for turn in range(TURNS):
                    added = [Insert(an_object(f"{name} {turn}"))]
                    await until_done(outcomes, partial(store.commit, added))

                    await until_done(outcomes, partial(change, store, "ab"[turn % 2]))
                    grant = [Grant("a", ALICE, f"{BOB} {turn}", frozenset({Operation.GET}))]
                    await until_done(outcomes, partial(store.commit, grant))

            stores = (one, other)
            await asyncio.gather(
                *(
                    work(store, f"{n} {n_store}")
                    for n in range(TASKS)
                    for n_store, store in enumerate(stores)
                )
            )
            generations = [(await one.get(uid)).generation for uid in "ab"]
            granted = await other.list_grants("a", owner=ALICE)
            return generations, len(await one.list_owned(ALICE)), len(granted)

    generations, owned, granted = run(main())
    workers = 2 * TASKS
    assert outcomes["done"] == 3 * TURNS * workers
    assert sum(generations) == 2 + TURNS * workers
    assert owned == 2 + TURNS * workers
    assert granted == TURNS
