"""Writes to PostgreSQL that something is in the way of: whom they stop, and for how long."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager

import pytest

from kms_tornado.domain.search import LocateSearch, TagSearch
from kms_tornado.errors import ObjectAlreadyExists, Unavailable
from kms_tornado.store.interface.changes import Conflict, Insert, Replace
from kms_tornado.store.postgres import engine
from kms_tornado.store.postgres.connections.connector import Connector
from kms_tornado.store.postgres.writing import additions, writer
from kms_tornado.store.postgres.writing.additions import AdditionWriter, PreparedAddition
from kms_tornado.store.postgres.writing.queue import JobQueue
from kms_tornado.store.sql import changes
from kms_tornado.store.sql import store as sql_store
from kms_tornado.store.sql.search.statements import MAX_TAGGED
from kms_tornado.store.sql.tables.row_macs import AlteredRow

from .... import postgres
from ...helpers import (
    ALICE,
    KEY_ATTRIBUTES,
    an_object,
    locate,
    opened,
    run,
    seeking,
    until,
    with_store,
)
from ..proxy import proxied


@pytest.fixture
def url():
    return postgres.empty_database()


LOCKS = {
    "object": "SELECT 1 FROM objects WHERE uid = %s FOR UPDATE",
    "owner": "SELECT 1 FROM owners WHERE owner = %s FOR UPDATE",
}


@contextmanager
def locked(url, key, what="object"):
    """The row of an object or an owner, by somebody else."""
    with postgres.cluster().connect(postgres.name_of(url)) as other, other.transaction():
        other.execute(LOCKS[what], [key])
        yield


def insert(uid, **changes):
    return [Insert(an_object(uid, **changes))]


def replace(uid, **changes):
    return [Replace(an_object(uid, **changes), 1)]


def count_of(url, owner=ALICE):
    """(the number in the owner's row, the number of rows)."""
    with postgres.cluster().connect(postgres.name_of(url)) as admin:
        text = (
            "SELECT (SELECT objects FROM owners WHERE owner = %s),"
            " (SELECT count(*) FROM objects WHERE owner = %s)"
        )
        return admin.execute(text, [owner, owner]).fetchone()


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


def test_a_locked_owner_stops_nobody_elses_creates(url):
    async def body(store):
        for owner in "abc":
            await store.commit(insert(owner, owner=owner))
        with locked(url, "a", "owner"):
            stuck = asyncio.gather(*(store.commit(insert(f"a{n}", owner="a")) for n in range(5)))
            await asyncio.sleep(0)
            for turn in range(3):
                calls = (store.commit(insert(f"{turn} {n}", owner="bcd"[n % 3])) for n in range(9))
                await asyncio.gather(*calls)
            assert not stuck.done()
        await stuck
        await store.commit(insert("a again", owner="a"))
        assert count_of(url, "a") == (7, 7)

    with_store(url, body)


def test_a_locked_object_stops_nobodys_changes_of_others(url):
    async def body(store):
        await asyncio.gather(*(store.commit(insert(f"{n}")) for n in range(20)))
        with locked(url, "7"):
            calls = {n: asyncio.ensure_future(store.commit(replace(f"{n}"))) for n in range(20)}
            stuck = calls.pop(7)
            await asyncio.gather(*calls.values())
            assert not stuck.done()
        await stuck

    with_store(url, body)


def test_changes_of_a_locked_object_fail_together_and_within_the_lock_timeout(url, monkeypatch):
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_MS", 300)

    async def body(store):
        await store.commit(insert("x"))
        started = time.monotonic()
        with locked(url, "x"):
            calls = (store.commit(replace("x")) for _ in range(20))
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert time.monotonic() - started < 20 * 0.3  # which one after the other would take
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        await store.commit(replace("x"))

    with_store(url, body)


def test_changes_of_one_object_are_done_in_their_order_while_it_is_locked(url):
    async def body(store):
        await store.commit(insert("x"))
        with locked(url, "x"):
            calls = [
                asyncio.ensure_future(store.commit([Replace(an_object("x"), generation)]))
                for generation in range(1, 5)
            ]
            await asyncio.sleep(0.7)  # longer than a transaction of many jobs waits for a lock
        await asyncio.gather(*calls)
        assert (await store.get("x")).generation == 5

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
        await store.commit(insert("0"))
        with locked(url, "0"):
            stuck = asyncio.ensure_future(store.commit(replace("0")))
            await asyncio.sleep(0.02)
            with pytest.raises(Unavailable) as caught:
                await store.commit(replace("0"))
            assert caught.value.detail == "no transaction began within 0.1 s"
        await asyncio.gather(stuck, return_exceptions=True)

    with_store(url, body)


def test_changes_that_are_refused_do_not_undo_the_others_of_their_transaction(url):
    async def body(store):
        await asyncio.gather(*(store.commit(insert(f"{n}")) for n in range(5)))
        calls = (store.commit([Replace(an_object(f"{n}"), 2 if n == 3 else 1)]) for n in range(5))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(outcomes.pop(3), Conflict)
        assert outcomes == [None] * 4

    with_store(url, body)


# --- several servers ----------------------------------------------------------------------------


def test_servers_that_add_objects_of_one_owner_at_once_count_all_of_them(url):
    async def main():
        async with opened(url) as one, opened(url) as other:
            calls = (
                store.commit(insert(f"{name} {n}"))
                for n in range(30)
                for name, store in (("one", one), ("other", other))
            )
            await asyncio.gather(*calls)
            assert count_of(url) == (60, 60)
            for store in (other, one, other):  # each remembers a number that is no more
                await store.commit(insert(f"{id(store)} {time.monotonic()}"))
            assert count_of(url) == (63, 63)

    run(main())


def test_the_number_of_an_owner_to_whom_others_add_is_read_under_a_lock_until_they_do_not(
    url, tmp_path
):
    async def main():
        async with (
            proxied(url, tmp_path) as (through, proxy),
            opened(through) as one,
            opened(url) as other,
        ):

            async def count_trips(n, *, is_shared):
                if is_shared:
                    await other.commit(insert(f"other {n}"))
                before = proxy.round_trips
                await one.commit(insert(f"one {n}"))
                return proxy.round_trips - before

            firsts = [await count_trips(f"first {n}", is_shared=False) for n in range(3)]
            assert firsts[-1] == 1
            # To fail, to roll back, and again.
            assert await count_trips("clash", is_shared=True) == 4
            assert [await count_trips(f"{n} with", is_shared=True) for n in range(5)] == [2] * 5
            calm = [await count_trips(f"{n} alone", is_shared=False) for n in range(10)]
            assert calm == [2] * 8 + [1] * 2

    run(main())


@contextmanager
def counted_transactions(monkeypatch):
    """The identifiers that each transaction adds, as it is sent."""
    sent = []
    make_commands = AdditionWriter._make_commands

    def note(self, prepared):
        sent.append([row["uid"] for row in prepared.addition.objects])
        return make_commands(self, prepared)

    with monkeypatch.context() as patch:
        patch.setattr(AdditionWriter, "_make_commands", note)
        yield sent


async def commit_behind_a_lock(url, store, first, *others):
    """Commits, of which the others come while the first one waits for its owner's row."""
    with locked(url, ALICE, "owner"):
        begun = [asyncio.ensure_future(store.commit(first))]
        await wait_until_locked(url)
        begun += [asyncio.ensure_future(store.commit(changes)) for changes in others]
        await asyncio.sleep(0)  # they are in the queue
    return await asyncio.gather(*begun, return_exceptions=True)


async def wait_until_locked(url):
    with postgres.cluster().connect(postgres.name_of(url)) as admin:
        waits = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
        )
        await until(lambda: admin.execute(waits, [postgres.name_of(url)]).fetchone() != (0,))


