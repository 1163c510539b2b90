"""The store as a whole: started, stopped, closed, and what belongs to the server itself."""

from __future__ import annotations

import asyncio
import threading

import pytest

from kms_tornado.domain.search import LocateSearch, ObjectFilter, TagSearch
from kms_tornado.errors import Unavailable
from kms_tornado.kmip.enums import Operation, State
from kms_tornado.store.interface.changes import Grant, Insert
from kms_tornado.store.interface.master_keys import CheckValues, OtherMasterKey
from kms_tornado.store.sql.tables.rows import RowParser

from ..helpers import (
    ALICE,
    CHECK,
    KEY_ATTRIBUTES,
    ROW_MAC,
    an_object,
    locate,
    run,
    store_at,
    with_store,
)

# --- the server's own ---------------------------------------------------------------------------


def test_a_database_belongs_to_the_master_key_of_its_first_start(place):
    with_store(place, nothing)

    async def start(check):
        store = store_at(place)
        await store.start()
        try:
            await store.authenticate_rows(ROW_MAC, check)
        finally:
            await store.stop()

    run(start(CHECK))
    with pytest.raises(OtherMasterKey):
        run(start(CheckValues(b"other", b"other, formerly")))
    assert with_store(place, lambda store: store.master_key_check()) == CHECK.current


async def nothing(store):
    await store.ping()


@pytest.mark.parametrize("state", [State.ACTIVE, State.DESTROYED])
def test_a_store_knows_whether_it_holds_objects(place, state):
    async def body(store):
        assert not await store.holds_objects()
        await store.commit([Insert(an_object("one", state=state))])
        assert await store.holds_objects()

    with_store(place, body)


CALLS = {
    "ping": lambda store: store.ping(),
    "get": lambda store: store.get("one"),
    "find_tagged": lambda store: store.find_tagged(TagSearch(frozenset({"_kk"}), principal=ALICE)),
    "locate": lambda store: store.locate(
        LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=1)
    ),
    "commit": lambda store: store.commit([Insert(an_object("two"))]),
    "holds_objects": lambda store: store.holds_objects(),
    "master_key_check": lambda store: store.master_key_check(),
    "authenticate_rows": lambda store: store.authenticate_rows(ROW_MAC, CHECK),
}


@pytest.mark.parametrize(
    "opening", [pytest.param(True, id="open"), pytest.param(False, id="closed")]
)
def test_a_closed_store_is_unavailable(place, opening):
    async def body(store):
        if not opening:
            await store.stop()
        unavailable = set()
        for name, call in CALLS.items():
            try:
                await call(store)
            except Unavailable:
                unavailable.add(name)
        return unavailable

    assert with_store(place, body) == (set() if opening else set(CALLS))


GRANTEES = [f"user-{number}-{'x' * 40}" for number in range(300)]
LONG = {"attributes": KEY_ATTRIBUTES.replace(object_groups=tuple(map(str, range(2000))))}
READS = {
    "get": lambda store: store.get("one"),
    "get_for, the owner": lambda store: store.get_for("one", principal=ALICE),
    "get_for, a grantee": lambda store: store.get_for(
        "one", principal=GRANTEES[0], rights={Operation.GET}
    ),
    "find_tagged": lambda store: store.find_tagged(TagSearch(frozenset({"_kk"}), principal=ALICE)),
}


@pytest.mark.parametrize(
    ("changes", "grantees", "is_long"),
    [
        pytest.param({}, GRANTEES[:1], False, id="an ordinary object"),
        pytest.param(LONG, GRANTEES[:1], True, id="long attributes"),
        pytest.param({}, GRANTEES, True, id="many grantees"),
    ],
)
def test_only_a_row_that_takes_long_to_parse_is_parsed_off_the_event_loop(
    place, changes, grantees, is_long, monkeypatch
):
    threads = set()
    parse = RowParser.parse_row

    def watched(self, row):
        threads.add(threading.get_ident())
        return parse(self, row)

    async def body(store):
        await store.commit([Insert(an_object("one", **changes))])
        rights = frozenset({Operation.GET})
        await store.commit([Grant("one", ALICE, grantee, rights) for grantee in grantees])
        monkeypatch.setattr(RowParser, "parse_row", watched)
        blocks = {}
        for name, read in READS.items():
            threads.clear()
            found = await read(store)
            assert (found[0] if isinstance(found, list) else found).uid == "one", name
            blocks[name] = threading.get_ident() in threads
        return blocks

    assert with_store(place, body) == dict.fromkeys(READS, not is_long)


def test_stopping_finishes_the_writes_that_were_accepted(place):
    async def body(store):
        commits = [
            asyncio.ensure_future(store.commit([Insert(an_object(str(n)))])) for n in range(100)
        ]
        await asyncio.sleep(0)
        await store.stop()
        assert await asyncio.gather(*commits) == [None] * 100

    with_store(place, body)
    found = with_store(
        place,
        lambda store: locate(
            store, LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=0)
        ),
    )
    assert found == (100, [])


def test_a_store_can_be_started_again(place):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        await store.stop()
        await store.stop()
        await store.start()
        return await store.get("one")

    assert with_store(place, body) == an_object("one")
