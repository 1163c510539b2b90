"""A damaged SQLite file: exit code 2 and what to do, wherever in the file the damage is, from the server and each command."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from ..rows import each_row
from ..server import NO_AUTH, check_refused, run, serving
from .load import ADMIN

ADVICE = "restore a backup"
#: What reads all of what is damaged.
READERS = ("verify", "audit verify", "audit export", "backup copy", "owners")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose server has stopped."""
    directory = tmp_path_factory.mktemp("whole")
    with serving(*NO_AUTH, cwd=directory) as server:
        server.client.create(ADMIN)
    return directory / "kms-data"


def truncate(database: bytes) -> bytes:
    return database[: len(database) // 2]


def forget_what_it_is(database: bytes) -> bytes:
    return bytes(16) + database[16:]


def overwrite_page_of(table: str, path: Path, database: bytes) -> bytes:
    """The first page of the table, or of the index, as a disk might leave it."""
    with sqlite3.connect(path) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        [[number]] = connection.execute(query, (table,)).fetchall()
        [[size]] = connection.execute("PRAGMA page_size").fetchall()
    connection.close()
    return database[: (number - 1) * size] + b"\xff" * size + database[number * size :]


def damage(whole: Path, directory: Path, change: Callable[[bytes], bytes]) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(whole, directory)
    database = directory / "kms.db"
    database.write_bytes(change(database.read_bytes()))
    return directory


@each_row("change", [truncate, forget_what_it_is], ids=["truncated", "no database"])
@each_row("words", ["--port 0", *READERS])
def test_damage_that_a_start_meets_is_exit_code_2(
    change: Callable[[bytes], bytes], words: str, whole: Path, tmp_path: Path
) -> None:
    data = damage(whole, tmp_path / "data", change)
    line = check_refused(run(*words.split(), *NO_AUTH, "--data-dir", str(data), cwd=tmp_path), 2)
    assert str(data / "kms.db") in line
    assert line.endswith(ADVICE)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("server_state", "--port 0"),
        ("audit_segments", "--port 0"),
        ("objects", "verify"),
        ("audit_segments", "audit verify"),
        ("audit_segments", "audit export"),
        ("object_tags", "backup copy"),
        ("owners", "backup copy"),
        ("server_state", "rewrap"),
    ],
)
def test_damage_in_the_middle_is_exit_code_2_as_well(
    table: str, words: str, whole: Path, tmp_path: Path
) -> None:
    path = whole / "kms.db"
    data = damage(whole, tmp_path / "data", lambda octets: overwrite_page_of(table, path, octets))
    done = run(*words.split(), *NO_AUTH, "--data-dir", str(data), cwd=tmp_path)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 2, done.stderr
    assert last.startswith("kms-tornado: the database is damaged: ")
    assert last.endswith(ADVICE)
    assert not (tmp_path / "copy").exists()
