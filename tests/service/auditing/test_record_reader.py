"""A request to read the audit takes a bounded amount of work, loses no record, and tells each reader the own ones."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext

import pytest

from kms_tornado.audit.chain import NOTHING, ChainHead, extend
from kms_tornado.audit.query import RecordQuery
from kms_tornado.audit.record import Origin, make_draft, render
from kms_tornado.service.auditing import record_reader, record_walk
from kms_tornado.service.auditing.auditor import Auditor
from kms_tornado.service.auditing.record_reader import AmbiguousName, RecordReader
from kms_tornado.service.auditing.request import AuditRequest
from kms_tornado.store.interface.audit_records import AuditPage

from ...rows import each_row

ALICE = Origin("alice", None, "192.0.2.1", "dfb8822b6b0e65ef")
NOW = 1_795_952_726_000


class Trail:
    def __init__(self):
        self.drafts = []

    def check(self):
        pass

    def add(self, draft):
        self.drafts.append(draft)


class Indexer:
    async def catch_up(self):
        pass


class Store:
    """Pages of ten records each, one a second, and what was asked of them. All are about the objects named."""

    def __init__(self, number, uids=("a",), length=10):
        self.asked, self.read, self.owned = 0, 0, ()
        self.records = self
        drafts = [
            make_draft(
                ALICE,
                "Get",
                uid=uids[count % len(uids)],
                time_ms=NOW + count * 1000,
                detail={"t": "x" * length},
            )
            for count in range(number * 10)
        ]
        lines = [
            line
            for segment in extend(ChainHead(1, 0, NOTHING), [(draft, ()) for draft in drafts])
            for line in segment.lines.split(b"\n")
        ]
        self.lines = [lines[place : place + 10] for place in range(0, number * 10, 10)]

    async def find_owned(self, uids, *, owner):
        return {uid: NOW for uid in uids if uid in self.owned}

    async def find_pages(self, keys, *, up_to, limit, principal):
        self.asked += 1
        numbers = range(1, len(self.lines) + 1)
        pages = [
            AuditPage(
                number, {1: (number * 10 - 9, number * 10)}, 10,
                NOW + (number - 1) * 10_000, NOW + number * 10_000 - 1000, NOW + number * 10_000 - 1000,
            )
            for number in numbers
            if up_to is None or number <= up_to
        ]  # fmt: skip
        return pages[::-1][:limit]

    async def read_page(self, page, query, *, principal):
        self.read += 1
        found = query.find(1, page.number * 10 - 9, self.lines[page.number - 1])
        return sorted(found, key=lambda record: record.place, reverse=True)


def reader_of(store, auditors=("alice",)):
    return RecordReader(store, Indexer(), Auditor(Trail(), records_reads=True), auditors)


def ask(store, request, principal="alice", auditors=("alice",)):
    reader = reader_of(store, auditors)
    return asyncio.run(reader.read(principal, request, Origin(principal, None, None, None)))


def ask_all(store, query, limit):
    """(the numbers of all records, answer by answer)."""
    answers, cursor = [], None
    while True:
        answer = ask(store, AuditRequest(query, limit, cursor))
        answers.append([json.loads(line)["seq"] for line in answer.lines])
        cursor = answer.next
        if cursor is None:
            return answers


@each_row("limit", [1, 7, 10, 25, 1000])
def test_answers_follow_one_another_without_a_gap_and_a_repetition(limit):
    answers = ask_all(Store(4), RecordQuery(), limit)
    assert [number for answer in answers for number in answer] == [*range(40, 0, -1)]
    assert [len(answer) for answer in answers[:-1]] == [limit] * (len(answers) - 1)


def test_where_few_records_fit_an_answer_ends_after_a_bounded_amount_of_work(monkeypatch):
    monkeypatch.setattr(record_reader, "_MOST_LOOKED_AT", 50)
    store = Store(20, uids=["a"] * 199 + ["b"])
    answer = ask(store, AuditRequest(RecordQuery(uid="c")))
    assert (answer.lines, store.read) == ([], 5)
    assert answer.next is not None
    assert [number for part in ask_all(store, RecordQuery(uid="b"), 10) for number in part] == [200]


def test_pages_of_other_times_are_passed_over_unread_a_bounded_number_of_them(monkeypatch):
    monkeypatch.setattr(record_walk, "_MOST_ROWS", 30)
    monkeypatch.setattr(record_walk, "_ROWS", 8)
    store = Store(100)
    query = RecordQuery(until_ms=NOW + 12_000)
    answer = ask(store, AuditRequest(query))
    assert (answer.lines, store.read, store.asked) == ([], 0, 4)
    assert [number for part in ask_all(store, query, 100) for number in part] == [*range(13, 0, -1)]


def test_nothing_older_is_looked_at_than_is_asked_for():
    store = Store(100)
    answer = ask(store, AuditRequest(RecordQuery(since_ms=NOW + 985_000), limit=100))
    assert (len(answer.lines), answer.next, store.read) == (15, None, 2)


def test_answer_has_a_bounded_length(monkeypatch):
    monkeypatch.setattr(record_reader, "_MOST_BYTES", 10_000)
    answers = ask_all(Store(10, length=250), RecordQuery(), 1000)
    assert [number for answer in answers for number in answer] == [*range(100, 0, -1)]
    assert max(map(len, answers)) < 25


@pytest.mark.parametrize(("length", "is_told"), [(254, True), (255, False)])
def test_whose_name_may_be_the_beginning_of_anothers_reads_nothing(length, is_told):
    request = AuditRequest(RecordQuery())
    if is_told:
        assert ask(Store(1), request, "a" * length, ()).lines == []
    else:
        with pytest.raises(AmbiguousName):
            ask(Store(1), request, "a" * length, ())


def test_who_may_not_read_all_reads_what_was_done_with_the_own_objects():
    store = Store(2, uids="abc")
    store.owned = ("b", "d")
    answer = ask(store, AuditRequest(RecordQuery()), "bob", ())
    assert [json.loads(line)["uid"] for line in answer.lines] == ["b"] * 7
    assert ask(store, AuditRequest(RecordQuery(uid="a")), "bob", ()).lines == []


@pytest.mark.parametrize(("user", "result"), [("alice", "Success"), ("b" * 255, "Failed")])
def test_every_reading_is_recorded_with_what_was_asked_for(user, result):
    trail = Trail()
    reader = RecordReader(Store(1), Indexer(), Auditor(trail, records_reads=True), ())
    request = AuditRequest(RecordQuery(uid="a", principal="carol"))
    with nullcontext() if user == "alice" else pytest.raises(AmbiguousName):
        asyncio.run(reader.read(user, request, Origin(user, None, None, None)))
    (record,) = [json.loads(render(draft, 1, 1, NOTHING)) for draft in trail.drafts]
    told = (record["operation"], record["principal"], record["result"], record["uid"])
    assert told == ("AuditRead", user, result, None)
    if user == "alice":
        assert record["detail"] == {"uid": "a", "principal": "carol"}
