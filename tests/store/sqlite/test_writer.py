"""Jobs that wait while another process has the database share the next commit, the last ones before a stop included.

What is left of a commit after a fault is in `test_durability`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from kms_tornado.store.interface.changes import Insert

from ..helpers import an_object, opened, until, with_store

BEGIN, COMMIT = "BEGIN IMMEDIATE", "COMMIT"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kms.db"


@contextmanager
def locked(path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(BEGIN)
    try:
        yield
    finally:
        other.close()


async def begin_behind_a_lock(store):
    """Have the writer wait for the lock; (the statements that it has run since, the commit that waits)."""
    statements = []
    event.listen(
        store.backend.file._writers,
        "connect",
        lambda connection, record: connection.set_trace_callback(statements.append),
    )
    first = asyncio.ensure_future(store.commit([Insert(an_object("first"))]))
    await until(lambda: BEGIN in statements)
    return statements, first


async def hand_over(*commits):
    """Begin them, and wait until the writer's thread can see them."""
    begun = [asyncio.ensure_future(commit) for commit in commits]
    await asyncio.sleep(0)  # they are submitted
    await asyncio.sleep(0)  # that turn's end hands them over
    return begun


def test_jobs_that_come_while_another_process_has_the_lock_share_the_commit(path):
    async def body(store):
        with locked(path):
            statements, first = await begin_behind_a_lock(store)
            later = await hand_over(
                *(store.commit([Insert(an_object(f"later-{number}"))]) for number in range(3))
            )
        await asyncio.gather(first, *later)
        assert (statements.count(BEGIN), statements.count(COMMIT)) == (1, 1)
        assert await store.get("later-2") == an_object("later-2")

    with_store(path, body)


def test_job_that_comes_behind_the_lock_and_is_refused_fails_alone(path):
    async def body(store):
        with locked(path):
            statements, first = await begin_behind_a_lock(store)
            (again, last) = await hand_over(
                store.commit([Insert(an_object("first"))]),
                store.commit([Insert(an_object("last"))]),
            )
        outcomes = await asyncio.gather(first, again, last, return_exceptions=True)
        assert [type(outcome).__name__ for outcome in outcomes] == [
            "NoneType", "ObjectAlreadyExists", "NoneType",
        ]  # fmt: skip
        assert statements.count(COMMIT) == 1

    with_store(path, body)


def test_stop_waits_for_jobs_that_came_while_another_process_had_the_lock(path):
    async def main():
        async with opened(path) as store:
            with locked(path):
                _, first = await begin_behind_a_lock(store)
                (last,) = await hand_over(store.commit([Insert(an_object("last"))]))
                stopping = asyncio.ensure_future(store.stop())
                await until(lambda: store.backend.writer is None)
            await asyncio.gather(first, last, stopping)
        async with opened(path) as store:
            assert await store.get("first") == an_object("first")
            assert await store.get("last") == an_object("last")

    asyncio.run(asyncio.wait_for(main(), 30))
