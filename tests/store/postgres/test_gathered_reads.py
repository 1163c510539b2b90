"""Reads that follow close upon one another have one statement, and each has what it would have had by itself."""

from __future__ import annotations

import asyncio

import pytest

from kms_tornado.errors import Unavailable
from kms_tornado.store.interface.changes import Insert
from kms_tornado.store.interface.faults import make_unavailable
from kms_tornado.store.postgres.dialect import POSTGRESQL
from kms_tornado.store.postgres.gathered_reads import MOST_GATHERED, GatheredReads
from kms_tornado.store.sql.queries import by_uid
from kms_tornado.store.sql.statements import Prepared
from kms_tornado.store.sql.tables.rows import UID

from ... import postgres
from ...rows import each_row
from ..helpers import ALICE, an_object, opened, run, until

BY_UID = Prepared(by_uid, POSTGRESQL, is_frequent=True)


def row_of(uid):
    return (*[None] * UID, uid)


class Database:
    """Has all objects whose identifiers begin with `there`. asked: the identifiers of each statement, sorted."""

    def __init__(self):
        self.asked = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.fault = None

    async def fetch(self, statement, values):
        if statement is BY_UID:
            uids = [values["uid"]]
        else:
            uids = values["uids"].strip("{}").replace('"', "").split(",")
        self.asked.append(sorted(uids))
        await self.answers.wait()
        if self.fault is not None:
            raise self.fault
        return [row_of(uid) for uid in uids if uid.startswith("there")]


def reading(*uids, database):
    reads = GatheredReads(database.fetch)
    return [asyncio.ensure_future(reads.fetch_rows(BY_UID, {"uid": uid})) for uid in uids]


def uids_of(rows):
    return [row[UID] for row in rows]


async def read(*uids, database):
    return [uids_of(rows) for rows in await asyncio.gather(*reading(*uids, database=database))]


def test_reads_of_one_turn_have_one_statement():
    async def main():
        database = Database()
        found = await read("there-1", "there-2", "there-1", "there-3", database=database)
        assert found == [["there-1"], ["there-2"], ["there-1"], ["there-3"]]
        assert database.asked == [["there-1", "there-2", "there-3"]]

    asyncio.run(main())


def test_reads_of_the_next_turns_join_until_one_brings_none():
    async def main():
        database = Database()
        reads = GatheredReads(database.fetch)
        begun = []
        for uids in (("there-1", "there-2"), ("there-3",), ("there-4", "there-5")):
            begun += [reads.fetch_rows(BY_UID, {"uid": uid}) for uid in uids]
            begun = [asyncio.ensure_future(read) for read in begun]
            await asyncio.sleep(0)
        await until(lambda: database.asked)
        begun.append(asyncio.ensure_future(reads.fetch_rows(BY_UID, {"uid": "there-1"})))
        await asyncio.gather(*begun)
        assert database.asked == [[f"there-{number}" for number in range(1, 6)], ["there-1"]]

    asyncio.run(asyncio.wait_for(main(), 30))


def test_read_alone_waits_for_one_turn():
    async def main():
        database = Database()
        (alone,) = reading("there-1", database=database)
        await asyncio.sleep(0)  # it begins
        assert not database.asked
        await asyncio.sleep(0)
        assert database.asked == [["there-1"]]
        await alone

    asyncio.run(main())


def test_read_does_not_join_one_that_was_cancelled():
    async def main():
        database = Database()
        reads = GatheredReads(database.fetch)
        cancelled = asyncio.ensure_future(reads.fetch_rows(BY_UID, {"uid": "there-1"}))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert uids_of(await reads.fetch_rows(BY_UID, {"uid": "there-2"})) == ["there-2"]
        assert database.asked == [["there-2"]]

    asyncio.run(asyncio.wait_for(main(), 30))


def test_read_alone_has_the_statement_for_one():
    async def main():
        database = Database()
        assert await read("there-1", database=database) == [["there-1"]]
        assert database.asked == [["there-1"]]

    asyncio.run(main())


