"""All rows come out of one moment of a database, and into a new one of either kind."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from sqlalchemy import create_engine, make_url, select
from sqlalchemy.pool import NullPool

from kms_tornado.audit.record import Origin, make_draft
from kms_tornado.errors import ConfigurationError
from kms_tornado.kmip.enums import Operation, State
from kms_tornado.kmip.structures import Name
from kms_tornado.store.dump import DumpReader, DumpWriter
from kms_tornado.store.interface.changes import Grant, Insert, Remove, UseNonce
from kms_tornado.store.sql.tables.schema import metadata

from .... import postgres
from ...helpers import (
    ALICE,
    BOB,
    KEY_ATTRIBUTES,
    ROW_MAC,
    an_object,
    store_at,
    with_store,
    write_behind,
)


def all_rows(place):
    url = f"sqlite:///{place}" if not isinstance(place, str) else place
    driver = "postgresql+psycopg" if isinstance(place, str) else "sqlite"
    engine = create_engine(make_url(url).set(drivername=driver), poolclass=NullPool)
    with engine.connect() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


async def fill(store):
    """Something in every table."""
    tagged = dataclasses.replace(KEY_ATTRIBUTES, names=(Name("one", 1),))
    await store.commit(
        [Insert(an_object(f"o{number}", tags=frozenset({"a", "é"}))) for number in range(1100)]
    )
    await store.commit([Insert(an_object("named", attributes=tagged)), Insert(an_object("gone"))])
    await store.commit([Insert(an_object("destroyed", sealed=None, state=State.DESTROYED))])
    await store.commit([Grant("named", ALICE, BOB, frozenset({Operation.GET}))])
    await store.commit([UseNonce("named", b"k" * 32, b"nonce", 1)])
    await store.commit([Remove("gone", 1)])
    await store.master_keys.add_bundles({b"12345678": b"sealed"})
    await store.proofs.use(b"p" * 32, 1100)
    await store.audit.open()
    await store.audit.append([make_draft(Origin(ALICE, None, None, None), "Get", uid="named")])
    await store.records.take_step(100)  # makes the index
    await store.records.take_step(100)
    await store.audit.make_checkpoint(lambda checkpoint: "{}", "2026-11-29T11:45:25Z")


def dump(place, path, hook=lambda: None):
    class Writer(DumpWriter):
        def add(self, table, values):
            hook()
            super().add(table, values)

    seen = []
    with open(path, "wb") as file:
        writer = Writer(file, ROW_MAC)
        dumped = with_store(place, lambda store: store.dump(writer, lambda *n: seen.append(n)))
    assert seen[-1] == (dumped.rows, dumped.rows)
    return dumped


def restore(path, place, change=lambda header, rows: (header, rows)):
    async def body():
        reader = DumpReader(path)
        header, rows = change(reader.read_header(), reader.read_rows(ROW_MAC))
        await store_at(place).fill(header, rows, lambda *_: None)

    asyncio.run(body())


def new_place(kind, tmp_path):
    if kind == "sqlite":
        return tmp_path / "new.db"
    return postgres.cluster().new_database()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_new_database_has_every_row_of_the_dumped_one(place, kind, tmp_path):
    with_store(place, fill)
    before = all_rows(place)
    assert all(before.values()), "a table is empty, so nothing of it is tested"
    dumped = dump(place, tmp_path / "dump")
    assert (dumped.rows, dumped.objects, dumped.altered) == (
        sum(map(len, before.values())), 1102, []
    )  # fmt: skip
    other = new_place(kind, tmp_path)
    restore(tmp_path / "dump", other)
    assert all_rows(other) == before
    assert all_rows(place) == before

    async def go_on(store):
        await store.commit([Insert(an_object("next"))])  # its serial is free
        assert (await store.get("named")).attributes.names == (Name("one", 1),)

    with_store(other, go_on)


def test_dump_has_one_moment_of_the_database(place, tmp_path):
    with_store(place, fill)
    before = all_rows(place)
    calls = iter(range(10**6))

    def write_meanwhile():
        if next(calls) == 700:
            write_behind(place, "DELETE FROM tombstones")
            write_behind(place, "UPDATE owners SET objects = 7")

    dump(place, tmp_path / "dump", write_meanwhile)
    assert all_rows(place) != before
    restore(tmp_path / "dump", tmp_path / "new.db")
    assert all_rows(tmp_path / "new.db") == before


def test_object_that_something_else_wrote_is_dumped_as_it_is_and_told(place, tmp_path, caplog):
    with_store(place, fill)
    write_behind(place, "UPDATE objects SET owner = 'eve' WHERE uid = 'o7'")
    assert dump(place, tmp_path / "dump").altered == ["o7"]
    [line] = caplog.messages
    assert "the row of the object o7 was changed by something else" in line
    restore(tmp_path / "dump", tmp_path / "new.db")
    assert all_rows(tmp_path / "new.db") == all_rows(place)


@pytest.mark.parametrize(
    ("table", "edit"),
    [
        ("audit_segments", "UPDATE audit_segments SET chain = 'text'"),
        ("audit_segments", "UPDATE audit_segments SET chain = x'00ff'"),
        ("tombstones", "UPDATE tombstones SET owner = 'a' || char(0)"),
    ],
)
def test_value_that_postgresql_does_not_take_is_told_with_its_table(tmp_path, table, edit):
    source = tmp_path / "source.db"
    with_store(source, fill)
    write_behind(source, f"{edit} WHERE rowid = (SELECT min(rowid) FROM {table})")
    dumped = dump(source, tmp_path / "dump")
    assert len(dumped.odd) == ("char" not in edit)
    other = new_place("postgresql", tmp_path)
    with pytest.raises(ConfigurationError, match=f"not take a value in the rows of {table}"):
        restore(tmp_path / "dump", other)
    restore(tmp_path / "dump", tmp_path / "new.db")
    assert all_rows(tmp_path / "new.db") == all_rows(source)


def test_object_whose_material_was_edited_is_told(place, tmp_path):
    with_store(place, fill)
    write_behind(place, "UPDATE objects SET sealed = :other WHERE uid = 'o7'", other=b"other")
    assert dump(place, tmp_path / "dump").altered == ["o7"]


def test_database_with_tables_is_refused_and_left_as_it_is(place, tmp_path):
    with_store(place, fill)
    dump(place, tmp_path / "dump")
    before = all_rows(place)
    with pytest.raises(ConfigurationError, match="is not empty"):
        restore(tmp_path / "dump", place)
    assert all_rows(place) == before


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_dump_of_a_newer_version_is_refused(place, kind, tmp_path):
    dump(place, tmp_path / "dump")
    other = new_place(kind, tmp_path)
    with pytest.raises(
        ConfigurationError,
        match=r"^the backup: is at revision .9999., .* a newer version of kms_tornado",
    ):
        restore(
            tmp_path / "dump",
            other,
            lambda header, rows: (dataclasses.replace(header, revision="9999"), rows),
        )
    restore(tmp_path / "dump", other)  # nothing of it was left


def test_dump_that_turns_out_to_be_damaged_leaves_nothing(new_place, tmp_path):
    async def few(store):
        await store.commit([Insert(an_object("one"))])

    source = tmp_path / "source.db"
    with_store(source, few)
    dump(source, tmp_path / "dump")

    async def body():
        def rows():
            yield from DumpReader(tmp_path / "dump").read_rows(ROW_MAC)
            raise EOFError

        header = DumpReader(tmp_path / "dump").read_header()
        with pytest.raises(EOFError):
            await store_at(new_place).fill(header, rows(), lambda *_: None)

    asyncio.run(body())
    restore(tmp_path / "dump", new_place)
    assert all_rows(new_place) == all_rows(source)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_database_that_a_store_has_open_is_refused(kind, place, tmp_path):
    dump(place, tmp_path / "dump")
    other = new_place(kind, tmp_path)

    async def body(store):
        await store.ping()
        if kind == "sqlite":
            other.unlink()  # a server goes on to have the deleted file open
        header = DumpReader(tmp_path / "dump").read_header()
        rows = DumpReader(tmp_path / "dump").read_rows(ROW_MAC)
        with pytest.raises(ConfigurationError, match="has it open"):
            await store_at(other).fill(header, rows, lambda *_: None)

    with_store(other, body)


def test_dump_of_an_older_version_is_brought_up_to_date(tmp_path):
    async def few(store):
        await store.commit([Insert(an_object("one"))])

    source = tmp_path / "source.db"
    with_store(source, few)
    dump(source, tmp_path / "dump")

    def without_newest_column(header, rows):
        """As a version before the Archive Date had a column dumped it."""
        columns = header.tables["objects"]
        place = columns.index("archive_date")
        older = [*columns[:place], *columns[place + 1 :]]
        header = dataclasses.replace(
            header, revision="0008", tables={**header.tables, "objects": older}
        )
        return header, (
            (table, [*values[:place], *values[place + 1 :]] if table == "objects" else values)
            for table, values in rows
        )

    restore(tmp_path / "dump", tmp_path / "new.db", without_newest_column)
    assert all_rows(tmp_path / "new.db")["objects"] == all_rows(source)["objects"]
