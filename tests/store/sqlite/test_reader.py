"""Rows are remembered, and nothing that is remembered outlasts a commit, whoever made it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.domain.managed_object import UniqueIdentifier
from kms_tornado.errors import Unavailable
from kms_tornado.store.interface.changes import Insert, Replace
from kms_tornado.store.sql.queries import by_uid
from kms_tornado.store.sql.statements import SQLITE, Prepared, Rows
from kms_tornado.store.sql.tables.rows import OWNER
from kms_tornado.store.sqlite import reader as reader_module
from kms_tornado.store.sqlite.database_file import SQLiteFile
from kms_tornado.store.sqlite.reader import CallSoon, SQLiteReader

from ..helpers import ALICE, BOB, KEY_ATTRIBUTES, an_object, opened, run, with_store

BY_UID = Prepared(by_uid, SQLITE, is_frequent=True)

Read = Callable[[str], Rows]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reader") / "kms.db"
    long = KEY_ATTRIBUTES.replace(comment="c" * 2000)
    objects = [an_object("one"), an_object("two"), an_object("long", attributes=long)]
    with_store(path, lambda store: store.commit([*map(Insert, objects)]))
    return path


@pytest.fixture
def read(path: Path) -> Iterator[Read]:
    yield from open_reader(path, None)


def open_reader(path: Path, call_soon: CallSoon | None) -> Iterator[Read]:
    file = SQLiteFile(path)
    file.prepare()
    reader = SQLiteReader(file, only_short=True, call_soon=call_soon)
    yield lambda uid: reader.fetch_rows(BY_UID, {"uid": uid})
    reader.close()


def run_sql(path: Path, text: str, *values: Any) -> None:
    """As another process does."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(text, values)
        connection.commit()


def test_a_row_is_read_once_while_nobody_commits(read: Read) -> None:
    assert read("one")
    assert read("one") is read("one")


def test_a_row_that_another_process_changed_is_read_anew(read: Read, path: Path) -> None:
    before = [row[OWNER] for row in read("one")]
    run_sql(path, "UPDATE objects SET owner = ? WHERE uid = 'one'", BOB)
    changed = [row[OWNER] for row in read("one")]
    run_sql(path, "UPDATE objects SET owner = ? WHERE uid = 'one'", ALICE)
    assert (before, changed, [row[OWNER] for row in read("one")]) == ([ALICE], [BOB], [ALICE])


def test_within_a_turn_of_the_loop_the_file_is_looked_at_once(path: Path) -> None:
    next_turn: list[Callable[[], None]] = []
    for read in open_reader(path, next_turn.append):
        before = [row[OWNER] for row in read("one")]
        run_sql(path, "UPDATE objects SET owner = ? WHERE uid = 'one'", BOB)
        same_turn = [row[OWNER] for row in read("one")]
        assert len(next_turn) == 1
        next_turn.pop()()
        changed = [row[OWNER] for row in read("one")]
        run_sql(path, "UPDATE objects SET owner = ? WHERE uid = 'one'", ALICE)
        next_turn.pop()()
        assert [row[OWNER] for row in read("one")] == [ALICE]
    assert (before, same_turn, changed) == ([ALICE], [ALICE], [BOB])


def test_a_file_that_is_away_is_noticed_in_the_next_turn(path: Path) -> None:
    next_turn: list[Callable[[], None]] = []
    for read in open_reader(path, next_turn.append):
        assert read("one")
        away = path.rename(path.with_suffix(".away"))
        next_turn.pop()()
        with pytest.raises(Unavailable):
            read("one")
        away.rename(path)
        assert read("one")


def test_a_read_after_an_acknowledged_change_of_another_server_sees_it(path: Path) -> None:
    async def change_and_read() -> None:
        async with opened(path) as one, opened(path) as other:
            for _ in range(20):
                before = await one.get(UniqueIdentifier("one"))
                await other.commit([Replace(before, seen=before.generation)])
                after = await one.get(UniqueIdentifier("one"))
                assert after.generation == before.generation + 1

    run(change_and_read())


def test_that_there_is_no_row_is_remembered_no_longer(read: Read, path: Path) -> None:
    assert not read("copy")
    columns = (
        "owner, object_type, state, attributes, tags, version, generation, created_at, changed_at"
    )
    run_sql(
        path,
        f"INSERT INTO objects (uid, {columns}, grants) SELECT 'copy', {columns}, grants FROM objects"
        " WHERE uid = 'two'",
    )
    assert read("copy")


def test_a_long_row_is_not_remembered(read: Read) -> None:
    assert read("long") == read("long")
    assert read("long") is not read("long")


def test_what_is_remembered_is_bounded(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "_MOST_REMEMBERED", 1)
    first = read("one")
    assert read("two")
    assert read("one") is not first


def test_a_short_read_is_never_too_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many steps the statements before it, and the look at the file, have made."""
    monkeypatch.setattr(reader_module, "_SHORT_STEPS", 100)
    for read in open_reader(path, None):
        for number in range(2000):
            assert read(f"none-{number}") == []
