"""With a hundred thousand objects the event loop still never waits for the database."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text

from kms_tornado.domain.search import LocateSearch, ObjectFilter, TagSearch
from kms_tornado.kmip.enums import (
    CryptographicAlgorithm,
    KeyFormatType,
    LinkType,
    ObjectType,
    Operation,
    State,
)
from kms_tornado.kmip.structures import Link
from kms_tornado.store.interface.changes import Grant
from kms_tornado.store.sql import queries
from kms_tornado.store.sql.search.searches import SearchStatements, shape_locate
from kms_tornado.store.sql.search.statements import parse_page
from kms_tornado.store.sql.statements import SQLITE, Prepared
from kms_tornado.store.sql.tables.attribute_rows import (
    collect_leaves,
    format_attributes,
    parse_rows,
)
from kms_tornado.store.sqlite.reader import SQLiteReader, TooLong

from ..helpers import (
    ALICE,
    BOB,
    CHECK,
    KEY_ATTRIBUTES,
    locate,
    seeking,
    uids,
    with_store,
)

#: So many that a walk through all of them is no short read: one of the tests below takes it. Nine in ten are alice's.
MANY = 40_000
ALICES = MANY * 9 // 10 + 1
NEWEST, NEWEST_OF_BOB, NEWEST_RARE = (f"{MANY - behind}" for behind in (1, 10, 999))


#: Each object's own number stands for the mark.
MARK = "@N@"
TAGS = """iif(n % 1000 = 1, '["_kk","common","' || iif(n % 2, 'odd', 'even') || '","rare"]',
    '["_kk","common","' || iif(n % 2, 'odd', 'even') || '"]')"""


def values_rows(text):
    """The statements that add the rows of object_values for every object with the attributes."""
    for position, leaf in enumerate(collect_leaves(parse_rows(text))):
        number = "NULL" if leaf.number is None else leaf.number
        yield (
            f"INSERT INTO object_values SELECT serial, {position}, {leaf.instance}, owner,"
            f" '{leaf.path}', replace('{leaf.value}', '{MARK}', uid), {number} FROM objects;"
        )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Alice has all of the objects but every tenth, each 1,000th has the tag `rare`.

    Made as by an older version, so that the first start gives the rows their codes.
    """
    path = tmp_path_factory.mktemp("growth") / "kms.db"
    attributes = KEY_ATTRIBUTES.replace(
        contact_information=f"c{MARK}",
        object_groups=("all",),
        links=(Link(LinkType.CERTIFICATE_LINK, f"linked-{MARK}"),),
    )
    text = format_attributes(attributes).text
    with_store(path, nothing)
    connection = sqlite3.connect(path)
    connection.executescript(f"""
        WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {MANY - 1})
        INSERT INTO objects (uid, owner, object_type, state, algorithm, length, usage_mask,
            key_format, attributes, tags, sealed, version, generation, created_at, changed_at)
        SELECT n, iif(n % 10, '{ALICE}', '{BOB}'), 2, 2, 3, 256, 2108, 1,
            replace('{text}', '{MARK}', n), {TAGS}, x'00', 1, 1, 1700000000 + n, 0 FROM n;
        UPDATE objects SET owner = '{ALICE}' WHERE uid = '0';
        INSERT INTO object_tags SELECT serial, value, owner, created_at
            FROM objects, json_each(objects.tags);
        INSERT INTO owners SELECT owner, count(*), NULL FROM objects GROUP BY owner;
        {" ".join(values_rows(text))}
        UPDATE server_state SET value = x'{CHECK.former.hex()}';
    """)
    connection.close()
    with_store(path, nothing)
    return path


async def nothing(store):
    assert await store.master_key_check() == CHECK.current


def refuse_long_reads(store):
    async def refuse(*args):
        raise AssertionError("went to a thread")

    store.backend.search = refuse


