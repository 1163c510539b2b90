"""When a database is said to be down, read-only and back, and what the log says: a line a change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kms_tornado.errors import Unavailable
from kms_tornado.store import health
from kms_tornado.store.health import DOWN, READ_ONLY, UP, DatabaseHealth
from kms_tornado.store.interface.faults import make_unavailable

from .helpers import until


class Database:
    """reads, writes: whether they succeed, or with which cause they fail."""

    def __init__(self) -> None:
        self.reads: str | None = None
        self.writes: str | None = None
        self.pings = 0
        self.now = 1000.0
        self.health = DatabaseHealth(
            self.ping, self.probe_writes, clock=lambda: self.now, wall_clock=lambda: self.now
        )

    async def ping(self) -> None:
        self.pings += 1
        self._fail(self.reads)

    async def probe_writes(self) -> None:
        self._fail(self.reads or self.writes)

    def request(self, *, wrote: bool, cause: str | None = None) -> None:
        """One that fails as the database does, or for another cause."""
        cause = cause or self.reads or self.writes
        assert cause is not None
        self.health.note_failure(error(cause), wrote=wrote)

    def _fail(self, cause: str | None) -> None:
        if cause is not None:
            raise error(cause)


def error(cause: str) -> Unavailable:
    return make_unavailable(f"10.1.2.3: {cause} in full", cause)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_OUTAGE_INTERVAL_S", 0.002)
    monkeypatch.setattr(health, "_IDLE_INTERVAL_S", 60.0)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO)
    return lambda: [
        f"{record.levelname} {record.getMessage()}"
        for record in caplog.records
        if record.name == "kms_tornado.store"
    ]


def play(body: Callable[[Database], Awaitable[Any]]) -> None:
    async def main() -> None:
        database = Database()
        database.health.start()
        try:
            await asyncio.wait_for(body(database), 30)
        finally:
            await database.health.stop()

    asyncio.run(main())


async def reached(database: Database, state: str) -> None:
    await until(lambda: database.health.status().state == state)


DOWN_LINE = (
    "ERROR the database is out of reach: 10.1.2.3: no connection in full; requests are answered 503"
)
FULL_LINE = (
    "ERROR the database takes no writes: 10.1.2.3: disk full in full; changes are answered 503, "
    "reads are served"
)


def test_an_outage_is_a_line_when_it_begins_and_one_when_it_ends_without_a_request(lines) -> None:
    async def body(database: Database) -> None:
        database.reads = "no connection"
        for wrote in (False, True, True, False):
            database.request(wrote=wrote)
        await reached(database, DOWN)
        for wrote in (False, True):
            database.request(wrote=wrote)
        pings = database.pings
        await until(lambda: database.pings >= pings + 3)
        database.now += 12.34
        database.reads = None
        await reached(database, UP)

    play(body)
    assert lines() == [DOWN_LINE, "WARNING the database is back after 12.3 s"]


def test_writes_that_fail_alone_are_another_state(lines) -> None:
    async def body(database: Database) -> None:
        database.writes = "disk full"
        for _ in range(3):
            database.request(wrote=True)
            await reached(database, READ_ONLY)
        assert database.health.status().cause == "disk full"
        database.now += 2
        database.writes = None
        await reached(database, UP)
        assert database.health.status().cause is None

    play(body)
    assert lines() == [FULL_LINE, "WARNING the database takes writes again after 2.0 s"]


def test_a_database_that_goes_down_step_by_step_is_back_once(lines) -> None:
    async def body(database: Database) -> None:
        database.writes = "disk full"
        database.request(wrote=True)
        await reached(database, READ_ONLY)
        database.now += 1
        database.reads = "no connection"
        database.request(wrote=False)
        await reached(database, DOWN)
        database.now += 1
        database.reads = None
        await reached(database, READ_ONLY)
        database.now += 1
        database.writes = None
        await reached(database, UP)
        assert database.health.status().outages == 1

    play(body)
    assert lines() == [
        FULL_LINE,
        DOWN_LINE,
        FULL_LINE,
        "WARNING the database takes writes again after 3.0 s",
    ]


@pytest.mark.parametrize(
    ("wrote", "cause"),
    [
        pytest.param(False, "timeout", id="a search that took too long"),
        pytest.param(True, "row locked", id="a row that something else has locked"),
        pytest.param(True, "no connection", id="a write that met the end of an outage"),
    ],
)
def test_a_failure_while_the_database_serves_is_no_outage_and_few_lines(lines, wrote, cause):
    async def body(database: Database) -> None:
        for _ in range(5):
            pings = database.pings
            database.request(wrote=wrote, cause=cause)
            await until(lambda pings=pings: database.pings > pings)
        assert database.health.status().state == UP
        assert database.health.status().outages == 0

    play(body)
    (line,) = lines()
    assert "though the database serves: 10.1.2.3" in line


def test_an_idle_database_is_looked_at_too(lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_IDLE_INTERVAL_S", 0.002)

    async def body(database: Database) -> None:
        database.reads = "no connection"
        await reached(database, DOWN)

    play(body)
    assert lines() == [DOWN_LINE]


def test_whoever_asks_has_it_looked_at_and_reads_since_when(lines) -> None:
    async def body(database: Database) -> None:
        database.now += 50
        assert (await database.health.check()).since == 1000
        database.reads = "no connection"
        status = await database.health.check()
        assert (status.state, status.since, status.cause) == (DOWN, 1050, "no connection")
        database.now += 3
        status = await database.health.check()
        assert (status.since, status.age_s, status.outages) == (1050, 3, 1)

    play(body)


def test_whoever_asks_does_not_wait_for_a_write_that_waits_for_a_lock(
    lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(database: Database) -> None:
        database.writes = "locked"
        database.request(wrote=True)
        await reached(database, READ_ONLY)
        never = asyncio.Event()
        monkeypatch.setattr(database.health, "_probe_writes", never.wait)
        status = await asyncio.wait_for(database.health.check(), 10)
        assert status.state == READ_ONLY

    play(body)


def test_a_stopped_watch_neither_looks_nor_speaks(lines) -> None:
    async def main() -> None:
        database = Database()
        database.health.start()
        await database.health.stop()
        database.reads = "no connection"
        database.request(wrote=False)
        assert (await database.health.check()).state == UP
        assert database.pings == 0

    asyncio.run(main())
    assert lines() == []
