"""The data directory and the database URL."""

from __future__ import annotations

import logging
import os
import stat

import pytest

from kms_tornado.errors import ConfigurationError
from kms_tornado.store.data_dir import make_data_dir, resolve_sqlite_url
from kms_tornado.store.opening import open_store
from kms_tornado.store.postgres.backend import PostgresBackend
from kms_tornado.store.sqlite.backend import SQLiteBackend

from ..rows import each_row


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_data_directory_is_private(tmp_path, umask):
    before = os.umask(umask)
    try:
        made = make_data_dir(tmp_path / "a" / "kms-data")
    finally:
        os.umask(before)
    assert made == tmp_path / "a" / "kms-data"
    assert mode_of(made) == 0o700


def test_a_relative_data_directory_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert make_data_dir(tmp_path / "x" / ".." / "y").is_absolute()
    assert make_data_dir(tmp_path.relative_to(tmp_path) / "kms-data") == tmp_path / "kms-data"


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o777])
def test_a_directory_that_is_open_to_others_is_closed_with_a_log_line(tmp_path, mode, caplog):
    directory = tmp_path / "data"
    directory.mkdir()
    directory.chmod(mode)
    with caplog.at_level(logging.WARNING):
        make_data_dir(directory)
    assert mode_of(directory) == 0o700
    assert str(directory) in caplog.text


def test_a_private_directory_is_left_alone_without_a_word(tmp_path, caplog):
    make_data_dir(tmp_path / "data")
    (tmp_path / "data" / "kms.db").touch()
    with caplog.at_level(logging.DEBUG):
        make_data_dir(tmp_path / "data")
    assert not caplog.messages
    assert (tmp_path / "data" / "kms.db").exists()


def test_another_users_directory_is_refused(tmp_path, monkeypatch):
    us = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: us + 1)
    with pytest.raises(ConfigurationError, match=r"^data_dir: .*another user"):
        make_data_dir(tmp_path)


def test_a_file_is_no_data_directory(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="is not a directory"):
        make_data_dir(tmp_path / "file")
    with pytest.raises(ConfigurationError, match="not a directory"):
        make_data_dir(tmp_path / "file" / "below")


def test_a_directory_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *args, **kwargs: False)  # root may write anywhere
    with pytest.raises(ConfigurationError, match="cannot be written to"):
        make_data_dir(tmp_path)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("sqlite:///kms.db", "{data}/kms.db", id="relative to the data directory"),
        pytest.param("sqlite:///sub/kms.db", "{data}/sub/kms.db", id="below it"),
        pytest.param("sqlite:////srv/keys.db", "/srv/keys.db", id="absolute"),
        pytest.param("sqlite+pysqlite:///kms.db", "{data}/kms.db", id="with the driver's name"),
        pytest.param("sqlite:///a b#c é.db", "{data}/a b#c é.db", id="an odd name"),
    ],
)
def test_a_database_url_names_a_file(tmp_path, url, expected):
    assert str(resolve_sqlite_url(url, tmp_path)) == expected.format(data=tmp_path)
    assert isinstance(open_store(url, tmp_path).backend, SQLiteBackend)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgres"])
def test_a_database_url_names_a_server(tmp_path, scheme):
    url = f"{scheme}://kms:s3cret@db.example.com:5433/kms?sslmode=verify-full"
    store = open_store(url, tmp_path)
    assert isinstance(store.backend, PostgresBackend)
    assert "s3cret" not in repr(store)


@each_row(
    "url",
    [
        pytest.param("sqlite://", id="in memory"),
        pytest.param("sqlite:///:memory:", id="in memory, spelled out"),
        pytest.param("sqlite:///file::memory:?cache=shared&uri=true", id="in memory, as a URI"),
        pytest.param("sqlite:///file:kms.db", id="a URI in a URL"),
        pytest.param("sqlite:///kms.db?mode=ro", id="parameters"),
        pytest.param("sqlite://host-s3cret/kms.db", id="a host"),
        pytest.param("sqlite+aiosqlite:///kms.db", id="another driver"),
        pytest.param("postgresql://kms:s3cret@db", id="PostgreSQL without a database"),
        pytest.param("postgresql+asyncpg://kms:s3cret@db/kms", id="another driver of PostgreSQL"),
        pytest.param("mysql://kms:s3cret@db/kms", id="MySQL"),
        pytest.param("s3cret", id="no URL"),
        pytest.param("", id="empty"),
        pytest.param("postgresql://kms:s3cret@db:port/kms", id="a port that is none"),
    ],
)
def test_other_urls_are_refused_without_being_shown(tmp_path, url):
    with pytest.raises(ConfigurationError, match=r"^database_url: ") as caught:
        open_store(url, tmp_path)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