@pytest.mark.parametrize(
    ("tags", "principal", "newest", "number"),
    [
        pytest.param({"common"}, ALICE, NEWEST, 100, id="on all objects"),
        pytest.param({"_kk"}, BOB, NEWEST_OF_BOB, 100, id="on all, of few of mine"),
        pytest.param({"common", "_kk"}, ALICE, NEWEST, 100, id="two on all objects"),
        pytest.param({"rare"}, ALICE, NEWEST_RARE, MANY // 1000, id="rare"),
        pytest.param(
            {"common", "rare", "_kk"}, ALICE, NEWEST_RARE, MANY // 1000, id="common and rare"
        ),
        pytest.param({"common"}, "eve", None, 0, id="none of mine"),
        pytest.param({"common", "absent"}, "eve", None, 0, id="absent"),
    ],
)
def test_tag_lists_stay_short_enough_for_the_event_loop(path, tags, principal, newest, number):
    async def body(store):
        refuse_long_reads(store)
        return uids(await store.find_tagged(TagSearch(frozenset(tags), principal=principal)))

    found = with_store(path, body)
    assert len(found) == number
    assert found[:1] == ([newest] if newest else [])


@pytest.mark.parametrize("principal", ["carol", "dave"])
def test_what_is_granted_is_found_without_a_walk_through_all(path, principal):
    """Alice lets carol use every thousandth of her objects, and dave one."""
    step = 1000 if principal == "carol" else MANY // 2
    mine = range(1, MANY, step)

    async def body(store):
        get = frozenset({Operation.GET})
        await store.commit([Grant(f"{n}", ALICE, principal, get) for n in mine])
        found = await locate(
            store, LocateSearch(ObjectFilter(), principal=principal, offset=1, maximum=1)
        )
        assert found == (len(mine), [f"{mine[-2]}"])
        refuse_long_reads(store)
        rights = (Operation.ENCRYPT, Operation.GET)
        for tags in ({"common"}, {"rare", "_kk"}, {"odd"}):
            listed = await store.find_tagged(
                TagSearch(frozenset(tags), principal=principal, rights=rights)
            )
            assert uids(listed) == [f"{n}" for n in reversed(mine)]
            assert not await store.find_tagged(TagSearch(frozenset(tags), principal=principal))
        for n in mine:
            assert await store.get_for(f"{n}", principal=principal, rights=rights)

    with_store(path, body)


def test_a_tag_list_that_takes_long_is_answered_on_a_thread(path):
    async def body(store):
        calls = []
        on_thread = store.backend.search

        async def spy(*args, **options):
            calls.append(args)
            return await on_thread(*args, **options)

        store.backend.search = spy
        # Each is on half of all objects and none has both: no walk finds its hundred.
        found = await store.find_tagged(TagSearch(frozenset({"even", "odd"}), principal=ALICE))
        return found, len(calls)

    assert with_store(path, body) == ([], 1)


def test_short_reads_refuse_a_long_statement_and_go_on(path):
    async def body(store):
        reader = SQLiteReader(store.backend.file, only_short=True)
        long = text("SELECT count(*) FROM objects a, objects b")
        try:
            with pytest.raises(TooLong):
                reader.fetch_rows(Prepared(long, SQLITE), {})
            assert reader.fetch_rows(Prepared(queries.any_object, SQLITE), {})
        finally:
            reader.close()

    with_store(path, body)


def test_short_reads_are_not_refused_however_many_there_are(path):
    async def body(store):
        for n in range(5_000):
            assert await store.get(f"{n}") is not None

    with_store(path, body)


@pytest.mark.parametrize(
    ("wanted", "offset", "expected"),
    [
        pytest.param(ObjectFilter(), 0, (ALICES, [NEWEST, f"{MANY - 2}"]), id="all"),
        pytest.param(ObjectFilter(), ALICES - 1, (ALICES, ["0"]), id="the last page"),
        pytest.param(
            ObjectFilter(tags=frozenset({"common"})), 0, (ALICES, [NEWEST, f"{MANY - 2}"]), id="tag"
        ),
        pytest.param(
            ObjectFilter(tags=frozenset({"rare"})),
            0,
            (MANY // 1000, [NEWEST_RARE, f"{MANY - 1999}"]),
            id="rare tag",
        ),
        pytest.param(seeking(cryptographic_length=128), 0, (0, []), id="a column without an index"),
        pytest.param(seeking(unique_identifier="7"), 0, (1, ["7"]), id="identifier"),
    ],
)
def test_locate_counts_and_pages(path, wanted, offset, expected):
    async def body(store):
        if not await store.get("0"):
            pytest.fail("the store was not filled")
        return await locate(store, LocateSearch(wanted, principal=ALICE, offset=offset, maximum=2))

    total, found = with_store(path, body)
    assert (total, found) == expected


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param({"contact_information": "c777"}, ["777"], id="a rare value"),
        pytest.param(
            {"contact_information": "c777", "object_groups": ("all",)},
            ["777"],
            id="and a common one",
        ),
        pytest.param(
            {"links": (Link(LinkType.PUBLIC_KEY_LINK, "linked-777"),)}, [], id="other type of link"
        ),
        pytest.param(
            {"links": (Link(LinkType.CERTIFICATE_LINK, "linked-777"),)}, ["777"], id="a link"
        ),
        pytest.param({"contact_information": "c770"}, [], id="another's"),
        pytest.param({"comment": "absent"}, [], id="a value that nothing has"),
    ],
)
def test_rare_values_are_found_without_a_walk_through_all(path, wanted, found):
    async def body(store):
        reader = SQLiteReader(store.backend.file, only_short=True)
        try:
            shape, values = shape_locate(
                LocateSearch(seeking(**wanted), ALICE, offset=0, maximum=9)
            )
            statement = SearchStatements(SQLITE).locate.write(shape)
            page = parse_page(reader.fetch_rows(statement, values))
            return page.total, list(page.uids)
        finally:
            reader.close()

    assert with_store(path, body) == (len(found), found)


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(ObjectFilter(), id="all"),
        pytest.param(ObjectFilter(states=frozenset({State.ACTIVE})), id="state by date"),
        pytest.param(
            seeking(
                object_type=ObjectType.SYMMETRIC_KEY,
                cryptographic_algorithm=CryptographicAlgorithm.AES,
                cryptographic_length=256,
                cryptographic_usage_mask=0xC,
                key_format_type=KeyFormatType.RAW,
            ),
            id="what a key is",
        ),
    ],
)
def test_common_values_are_counted_by_an_index_alone(path, wanted):
    shape, values = shape_locate(LocateSearch(wanted, ALICE, offset=0, maximum=9, now=1))
    statement = SearchStatements(SQLITE).locate.write(shape)
    with closing(sqlite3.connect(path)) as connection:
        explain = f"EXPLAIN QUERY PLAN {statement.text}"
        plan = [row[3] for row in connection.execute(explain, statement.values(values))]
    assert "SEARCH objects USING COVERING INDEX ix_objects_newest (owner=?)" in plan
