"""What only PostgreSQL can do to us: be away, come back, be somebody else's, let two writers in."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pytest
from sqlalchemy import make_url

from kms_tornado.domain.search import LocateSearch, ObjectFilter, TagSearch
from kms_tornado.errors import ConfigurationError, InvalidField, Unavailable
from kms_tornado.kmip.enums import State
from kms_tornado.store.health import PoolLoad
from kms_tornado.store.interface.changes import Conflict, Insert, Replace
from kms_tornado.store.postgres import engine as postgres_engine
from kms_tornado.store.postgres.backend import READERS
from kms_tornado.store.postgres.dialect import POSTGRESQL
from kms_tornado.store.sql.search import searches as search
from kms_tornado.store.sql.search.searches import SearchStatements

from ... import postgres
from ...server import environment
from ..helpers import ALICE, CHECK, an_object, locate, opened, run, seeking, until, with_store


@pytest.fixture
def url():
    return postgres.empty_database()


@pytest.fixture
def new_url():
    return postgres.cluster().new_database()


async def nothing(store):
    await store.ping()


def execute(url, *statements):
    with postgres.cluster().connect(postgres.name_of(url)) as connection:
        for statement in statements:
            connection.execute(statement)


# --- starts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["psycopg", "greenlet"])
def test_without_what_the_extra_installs_a_start_is_refused_and_names_the_extra(tmp_path, missing):
    program = (
        f"import sys; sys.modules[{missing!r}] = None; from kms_tornado.__main__ import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    argv = ("--insecure-no-auth", "--port", "0", "--database-url", "postgresql://kms:s3cret@db/kms")
    result = subprocess.run(
        [sys.executable, "-c", program, *argv],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2
    line = result.stderr.splitlines()[-1]  # after the warning about --insecure-no-auth
    assert "Traceback" not in result.stderr
    assert "--database-url (flag)" in line
    assert "pip install 'kms-tornado[postgresql]'" in line
    assert "s3cret" not in line


def make_newer(url):
    with_store(url, nothing)
    execute(url, "UPDATE alembic_version SET version_num = '9999'")


def make_foreign(url):
    execute(url, "CREATE TABLE objects (id INTEGER)")


def with_password(url):
    return make_url(url).set(password="s3cret").render_as_string(hide_password=False)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        pytest.param(make_newer, "9999.*newer version", id="a newer version's"),
        pytest.param(make_foreign, "another program", id="another program's"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(new_url, make, fault, caplog):
    make(new_url)
    with pytest.raises(ConfigurationError, match=fault) as caught:
        with_store(with_password(new_url), nothing)
    line = str(caught.value)
    assert line.startswith("database postgresql://kms:***@")
    assert "\n" not in line
    assert "s3cret" not in line + caplog.text


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param(lambda url: url + "%2Fabsent", "No such file", id="nobody listens"),
        pytest.param(lambda url: url.replace("test_", "absent_"), "does not exist", id="absent"),
    ],
)
def test_start_is_out_of_reach_for_now_where(new_url, change, fault, caplog):
    with pytest.raises(Unavailable) as caught:
        with_store(with_password(change(new_url)), nothing)
    line = caught.value.detail
    assert line.startswith("database postgresql://kms:***@")
    assert fault in line
    assert "\n" not in line
    assert "s3cret" not in line + str(caught.value) + caplog.text


def test_database_that_was_emptied_is_not_taken_as_new_once_a_server_has_served(new_url):
    with pytest.raises(Unavailable) as caught:
        with_store(new_url, nothing, may_make=False)
    assert "is empty" in caught.value.detail
    with postgres.cluster().connect(postgres.name_of(new_url)) as connection:
        tables = connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchall() == []


def test_another_encoding_is_refused(new_url):
    with postgres.cluster().connect() as connection:
        connection.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    with pytest.raises(ConfigurationError, match="its encoding is LATIN1"):
        with_store(postgres.cluster().url("latin"), nothing)


def test_first_starts_at_once_all_come_up(new_url):
    async def main():
        async def start():
            async with opened(new_url) as store:
                return await store.master_key_check()

        return await asyncio.gather(*(start() for _ in range(4)))

    assert set(run(main())) == {CHECK.current}


# --- outages ------------------------------------------------------------------------------------

CUT_OFF = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"  # fmt: skip


def test_connections_that_were_cut_off_are_made_anew(url):
    async def body(store):
        for turn in range(3):
            reads = (store.get("absent") for _ in range(10))  # so that several are open
            await asyncio.gather(store.commit([Insert(an_object(f"{turn}"))]), *reads)
            execute(url, CUT_OFF)
            if turn == 1:
                await store.commit([Insert(an_object("first a write"))])
            assert (await store.get(f"{turn}")).uid == f"{turn}"
        await store.commit([Insert(an_object("last"))])

    with_store(url, body)


def test_a_database_that_is_away_is_unavailable_until_it_is_back(new_url, caplog):
    name = postgres.name_of(new_url)

    async def body(store):
        await store.commit([Insert(an_object("one"))])
        with postgres.cluster().connect() as admin:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            admin.execute(CUT_OFF.replace("current_database()", f"'{name}'"))
            for call in (store.ping(), store.get("one"), store.commit([Insert(an_object("two"))])):
                with pytest.raises(Unavailable) as caught:
                    await call
                assert name in caught.value.detail
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert (await store.get("one")).uid == "one"
        await store.commit([Insert(an_object("two"))])

    with_store(new_url, body)
    errors = [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
    assert [each for each in errors if not each.startswith("the database is out of reach")] == []


def test_nobody_waits_for_a_lock_for_ever(url, monkeypatch):
    monkeypatch.setattr(postgres_engine, "_STATEMENT_TIMEOUT_MS", 150)
    monkeypatch.setattr(postgres_engine, "LOCK_TIMEOUT_MS", 100)

    async def body(store):
        await store.commit([Insert(an_object("one"))])
        with postgres.cluster().connect(postgres.name_of(url)) as other, other.transaction():
            other.execute("LOCK TABLE objects IN ACCESS EXCLUSIVE MODE")
            calls = (store.get("one"), store.commit([Insert(an_object("two"))]))
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in outcomes] == [Unavailable] * 2
        assert await store.get("two") is None
        await store.commit([Insert(an_object("two"))])

    with_store(url, body)


async def begin_reads(store, number):
    """As many reads of "one", each in another turn of the loop, so that each has a statement of its own."""

    def is_begun():
        pool = store.load().pool
        return pool.in_use + pool.waiting == len(reads)

    reads = []
    for _ in range(number):
        reads.append(asyncio.create_task(store.get("one")))
        await until(is_begun)
    return reads


def test_reads_that_wait_for_a_connection_are_counted(url):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        with postgres.cluster().connect(postgres.name_of(url)) as other, other.transaction():
            other.execute("LOCK TABLE objects IN ACCESS EXCLUSIVE MODE")
            reads = await begin_reads(store, READERS + 2)
            assert store.load().pool == PoolLoad(READERS, READERS, 0, 2)
            assert store.load().reads == READERS + 2
        await asyncio.gather(*reads)
        load = store.load()
        assert (load.reads, load.pool.in_use, load.pool.waiting) == (0, 0, 0)
        assert load.pool.idle > 0

    with_store(url, body)


def test_reads_that_are_given_up_leave_no_answer_to_the_next(url):
    async def body(store):
        await store.commit([Insert(an_object("one")), Insert(an_object("two"))])
        with postgres.cluster().connect(postgres.name_of(url)) as other, other.transaction():
            other.execute("LOCK TABLE objects IN ACCESS EXCLUSIVE MODE")
            waiting = await begin_reads(store, READERS + 2)
            for each in waiting:
                each.cancel()
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(each) for each in outcomes} == {asyncio.CancelledError}
        found = await asyncio.gather(*(store.get("two") for _ in range(2 * READERS)))
        assert {each.uid for each in found} == {"two"}

    with_store(url, body)


def test_who_finds_all_connections_busy_waits_for_one_but_not_for_ever(url, monkeypatch):
    monkeypatch.setattr(postgres_engine, "POOL_TIMEOUT_S", 0.05)

    async def body(store):
        await store.commit([Insert(an_object("one"))])
        with postgres.cluster().connect(postgres.name_of(url)) as other, other.transaction():
            other.execute("LOCK TABLE objects IN ACCESS EXCLUSIVE MODE")
            reads = await begin_reads(store, READERS)
            with pytest.raises(Unavailable):
                await store.get("one")
        found = await asyncio.gather(*reads)
        assert {each.uid for each in found} == {"one"}

    with_store(url, body)


# --- two writers --------------------------------------------------------------------------------


def test_writers_in_each_others_way_all_come_to_an_end(url):
    """Two servers, objects in opposite orders: who loses the deadlock does it again."""

    async def main():
        async with opened(url) as one, opened(url) as other:
            await one.commit([Insert(an_object("a")), Insert(an_object("b"))])

            async def change(store, uids):
                done = 0
                while done < 15:
                    seen = [await store.get(uid) for uid in uids]
                    try:
                        await store.commit([Replace(each, each.generation) for each in seen])
                        done += 1
                    except Conflict:
                        continue

            await asyncio.gather(
                change(one, "ab"), change(other, "ba"), change(one, "b"), change(other, "a")
            )
            return [(await one.get(uid)).generation for uid in "ab"]

    assert run(main()) == [46, 46]


def test_a_conflict_on_one_server_hurts_nobody_on_the_other(url):
    async def main():
        async with opened(url) as one, opened(url) as other:
            await one.commit([Insert(an_object("x"))])
            gone = Replace(an_object("x", state=State.DEACTIVATED), seen=1)
            outcomes = await asyncio.gather(
                one.commit([gone]),
                other.commit([gone]),
                *(store.commit([Insert(an_object(f"{n}"))]) for n in range(5) for store in (one, other)),
                return_exceptions=True,
            )  # fmt: skip
            assert sum(isinstance(each, Conflict) for each in outcomes[:2]) == 1
            assert outcomes[2:].count(None) == 5
            return await locate(
                one, LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=0)
            )

    assert run(main())[0] == 6


def test_all_of_an_owners_first_objects_at_once_are_made(url):
    """Two servers and two writers each: who loses the race for the owner's row adds to it."""

    async def main():
        async with opened(url) as one, opened(url) as other:
            for turn in range(4):
                owner = f"owner {turn}"
                outcomes = await asyncio.gather(
                    *(
                        store.commit([Insert(an_object(f"{turn} {n} {id(store)}", owner=owner))])
                        for n in range(25)
                        for store in (one, other)
                    ),
                    return_exceptions=True,
                )
                assert outcomes == [None] * 50
            with postgres.cluster().connect(postgres.name_of(url)) as connection:
                rows = connection.execute("SELECT objects, count(*) FROM owners GROUP BY objects")
                assert rows.fetchall() == [(50, 4)]

    run(main())


