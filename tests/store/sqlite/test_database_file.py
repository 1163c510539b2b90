"""What a start finds, makes and refuses."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import sqlite3
import stat

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from kms_tornado.errors import ConfigurationError, Unavailable
from kms_tornado.store import migrate
from kms_tornado.store.interface.changes import Insert
from kms_tornado.store.sql.tables.schema import metadata
from kms_tornado.store.sqlite.errors import translate_error

from ..helpers import CHECK, an_object, python, with_store


async def nothing(store):
    await store.ping()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kms.db"


def test_migrations_lead_to_the_declared_schema(path):
    with create_engine(f"sqlite:///{path}").begin() as connection:
        migrate.upgrade(connection, name="test", revision="0001")  # a new one has no migrations

    async def body(store):
        with store.backend.file.open_reader() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            return compare_metadata(context, metadata)

    assert with_store(path, body) == []


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        pytest.param("journal_mode", "wal", id="write-ahead log"),
        pytest.param("synchronous", 2, id="flushed at every commit"),
        pytest.param("foreign_keys", 1, id="foreign keys"),
        pytest.param("secure_delete", 1, id="deleted bytes overwritten"),
        pytest.param("busy_timeout", 5000, id="waits for others"),
    ],
)
def test_the_writer_works_with(path, pragma, value):
    async def body(store):
        with store.backend.file.open_writer() as connection:
            return connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()

    assert with_store(path, body) == value


def test_all_files_of_the_database_are_private_whatever_the_umask(path, tmp_path):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        await store.get("one")
        return {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.iterdir()}

    before = os.umask(0)
    try:
        modes = with_store(path, body)
    finally:
        os.umask(before)
    assert modes == {"kms.db": 0o600, "kms.db-wal": 0o600, "kms.db-shm": 0o600}


def test_a_database_that_is_open_to_others_is_closed_with_a_log_line(path, caplog):
    with_store(path, nothing)
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        with_store(path, nothing)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(caplog.messages) == 1


def test_a_start_logs_nothing_and_leaves_the_root_logger_alone(path, caplog):
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    caplog.set_level(logging.INFO)
    with_store(path, nothing)
    with_store(path, nothing)
    assert not caplog.messages
    assert (logging.INFO, before[1]) == (root.level, list(root.handlers))


def test_a_clean_stop_leaves_one_file(path, tmp_path):
    with_store(path, lambda store: store.commit([Insert(an_object("one"))]))
    assert [entry.name for entry in tmp_path.iterdir()] == ["kms.db"]


def test_names_with_odd_characters_work(tmp_path):
    path = tmp_path / "a b?c#d%20é.db"
    with_store(path, lambda store: store.commit([Insert(an_object("one"))]))
    assert with_store(path, lambda store: store.get("one")) == an_object("one")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def write(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def make_text(path):
    path.write_text("this is no database, whatever its name says " * 100)


def make_newer(path):
    with_store(path, nothing)
    write(path, "UPDATE alembic_version SET version_num = '9999'")


def make_foreign(path):
    write(path, "CREATE TABLE objects (id INTEGER)")


def make_damaged(path):
    with_store(path, nothing)
    content = bytearray(path.read_bytes())
    content[100:4096] = bytes(3996)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        pytest.param(make_text, "not a database", id="text"),
        pytest.param(make_newer, "9999.*newer version", id="a newer version's"),
        pytest.param(make_foreign, "another program", id="another program's"),
        pytest.param(make_damaged, "malformed", id="damaged"),
        pytest.param(lambda path: path.mkdir(), "not a regular file", id="a directory"),
        pytest.param(os.mkfifo, "not a regular file", id="a pipe"),
        pytest.param(
            lambda path: path.symlink_to("absent/kms.db"), "no such file", id="a link to nowhere"
        ),
    ],
)
def test_what_is_no_database_of_ours_is_refused_and_not_touched(path, make, fault):
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ConfigurationError, match=fault) as caught:
        with_store(path, nothing)
    assert str(caught.value).startswith(f"database {path}: ")
    assert "\n" not in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_missing_directory_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="no such file"):
        with_store(tmp_path / "absent" / "kms.db", nothing)


def make_absent(path):
    pass


def make_empty(path):
    path.touch()


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        pytest.param(make_absent, "unable to open database file", id="unmounted"),
        pytest.param(make_empty, "is empty", id="emptied"),
    ],
)
def test_once_a_server_has_served_no_database_is_made_in_place_of_one_that_is_away(
    path, make, fault
):
    make(path)
    with pytest.raises(Unavailable) as caught:
        with_store(path, nothing, may_make=False)
    assert fault in caught.value.detail
    assert str(path) in caught.value.detail
    assert not path.exists() or not path.read_bytes()


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        pytest.param(make_absent, "there is none", id="absent"),
        pytest.param(make_empty, "is empty", id="empty"),
        pytest.param(lambda path: path.mkdir(), "is not a regular file", id="directory"),
        pytest.param(lambda path: path.symlink_to("nowhere"), "no such file", id="dangling"),
    ],
)
def test_command_says_that_there_is_no_database(path, make, fault):
    make(path)
    with pytest.raises(ConfigurationError, match=fault):
        with_store(path, nothing, may_make=False, may_upgrade=False)


def test_once_a_server_has_served_a_database_that_is_there_is_opened(path):
    with_store(path, lambda store: store.commit([Insert(an_object("one"))]))
    assert with_store(path, lambda store: store.get("one"), may_make=False) == an_object("one")


def test_a_start_while_another_holds_the_lock_is_out_of_reach_for_now(path):
    with_store(path, nothing)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unavailable) as caught:
            with_store(path, nothing, busy_timeout_s=0.05)
    assert "locked" in caught.value.detail
    with_store(path, nothing)


def test_a_start_on_a_full_disk_is_out_of_reach_for_now(path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))  # Python ignores SIGXFSZ
    try:
        with pytest.raises(Unavailable) as caught:
            with_store(path, nothing)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "the disk is full" in caught.value.detail or "I/O" in caught.value.detail
    with_store(path, nothing)


@pytest.mark.parametrize(
    ("name", "cause", "detail"),
    [
        ("SQLITE_FULL", "disk full", "the disk is full"),
        ("SQLITE_IOERR_SHMSIZE", "disk full", "the disk is full"),
        ("SQLITE_IOERR_READ", "disk error", "its own words"),
    ],
)
def test_cause_tells_a_full_disk_from_a_broken_one_and_from_a_damaged_file(name, cause, detail):
    error = sqlite3.OperationalError("its own words")
    error.sqlite_errorcode, error.sqlite_errorname = getattr(sqlite3, name), name
    unavailable = translate_error(error)
    assert (unavailable.cause, unavailable.detail) == (cause, f"{detail} ({name})")


@pytest.mark.parametrize("name", ["SQLITE_CORRUPT", "SQLITE_NOTADB"])
def test_damage_is_told_with_what_to_do(name):
    error = sqlite3.DatabaseError("its own words")
    error.sqlite_errorcode, error.sqlite_errorname = getattr(sqlite3, name), name
    unavailable = translate_error(error)
    assert unavailable.cause == "damaged"
    assert unavailable.detail.startswith(f"its own words ({name}); ")
    assert unavailable.detail.endswith("restore a backup")


def test_an_empty_file_is_a_new_database(path):
    path.touch()
    with_store(path, nothing)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


FIRST_START = """
import asyncio, sys
from pathlib import Path
from tests.store.helpers import opened
async def main():
    async with opened(Path(sys.argv[1])) as store:
        print((await store.master_key_check()).hex(), flush=True)
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""


def test_first_starts_at_once_all_come_up_with_one_check_value(path):
    processes = [python(FIRST_START, str(path)) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    values = {process.communicate(timeout=30)[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 3
    assert values == {CHECK.current.hex() + "\n"}