def test_creates_that_come_while_another_server_has_the_owners_row_share_the_transaction(
    url, monkeypatch
):
    async def main():
        async with opened(url) as other:
            await other.commit(insert("before"))
        async with opened(url) as store:
            with counted_transactions(monkeypatch) as sent:
                outcomes = await commit_behind_a_lock(
                    url, store, insert("first"),
                    insert("of Bob", owner="bob"), insert("second"),
                    [Insert(an_object("third")), Insert(an_object("fourth"))], insert("fifth"),
                )  # fmt: skip
            assert outcomes == [None] * 5
            assert [{*uids} for uids in sent if "of Bob" not in uids] == [
                {"first", "second"},
                {"third", "fourth", "fifth"},  # several take longer, and nobody overtakes them
            ]
            assert count_of(url) == (6, 6)

    run(main())


def test_create_that_joins_others_and_is_refused_fails_alone(url, monkeypatch):
    async def main():
        async with opened(url) as other:
            await other.commit(insert("before"))
        async with opened(url) as store:
            with counted_transactions(monkeypatch) as sent:
                outcomes = await commit_behind_a_lock(
                    url, store, insert("first"),
                    insert("before"), insert("of a fault", attributes=None), insert("last"),
                )  # fmt: skip
            assert [type(outcome) for outcome in outcomes] == [
                type(None), ObjectAlreadyExists, TypeError, type(None),
            ]  # fmt: skip
            assert len(sent) > 1
            assert count_of(url) == (3, 3)

    run(main())


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_creates_that_join_others_whose_commit_is_lost_are_done_exactly_once(
    url, tmp_path, monkeypatch, lost
):
    async def main():
        async with opened(url) as other:
            await other.commit(insert("before"))
        async with proxied(url, tmp_path) as (through, proxy), opened(through) as store:
            grow = PreparedAddition.grow

            async def lose_next(self):
                await grow(self)
                if len(self.addition.objects) == 3:
                    proxy.loses_next = lost

            monkeypatch.setattr(PreparedAddition, "grow", lose_next)
            outcomes = await commit_behind_a_lock(
                url, store, insert("first"), insert("second"), insert("third")
            )
            assert outcomes == [None] * 3
            assert proxy.loses_next == ""
            assert count_of(url) == (4, 4)

    run(main())


