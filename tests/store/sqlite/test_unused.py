"""What a refused start has made goes away; a database that anybody uses stays."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kms_tornado.errors import Unavailable
from kms_tornado.store.opening import leaving_nothing_unused
from kms_tornado.store.sqlite.database_file import SQLiteFile
from kms_tornado.store.sqlite.serving_mark import ServingMark
from kms_tornado.store.sqlite.unused import remove_unused


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """With tables, and no rows."""
    path = tmp_path / "kms.db"
    SQLiteFile(path).prepare()
    return path


def use(database: Path) -> None:
    """As a start does, which writes down by which master key the database opens."""
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO server_state (name, value) VALUES ('any', x'00')")
    connection.close()


def test_database_that_no_server_used_is_removed_with_all_its_files(database: Path) -> None:
    remove_unused(database)
    assert [*database.parent.iterdir()] == []


def test_empty_file_is_removed(tmp_path: Path) -> None:
    (tmp_path / "kms.db").touch()
    remove_unused(tmp_path / "kms.db")
    assert [*tmp_path.iterdir()] == []


def test_used_database_stays(database: Path) -> None:
    use(database)
    remove_unused(database)
    assert database.exists()


def test_database_that_a_process_has_open_stays(database: Path) -> None:
    mark = ServingMark(database)
    remove_unused(database)
    assert database.exists()
    mark.close()
    remove_unused(database)
    assert not database.exists()


@pytest.mark.parametrize("content", [b"something else\n" * 100, None], ids=["other", "absent"])
def test_what_is_no_database_is_left_as_it_is(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "kms.db"
    if content is not None:
        path.write_bytes(content)
    remove_unused(path)
    assert (path.read_bytes() if path.exists() else None) == content


def test_start_that_waits_beside_one_that_is_refused_is_to_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "data"
    directory.mkdir()

    # What another start does between the moments when this one opens the directory and has the lock.
    monkeypatch.setattr("fcntl.flock", lambda *_: directory.rmdir())
    with pytest.raises(Unavailable) as refused:
        SQLiteFile(directory / "kms.db").prepare()
    assert "its directory was removed meanwhile" in refused.value.detail


def test_database_that_was_there_before_stays_though_it_is_unused(database: Path) -> None:
    with pytest.raises(OSError), leaving_nothing_unused("sqlite:///kms.db", database.parent):
        raise OSError
    assert database.exists()


def test_new_directories_go_where_nothing_is_kept_in_them(tmp_path: Path) -> None:
    def start() -> None:
        with leaving_nothing_unused("sqlite:///kms.db", tmp_path / "a/b/c"):
            (tmp_path / "a/b/c").mkdir(parents=True)
            (tmp_path / "a/kept").touch()
            raise OSError

    with pytest.raises(OSError):
        start()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "kept"]


def test_nothing_is_removed_after_a_start(tmp_path: Path) -> None:
    with leaving_nothing_unused("sqlite:///kms.db", tmp_path / "data"):
        (tmp_path / "data").mkdir()
        SQLiteFile(tmp_path / "data/kms.db").prepare()
    assert (tmp_path / "data/kms.db").exists()
