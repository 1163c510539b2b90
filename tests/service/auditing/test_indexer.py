"""The indexer keeps the index near the records, rests while there is much to do, and nothing ends it."""

from __future__ import annotations

import asyncio

import pytest

from kms_tornado.errors import Unavailable
from kms_tornado.service.auditing import indexer as audit_indexer
from kms_tornado.service.auditing.indexer import AuditIndexer
from kms_tornado.store.interface.audit_records import IndexStep

from ...store.helpers import until


class Index:
    """Answers with the steps that it was given, and with the last of them for ever. An exception is raised."""

    def __init__(self, *steps):
        self.steps = [*steps]
        self.calls = []

    async def take_step(self, now, *, is_urgent=False):
        self.calls.append(is_urgent)
        await asyncio.sleep(0)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step


def with_indexer(index, body):
    async def main():
        indexer = AuditIndexer(index)
        indexer.start()
        try:
            return await body(indexer)
        finally:
            await indexer.stop()

    return asyncio.run(main())


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(audit_indexer, "_EVERY_S", 0.0)
    monkeypatch.setattr(audit_indexer, "_AFTER_FAULT_S", 0.0)


def test_steps_are_taken_until_nothing_is_left():
    index = Index(IndexStep(1000, 10, 500), IndexStep(500, 5, 0), IndexStep())

    async def body(indexer):
        await until(lambda: len(index.calls) > 3)
        return indexer.status()

    assert with_indexer(index, body) == (0, 0.0)


@pytest.mark.parametrize(
    "fault", [Unavailable("the database is out of reach"), RuntimeError("a fault of ours")]
)
def test_nothing_ends_it(fault, caplog):
    index = Index(fault, IndexStep(1, 1, 0))

    async def body(indexer):
        await until(lambda: len(index.calls) > 1)

    with_indexer(index, body)
    told = [record.getMessage() for record in caplog.records]
    expected = (
        [] if isinstance(fault, Unavailable) else ["unexpected error in the index of the audit"]
    )
    assert told == expected


def test_lag_is_told_by_the_process_that_indexes_alone():
    async def body(indexer):
        await until(lambda: indexer.status().behind)
        return indexer.status()

    mine = with_indexer(Index(IndexStep(behind=7)), body)
    assert mine.behind == 7
    assert mine.lag_s > 0
    assert with_indexer(Index(IndexStep(behind=7, is_anothers=True)), body) == (7, None)


@pytest.mark.parametrize(
    ("share", "load", "rest"),
    [(0.0, 1.0, 0.08 + 0.16), (1.0, 1.0, 0.8 + 1.6), (0.0, 2.1, 0.8 + 1.6)],
    ids=["idle", "busy", "without turns"],
)
def test_rest_is_long_where_the_process_or_the_machine_is_busy(monkeypatch, share, load, rest):
    times = iter(range(10))
    monkeypatch.setattr(audit_indexer.time, "monotonic", lambda: next(times))
    monkeypatch.setattr(audit_indexer.time, "process_time", lambda: share * next(times))
    monkeypatch.setattr(audit_indexer.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(audit_indexer.os, "getloadavg", lambda: (load, 0.0, 0.0))
    indexer = AuditIndexer(Index(IndexStep()))
    assert indexer._choose_rest(IndexStep(1000, 1000, 1)) == pytest.approx(rest)


def test_readers_wait_for_a_bounded_number_of_steps_which_they_share():
    index = Index(IndexStep(1000, 10, 10**6))

    async def main():
        indexer = AuditIndexer(index)
        await asyncio.gather(*(indexer.catch_up() for _ in range(50)))
        await indexer.stop()

    asyncio.run(main())
    assert index.calls == [True] * 4


@pytest.mark.parametrize(
    "fault", [Unavailable("the database is read-only"), RuntimeError("a fault of ours")]
)
def test_reader_reads_what_is_indexed_while_nothing_can_be(fault, caplog):
    index = Index(fault)

    async def main():
        indexer = AuditIndexer(index)
        await indexer.catch_up()
        await indexer.stop()

    asyncio.run(main())
    assert index.calls == [True]
    assert len(caplog.records) == isinstance(fault, RuntimeError)
