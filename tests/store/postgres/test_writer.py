"""Writes to PostgreSQL that something is in the way of: whom they stop, and for how long."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager

import pytest

from kms_tornado.errors import ObjectAlreadyExists, Unavailable
from kms_tornado.store.base import Conflict, Insert, Replace
from kms_tornado.store.postgres import engine, writer
from kms_tornado.store.postgres.queue import JobQueue
from kms_tornado.store.sql import store as sql_store

from ... import postgres
from ..conftest import postgres_or_skip
from ..helpers import an_object, opened, run, with_store
from .proxy import proxied


@pytest.fixture
def url():
    return postgres_or_skip(postgres.empty_database)


@contextmanager
def locked(url, uid):
    """The object's row, by somebody else."""
    with postgres.cluster().connect(postgres.name_of(url)) as other, other.transaction():
        other.execute("SELECT 1 FROM objects WHERE uid = %s FOR UPDATE", [uid])
        yield


def insert(uid):
    return [Insert(an_object(uid))]


def replace(uid):
    return [Replace(an_object(uid), 1)]


# --- one locked row -----------------------------------------------------------------------------


def test_a_locked_row_stops_nobodys_creates(url):
    async def body(store):
        await store.commit(insert("locked"))
        with locked(url, "locked"):
            change = asyncio.gather(*(store.commit(replace("locked")) for _ in range(9)))
            await asyncio.sleep(0)
            for turn in range(3):
                await asyncio.gather(*(store.commit(insert(f"{turn} {n}")) for n in range(9)))
                await store.commit_groups([insert(f"{turn} a"), insert(f"{turn} b")])
            assert not change.done()
        with pytest.raises(Conflict):  # one was first
            await change

    with_store(url, body)


def test_writes_that_a_lock_fails_fail_together(url, monkeypatch):
    monkeypatch.setattr(engine, "_LOCK_TIMEOUT_MS", 300)

    async def body(store):
        await asyncio.gather(*(store.commit(insert(f"{n}")) for n in range(20)))
        started = time.monotonic()
        with locked(url, "7"):
            calls = (store.commit(replace(f"{n}")) for n in range(20))
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert time.monotonic() - started < 20 * 0.3 / 2
        assert {type(outcome) for outcome in outcomes} <= {Unavailable, type(None)}
        assert isinstance(outcomes[7], Unavailable)
        await store.commit(replace("7"))

    with_store(url, body)


def test_writes_that_one_of_them_fails_do_not_fail_together(url):
    async def body(store):
        await store.commit(insert("taken"))
        calls = (store.commit(insert("taken" if n == 5 else f"{n}")) for n in range(10))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(outcomes.pop(5), ObjectAlreadyExists)
        assert outcomes == [None] * 9

    with_store(url, body)


def test_what_waits_too_long_for_a_transaction_fails_and_is_not_begun(url, monkeypatch):
    monkeypatch.setattr(writer, "_MAX_AGE_S", 0.1)

    async def body(store):
        await asyncio.gather(*(store.commit(insert(f"{n}")) for n in range(3)))
        with locked(url, "0"):
            stuck = []
            for _ in range(writer.WRITERS):
                stuck.append(asyncio.ensure_future(store.commit(replace("0"))))
                await asyncio.sleep(0.02)
            with pytest.raises(Unavailable) as caught:
                await store.commit(replace("1"))
            assert caught.value.detail == "no transaction began within 0.1 s"
        await asyncio.gather(*stuck, return_exceptions=True)
        assert (await store.get("1")).generation == 1

    with_store(url, body)


# --- round trips --------------------------------------------------------------------------------


@pytest.mark.parametrize("owners", [1, 8])
def test_creates_that_wait_together_take_few_round_trips(url, tmp_path, owners):
    """Whoever they belong to: with 200 ms to the database, each round trip is 200 ms for all of them."""

    async def main():
        async with proxied(url, tmp_path) as (through, proxy), opened(through) as store:
            added = [
                [Insert(an_object(f"{n} {turn}", owner=f"owner {n % owners}")) for n in range(16)]
                for turn in range(3)
            ]
            for changes in added[:2]:  # the owners' first, and what drivers prepare
                await store.commit(changes)
            before = proxy.round_trips
            await store.commit(added[2])
            assert proxy.round_trips - before <= 8

    run(main())


# --- stops and failovers ------------------------------------------------------------------------


def test_a_stop_waits_for_writes_but_not_for_ever(url, monkeypatch):
    monkeypatch.setattr(sql_store, "_STOP_S", 0.2)

    async def body(store):
        await store.commit(insert("x"))
        with locked(url, "x"):
            stuck = []
            for _ in range(2 * writer.WRITERS):
                stuck.append(asyncio.ensure_future(store.commit(replace("x"))))
                await asyncio.sleep(0.02)
            last = asyncio.ensure_future(store.commit(insert("y")))
            started = time.monotonic()
            await asyncio.sleep(0)
            await store.stop()
            assert time.monotonic() - started < 1.5
            outcomes = await asyncio.gather(*stuck, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {Unavailable}
            assert await last is None

    with_store(url, body)


def test_a_database_that_became_read_only_is_unavailable_and_its_connection_is_dropped(url):
    name = postgres.name_of(url)
    cut_off = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"

    async def body(store):
        await store.commit(insert("one"))
        with postgres.cluster().connect() as admin:
            try:
                admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
                admin.execute(cut_off)
                with pytest.raises(Unavailable) as caught:
                    await store.commit(insert("two"))
                assert caught.value.detail.endswith("session is read-only")
            finally:
                admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await store.commit(insert("two"))

    with_store(url, body)


# --- the queue ----------------------------------------------------------------------------------


def test_jobs_are_taken_in_their_order_and_what_is_left_is_taken_after_the_end():
    async def main():
        queue = JobQueue(max_age_s=5)
        jobs = [lambda runner, n=n: n for n in range(5)]
        for job in jobs:
            queue.put(job)
        queue.close()
        taken = [await queue.take(2) for _ in range(4)]
        assert [[waiting.job for waiting in part] for part in taken] == [
            jobs[:2],
            jobs[2:4],
            jobs[4:],
            [],
        ]

    run(main())
