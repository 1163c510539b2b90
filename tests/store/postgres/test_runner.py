"""Jobs over a pipeline: many rows are one command, and a job of many changes leaves the others their turns."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest

from kms_tornado.domain.search import LocateSearch, TagSearch
from kms_tornado.errors import InvalidField
from kms_tornado.kmip.enums import Operation
from kms_tornado.store.interface.changes import Grant, Insert, Replace
from kms_tornado.store.postgres import runner
from kms_tornado.store.postgres.exchange import Exchange
from kms_tornado.store.sql import changes

from ... import postgres
from ..helpers import (
    ALICE,
    BOB,
    KEY_ATTRIBUTES,
    an_object,
    locate,
    seeking,
    with_store,
)

#: Characters that mean something in the text of an array, or to a driver.
ODD = ('"', "\\", "{a,b}", "NULL", " ", "\\x61", "'", "é😀", "a\nb\tc", "%s", "\\\"'", "")


@pytest.fixture
def url():
    return postgres.empty_database()


def grouped(groups, **changed):
    attributes = KEY_ATTRIBUTES.replace(object_groups=tuple(groups))
    return an_object("one", attributes=attributes, **changed)


@pytest.mark.parametrize("number", [0, 300], ids=["few", "hundreds"])
def test_values_and_tags_of_a_change_are_stored_as_they_are(url, number):
    groups = (*ODD, *map(str, range(number)))
    tags = frozenset({*ODD, "_kk"} - {""})

    async def body(store):
        await store.commit([Insert(an_object("one"))])
        await store.commit([Replace(grouped(groups, tags=tags), seen=1)])
        stored = await store.get("one")
        assert (stored.attributes.object_groups, stored.tags) == (groups, tags)
        for group in (*ODD, *map(str, range(number)[-1:])):
            search = LocateSearch(seeking(object_groups=(group,)), ALICE, offset=0, maximum=10)
            assert await locate(store, search) == (1, ["one"]), group
        assert len(await store.find_tagged(TagSearch(tags, principal=ALICE))) == 1
        await store.commit([Replace(grouped(groups[:1], tags=frozenset()), seen=2)])
        search = LocateSearch(seeking(object_groups=groups[1:2]), ALICE, offset=0, maximum=10)
        assert await locate(store, search) == (0, [])

    with_store(url, body)


def test_the_values_of_a_change_are_one_command_however_many(url, monkeypatch):
    sent = Counter()
    run_ = Exchange.run

    async def counted(self, commands, answers):
        sent.update(text.partition(" SELECT")[0] for text, _ in commands)
        await run_(self, commands, answers)

    async def body(store):
        await store.commit([Insert(an_object("one"))])
        monkeypatch.setattr(Exchange, "run", counted)
        changed = grouped(map(str, range(2300)), tags=frozenset(f"t{each}" for each in range(400)))
        await store.commit([Replace(changed, seen=1)])
        await store.commit([Grant("one", ALICE, BOB, frozenset(Operation))])

    with_store(url, body)
    inserts = {text.split()[2]: number for text, number in sent.items() if "INSERT" in text}
    assert inserts == {"object_values": 1, "object_tags": 1, "grants": 1}
    assert sum(sent.values()) < 25


def test_half_a_character_among_the_tags_stops_its_change_alone(url):
    async def body(store):
        await store.commit([Insert(an_object("one")), Insert(an_object("two"))])
        outcomes = await asyncio.gather(
            store.commit([Replace(an_object("one", tags=frozenset({"\ud800"})), seen=1)]),
            store.commit([Replace(an_object("two", tags=frozenset("t")), seen=1)]),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [InvalidField, type(None)]

    with_store(url, body)


@pytest.mark.parametrize(("turn_s", "share"), [(0.0, False), (60.0, True)])
def test_others_get_a_turn_between_the_changes_of_one_job(url, turn_s, share, monkeypatch):
    """Once they have taken long; until then the changes are prepared in one turn of the loop."""
    turns, at = 0, []
    format_row = changes.format_row

    def watched(*arguments, **options):
        at.append(turns)
        return format_row(*arguments, **options)

    async def count_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def body(store):
        await store.commit([Insert(an_object(f"{each}")) for each in range(50)])
        monkeypatch.setattr(runner, "_TURN_S", turn_s)
        monkeypatch.setattr(changes, "format_row", watched)
        counting = asyncio.create_task(count_turns())
        await store.commit(
            [Replace(an_object(f"{each}", tags=frozenset("t")), seen=1) for each in range(50)]
        )
        counting.cancel()

    with_store(url, body)
    assert len(at) == 50
    assert len(set(at)) == (1 if share else 50)


@pytest.mark.parametrize(("size", "is_on_loop"), [(1, True), (3000, False)])
def test_rows_of_a_change_that_are_long_together_are_checked_off_the_event_loop(
    url, size, is_on_loop, monkeypatch
):
    threads = set()
    check_row = changes.check_row

    def watched(*arguments):
        threads.add(threading.get_ident())
        return check_row(*arguments)

    async def body(store):
        attributes = KEY_ATTRIBUTES.replace(object_groups=("g" * size,))
        new = [an_object(f"{each}", attributes=attributes) for each in range(10)]
        await store.commit([Insert(each) for each in new])
        monkeypatch.setattr(changes, "check_row", watched)
        await store.commit([Replace(each, seen=1) for each in new])
        return threads == {threading.get_ident()}

    assert with_store(url, body) is is_on_loop
