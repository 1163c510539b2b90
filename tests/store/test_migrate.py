"""A database that an older version made works on, with all that is in it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, create_engine, inspect, make_url, text

from kms_tornado.domain.search import LocateSearch, ObjectFilter, TagSearch
from kms_tornado.errors import ConfigurationError, NonUniqueName
from kms_tornado.kmip.enums import HashingAlgorithm, KeyFormatType, ObjectType, State
from kms_tornado.kmip.payloads import DateRange
from kms_tornado.kmip.structures import Digest, Name
from kms_tornado.store import migrate
from kms_tornado.store.interface.changes import Insert, Remove, Replace
from kms_tornado.store.migrate import newest_revision
from kms_tornado.store.sql.tables.attribute_rows import format_attributes

from .helpers import (
    ALICE,
    BOB,
    CHECK,
    KEY_ATTRIBUTES,
    an_object,
    engine_behind,
    locate,
    seeking,
    uids,
    with_store,
)

NAMED = replace(
    KEY_ATTRIBUTES,
    names=(Name("payroll"), Name("x" * 3000)),
    object_groups=("finance",),
    sensitive=True,
    activation_date=1_700_000_001,
)
#: Nobody knows whether the server encrypted with its own nonces under a key as old as this.
OLD = {"nonce_source": 3}
OBJECTS = [
    an_object("one", tags=frozenset({"t"}), **OLD),
    an_object("named", attributes=NAMED, **OLD),
    an_object("bobs", owner=BOB, attributes=NAMED, **OLD),
    an_object("gone", state=State.DESTROYED, sealed=None, attributes=NAMED, **OLD),
]

INSERT_OBJECT = """
    INSERT INTO objects (serial, uid, owner, object_type, state, algorithm, length, usage_mask,
        key_format, attributes, tags, sealed, version, generation, created_at, changed_at)
    VALUES (:serial, :uid, :owner, :object_type, :state, 3, 256, 2108, 1, :attributes, :tags,
        :sealed, 1, 1, 1700000000, 5)
