"""The trail: on disk within a second, bounded, and nothing is done that could not be recorded."""

from __future__ import annotations

import asyncio
import json

import pytest

from kms_tornado.audit.record import Origin, make_draft, render
from kms_tornado.errors import AuditUnavailable, Unavailable
from kms_tornado.service.auditing import trail as audit_trail
from kms_tornado.service.auditing.trail import AuditTrail

from ...store.helpers import until

ORIGIN = Origin("alice", None, "192.0.2.1", "dfb8822b6b0e65ef")
DOWN = Unavailable("the database is out of reach", detail="no room", cause="disk full")


class Database:
    """Takes records; `fault` is raised instead while there is one. meanwhile: is called before they are there."""

    def __init__(self):
        self.fault = self.meanwhile = None
        self.records = []
        self.transactions = 0

    async def append(self, drafts):
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        if self.meanwhile is not None:
            self.meanwhile()
        self.transactions += 1
        self.records += [json.loads(render(draft, 1, 1, "")) for draft in drafts]


def with_trail(body):
    async def main():
        database = Database()
        trail = AuditTrail(database.append)
        await body(trail, database)
        await trail.stop()

    asyncio.run(main())


def read(uid="a"):
    return make_draft(ORIGIN, "Get", uid=uid)


def test_records_of_half_a_second_share_a_transaction(monkeypatch):
    monkeypatch.setattr(audit_trail, "_WAIT_S", 0.01)

    async def body(trail, database):
        for number in range(20):
            trail.add(read(str(number)))
        await asyncio.sleep(0)
        assert database.records == []
        await until(lambda: database.records)
        assert [record["uid"] for record in database.records] == [*map(str, range(20))]
        assert database.transactions == 1

    with_trail(body)


@pytest.mark.parametrize(("number", "pending"), [(4, 4), (5, 0)], ids=["few", "many"])
def test_records_that_come_while_others_are_written_wait_for_more_unless_they_are_many(
    monkeypatch, number, pending
):
    monkeypatch.setattr(audit_trail, "_WAIT_S", 0)
    monkeypatch.setattr(audit_trail, "_MOST_TOGETHER", 5)

    async def body(trail, database):
        def add_more():
            database.meanwhile = None
            monkeypatch.setattr(audit_trail, "_WAIT_S", 3600)
            for _ in range(number):
                trail.add(read())

        database.meanwhile = add_more
        trail.add(read())
        await until(lambda: database.transactions)
        for _ in range(20):
            await asyncio.sleep(0)
        assert trail.status().pending == pending

    with_trail(body)


def test_while_nothing_can_be_recorded_operations_are_refused_and_nothing_is_lost(
    monkeypatch, caplog
):
    monkeypatch.setattr(audit_trail, "_RETRY_S", 0.01)

    async def body(trail, database):
        trail.check()
        database.fault = DOWN
        trail.add(read("answered before"))
        await trail.flush()
        with pytest.raises(AuditUnavailable, match="nothing can be recorded") as caught:
            trail.check()
        assert caught.value.cause == "disk full"
        assert trail.status().cause == "disk full"
        assert trail.status().pending == 1
        database.fault = None
        await until(lambda: trail.status().cause is None)
        trail.check()
        assert [record["uid"] for record in database.records] == ["answered before"]

    with_trail(body)
    assert [record.getMessage() for record in caplog.records] == [
        "the audit cannot be written (no room): requests are refused until it can",
        "the audit is written again",
    ]


def test_status_tells_how_long_records_have_waited_and_how_often_they_could_not_be_written():
    async def body(trail, database):
        assert (trail.status().oldest_s, trail.status().failures) == (0, 0)
        database.fault = DOWN
        long_ago = make_draft(ORIGIN, "Get", uid="a", time_ms=1_000)
        for draft in (long_ago, read()):
            trail.add(draft)
            await trail.flush()
        assert trail.status().oldest_s > 1_000_000
        assert trail.status().failures == 2
        database.fault = None
        await trail.flush()
        assert (trail.status().oldest_s, trail.status().failures) == (0, 2)

    with_trail(body)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(audit_trail, "_MOST_PENDING", 10)

    async def body(trail, database):
        for _ in range(9):
            trail.add(read())
        trail.check()
        trail.add(read())
        with pytest.raises(AuditUnavailable):
            trail.check()
        await trail.flush()
        trail.check()
        assert len(database.records) == 10

    with_trail(body)


def test_refusals_beyond_a_hundred_a_second_are_counted(monkeypatch):
    monkeypatch.setattr(audit_trail.time, "time", lambda: 1_700_000_000.5)

    async def body(trail, database):
        for number in range(150):
            origin = Origin(None, None, f"192.0.2.{number % 2}", None)
            trail.add_refusal(origin, "Request", "expired")
        await trail.flush()
        counts = [record.get("count", 1) for record in database.records]
        assert sum(counts) == 150
        assert counts == [1] * 100 + [25, 25]
        assert {record["remote_ip"] for record in database.records} == {"192.0.2.0", "192.0.2.1"}

    with_trail(body)


def test_refusals_from_everywhere_take_a_bounded_number_of_records(monkeypatch):
    monkeypatch.setattr(audit_trail.time, "time", lambda: 1_700_000_000.5)
    monkeypatch.setattr(audit_trail, "_MOST_KINDS", 5)

    async def body(trail, database):
        for number in range(200):
            trail.add_refusal(Origin(None, None, f"192.0.2.{number}", None), "Request", "expired")
        await trail.flush()
        counted = [record for record in database.records if "count" in record]
        assert [record["remote_ip"] for record in counted] == [None]
        assert sum(record.get("count", 1) for record in database.records) == 200

    with_trail(body)


def test_fault_of_ours_refuses_operations_and_does_not_end_the_audit(monkeypatch, caplog):
    monkeypatch.setattr(audit_trail, "_RETRY_S", 0.01)

    async def body(trail, database):
        database.fault = ValueError("a fault")
        trail.add(read())
        await trail.flush()
        with pytest.raises(AuditUnavailable):
            trail.check()
        database.fault = None
        await trail.flush()
        await trail.flush()
        assert len(database.records) == 1

    with_trail(body)
    assert "unexpected error in the audit" in caplog.text
    caplog.clear()


def test_what_cannot_be_written_at_the_end_is_told(caplog):
    async def body(trail, database):
        database.fault = DOWN
        trail.add(read())

    with_trail(body)
    assert "1 record of the audit could not be written and is lost" in caplog.text