def test_what_was_not_found_with_the_others_is_read_by_itself():
    async def main():
        database = Database()
        assert await read("gone", "there-1", "long", database=database) == [[], ["there-1"], []]
        assert database.asked == [["gone", "long", "there-1"], ["gone"], ["long"]]

    asyncio.run(main())


def test_read_that_begins_later_does_not_have_an_older_answer():
    async def main():
        database = Database()
        reads = GatheredReads(database.fetch)
        database.answers.clear()
        first = [
            asyncio.ensure_future(reads.fetch_rows(BY_UID, {"uid": uid}))
            for uid in ("there-1", "there-2")
        ]
        await until(lambda: database.asked)
        later = asyncio.ensure_future(reads.fetch_rows(BY_UID, {"uid": "there-1"}))
        await until(lambda: len(database.asked) == 2)
        database.answers.set()
        await asyncio.gather(*first, later)
        assert database.asked == [["there-1", "there-2"], ["there-1"]]

    asyncio.run(asyncio.wait_for(main(), 30))


def test_statement_asks_for_a_bounded_number_of_objects():
    async def main():
        database = Database()
        uids = [f"there-{number}" for number in range(2 * MOST_GATHERED + 2)]
        assert await read(*uids, database=database) == [[uid] for uid in uids]
        assert [len(asked) for asked in database.asked] == [MOST_GATHERED, MOST_GATHERED, 2]

    asyncio.run(main())


@each_row("uid", ["there\0", "there-\ud800", "there-é", "there" * 20])
def test_what_may_not_be_sent_is_read_by_itself(uid):
    async def main():
        database = Database()
        found = await read("there-1", uid, "there-2", database=database)
        assert found == [["there-1"], [uid], ["there-2"]]
        assert sorted(database.asked, key=len) == [[uid], ["there-1", "there-2"]]

    asyncio.run(main())


def test_failure_is_that_of_each_read():
    async def main():
        database = Database()
        database.fault = make_unavailable("away")
        results = await asyncio.gather(
            *reading("there-1", "there-2", database=database), return_exceptions=True
        )
        assert [type(result) for result in results] == [Unavailable, Unavailable]
        assert len(database.asked) == 1

    asyncio.run(main())


@pytest.mark.parametrize("is_asked", [False, True], ids=["before it has asked", "while it waits"])
@pytest.mark.parametrize("place", [0, 1], ids=["first", "other"])
def test_read_that_is_cancelled_leaves_the_others_theirs(place, is_asked):
    async def main():
        database = Database()
        database.answers.clear()
        reads = reading("there-1", "there-2", "there-3", database=database)
        await asyncio.sleep(0)
        if is_asked:
            await until(lambda: database.asked)
        cancelled = reads.pop(place)
        cancelled.cancel()
        database.answers.set()
        assert [uids_of(rows) for rows in await asyncio.gather(*reads)] == [
            [f"there-{number}"] for number in (1, 2, 3) if number != place + 1
        ]
        assert cancelled.cancelled()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_postgresql_gives_each_read_its_object_whatever_its_length():
    url = postgres.empty_database()
    there = [an_object(f"object-{number}", sealed=bytes([number + 1]) * 30) for number in range(5)]
    long = an_object("object-long", sealed=b"l" * 100_000)
    destroyed = an_object("object-destroyed", sealed=None)

    async def main():
        async with opened(url) as store:
            everything = [*there, long, destroyed]
            for one in everything:
                await store.commit([Insert(one)])
            fetch, asked = store.backend._reader.fetch_rows, []

            async def note(statement, values):
                rows = await fetch(statement, values)
                asked.append(uids_of(rows))
                return rows

            store.backend._gathered = GatheredReads(note)
            uids = [one.uid for one in everything]
            found = await asyncio.gather(
                *(store.get_for(uid, principal=ALICE) for uid in (*uids, "object-absent"))
            )
            assert [one and (one.uid, one.sealed) for one in found] == [
                *((one.uid, one.sealed) for one in everything), None,
            ]  # fmt: skip
            assert sorted(asked[0]) == [one.uid for one in there]
            assert sorted(asked[1:]) == [[], ["object-destroyed"], ["object-long"]]

    run(main())
