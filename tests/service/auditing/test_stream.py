"""The lines of --audit-log: those that were committed, in their order, and later those that it lacked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.audit.chain import ChainHead, Segment
from kms_tornado.audit.entry import AuditEntry
from kms_tornado.audit.record import Origin
from kms_tornado.audit.verification import ChainVerifier
from kms_tornado.errors import ConfigurationError
from kms_tornado.service.auditing import stream as audit_stream
from kms_tornado.service.auditing.log_target import LogTarget
from kms_tornado.service.auditing.stream import AuditStream
from kms_tornado.service.kms import KMS
from kms_tornado.settings.service import ServiceSettings
from kms_tornado.store.interface.changes import Insert

from ... import postgres
from ...broken_disk import no_file_longer_than
from ...store.helpers import ALICE, Place, an_object, opened, until

ORIGIN = Origin(ALICE, None, "127.0.0.1", "dfb8822b6b0e65ef")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return tmp_path / "kms.db"
    return postgres.cluster().new_database()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_stream, "_RETRY_S", 0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "audit.jsonl"


@asynccontextmanager
async def streaming(place: Place, path: Path) -> AsyncIterator[tuple[Any, AuditStream]]:
    path.parent.mkdir(exist_ok=True)
    async with opened(place) as store:
        await store.audit.open()
        stream = AuditStream(LogTarget(path), store.audit)
        await stream.open()
        try:
            yield store, stream
        finally:
            await stream.stop()


async def create(store: Any, *uids: str) -> None:
    await asyncio.gather(
        *(
            store.commit(
                [Insert(an_object(uid))], [AuditEntry(ORIGIN, "Create").draft_change([uid])]
            )
            for uid in uids
        )
    )


def check_lines(content: bytes, heads: dict[int, ChainHead]) -> None:
    """Every record of the chains, each once, in order."""
    chains = ChainVerifier({})
    for line in content.splitlines():
        if not line.startswith(b'{"chains":'):
            assert [*chains.feed(json.loads(line)["chain"], [line])] == []
    assert [*chains.finish()] == []
    assert chains.ends == heads


def test_what_is_committed_is_in_the_file_line_by_line(place: Place, path: Path) -> None:
    async def main() -> None:
        async with streaming(place, path) as (store, stream):
            await create(store, "a")
            await create(store, *(f"b{number}" for number in range(30)))
            with contextlib.suppress(Exception):
                await create(store, "a")  # is there
            await stream.flush()
            check_file(path, await store.audit.heads())

    asyncio.run(main())
    assert path.read_bytes().endswith(b"\n")


def test_checkpoints_stand_among_the_records(tmp_path: Path, path: Path) -> None:
    async def main() -> None:
        async with streaming(tmp_path / "kms.db", path) as (store, stream):
            await create(store, "a")
            await stream.flush()
            stream.add_checkpoint('{"chains":[]}')
            await create(store, "b")
            await stream.flush()

    asyncio.run(main())
    lines = path.read_text().splitlines()
    assert [line[:10] == '{"chains":' for line in lines] == [False, False, True, False]


def check_file(path: Path, heads: dict[int, ChainHead]) -> None:
    check_lines(path.read_bytes(), heads)


def told_twice(caplog: pytest.LogCaptureFixture, why: str) -> None:
    """One line when it could not be written, and one when it could again."""
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2, lines
    assert re.search(rf"cannot be written: ({why}); records go on into the database", lines[0])
    assert lines[1].endswith("is written again, and has what it lacked")
    caplog.clear()


@contextmanager
def away(path: Path) -> Iterator[None]:
    """The directory of the log."""
    kept = path.parent.rename(path.parent.with_name("elsewhere"))
    for file in kept.iterdir():
        file.unlink()
    yield
    path.parent.mkdir()


@contextmanager
def full(path: Path) -> Iterator[None]:
    """The disk of the log: half a line fits. Databases of tests are smaller."""
    path.write_bytes(b"{" * 4_000_000 + b"\n")
    with no_file_longer_than(4_000_100):
        yield
    os.truncate(path, 0)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        pytest.param(away, "no such file or directory", id="directory is away"),
        pytest.param(full, "file too large", id="disk is full"),
    ],
)
def test_what_the_file_lacked_is_written_later_and_nobody_waits(
    place: Place, path: Path, fault: Any, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with streaming(place, path) as (store, stream):
            with fault(path):
                await create(store, "a")
                await until(lambda: stream.fault)
                for number in range(5):
                    await create(store, f"b{number}", f"c{number}")
                stream.add_checkpoint('{"chains":[]}')  # the next one covers it
                await asyncio.sleep(0.05)  # it is tried again, and told once
            await until(lambda: stream.fault is None)
            await create(store, "d")
            await stream.flush()
            check_file(path, await store.audit.heads())

    with caplog.at_level(logging.WARNING, "kms_tornado"):
        asyncio.run(main())
    told_twice(caplog, why)
    assert b'{"chains"' not in path.read_bytes()


def test_reader_that_stands_still_holds_up_nobody_and_gets_everything_later(
    place: Place, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audit_stream, "_MOST_WAITING_BYTES", 10_000)
    monkeypatch.setattr(audit_stream, "_SLOW_S", 0.01)
    path.parent.mkdir()
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    received = bytearray()

    async def main() -> dict[int, ChainHead]:
        async with streaming(place, path) as (store, stream):
            for number in range(40):
                await create(store, *(f"{number}/{one}" for one in range(20)))
            assert stream.fault == "whoever reads it takes no lines"
            assert stream._waiting_bytes <= 10_000
            asyncio.get_running_loop().add_reader(
                reader, lambda: received.extend(os.read(reader, 65536))
            )
            await until(lambda: stream.fault is None)
            await stream.flush()
            asyncio.get_running_loop().remove_reader(reader)
            return dict(await store.audit.heads())

    with caplog.at_level(logging.WARNING, "kms_tornado"):
        heads = asyncio.run(main())
    os.set_blocking(reader, True)  # the writer's thread closes its end a little later
    while rest := os.read(reader, 65536):
        received += rest
    os.close(reader)
    check_lines(bytes(received), heads)
    told = [record.getMessage() for record in caplog.records]
    # A slow machine is a slow reader, too, once or twice.
    assert [("takes no lines" in line, "written again" in line) for line in told] == [
        (True, False), (False, True),
    ] * (len(told) // 2)  # fmt: skip
    caplog.clear()


def test_reader_that_stands_still_does_not_keep_the_process_from_its_end(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audit_stream, "_SLOW_S", 0.01)
    path.parent.mkdir()
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    async def main() -> None:
        async with streaming(tmp_path / "kms.db", path) as (store, stream):
            for number in range(10):
                await create(store, *(f"{number}/{one}" for one in range(20)))
            await until(lambda: stream.fault)

    with caplog.at_level(logging.WARNING, "kms_tornado"):
        asyncio.run(main())
    os.close(reader)
    assert re.search(
        r"lacks records, which kms-tornado audit export has: 1/\d+ to \d+$",
        caplog.records[-1].getMessage(),
    )
    caplog.clear()


@pytest.mark.parametrize("is_done", [True, False])
def test_transaction_of_which_nobody_knows_is_looked_for_in_the_database(
    place: Place, path: Path, is_done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with streaming(place, path) as (store, stream):
            chains, told = store.audit.chains, store.audit.chains.on_recorded
            await create(store, "a")
            if is_done:  # its connection was lost afterwards
                monkeypatch.setattr(
                    chains, "on_recorded", lambda segments, known: told(segments, False)
                )
                await create(store, "b")
                monkeypatch.setattr(chains, "on_recorded", told)
            else:
                [head] = (await store.audit.heads()).values()
                never = ChainHead(head.chain, head.seq + 1, "0" * 64)
                told([Segment(head.chain, head.seq + 1, never, b"{}", 0, 0)], False)
            await create(store, "c")
            await stream.flush()
            check_file(path, await store.audit.heads())

    asyncio.run(main())


def test_records_that_took_the_place_of_lost_ones_are_left_to_who_wrote_them(
    place: Place, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that was set back has others there, of another server perhaps, which writes them itself."""

    async def main() -> None:
        async with streaming(place, path) as (store, stream):
            chains, told = store.audit.chains, store.audit.chains.on_recorded
            await create(store, "a")
            written = []
            monkeypatch.setattr(chains, "on_recorded", lambda *recorded: written.append(recorded))
            await create(store, "b")
            monkeypatch.setattr(chains, "on_recorded", told)
            [head] = (await store.audit.heads()).values()
            lost = ChainHead(head.chain, head.seq, "0" * 64)
            stream._add_gaps([Segment(head.chain, head.seq, lost, b"{}", 0, 0)])
            await stream.flush()
            told(*written[0])
            await asyncio.sleep(0)
            await stream.flush()
            check_file(path, await store.audit.heads())

    asyncio.run(main())


def test_file_that_cannot_be_opened_at_the_start_is_a_mistake(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "kms.db") as store:
            stream = AuditStream(LogTarget(tmp_path / "no" / "log"), store.audit)
            try:
                await stream.open()
            finally:
                await stream.stop()

    with pytest.raises(ConfigurationError, match="cannot be opened: no such file or directory"):
        asyncio.run(main())


def test_replacement_of_a_worker_serves_although_the_file_is_out_of_reach(
    tmp_path: Path, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = ServiceSettings(data_dir=tmp_path / "data", audit_log=path)

    async def serve(*, is_first: bool) -> str | None:
        async with KMS(settings, may_make_database=is_first) as kms:
            assert kms.audit is not None
            return kms.audit.health().degraded

    path.parent.mkdir()
    assert asyncio.run(serve(is_first=True)) is None
    path.unlink()
    path.parent.rmdir()
    assert asyncio.run(serve(is_first=False)) == "log"
    with pytest.raises(ConfigurationError):
        asyncio.run(serve(is_first=True))
    caplog.clear()