"""


def make_at_first_revision(place, objects=None):
    """As the first release left it: its revision, its tables, its rows."""
    url = f"sqlite:///{place}" if isinstance(place, Path) else place
    engine = create_engine(make_url(url).set(drivername=DRIVERS[url.partition(":")[0]]))
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for serial, each in enumerate(objects or OBJECTS, 1):
            row = {
                "serial": serial,
                "uid": each.uid,
                "owner": each.owner,
                "object_type": int(each.object_type),
                "state": int(each.state),
                "attributes": format_attributes(each.attributes).text,
                "tags": json.dumps(sorted(each.tags)),
                "sealed": each.sealed,
            }
            connection.execute(text(INSERT_OBJECT), row)
            for tag in each.tags:
                insert = "INSERT INTO object_tags VALUES (:object, :tag, :owner, 1700000000)"
                connection.execute(
                    text(insert), {"object": serial, "tag": tag, "owner": each.owner}
                )
        check = "INSERT INTO server_state VALUES ('master_key_check', :value)"
        connection.execute(text(check), {"value": CHECK.former})
        tables = set(inspect(connection).get_table_names())
        assert tables == {"alembic_version", "objects", "object_tags", "server_state"}
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT setval('objects_serial_seq', 100)"))
    engine.dispose()


DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}


@pytest.fixture
def old(new_place):
    make_at_first_revision(new_place)
    return new_place


def test_every_object_is_there_as_it_was(old):
    async def body(store):
        assert await store.master_key_check() == CHECK.current
        assert [await store.get(each.uid) for each in OBJECTS] == OBJECTS
        assert uids(await store.find_tagged(TagSearch(frozenset({"t"}), principal=ALICE))) == [
            "one"
        ]

    with_store(old, body)
    with_store(old, body)


def test_a_name_that_two_objects_had_is_the_olders(new_place, caplog):
    """The first release let an owner give a Name twice."""
    younger = an_object("younger", attributes=replace(NAMED, comment="kept"), **OLD)
    make_at_first_revision(new_place, [*OBJECTS, younger])

    async def body(store):
        found = await store.get("younger")
        assert found.attributes == replace(younger.attributes, names=())
        located = await locate(
            store, LocateSearch(seeking(names=NAMED.names), principal=ALICE, offset=0, maximum=9)
        )
        assert located == (1, ["named"])
        located = await locate(
            store, LocateSearch(seeking(comment="kept"), principal=ALICE, offset=0, maximum=9)
        )
        assert located == (1, ["younger"])

    with_store(new_place, body)
    assert (
        "objects that lost their Name, as their owner had given it to an older object before: 1"
        in caplog.text
    )


def test_objects_change_and_go(old):
    async def body(store):
        changed = replace(OBJECTS[0], state=State.DEACTIVATED)
        await store.commit([Replace(changed, seen=1)])
        await store.commit([Remove(each.uid, seen=1) for each in OBJECTS[1:]])
        assert await store.get("one") == replace(changed, generation=2)
        assert await store.get("named") is None

    with_store(old, body)


def test_names_of_living_objects_are_taken(old):
    async def body(store):
        for name in NAMED.names:
            with pytest.raises(NonUniqueName):
                await store.commit(
                    [Insert(an_object("new", attributes=replace(KEY_ATTRIBUTES, names=(name,))))]
                )
        await store.commit([Remove("named", seen=1)])
        await store.commit([Insert(an_object("new", attributes=NAMED))])

    with_store(old, body)


def test_old_objects_are_found_by_what_is_known_of_them(old):
    async def body(store):
        for wanted in (
            {"object_groups": ("finance",)},
            {"sensitive": True},
            {"names": NAMED.names},
        ):
            found = await locate(
                store, LocateSearch(seeking(**wanted), principal=ALICE, offset=0, maximum=9)
            )
            assert found == (1, ["named"])
        ranges = (DateRange("ActivationDate", 1_700_000_001, 1_700_000_002),)
        wanted = ObjectFilter(ranges=ranges)
        assert await locate(store, LocateSearch(wanted, principal=ALICE, offset=0, maximum=9)) == (
            1,
            ["named"],
        )

    with_store(old, body)


# --- archive dates ------------------------------------------------------------------------------

#: As Import kept it before objects could be archived; a Name and a vendor attribute stand around it in the index.
ARCHIVED = replace(NAMED, names=(Name("archived"),), archive_date=1_700_000_002, comment="behind")


def test_archive_date_of_an_imported_object_archives_it_and_is_found(new_place):
    make_at_first_revision(new_place, [*OBJECTS, an_object("archived", attributes=ARCHIVED, **OLD)])

    async def found(store, archived, **wanted):
        seeks = seeking(archived=archived, **wanted)
        page = await locate(store, LocateSearch(seeks, principal=ALICE, offset=0, maximum=9))
        return sorted(page[1])

    async def body(store):
        assert (await store.get("archived")).attributes == ARCHIVED
        assert await found(store, True) == ["archived"]
        assert await found(store, False) == ["named", "one"]
        assert await found(store, None, archive_date=1_700_000_002) == ["archived"]
        for wanted in ({"comment": "behind"}, {"names": ARCHIVED.names}):
            assert await found(store, True, **wanted) == ["archived"], "the index fits its row"

    with_store(new_place, body)
    with_store(new_place, body)


# --- digests ------------------------------------------------------------------------------------

DIGEST = Digest(HashingAlgorithm.SHA_256, b"digest of a secret, in clear...", KeyFormatType.RAW)
DIGESTED = replace(NAMED, names=(), digests=(DIGEST, replace(DIGEST, digest_value=b"another")))
WITH_DIGESTS = {
    "secret": an_object("secret", attributes=DIGESTED, **OLD),
    "private": an_object("private", object_type=ObjectType.PRIVATE_KEY, attributes=DIGESTED),
    "password": an_object("password", object_type=ObjectType.SECRET_DATA, attributes=DIGESTED),
    "gone": an_object(
        "gone",
        object_type=ObjectType.PUBLIC_KEY,
        state=State.DESTROYED,
        sealed=None,
        attributes=DIGESTED,
    ),
}
PUBLIC = {
    "public": an_object("public", object_type=ObjectType.PUBLIC_KEY, attributes=DIGESTED),
    "certificate": an_object(
        "certificate", object_type=ObjectType.CERTIFICATE, attributes=DIGESTED
    ),
}


@pytest.fixture
def digested(new_place):
    make_at_first_revision(new_place, [*WITH_DIGESTS.values(), *PUBLIC.values()])
    return new_place


def test_digests_of_secrets_and_of_what_is_destroyed_are_taken_out(digested):
    async def body(store):
        for uid, before in {**WITH_DIGESTS, **PUBLIC}.items():
            kept = before.attributes.digests if uid in PUBLIC else ()
            found = await store.get(uid)
            assert found == replace(before, attributes=replace(DIGESTED, digests=kept))

    with_store(digested, body)
    with_store(digested, body)


def test_search_goes_on_without_the_digests(digested):
    """Locate compares the values to search by with the attributes, and would refuse leftovers."""

    async def body(store):
        everything = frozenset(State)
        found = await locate(
            store,
            LocateSearch(
                seeking(object_groups=("finance",), states=everything),
                principal=ALICE,
                offset=0,
                maximum=9,
            ),
        )
        assert set(found[1]) == {*WITH_DIGESTS, *PUBLIC}
        found = await locate(
            store,
            LocateSearch(
                seeking(digests=(DIGEST,), states=everything), principal=ALICE, offset=0, maximum=9
            ),
        )
        assert set(found[1]) == set(PUBLIC)

    with_store(digested, body)


def test_digests_leave_the_file_of_sqlite(tmp_path):
    place = tmp_path / "kms.db"
    make_at_first_revision(place, list(WITH_DIGESTS.values()))
    spelled = DIGEST.digest_value.hex().encode()
    assert spelled in place.read_bytes()

    async def body(store):
        assert await store.get("secret")

    with_store(place, body)
    for path in tmp_path.iterdir():
        assert spelled not in path.read_bytes(), path


def test_newest_revision_is_the_head_that_alembic_finds():
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [newest_revision()]


def test_a_database_that_is_up_to_date_is_opened_without_alembic(old, monkeypatch):
    """It takes memory for good."""
    for module in ("alembic", "alembic.command", "alembic.config"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError):
        with_store(old, nothing)
    monkeypatch.undo()
    with_store(old, nothing)
    for module in ("alembic", "alembic.command", "alembic.config"):
        monkeypatch.setitem(sys.modules, module, None)
    with_store(old, nothing)


async def nothing(store):
    assert await store.get("absent") is None


def test_new_database_has_what_the_migrations_make_of_the_first_one(new_place):
    """Its tables are made at once, and a row may be copied from one to the other by `SELECT *`."""
    with engine_behind(new_place).begin() as connection:
        migrate.upgrade(connection, name="test", revision="0001")
        migrate.upgrade(connection, name="test")
        migrated = describe(connection)
        everything = MetaData()
        everything.reflect(connection)
        everything.drop_all(connection)
        assert describe(connection) == []
        migrate.upgrade(connection, name="test")
        assert describe(connection) == migrated
        assert migrate.read_revision(connection) == newest_revision()


def test_tables_for_a_backup_of_this_version_are_made_at_once(new_place, monkeypatch):
    """Without a migration, thus without alembic."""
    monkeypatch.setitem(sys.modules, "alembic", None)
    with engine_behind(new_place).begin() as connection:
        migrate.upgrade(connection, name="test", revision=newest_revision())
        assert migrate.read_revision(connection) == newest_revision()


def describe(connection):
    """Every table, column, constraint and index, with no row but the revision."""
    queries = _ON_POSTGRESQL if connection.dialect.name == "postgresql" else _ON_SQLITE
    found = [
        [" ".join(sorted(str(part).replace(",", " ").split())) for part in row]
        for query in queries
        for row in connection.execute(text(query))
    ]
    for table in inspect(connection).get_table_names():
        rows = connection.execute(text(f"SELECT * FROM {table}"))
        found.append([table, [*rows.keys()], rows.all()])
    return sorted(found, key=repr)


_ON_SQLITE = ["SELECT type, name, sql FROM sqlite_master"]
_ON_POSTGRESQL = [
    """SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name, is_identity
        FROM information_schema.columns WHERE table_schema = current_schema()""",
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
    """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = current_schema()::regnamespace""",
    """SELECT relname, relkind, relpersistence, reloptions FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace""",
]


def test_a_new_database_is_made_without_alembic(new_place, monkeypatch):
    for module in ("alembic", "alembic.command", "alembic.config"):
        monkeypatch.setitem(sys.modules, module, None)
    with engine_behind(new_place).begin() as connection:
        migrate.upgrade(connection, name="test")
    with_store(new_place, nothing)


def test_database_of_another_program_is_refused_and_left_alone(new_place):
    with engine_behind(new_place).begin() as connection:
        for statement in (
            "CREATE TABLE theirs (x INTEGER)",
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
        ):
            connection.execute(text(statement))
            before = describe(connection)
            with pytest.raises(ConfigurationError, match="belongs to another program"):
                migrate.upgrade(connection, name="test")
            assert describe(connection) == before
        connection.execute(text("INSERT INTO alembic_version VALUES ('0abc')"))
        with pytest.raises(
            ConfigurationError, match="revision '0abc', which this version does not know"
        ):
            migrate.upgrade(connection, name="test")
