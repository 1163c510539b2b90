"""Rows are remembered, and nothing that is remembered outlasts a commit, whoever made it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.store.interface.changes import Insert
from kms_tornado.store.sql.queries import by_uid
from kms_tornado.store.sql.statements import SQLITE, Prepared, Rows
from kms_tornado.store.sql.tables.rows import OWNER
from kms_tornado.store.sqlite import reader as reader_module
from kms_tornado.store.sqlite.database_file import SQLiteFile
from kms_tornado.store.sqlite.reader import SQLiteReader

from ..helpers import ALICE, BOB, KEY_ATTRIBUTES, an_object, with_store

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
    file = SQLiteFile(path)
    file.prepare()
    reader = SQLiteReader(file, only_short=True)
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
