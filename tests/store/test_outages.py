"""Real outages of both databases: one line when each begins and one when it ends, with state and cause."""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.errors import Unavailable
from kms_tornado.store import health
from kms_tornado.store.health import DOWN, READ_ONLY, UP
from kms_tornado.store.interface.changes import Insert
from kms_tornado.store.postgres import engine, reader
from kms_tornado.store.postgres.connections import probe

from .. import postgres
from ..broken_disk import moved_away, no_file_longer_than
from .helpers import an_object, opened, run, until
from .postgres.proxy import proxied


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_OUTAGE_INTERVAL_S", 0.02)
    monkeypatch.setattr(engine, "REPLY_TIMEOUT_S", 0.5)
    monkeypatch.setattr(engine, "OPEN_TIMEOUT_S", 0.5)
    monkeypatch.setattr(reader, "_PING_TIMEOUT_S", 0.3)
    monkeypatch.setattr(probe, "_TIMEOUT_S", 0.3)


def full(path: Path) -> AbstractContextManager[None]:
    """No file may become larger than the database's log is."""
    return no_file_longer_than(path.with_name("kms.db-wal").stat().st_size + 20_000)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


ON_SQLITE = {
    "away": (moved_away, DOWN, "file", "No such file or directory"),
    "full disk": (full, READ_ONLY, "disk (full|error)", "disk|File too large"),
    "locked": (locked, READ_ONLY, "locked", "database is locked"),
}


async def play(store: Any, begin: Any, state: str) -> tuple[Any, list[BaseException]]:
    """Requests before, in and after an outage; (the status in it, what the failed ones got)."""
    counter = itertools.count()
    await store.commit([Insert(an_object(f"before-{next(counter)}"))])
    big = bytes(300_000)
    async with begin:
        failed = []
        for _ in range(3):
            outcomes = await asyncio.gather(
                store.get("one"),
                *(store.commit([Insert(an_object(f"n{next(counter)}", sealed=big))]) for _ in "ab"),
                return_exceptions=True,
            )
            failed += [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
            await reached(store, state)
        in_outage = await store.check()
    await reached(store, UP)
    await store.commit([Insert(an_object(f"after-{next(counter)}"))])
    return in_outage, failed


async def reached(store: Any, state: str) -> None:
    await until(lambda: store.status().state == state)


@asynccontextmanager
async def as_async(manager: Any) -> AsyncIterator[None]:
    with manager:
        yield


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        f"{record.levelname} {record.getMessage()}"
        for record in caplog.records
        if record.levelno >= logging.WARNING
    ]


FIRST = {
    DOWN: "ERROR the database is out of reach: ",
    READ_ONLY: "ERROR the database takes no writes: ",
}
LAST = {
    DOWN: r"WARNING the database is back after \d+\.\d s",
    READ_ONLY: r"WARNING the database takes writes again after \d+\.\d s",
}


@pytest.mark.parametrize(("fault", "state", "cause", "detail"), ON_SQLITE.values(), ids=ON_SQLITE)
def test_an_outage_of_sqlite_is_told_once_and_so_is_its_end(
    tmp_path, caplog, fault, state, cause, detail
):
    path = tmp_path / "kms.db"

    async def main() -> Any:
        async with opened(path, busy_timeout_s=0.1) as store:
            return await play(store, as_async(fault(path)), state)

    status, failed = run(main())
    assert {type(error) for error in failed} == {Unavailable}
    assert len(failed) == (9 if state == DOWN else 6)
    assert status.state == state
    assert re.fullmatch(cause, status.cause)
    first, last = lines(caplog)
    assert first.startswith(FIRST[state])
    assert re.search(detail, first)
    assert re.fullmatch(LAST[state], last)


@pytest.fixture
def url() -> str:
    return str(postgres.empty_database())


@asynccontextmanager
async def silent(proxy: Any, _: str) -> AsyncIterator[None]:
    proxy.talks.clear()
    yield
    proxy.talks.set()


@asynccontextmanager
async def down(proxy: Any, _: str) -> AsyncIterator[None]:
    proxy.refuse()
    yield
    await proxy.listen()


@asynccontextmanager
async def standby(_: Any, url: str) -> AsyncIterator[None]:
    """Read-only, as after a failover: open connections were cut."""
    name = postgres.name_of(url)
    with postgres.cluster().connect() as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        cut(admin, name)
        try:
            yield
        finally:
            admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
            cut(admin, name)


def cut(admin: Any, name: str) -> None:
    admin.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )


ON_POSTGRESQL = {
    "down": (down, DOWN, "no connection|connection closed", "connection"),
    "silent": (silent, DOWN, "timeout", "no answer within|timeout"),
    # What a standby shows is older than what was acknowledged, so it is not read from.
    "read-only": (
        standby,
        DOWN,
        "read-only|no connection|connection closed",
        "read-only|25006|terminat",
    ),
}


@pytest.mark.parametrize(
    ("fault", "state", "cause", "detail"), ON_POSTGRESQL.values(), ids=ON_POSTGRESQL
)
def test_an_outage_of_postgresql_is_told_once_and_so_is_its_end(
    url, tmp_path, caplog, fault, state, cause, detail
):
    async def main() -> Any:
        async with proxied(url, tmp_path) as (through, proxy), opened(through) as store:
            return await play(store, fault(proxy, url), state)

    status, failed = run(main())
    assert {type(error) for error in failed} == {Unavailable}
    assert status.state == state
    assert re.fullmatch(cause, status.cause)
    first, last = lines(caplog)
    assert first.startswith(FIRST[state])
    assert re.search(detail, first)
    assert re.fullmatch(LAST[state], last)


def test_a_locked_row_of_postgresql_is_no_outage(url, caplog, monkeypatch):
    monkeypatch.setattr(health, "_LEAST_TIME_BETWEEN_LINES_S", 0.0)

    async def main() -> Any:
        async with opened(url) as store:
            failure = Unavailable("out", detail="LockNotAvailable (55P03)", cause="row locked")
            monkeypatch.setattr(store.backend, "submit", raising(failure))
            with pytest.raises(Unavailable):
                await store.commit([Insert(an_object("one"))])
            await until(lambda: lines(caplog))
            return store.status()

    assert run(main()).state == UP
    (line,) = lines(caplog)
    assert "a change was answered 503, though the database serves" in line


def raising(error: Exception) -> Any:
    async def submit(*_: Any, **__: Any) -> None:
        raise error

    return submit
