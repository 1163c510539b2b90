"""A real PgBouncer between the store and PostgreSQL, each transaction on any of its few connections."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from kms_tornado.domain.search import LocateSearch, TagSearch
from kms_tornado.errors import Unavailable
from kms_tornado.kmip.enums import Operation
from kms_tornado.store.interface.changes import Conflict, Grant, Insert, Replace

from ... import postgres
from ..helpers import ALICE, BOB, an_object, locate, opened, run, seeking, with_store
from .pgbouncer import PgBouncer

#: The pooler's connections by mode. By transaction: fewer than one store has, so that they are shared.
POOL_SIZES = {"transaction": 3, "session": 40}


@pytest.fixture(scope="module", params=POOL_SIZES)
def url(request):
    database = postgres.cluster().new_database()
    pooler = PgBouncer(
        database,
        f"[databases]\n* = host={postgres.cluster().directory} user={postgres.USER}\n[pgbouncer]\n"
        f"pool_mode = {request.param}\ndefault_pool_size = {POOL_SIZES[request.param]}",
    )
    yield pooler.url
    pooler.stop()


def new(*uids, owner=ALICE):
    return [Insert(an_object(uid, owner=owner)) for uid in uids]


def test_all_of_the_store_works_through_it(url):
    async def body(store):
        await asyncio.gather(*(store.commit(new(f"first {n}")) for n in range(20)))
        for _ in range(3):  # what a driver prepares, it prepares at the fifth time
            for n in range(20):
                uid = f"first {n}"
                assert (await store.get(uid)).uid == uid
                assert await store.get_for(uid, principal=BOB) is None
        await store.commit([Grant("first 1", ALICE, BOB, frozenset({Operation.GET}))])
        shown = await store.get_for("first 1", principal=BOB, rights=[Operation.GET])
        assert shown.uid == "first 1"
        await store.commit([Replace(await store.get("first 2"), 1)])
        with pytest.raises(Conflict):
            await store.commit([Replace(await store.get("first 2"), 1)])
        found = await locate(store, LocateSearch(seeking(), ALICE, offset=0, maximum=5))
        assert found[0] >= 20
        assert len(await store.find_tagged(TagSearch(frozenset({"_kk"}), ALICE))) >= 20
        await store.ping()

    with_store(url, body)


def test_two_servers_share_its_connections_and_no_statement_is_taken_for_another(url):
    """Each client numbers its prepared statements alike, and the pooler gives all the same connections."""

    async def main():
        async with opened(url) as one, opened(url) as other:
            await one.commit(new(*(f"shared {n}" for n in range(10))))

            async def read(store, shift):
                for turn in range(30):
                    uid = f"shared {(turn + shift) % 10}"
                    if (turn + shift) % 3:
                        assert (await store.get(uid)).uid == uid
                    else:
                        assert not await store.is_taken("absent", owner=ALICE)
                        assert await store.get_for(uid, principal=BOB) is None

            async def write(store, name):
                for turn in range(10):
                    await store.commit(new(f"{name} {turn}", owner=name))

            await asyncio.gather(
                *(read(store, shift) for shift in range(5) for store in (one, other)),
                write(one, "of one"),
                write(other, "of the other"),
            )

    run(main())


def test_a_pooler_that_is_restarted_is_found_again(url):
    async def body(store):
        await store.commit(new("before"))
        with postgres.cluster().connect(postgres.name_of(url)) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await until_served(lambda _: store.get("before"))
        await until_served(lambda turn: store.commit(new(f"after {turn}")))

    with_store(url, body)


async def until_served(call):
    """Each of the pooler's dead connections is found dead once, by it or by us."""
    for turn in range(POOL_SIZES["session"]):
        with contextlib.suppress(Unavailable):
            return await call(turn)
    raise AssertionError("it is not served again")
