"""A connection to PostgreSQL that is cut at the COMMIT of records: none is doubled or lost, and the chain goes on."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from sqlalchemy import select

from kms_tornado.audit.entry import AuditEntry
from kms_tornado.audit.record import Origin
from kms_tornado.audit.verification import ChainVerifier
from kms_tornado.errors import Unavailable
from kms_tornado.service.auditing.trail import AuditTrail
from kms_tornado.service.verification.objects import RecordReader
from kms_tornado.service.verification.records import Report, verify_objects
from kms_tornado.store.interface.changes import Insert, Replace
from kms_tornado.store.postgres.writing.transactions import TransactionRunner
from kms_tornado.store.sql.statements import Statement
from kms_tornado.store.sql.tables.schema import audit_chains

from .... import postgres
from ...helpers import ALICE, an_object, opened, run, until
from ..proxy import proxied

ORIGIN = Origin(ALICE, None, "127.0.0.1", "dfb8822b6b0e65ef")


@pytest.fixture
def url():
    return postgres.empty_database()


def change(operation, uid):
    return AuditEntry(ORIGIN, operation).draft_change([uid])


def use(uid):
    return AuditEntry(ORIGIN, "Get").draft_outcome(uid)


async def read_records(url):
    """How often each (operation, identifier) is recorded, once all of it is found to be sound."""
    async with opened(url) as store:
        await store.audit.open()
        report = Report()
        await verify_objects(store, RecordReader(store, ChainVerifier({})), report)
        assert (report.faults, report.found) == ([], {})
        records, chain, first = [], 0, 0
        while segments := await store.audit.read_segments(chain, first):
            records += [json.loads(line) for one in segments for line in one.lines]
            chain, first = segments[-1].chain, segments[-1].first
    return Counter((record["operation"], record["uid"]) for record in records)


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_change_is_made_and_recorded_once(url, tmp_path, lost):
    async def main():
        async with proxied(url, tmp_path) as (through, proxy), opened(through) as store:
            await store.audit.open()
            await store.commit([Insert(an_object("x"))], [change("Create", "x")])
            proxy.loses_next = lost
            await store.commit([Replace(an_object("x"), 1)], [change("Revoke", "x")])
            assert proxy.loses_next == ""
            assert (await store.get("x")).generation == 2
            await store.commit([Replace(an_object("x"), 2)], [change("Activate", "x")])
        records = await read_records(url)
        told = [records[operation, "x"] for operation in ("Create", "Revoke", "Activate")]
        assert told == [1, 1, 1]

    run(main())


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_changes_that_share_a_transaction_are_made_and_recorded_once(url, tmp_path, lost):
    async def main():
        uids = [str(number) for number in range(20)]
        async with proxied(url, tmp_path) as (through, proxy), opened(through) as store:
            await store.audit.open()
            for uid in uids:
                await store.commit([Insert(an_object(uid))], [change("Create", uid)])
            proxy.loses_next = lost
            await asyncio.gather(
                *(
                    store.commit([Replace(an_object(uid), 1)], [change("Revoke", uid)])
                    for uid in uids
                )
            )
            assert proxy.loses_next == ""
        records = await read_records(url)
        assert {uid: records["Revoke", uid] for uid in uids} == dict.fromkeys(uids, 1)

    run(main())


def test_change_whose_outcome_cannot_be_told_is_answered_503_and_not_made_again(
    url, tmp_path, monkeypatch
):
    async def main():
        async with proxied(url, tmp_path) as (through, proxy), opened(through) as store:
            await store.audit.open()
            await store.commit([Insert(an_object("x"))], [change("Create", "x")])

            async def tell_nothing(runner, chain):
                return None

            monkeypatch.setattr(TransactionRunner, "_settle", tell_nothing)
            proxy.loses_next = "answer"
            with pytest.raises(Unavailable):
                await store.commit([Replace(an_object("x"), 1)], [change("Revoke", "x")])
        records = await read_records(url)
        assert [records[operation, "x"] for operation in ("Create", "Revoke")] == [1, 1]

    run(main())


def test_transaction_that_comes_late_is_not_done_any_more(url):
    """PostgreSQL may have the COMMIT in its hands, and not have come as far, when another connection looks."""

    async def main():
        async with opened(url) as store, opened(url) as other:
            await store.audit.open()
            await other.audit.open()
            await store.commit([Insert(an_object("x"))], [change("Create", "x")])
            leases = store.backend._writer._transactions.leases
            with leases.use() as chain:
                chain.make_commands([([change("Revoke", "x")], {})])
            settled = await other.backend.submit(chain.settle)
            assert settled is False
            rows = await other.backend.submit(
                lambda runner: runner.select(
                    Statement(select(audit_chains.c.session).where(audit_chains.c.chain == 1)), {}
                )
            )
            assert rows[0][0] is None  # so the head cannot be moved by it
            await store.commit([Replace(an_object("x"), 1)], [change("Activate", "x")])
        records = await read_records(url)
        assert [records[operation, "x"] for operation in ("Revoke", "Activate")] == [0, 1]

    run(main())


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_new_object_is_made_and_recorded_once(url, tmp_path, lost):
    async def main():
        async with proxied(url, tmp_path) as (through, proxy), opened(through) as store:
            await store.audit.open()
            await store.commit([Insert(an_object("first"))], [change("Create", "first")])
            proxy.loses_next = lost
            uids = [str(number) for number in range(10)]
            await asyncio.gather(
                *(store.commit([Insert(an_object(uid))], [change("Create", uid)]) for uid in uids)
            )
            assert proxy.loses_next == ""
            await store.commit([Insert(an_object("last"))], [change("Create", "last")])
        records = await read_records(url)
        assert {uid: records["Create", uid] for uid in ("first", *uids, "last")} == dict.fromkeys(
            ("first", *uids, "last"), 1
        )

    run(main())


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_records_of_uses_are_written_once(url, tmp_path, lost, caplog):
    async def main():
        async with proxied(url, tmp_path) as (through, proxy), opened(through) as store:
            await store.audit.open()
            await store.commit([Insert(an_object("x"))], [change("Create", "x")])
            trail = AuditTrail(store.audit.append)
            proxy.loses_next = lost
            uids = [str(number) for number in range(100)]
            for uid in uids:
                trail.add(use(uid))
            await until(lambda: trail.status().pending == 0)
            await trail.stop()
        records = await read_records(url)
        assert {uid: records["Get", uid] for uid in uids} == dict.fromkeys(uids, 1)

    run(main())
    caplog.clear()
