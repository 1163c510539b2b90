"""What was acknowledged stays, whatever breaks; what was destroyed goes."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import event

from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.sealing.envelope import (
    EnvelopeContext,
    KeyRing,
    MasterKey,
    open_sealed,
    seal,
)
from kms_tornado.domain.search import LocateSearch, ObjectFilter
from kms_tornado.errors import GeneralFailure, Unavailable
from kms_tornado.kmip.enums import State
from kms_tornado.store.interface.changes import Insert, Remove, Replace

from ...broken_disk import moved_away, no_file_longer_than
from ..helpers import ALICE, an_object, locate, opened, python, run, store_at, with_store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kms.db"


# --- processes ----------------------------------------------------------------------------------

STREAM = """
import asyncio, sys
from pathlib import Path
from kms_tornado.store.interface.changes import Insert
from tests.store.helpers import an_object, opened
async def worker(store, name):
    number = 0
    while True:
        number += 1
        await store.commit([Insert(an_object(f"{name}-{number}"))])
        print(f"{name}-{number}", flush=True)
async def main():
    async with opened(Path(sys.argv[1])) as store:
        await asyncio.gather(*(worker(store, name) for name in "abcdefgh"))
asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, 200])
def test_all_that_was_acknowledged_is_there_after_a_kill(path, lines):
    process = python(STREAM, str(path))
    acknowledged = [process.stdout.readline().strip() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    # `communicate` alone would pass by what readline has taken already, and begin within a line.
    rest = process.stdout.read()
    process.communicate()
    acknowledged += [line.strip() for line in rest.splitlines(keepends=True) if line.endswith("\n")]

    async def body(store):
        return [uid for uid in acknowledged if await store.get(uid) != an_object(uid)]

    assert len(set(acknowledged)) >= lines
    assert with_store(path, body) == []


COUNT = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from kms_tornado.store.interface.changes import Conflict, Insert, Replace
from tests.store.helpers import an_object, opened
async def increment(store):
    while True:
        seen = await store.get("counter")
        try:
            more = replace(seen, created_at=seen.created_at + 1)
            await store.commit([Replace(more, seen.generation)])
            return
        except Conflict:
            pass
async def worker(store, name):
    for number in range(20):
        await store.commit([Insert(an_object(f"{name}-{number}"))])
        await increment(store)
async def main():
    async with opened(Path(sys.argv[1])) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        await asyncio.gather(*(worker(store, f"{sys.argv[2]}-{n}") for n in range(4)))
asyncio.run(main())
"""


def test_two_processes_that_commit_at_once_lose_nothing(path):
    with_store(path, lambda store: store.commit([Insert(an_object("counter", created_at=0))]))
    processes = [python(COUNT, str(path), name) for name in ("a", "b")]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=30)
        assert process.returncode == 0

    async def body(store):
        counter = await store.get("counter")
        total, _ = await locate(
            store, LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=0)
        )
        return counter.created_at, counter.generation, total

    assert with_store(path, body) == (160, 161, 161)


def test_one_store_reads_what_another_has_just_written(path):
    async def main():
        async with opened(path) as one, opened(path) as two:
            for number in range(20):
                await one.commit([Insert(an_object(str(number)))])
                assert await two.get(str(number)) is not None
                found = await locate(
                    two, LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=0)
                )
                assert found[0] == number + 1

    run(main())


# --- faults -------------------------------------------------------------------------------------


@contextmanager
def pragma_for_writers(store, statement):
    def connected(connection, record):
        connection.execute(statement)

    event.listen(store.backend.file._writers, "connect", connected)
    store.backend.writer._drop_connection()  # the next commit opens another one
    try:
        yield
    finally:
        event.remove(store.backend.file._writers, "connect", connected)


@contextmanager
def replaced(path):
    with moved_away(path):
        path.with_name("elsewhere").rename(path.with_name("kept"))
        path.write_bytes(b"")
        yield
        path.unlink()
        path.with_name("kept").rename(path.with_name("elsewhere"))


@contextmanager
def locked(path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


FAULTS = {
    "disk full": lambda store, path: pragma_for_writers(store, "PRAGMA max_page_count=1"),
    "write error": lambda store, path: no_file_longer_than(path.stat().st_size),
    "read-only": lambda store, path: pragma_for_writers(store, "PRAGMA query_only=ON"),
    "locked for too long": lambda store, path: locked(path),
    "deleted": lambda store, path: moved_away(path),
    "replaced": lambda store, path: replaced(path),
}


@pytest.mark.parametrize("writer_is_open", [True, False], ids=["at work", "just started"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_store_that_cannot_write_loses_nothing_and_recovers(path, fault, writer_is_open):
    big = an_object("big", sealed=bytes(1 << 20))

    async def body(store):
        assert await store.get("before") == an_object("before")
        if writer_is_open:
            await store.commit([Insert(an_object("before-too"))])
        with fault(store, path):
            outcomes = await asyncio.gather(
                *(store.commit([Insert(replace(big, uid=f"big-{n}"))]) for n in range(3)),
                return_exceptions=True,
            )
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
        assert {str(outcome) for outcome in outcomes} == {"the database is out of reach"}
        assert all(outcome.detail for outcome in outcomes)
        assert await store.get("big-0") is None
        await store.commit([Insert(an_object("after"))])

    with_store(path, lambda store: store.commit([Insert(an_object("before"))]))
    with_store(path, body, busy_timeout_s=0.1)

    async def look(store):
        return [await store.get(uid) is not None for uid in ("before", "after", "big-0")]

    assert with_store(path, look) == [True, True, False]


@pytest.mark.parametrize("gone", [moved_away, replaced], ids=["deleted", "replaced"])
def test_a_database_that_is_gone_is_not_read_from_memory(path, gone):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        with gone(path):
            for call in (store.get("one"), store.ping(), store.holds_objects()):
                with pytest.raises(Unavailable):
                    await call
            with pytest.raises(Unavailable):
                await locate(
                    store, LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=1)
                )
        assert await store.get("one") == an_object("one")

    with_store(path, body)


def test_reads_go_on_while_another_process_writes(path):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        with locked(path):
            assert await store.get("one") == an_object("one")
            found = await locate(
                store, LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=1)
            )
            assert found == (1, ["one"])

    with_store(path, body)


def test_a_write_waits_for_another_process_within_the_timeout(path):
    async def body(store):
        with locked(path):
            waiting = asyncio.ensure_future(store.commit([Insert(an_object("one"))]))
            await asyncio.sleep(0.1)
            assert not waiting.done()
        await waiting
        assert await store.get("one") is not None

    with_store(path, body)


def test_a_row_that_is_not_ours_is_our_failure_not_the_callers(path):
    with_store(path, lambda store: store.commit([Insert(an_object("one"))]))
    for column, value in (("attributes", "no JSON"), ("attributes", '{"v":99}'), ("state", 77)):
        connection = sqlite3.connect(path)
        before = connection.execute(f"SELECT {column} FROM objects").fetchone()
        connection.execute(f"UPDATE objects SET {column} = ?", (value,))
        connection.commit()
        with pytest.raises(GeneralFailure, match="cannot be used"):
            with_store(path, lambda store: store.get("one"))
        connection.execute(f"UPDATE objects SET {column} = ?", before)
        connection.commit()
        connection.close()


# --- destroyed material -------------------------------------------------------------------------

MASTER = MasterKey(KeyMaterial(bytes(range(32))))
RING = KeyRing([MASTER], MASTER.own_bundle)
CANARY = b"canary-of-32-bytes-in-plain-text"


def sealed_object(uid):
    context = EnvelopeContext(uid, ALICE, 2, 1)
    return an_object(uid, sealed=seal(RING, KeyMaterial(CANARY), context))


def on_disk(directory):
    return b"".join(entry.read_bytes() for entry in sorted(directory.iterdir()))


def test_plaintext_never_reaches_a_file(path, tmp_path):
    kept = sealed_object("one")

    async def body(store):
        await store.commit([Insert(kept)])
        assert kept.sealed in on_disk(tmp_path)
        assert CANARY not in on_disk(tmp_path)

    with_store(path, body)
    assert kept.sealed in on_disk(tmp_path)
    for form in (CANARY, CANARY.hex().encode(), CANARY.hex().upper().encode()):
        assert form not in on_disk(tmp_path)
    found = with_store(path, lambda store: store.get("one"))
    context = EnvelopeContext(found.uid, found.owner, found.object_type, found.version)
    assert open_sealed(RING, found.sealed, context).reveal() == CANARY


DESTRUCTIONS = {
    "destroyed": lambda kept: Replace(replace(kept, sealed=None, state=State.DESTROYED), seen=1),
    "removed": lambda kept: Remove(kept.uid, seen=1),
}


@pytest.mark.parametrize("length", [32, 20_000], ids=["in a page", "over many pages"])
@pytest.mark.parametrize("destroy", DESTRUCTIONS.values(), ids=DESTRUCTIONS)
def test_destroyed_material_leaves_the_files(path, tmp_path, destroy, length):
    material = KeyMaterial((CANARY * 1000)[:length])
    kept = an_object("one", sealed=seal(RING, material, EnvelopeContext("one", ALICE, 2, 1)))
    neighbour = sealed_object("two")
    pieces = [kept.sealed[start : start + 16] for start in range(0, len(kept.sealed) - 16, 1000)]

    async def body(store):
        await store.commit([Insert(kept), Insert(neighbour)])
        assert all(piece in on_disk(tmp_path) for piece in pieces[:1])
        await store.commit([destroy(kept)])
        for _ in range(200):  # the log is emptied right after the answer
            if not any(piece in on_disk(tmp_path) for piece in pieces):
                break
            await asyncio.sleep(0.01)
        assert not any(piece in on_disk(tmp_path) for piece in pieces)
        assert neighbour.sealed in on_disk(tmp_path)

    with_store(path, body)
    assert not any(piece in on_disk(tmp_path) for piece in pieces)
    assert neighbour.sealed in on_disk(tmp_path)


def test_stop_waits_for_a_read_on_a_snapshot_whose_caller_is_gone(tmp_path):
    """Otherwise its connection would be the last one, and the write-ahead log would stay."""
    began, ends = threading.Event(), threading.Event()

    def job(connection):
        connection.exec_driver_sql("SELECT count(*) FROM objects").all()
        began.set()
        assert ends.wait(10)

    async def main():
        store = store_at(tmp_path / "kms.db")
        await store.start()
        reading = asyncio.create_task(store.backend.run_on_snapshot(job))
        assert await asyncio.to_thread(began.wait, 10)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        stopping = asyncio.create_task(store.stop())
        await asyncio.sleep(0.05)
        assert not stopping.done()
        ends.set()
        await stopping

    asyncio.run(main())
    assert not (tmp_path / "kms.db-wal").exists()