def test_what_no_index_can_hold_is_an_invalid_field(url):
    async def body(store):
        huge = "".join(chr(0x4E00 + n * 7919 % 20000) for n in range(4000))
        with pytest.raises(InvalidField):
            await store.commit([Insert(an_object(huge))])
        assert await store.get(huge) is None
        await store.commit([Insert(an_object("short"))])

    with_store(url, body)


# --- many objects -------------------------------------------------------------------------------


SEARCHES = SearchStatements(POSTGRESQL)


def shape_first(tag_search):
    shape, values = search.shape_tag_search(tag_search)
    return shape, next(values)


@pytest.mark.parametrize(
    ("write", "question", "step"),
    [
        pytest.param(
            SEARCHES.locate.write,
            search.shape_locate(
                LocateSearch(seeking(cryptographic_length=256), ALICE, offset=20, maximum=10)
            ),
            "Merge Append",
            id="a page",
        ),
        pytest.param(
            SEARCHES.tagged.write,
            shape_first(TagSearch(frozenset({"_kk"}), ALICE)),
            "Index Only Scan Backward using ix_object_tags_newest",
            id="a tag list",
        ),
    ],
)
def test_the_newest_of_many_are_found_without_sorting_all(url, write, question, step):
    with_store(url, lambda store: store.commit([Insert(an_object("0"))]))
    same = "owner, object_type, state, length, attributes, tags, sealed, version, generation"
    execute(
        url,
        f"INSERT INTO objects (uid, {same}, created_at, changed_at) SELECT n::text, {same},"
        " created_at + n, 0 FROM objects, generate_series(1, 5000) n",
        "INSERT INTO object_tags SELECT serial, '_kk', owner, created_at FROM objects WHERE uid <> '0'",
        "ANALYZE objects, object_tags",
    )
    shape, values = question
    statement = write(shape)
    with postgres.cluster().connect(postgres.name_of(url)) as connection:
        explained = connection.execute(f"EXPLAIN {statement.text}", statement.values(values))
        plan = [row[0].strip() for row in explained]
    assert any(line.startswith(f"->  {step}") for line in plan), plan