def test_an_edited_number_of_objects_stops_its_owners_creates_alone(url):
    async def body(store):
        for owner in "ab":
            await store.commit(insert(owner, owner=owner))
        with postgres.cluster().connect(postgres.name_of(url)) as admin:
            admin.execute("UPDATE owners SET objects = 0 WHERE owner = 'a'")
            admin.execute("UPDATE owners SET mac = '' WHERE owner = 'a'")
        calls = (store.commit(insert(f"{n}", owner="ab"[n % 2])) for n in range(6))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes[::2]} == {AlteredRow}
        assert outcomes[1::2] == [None] * 3

    with_store(url, body)


def test_no_statement_is_taken_for_prepared_that_stood_behind_one_that_failed(url, monkeypatch):
    """PostgreSQL would not know it, and the connection would be given up."""
    given_up = []
    monkeypatch.setattr(Connector, "drop_all", lambda self, **_: given_up.append(self))

    async def main():
        async with opened(url) as one, opened(url) as other:
            # In the second turn, the first attempt fails at the number that is remembered, and the second succeeds.
            # A statement is prepared at the second time, which is that first attempt.
            for turn, creates in enumerate([1, 2, 1, 1]):
                for n in range(creates):
                    await one.commit(insert(f"{turn} {n}"))
                await other.commit(insert(f"{turn}"))

    run(main())
    assert not given_up


# --- others in the way --------------------------------------------------------------------------

_UNDISTURBED = "DROP FUNCTION IF EXISTS disturb CASCADE; DROP SEQUENCE IF EXISTS attempts"
_DISTURB = """
CREATE SEQUENCE attempts;
CREATE FUNCTION disturb() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('attempts') <= {times} THEN
        RAISE EXCEPTION 'in the way' USING ERRCODE = '{state}';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER disturb AFTER INSERT OR UPDATE ON objects {when}
    FOR EACH ROW EXECUTE FUNCTION disturb();
"""


@contextmanager
def disturbed(url, **values):
    """The first writes of objects fail as those do that other transactions are in the way of."""
    with postgres.cluster().connect(postgres.name_of(url)) as admin:
        admin.execute(_DISTURB.format(**values))
        try:
            yield
        finally:
            admin.execute(_UNDISTURBED)


