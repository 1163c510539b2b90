"""A PostgreSQL that says nothing on an open connection: a stopped process, a network that loses packets."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest
from sqlalchemy import text

from kms_tornado.errors import Unavailable
from kms_tornado.store.interface.changes import Insert
from kms_tornado.store.postgres import engine, reader
from kms_tornado.store.postgres.dialect import POSTGRESQL
from kms_tornado.store.sql.statements import Prepared

from ... import postgres
from ..helpers import ALICE, an_object, opened, run
from .proxy import proxied

SLEEP = Prepared(text("SELECT pg_sleep(0.2)"), POSTGRESQL)
PIDS = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
def url():
    return postgres.empty_database()


@pytest.fixture
def soon(monkeypatch):
    """The timeouts in short."""
    monkeypatch.setattr(engine, "REPLY_TIMEOUT_S", 0.3)
    monkeypatch.setattr(engine, "OPEN_TIMEOUT_S", 0.3)
    monkeypatch.setattr(reader, "_PING_TIMEOUT_S", 0.2)


async def outcomes(store):
    calls = (
        store.get("one"),
        store.ping(),
        *(store.commit([Insert(an_object(f"new {number}"))]) for number in range(5)),
    )
    started = time.monotonic()
    results = await asyncio.gather(*calls, return_exceptions=True)
    return results, time.monotonic() - started


def test_the_timeouts_are_what_the_documentation_says():
    assert engine.REPLY_TIMEOUT_S == engine._STATEMENT_TIMEOUT_MS / 1000 + 2
    assert reader._PING_TIMEOUT_S < 2


def test_of_a_stopped_process_calls_end_and_the_next_are_served_by_others(url, soon):
    async def main():
        async with opened(url) as store:
            await store.commit([Insert(an_object("one"))])
            # Four connections; gets of one object would share one.
            await asyncio.gather(*(store.is_taken("one", owner=ALICE) for _ in range(4)))
            with postgres.cluster().connect(postgres.name_of(url)) as connection:
                pids = [row[0] for row in connection.execute(PIDS)]
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                results, seconds = await outcomes(store)
                assert {type(result) for result in results} == {Unavailable}
                assert {result.detail.partition(" within")[0] for result in results} == {
                    "no answer"
                }
                assert seconds < 3
                assert (await store.get("one")).uid == "one"
                await store.commit([Insert(an_object("two"))])
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)

    run(main())


def test_a_transaction_of_many_statements_may_take_longer_than_one_reply(url, monkeypatch):
    monkeypatch.setattr(engine, "REPLY_TIMEOUT_S", 1.0)

    async def main():
        async with opened(url) as store:

            def job(runner):
                for _ in range(6):
                    runner.select_prepared(SLEEP, {})
                return "done"

            assert await store.backend.submit(job) == "done"

    run(main())


def test_of_a_silent_network_calls_end_until_it_is_back(url, soon, tmp_path):
    async def main():
        async with proxied(url, tmp_path) as (through, proxy), opened(through) as store:
            await store.commit([Insert(an_object("one"))])
            proxy.talks.clear()
            for _ in range(2):  # on the open connections, then on new ones
                results, seconds = await outcomes(store)
                assert {type(result) for result in results} == {Unavailable}
                assert seconds < 3
            proxy.talks.set()
            assert (await store.get("one")).uid == "one"
            await store.ping()
            await store.commit([Insert(an_object("two"))])

    run(main())
