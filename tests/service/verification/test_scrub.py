"""The scrub: who does it, how long it takes, where it goes on, and what comes of what it finds."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kms_tornado.errors import GeneralFailure
from kms_tornado.service.verification import scrub
from kms_tornado.service.verification.scrub import LEASE_S, Scrubber
from kms_tornado.store.interface.changes import Insert
from kms_tornado.store.interface.faults import make_unavailable
from kms_tornado.store.interface.object_checks import AUDIT, ScrubState
from kms_tornado.store.interface.object_store import ObjectStore

from ...store.helpers import Place, an_object, opened, until, with_store, write_behind
from .altered_objects import change, execute, keep, modify, records_of, roll_back, verify


class Time:
    """Passes when somebody sleeps. asleep: how long each slept."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.asleep: list[float] = []
        self.passes = asyncio.Event()
        self.passes.set()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.asleep.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
        await self.passes.wait()


@asynccontextmanager
async def scrubbing(
    store: ObjectStore, interval_s: float = 100, clock: Time | None = None
) -> AsyncIterator[Scrubber]:
    """In a time of its own, that passes at once."""
    clock = clock or Time()
    scrubber = Scrubber(
        store, interval_s=interval_s, sleep=clock.sleep, clock=clock, monotonic=clock
    )
    scrubber.start()
    try:
        yield scrubber
    finally:
        await scrubber.stop()


def with_objects(place: Place, number: int, body: Callable[[ObjectStore], Awaitable[Any]]) -> Any:
    async def run(store: ObjectStore) -> Any:
        await store.audit.open()
        uids = ["a", *map(str, range(1, number))]
        new = [Insert(an_object(uid)) for uid in uids]
        await store.commit(new, [change("Register", *uids)])
        return await body(store)

    return with_store(place, run)


async def walked(scrubber: Scrubber) -> None:
    """Return after a whole walk."""
    ended = scrubber.status().ended
    await until(lambda: scrubber.status().ended > ended)