@pytest.mark.parametrize(
    "when", ["", "DEFERRABLE INITIALLY DEFERRED"], ids=["at once", "at COMMIT"]
)
@pytest.mark.parametrize("state", ["40001", "40P01"])
@pytest.mark.parametrize("write", [insert, replace])
def test_a_write_that_others_got_in_the_way_of_is_done_again(url, write, state, when):
    async def body(store):
        await store.commit(insert("replace"))
        with disturbed(url, times=2, state=state, when=when):
            await store.commit(write(write.__name__))
        assert (await store.get(write.__name__)).generation == (1 if write is insert else 2)
        assert count_of(url)[0] == count_of(url)[1]

    with_store(url, body)


@pytest.mark.parametrize(
    "when", ["", "DEFERRABLE INITIALLY DEFERRED"], ids=["at once", "at COMMIT"]
)
@pytest.mark.parametrize("write", [insert, replace])
def test_a_write_that_others_are_always_in_the_way_of_is_unavailable_and_not_done(url, write, when):
    async def body(store):
        await store.commit(insert("replace"))
        with disturbed(url, times=100, state="40001", when=when), pytest.raises(Unavailable):
            await store.commit(write(write.__name__))
        found = await store.get(write.__name__)
        assert found is None if write is insert else found.generation == 1
        assert count_of(url) == (1, 1)

    with_store(url, body)


# --- lost connections ---------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_creates_whose_connection_is_cut_at_the_commit_are_done_exactly_once(url, tmp_path, lost):
    async def main():
        async with proxied(url, tmp_path) as (through, proxy), opened(through) as store:
            await store.commit(insert("first"))
            proxy.loses_next = lost
            await asyncio.gather(*(store.commit(insert(f"{n}")) for n in range(10)))
            assert proxy.loses_next == ""
            await store.commit(insert("last"))
            assert count_of(url) == (12, 12)

    run(main())


@pytest.mark.parametrize(("lost", "generation"), [("request", 1), ("answer", 2)])
def test_a_change_whose_connection_is_cut_at_the_commit_is_unavailable_and_not_done_twice(
    url, tmp_path, lost, generation
):
    async def main():
        async with proxied(url, tmp_path) as (through, proxy), opened(through) as store:
            await store.commit(insert("x"))
            proxy.loses_next = lost
            with pytest.raises(Unavailable):
                await store.commit(replace("x"))
            assert (await store.get("x")).generation == generation

    run(main())


def test_a_create_whose_commit_was_lost_and_whose_object_was_changed_since_is_unavailable(
    url, tmp_path, monkeypatch
):
    """Whether it was this one or another object of that name nobody can tell."""

    async def main():
        async with proxied(url, tmp_path) as (through, proxy), opened(through) as store:
            await store.commit(insert("first"))
            was_added = AdditionWriter._was_added

            async def look_later(self, connection, addition):
                with postgres.cluster().connect(postgres.name_of(url)) as admin:
                    admin.execute("UPDATE objects SET mac = '' WHERE uid = 'x'")
                return await was_added(self, connection, addition)

            monkeypatch.setattr(AdditionWriter, "_was_added", look_later)
            proxy.loses_next = "answer"
            with pytest.raises(Unavailable):
                await store.commit(insert("x"))

    run(main())


# --- round trips --------------------------------------------------------------------------------


# Long enough that a transaction is sent whole before the first answer comes.
DELAY_S = 0.05


@pytest.mark.parametrize("owners", [1, 8])
def test_creates_that_wait_together_take_one_round_trip(url, tmp_path, owners):
    """Whoever they belong to: with 200 ms to the database, each round trip is 200 ms for all of them."""

    async def main():
        async with proxied(url, tmp_path) as (through, proxy), opened(through) as store:
            trips = []
            for turn in range(3):
                before, proxy.delay_s = proxy.round_trips, DELAY_S
                calls = (
                    store.commit(insert(f"{n} {turn}", owner=f"owner {n % owners}"))
                    for n in range(16)
                )
                await asyncio.gather(*calls)
                trips.append(proxy.round_trips - before)
            assert min(trips) <= 2  # two where the machine is busy

    run(main())


