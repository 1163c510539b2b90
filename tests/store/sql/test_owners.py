"""How many objects an owner has, and no more than so many."""

from __future__ import annotations

import asyncio

import pytest

from kms_tornado.domain import managed_object
from kms_tornado.errors import ServerLimitExceeded
from kms_tornado.kmip.enums import State
from kms_tornado.store.base import Insert, Remove, Replace
from kms_tornado.store.sql import owners

from ... import postgres
from ..conftest import postgres_or_skip
from ..helpers import ALICE, BOB, an_object, opened, run, with_store


@pytest.fixture
def at_most_three(monkeypatch):
    monkeypatch.setattr(owners, "MAX_OBJECTS_OF_AN_OWNER", 3)


def test_an_owner_has_a_million_objects_at_most():
    assert managed_object.MAX_OBJECTS_OF_AN_OWNER == 1_000_000


def test_more_objects_than_an_owner_may_have_are_refused(place, at_most_three):
    async def body(store):
        await store.commit([Insert(an_object("1")), Insert(an_object("2"))])
        with pytest.raises(ServerLimitExceeded):
            await store.commit([Insert(an_object("3")), Insert(an_object("4"))])
        assert await store.get("3") is None
        await store.commit([Insert(an_object("3")), Insert(an_object("bobs", owner=BOB))])
        with pytest.raises(ServerLimitExceeded):
            await store.commit([Replace(an_object("bobs", owner=ALICE), seen=1)])
        await store.commit([Replace(an_object("3", sealed=None, state=State.DESTROYED), seen=1)])
        with pytest.raises(ServerLimitExceeded):
            await store.commit([Insert(an_object("4"))])
        await store.commit([Remove("3", seen=2)])
        await store.commit([Insert(an_object("4"))])
        await store.commit([Remove("4", seen=1), Insert(an_object("5"))])
        await store.commit([Replace(an_object("5", owner=BOB), seen=1)])
        await store.commit([Insert(an_object("6"))])
        with pytest.raises(ServerLimitExceeded):
            await store.commit([Insert(an_object("7"))])

    with_store(place, body)


def test_refused_objects_do_not_count(place, at_most_three):
    async def body(store):
        await store.commit([Insert(an_object("1"))])
        twice = [store.commit([Insert(an_object("1"))]) for _ in range(9)]
        await asyncio.gather(*twice, return_exceptions=True)
        await store.commit([Insert(an_object("2")), Insert(an_object("3"))])

    with_store(place, body)


def test_an_owners_first_objects_may_come_by_two_servers_at_once():
    url = postgres_or_skip(postgres.empty_database)

    async def main():
        async with opened(url) as one, opened(url) as another:
            for number in range(20):
                owner = f"owner {number}"
                firsts = [
                    store.commit([Insert(an_object(f"{number} {place}", owner=owner))])
                    for place, store in enumerate((one, another))
                ]
                await asyncio.gather(*firsts)

    run(main())