def test_older_row_is_refused_told_and_used_again_once_it_is_put_back(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(store: ObjectStore) -> None:
        async with scrubbing(store) as scrubber:
            await walked(scrubber)
            assert scrubber.status().findings == {}
            await roll_back(store, place)
            await until(lambda: scrubber.status().findings)
            assert scrubber.status().findings.keys() == {"a"}
            with pytest.raises(GeneralFailure):
                await store.get("a")  # type: ignore[arg-type]
            (record,) = await records_of(store, "Finding")
            assert (record["uid"], record["protocol"]) == ("a", "server")
            await walked(scrubber)
        (line,) = (r for r in caplog.records if r.name == scrub.__name__)
        assert (line.levelno, line.getMessage()) == (
            logging.ERROR,
            "the object a is not as its last record left it: its row is not the one of its last record: an older "
            "one was put back; it is refused",
        )
        caplog.clear()

    with_objects(place, 3, body)


def test_object_that_is_gone_and_put_back_is_used_again_without_a_command(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(store: ObjectStore) -> None:
        keep(place)
        async with scrubbing(store) as scrubber:
            await walked(scrubber)
            write_behind(place, "DELETE FROM objects WHERE uid = 'a'")
            await until(lambda: scrubber.status().findings)
            write_behind(place, "INSERT INTO objects SELECT * FROM kept WHERE uid = 'a'")
            await until(lambda: not scrubber.status().findings)
            assert await store.get("a") is not None  # type: ignore[arg-type]
        assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
        caplog.clear()

    with_objects(place, 3, body)


def test_what_was_found_before_a_start_is_told_by_it(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async def find(store: ObjectStore) -> None:
        async with scrubbing(store) as scrubber:
            await walked(scrubber)
            await roll_back(store, place)
            await until(lambda: scrubber.status().findings)

    async def start(store: ObjectStore) -> None:
        await store.audit.open()
        caplog.clear()
        async with scrubbing(store, interval_s=0) as scrubber:
            await until(lambda: caplog.messages)
            assert scrubber.status().findings.keys() == {"a"}
        (message,) = caplog.messages
        assert message.startswith("1 object is refused")
        caplog.clear()

    with_objects(place, 2, find)
    with_store(place, start)


def test_walk_takes_the_interval_in_small_pages(place: Place) -> None:
    async def body(store: ObjectStore) -> None:
        clock, seen = Time(), []
        read_page = store.checks.read_page

        async def noting(*arguments: Any) -> Any:
            moment = await read_page(*arguments)
            seen.append((clock.now, len(moment.rows)))
            return moment

        store.checks.read_page = noting  # type: ignore[method-assign]
        async with scrubbing(store, 600, clock) as scrubber:
            await until(lambda: scrubber.status().ended)
            await until(lambda: len(seen) > 6)
        times, rows = zip(*seen[:8], strict=True)
        assert rows[:4] == (100, 100, 50, 0)
        took = [round(after - before) for before, after in itertools.pairwise(times)]
        assert took[:3] == [240, 240, 120]
        assert sum(took[:4]) in range(600, 620)

    with_objects(place, 250, body)


def test_scrub_rests_four_times_as_long_as_it_works_while_it_reads_the_records(
    place: Place,
) -> None:
    async def body(store: ObjectStore) -> None:
        clock = Time()
        scrubber = Scrubber(
            store, interval_s=86400, sleep=clock.sleep, clock=clock, monotonic=clock
        )
        await scrubber._rest(0.5)
        assert clock.asleep == [2.0]

    with_objects(place, 1, body)


def test_one_of_two_processes_scrubs_and_the_other_goes_on_where_it_was(place: Place) -> None:
    async def body(store: ObjectStore) -> None:
        clock = Time()
        async with opened(place) as other:
            first = store.checks
            second = other.checks
            assert await first.hold_scrub(None, within_s=LEASE_S) == ScrubState()
            assert await second.hold_scrub(None, within_s=LEASE_S) is None
            state = ScrubState(17, int(clock.now), 0)
            assert await first.hold_scrub(state, within_s=LEASE_S) == state
            assert await second.hold_scrub(ScrubState(1), within_s=LEASE_S) is None
            await first.leave_scrub(state)
            assert await second.hold_scrub(None, within_s=LEASE_S) == state
            assert await first.hold_scrub(ScrubState(99), within_s=LEASE_S) is None
            assert await first.scrub_state() == state

    with_objects(place, 1, body)


def test_process_that_is_silent_for_too_long_loses_the_scrub(place: Place) -> None:
    async def body(store: ObjectStore) -> None:
        async with opened(place) as other:
            assert await store.checks.hold_scrub(None, within_s=LEASE_S) is not None
            other.checks._lease._clock = lambda: time.time() + LEASE_S + 2
            assert await other.checks.hold_scrub(None, within_s=LEASE_S) is not None

    with_objects(place, 1, body)


@pytest.mark.parametrize(
    "value",
    ["x'00'", "CAST('00|[\"me\", 9999999999, [1, 2, 3]]' AS {type})"],
    ids=["no text", "another code"],
)
def test_row_of_the_scrub_that_something_else_wrote_does_not_keep_it_from_beginning(
    place: Place, value: str
) -> None:
    kind = "BYTEA" if isinstance(place, str) else "BLOB"
    text = value.format(type=kind)
    if isinstance(place, str):
        text = text.replace("x'00'", "'\\x00'::bytea")

    async def body(store: ObjectStore) -> None:
        await store.checks.hold_scrub(ScrubState(), within_s=LEASE_S)
        await store.checks.hold_scrub(ScrubState(5, 6, 7), within_s=LEASE_S)
        write_behind(place, f"UPDATE server_state SET value = {text} WHERE name = 'scrub'")
        async with opened(place) as other:
            assert await other.checks.hold_scrub(None, within_s=LEASE_S) == ScrubState()

    with_objects(place, 1, body)


def test_walk_goes_on_behind_the_last_page_after_a_restart(place: Place) -> None:
    async def body(store: ObjectStore) -> None:
        seen = []
        read_page = store.checks.read_page

        async def noting(read: Any, after: int) -> Any:
            moment = await read_page(read, after)
            seen.append([row.uid for row in moment.rows])
            return moment

        store.checks.read_page = noting  # type: ignore[method-assign]
        async with scrubbing(store):
            await until(lambda: len(seen) == 2)
        async with scrubbing(store) as scrubber:
            await until(lambda: scrubber.status().ended)
            assert len(seen[0]) == 100
            assert not set(seen[0]) & set().union(*seen[1:])
            assert len(set().union(*seen)) == 250

    with_objects(place, 250, body)


def test_outage_of_the_database_ends_no_scrub(place: Place) -> None:
    async def body(store: ObjectStore) -> None:
        read_page, fails = store.checks.read_page, [True, True, False]

        async def failing(*arguments: Any) -> Any:
            if fails and fails.pop():
                raise make_unavailable("away")
            return await read_page(*arguments)

        store.checks.read_page = failing  # type: ignore[method-assign]
        async with scrubbing(store) as scrubber:
            await walked(scrubber)
        assert fails == []

    with_objects(place, 1, body)


def test_records_that_were_deleted_are_told_until_a_verification_finds_them_again(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async def delete(store: ObjectStore) -> None:
        await modify(store, "a")
        await modify(store, "a")
        execute(
            place,
            "DROP TABLE IF EXISTS kept",
            "CREATE TABLE kept AS SELECT * FROM audit_segments WHERE first = 3",
            "DELETE FROM audit_segments WHERE first = 3",
        )

    async def find(store: ObjectStore) -> None:
        await store.audit.open()
        async with scrubbing(store) as scrubber:
            await until(lambda: len(scrubber.status().findings) == 2)
            assert scrubber.status().findings[AUDIT].text == (
                "records are gone, or stand elsewhere: 1/3"
            )
            assert "do not follow one another" in scrubber.status().findings["a"].text
            await walked(scrubber)
            assert len(scrubber.status().findings) == 2
        assert "the audit was changed by something else than this server: " in caplog.text
        execute(place, "INSERT INTO audit_segments SELECT * FROM kept")
        async with scrubbing(store) as scrubber:
            await until(lambda: scrubber.status().findings.keys() == {AUDIT})
        assert await store.get("a") is not None  # type: ignore[arg-type]
        assert (await verify(store)).faults == []
        assert await store.checks.list_findings() == {}
        caplog.clear()

    with_objects(place, 1, delete)
    with_store(place, find)


def test_no_walk_is_made_where_the_interval_is_none(place: Place) -> None:
    async def body(store: ObjectStore) -> None:
        clock = Time()
        async with scrubbing(store, 0, clock) as scrubber:
            await until(lambda: len(clock.asleep) > 5)
            assert scrubber.status().ended == 0
        assert await store.checks.scrub_state() == ScrubState()
        assert await store.checks.hold_scrub(None, within_s=1) == ScrubState()

    with_objects(place, 1, body)


@pytest.mark.parametrize(
    "more",
    [0, 1, 2, 3],
    ids=["and stands still", "and is as far again", "and is a record further", "and goes on"],
)
def test_database_that_lost_commits_is_told_and_no_object_is_taken_for_an_older_one(
    place: Place, caplog: pytest.LogCaptureFixture, more: int
) -> None:
    """As after a failover of PostgreSQL to a standby that was behind. more: records that were written since."""

    async def body(store: ObjectStore) -> None:
        clock = Time()
        tables = ("objects", "audit_segments", "audit_chains")
        execute(
            place,
            *(f"DROP TABLE IF EXISTS kept_{table}" for table in tables),
            *(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}" for table in tables),
        )
        # Its chains are free, so that the servers that are started there go on with them.
        execute(place, "UPDATE kept_audit_chains SET session = NULL")
        await modify(store, "a")
        async with scrubbing(store, clock=clock) as scrubber:
            await walked(scrubber)
            clock.passes.clear()
            execute(
                place,
                *(
                    text
                    for table in tables
                    for text in (
                        f"DELETE FROM {table}",
                        f"INSERT INTO {table} SELECT * FROM kept_{table}",
                        f"DROP TABLE kept_{table}",
                    )
                ),
            )
            for _ in range(more):  # before the scrub looks again
                await modify(store, "1")
            clock.passes.set()
            await until(lambda: scrubber.status().findings)
            await walked(scrubber)
            await walked(scrubber)
            assert scrubber.status().findings.keys() == {AUDIT}
            told = scrubber.status().findings[AUDIT].text
            # Another chain may have gone on than the one that lost records.
            assert "was set back to record" in told or (more and "its hash is not the" in told)
        assert await store.get("a") is not None  # type: ignore[arg-type]
        assert (await verify(store)).faults == []
        assert await store.checks.list_findings() == {}
        assert len([r for r in caplog.records if r.name == scrub.__name__]) == 1
        caplog.clear()

    with_objects(place, 2, body)


def test_walk_over_many_objects_says_how_far_it_is(
    place: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrub, "_MANY", 10)
    caplog.set_level(logging.INFO, scrub.__name__)

    async def body(store: ObjectStore) -> None:
        async with scrubbing(store) as scrubber:
            await until(lambda: scrubber.status().ended)

    with_objects(place, 10, body)
    assert "10 of 10 objects were compared with their records" in caplog.messages