def test_changes_of_different_objects_that_wait_together_take_two_round_trips(url, tmp_path):
    async def main():
        async with proxied(url, tmp_path) as (through, proxy), opened(through) as store:
            await asyncio.gather(*(store.commit(insert(f"{n}")) for n in range(16)))
            trips = []
            for turn in range(1, 4):
                before, proxy.delay_s = proxy.round_trips, DELAY_S
                changes = ([Replace(an_object(f"{n}"), turn)] for n in range(16))
                await asyncio.gather(*map(store.commit, changes))
                trips.append(proxy.round_trips - before)
            assert min(trips) <= 3

    run(main())


# --- stops and failovers ------------------------------------------------------------------------


def test_a_stop_waits_for_writes_but_not_for_ever(url, monkeypatch):
    monkeypatch.setattr(sql_store, "_STOP_S", 1.0)

    async def body(store):
        await store.commit(insert("x"))
        with locked(url, "x"):
            stuck = []
            for _ in range(9):
                stuck.append(asyncio.ensure_future(store.commit(replace("x"))))
                await asyncio.sleep(0.02)
            last = asyncio.ensure_future(store.commit(insert("y")))
            started = time.monotonic()
            await asyncio.sleep(0)
            await store.stop()
            assert time.monotonic() - started < 5
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


@pytest.mark.parametrize(("number", "units"), [(1, 2), (300, 302)])
def test_values_are_stored_as_they_are_by_one_and_by_hundreds(url, number, units):
    """Hundreds are written as the text of an array, in which some characters have a meaning."""
    odd = ('"', "\\", "{a,b}", "NULL", "", " ", "\\x61", "'", "é😀", "a\nb\tc", "%s", "\\\\\"'")
    groups = (*odd, *map(str, range(number)))
    attributes = KEY_ATTRIBUTES.replace(object_groups=groups)
    tags = frozenset({*odd, "_kk"} - {""})

    async def body(store):
        await store.commit([Insert(an_object("one", attributes=attributes, tags=tags))])
        await store.commit([Insert(an_object(str(each), tags=tags)) for each in range(number)])
        stored = await store.get("one")
        assert (stored.attributes.object_groups, stored.tags) == (groups, tags)
        assert stored.sealed == an_object("one").sealed
        for group in odd:
            search = LocateSearch(seeking(object_groups=(group,)), ALICE, offset=0, maximum=10)
            assert await locate(store, search) == (1, ["one"]), group
        found = await store.find_tagged(TagSearch(tags, principal=ALICE))
        assert len(found) == min(number + 1, MAX_TAGGED)

    with_store(url, body)
    assert count_of(url) == (units, number + 1)


@pytest.mark.parametrize(("number", "is_on_loop"), [(1, True), (300, False)])
def test_only_rows_that_take_long_to_make_are_made_off_the_event_loop(
    url, number, is_on_loop, monkeypatch
):
    threads = []
    make = additions.make_addition

    def watched(commits):
        threads.append(threading.get_ident())
        return make(commits)

    async def body(store):
        monkeypatch.setattr(additions, "make_addition", watched)
        await store.commit([Insert(an_object(str(each))) for each in range(number)])
        return threads == [threading.get_ident()]

    assert with_store(url, body) is is_on_loop


@pytest.mark.parametrize(("number", "is_on_loop"), [(1, True), (300, False)])
def test_only_a_change_of_many_values_is_prepared_off_the_event_loop(
    url, number, is_on_loop, monkeypatch
):
    threads = []
    format_row = changes.format_row

    def watched(*arguments, **options):
        threads.append(threading.get_ident())
        return format_row(*arguments, **options)

    def grouped(count):
        return KEY_ATTRIBUTES.replace(object_groups=tuple(map(str, range(count))))

    async def body(store):
        await store.commit(insert("one"))
        monkeypatch.setattr(changes, "format_row", watched)
        await store.commit(replace("one", attributes=grouped(number)))
        assert (await store.get("one")).attributes.object_groups == grouped(number).object_groups
        return threads == [threading.get_ident()]

    assert with_store(url, body) is is_on_loop
