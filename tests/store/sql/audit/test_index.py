"""The index of the audit: each record is found and counted once, whoever indexes it, and it can be made again."""

from __future__ import annotations

import asyncio
import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from kms_tornado.audit.indexing import object_key, owner_key
from kms_tornado.audit.query import RecordQuery
from kms_tornado.audit.record import COMMAND, Origin, make_draft
from kms_tornado.errors import GeneralFailure
from kms_tornado.service.auditing.auditor import Auditor
from kms_tornado.service.auditing.indexer import AuditIndexer
from kms_tornado.service.auditing.record_reader import RecordReader
from kms_tornado.service.auditing.request import AuditRequest
from kms_tornado.service.auditing.trail import AuditTrail
from kms_tornado.store.interface.changes import Insert, Remove, Replace
from kms_tornado.store.sql.audit import index as audit_index
from kms_tornado.store.sql.statements import DriverRunner, Statement
from kms_tornado.store.sql.tables.schema import audit_uses

from ....service.kill import count_steps, kill_at, spread
from ...helpers import ALICE, BOB, an_object, opened, with_store, write_behind
from .indexed import NEWS, NOW, create, index_all, read

BYTES = "BLOB", "BYTEA"


async def find(store, query=None, **fields):
    """[(page, number of the record)] in the order of answers."""
    query = query or RecordQuery(**fields)
    pages = await store.records.find_pages(query.keys, up_to=None, limit=100, principal=ALICE)
    found = []
    for page in pages:
        for record in await store.records.read_page(page, query, principal=ALICE):
            found.append((page.number, json.loads(record.line)["time"][-4:-1]))
    return found


async def read_uses(store):
    statement = Statement(select(audit_uses))
    rows = await store.backend.run_exclusively(lambda runner: runner.select(statement, {}))
    return {uid: tuple(uses) for uid, *uses in rows}


def test_records_are_found_by_object_the_newest_first(place):
    async def body(store):
        await store.audit.open()
        await store.audit.append([read("a", 1), read("b", 2), read("a", 3)])
        await store.audit.append([read("a", 5), read("a", 4)])
        await index_all(store)
        return await find(store, uid="a"), await find(store, uid="b"), await find(store, uid="c")

    assert with_store(place, body) == (
        [(1, "005"), (1, "004"), (1, "003"), (1, "001")], [(1, "002")], [],
    )  # fmt: skip


def test_change_is_found_as_a_use_is(place):
    async def body(store):
        await store.audit.open()
        draft = make_draft(NEWS, "Create", uid="a", changes=["a"], time_ms=NOW * 1000)
        await store.commit([Insert(an_object("a"))], [draft])
        await index_all(store)
        return await find(store, uid="a"), await read_uses(store)

    assert with_store(place, body) == ([(1, "000")], {})


def test_pages_hold_what_several_steps_have_indexed_until_they_are_full(place, monkeypatch):
    monkeypatch.setattr(audit_index, "_FULL_PAGE", 3)

    async def body(store):
        await store.audit.open()
        for number in range(6):
            await store.audit.append([read("a", number)])
            await index_all(store)
        return await find(store, uid="a"), await find(store, principal=ALICE)

    by_object, by_principal = with_store(place, body)
    # The record that began the chain is the first one of the first page.
    assert by_object == [(3, "005"), (2, "004"), (2, "003"), (2, "002"), (1, "001"), (1, "000")]
    assert by_principal == by_object


def test_long_backlog_is_indexed_in_bounded_steps(place, monkeypatch):
    monkeypatch.setattr(audit_index, "_MOST_RECORDS", 10)
    monkeypatch.setattr(audit_index, "_SEGMENTS", 2)

    async def body(store):
        await store.audit.open()
        for start in range(0, 60, 6):
            await store.audit.append([read("a", start + number) for number in range(6)])
        steps = [await store.records.take_step(NOW) for _ in range(8)]
        return steps, await find(store, uid="a"), await read_uses(store)

    steps, found, uses = with_store(place, body)
    assert max(step.records for step in steps) <= 16
    assert steps[-1].behind == 0
    assert len(found) == 60
    assert uses == {"a": (60, NOW * 1000 + 59)}


def test_each_record_is_counted_once_by_many_that_index_at_once(place):
    async def body(first):
        await first.audit.open()
        async with opened(place) as second:
            for number in range(30):
                await first.audit.append([read("a", number)])
                await asyncio.gather(
                    *(store.records.take_step(NOW, is_urgent=True) for store in (first, second) * 2)
                )
            await index_all(first)
            assert await first.checks.find_index_fault() is None
            return await read_uses(first), await find(second, uid="a")

    uses, found = with_store(place, body)
    assert uses == {"a": (30, NOW * 1000 + 29)}
    assert len(found) == len(set(found)) == 30


def test_another_process_indexes_only_where_the_one_that_did_is_gone(place):
    async def body(first):
        await first.audit.open()
        await first.audit.append([read("a")])
        await index_all(first)
        async with opened(place) as second:
            await second.audit.append([read("a")])
            early = await second.records.take_step(NOW + 9)
            late = await second.records.take_step(NOW + 11)
            await second.audit.append([read("a")])
            theirs = await first.records.take_step(NOW + 12)
        return early, late, theirs

    early, late, theirs = with_store(place, body)
    assert (early.is_anothers, early.records, early.behind > 0) == (True, 0, True)
    assert (late.is_anothers, late.records > 0, late.behind) == (False, True, 0)
    assert (theirs.is_anothers, theirs.records) == (True, 0)


def test_clock_that_was_set_back_keeps_no_other_process_from_indexing(place):
    async def body(first):
        await first.audit.open()
        await first.audit.append([read("a")])
        await index_all(first)
        async with opened(place) as second:
            await second.audit.append([read("a")])
            return await second.records.take_step(NOW - 7200)

    step = with_store(place, body)
    assert (step.is_anothers, step.behind) == (False, 0)


def test_step_that_is_not_committed_leaves_everything_as_it_was(place, monkeypatch):
    async def body(store):
        await store.audit.open()
        await index_all(store)
        await store.audit.append([read("a")])

        submit = store.backend.submit
        with monkeypatch.context() as patched:
            patched.setattr(
                type(store.backend), "submit",
                lambda self, job, **more: submit(lambda runner: (job(runner), 1 / 0), **more),
            )  # fmt: skip
            with pytest.raises(ZeroDivisionError):
                await store.records.take_step(NOW)
        before = await read_uses(store), await find(store, uid="a")
        await index_all(store)
        return before, await read_uses(store)

    before, after = with_store(place, body)
    assert before == ({}, [])
    assert after == {"a": (1, NOW * 1000)}


def test_killed_at_eight_moments_it_counts_each_use_once(empty_file, tmp_path, monkeypatch):
    monkeypatch.setattr(audit_index, "_MOST_RECORDS", 4)
    template = Path(shutil.copy(empty_file, tmp_path / "template.db"))

    async def use(store):
        await store.audit.open()
        for number in range(10):
            await store.audit.append([read("a", number), read(str(number), number)])

    with_store(template, use)

    def index(place, now=NOW):
        with_store(place, partial(index_all, now=now))

    steps = [
        (DriverRunner, "command"), (DriverRunner, "change_counted"), (DriverRunner, "add_rows"),
        (audit_index, "_write_step"),
    ]  # fmt: skip
    total = count_steps(lambda: index(shutil.copy(template, tmp_path / "counted.db")), steps)
    left = set()
    for moment in spread(8, total):
        place = Path(shutil.copy(template, tmp_path / f"{moment}.db"))
        kill_at(moment, partial(index, place), steps)
        left.add(len(with_store(place, read_uses)))
        index(place, NOW + 60)  # the other one is gone
        expected = {"a": (10, NOW * 1000 + 9)}
        expected |= {str(number): (1, NOW * 1000 + number) for number in range(10)}
        assert with_store(place, read_uses) == expected
        assert with_store(place, lambda store: store.checks.find_index_fault()) is None
    assert len(left) > 2, "it was always killed at the same place"


@pytest.mark.parametrize("value", [None, b"{", b"[]", b'{"v":0}', b'{"v":1,"positions":{"1":"x"}}'])
def test_index_without_its_row_is_made_again(place, value):
    async def body(store):
        await store.audit.open()
        await store.audit.append([read("a")])
        await index_all(store)
        if value is None:
            write_behind(place, "DELETE FROM server_state WHERE name = 'audit_index'")
        else:
            write_behind(
                place,
                "UPDATE server_state SET value = :value WHERE name = 'audit_index'",
                value=value,
            )
        await store.audit.append([read("a", 1)])
        await index_all(store)
        return await read_uses(store), await find(store, uid="a")

    uses, found = with_store(place, body)
    assert uses == {"a": (2, NOW * 1000 + 1)}
    assert len(found) == 2


def test_segment_that_was_edited_is_refused(place):
    async def body(store):
        await store.audit.open()
        await store.audit.append([read("a"), read("b")])
        await index_all(store)
        ways = (
            "replace(CAST(lines AS TEXT), {})",
            "convert_to(replace(convert_from(lines, 'UTF8'), {}), 'UTF8')",
        )
        edit = ways[isinstance(place, str)].format('\'"uid":"a"\', \'"uid":"b"\'')
        write_behind(
            place,
            f"UPDATE audit_segments SET lines = CAST({edit} AS {BYTES[isinstance(place, str)]})",
        )
        with pytest.raises(GeneralFailure):
            await find(store, uid="b")

    with_store(place, body)


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        ("DELETE FROM audit_index", []),
        ("UPDATE audit_index SET page = 999", []),
        ("UPDATE audit_index SET key = key + 1", []),
        ("UPDATE audit_pages SET page = 999", []),
        ("DELETE FROM audit_pages", []),
        ("UPDATE audit_pages SET ranges = '{}'", []),
        ("UPDATE audit_pages SET ranges = '{\"77\":[1,9]}'", None),
        ("UPDATE audit_pages SET ranges = '{\"1\":[9,1]}'", None),
        ("UPDATE audit_pages SET ranges = '{\"1\":[1,9]}'", None),
        ("UPDATE audit_pages SET ranges = '[1]'", None),
        ("UPDATE audit_pages SET ranges = '{'", None),
        ("UPDATE audit_pages SET ranges = '{\"1\": 1}'", None),
        ("UPDATE audit_pages SET records = 0, since = 0, until = 0, ceiling = 0", ["000"]),
        ("UPDATE audit_uses SET uses = 0, last_used = 0", ["000"]),
    ],
)
def test_index_that_something_else_wrote_tells_no_record_that_is_not_authentic(place, edit, found):
    async def body(store):
        await store.audit.open()
        await store.audit.append([read("a")])
        await index_all(store)
        write_behind(place, edit)
        if found is None:
            with pytest.raises(GeneralFailure):
                await find(store, uid="a")
        else:
            assert [name for _, name in await find(store, uid="a")] == found
        await store.audit.append([read("b", 1)])
        await index_all(store)

    with_store(place, body)


def test_records_are_found_by_the_owner_of_the_object(place):
    async def body(store):
        await store.audit.open()
        for uid, owner in (("a", ALICE), ("b", BOB), ("gone", BOB), ("other", ALICE)):
            await store.commit([Insert(an_object(uid, owner=owner))], [create(uid)])
        await store.commit([Remove("gone", 1)], [])
        stranger = Origin("carol", None, None, None)
        for number, uid in enumerate(("a", "b", "gone", "never", "other")):
            await store.audit.append(
                [make_draft(stranger, "Get", uid=uid, time_ms=NOW * 1000 + number)]
            )
        await index_all(store)
        keys = [await store.records.find_pages([owner_key(name)], up_to=None, limit=9, principal=name)
                for name in (ALICE, BOB, "carol")]  # fmt: skip
        uids = ["a", "b", "gone", "never", *map(str, range(300))]
        owned = [await store.records.find_owned(uids, owner=name) for name in (ALICE, BOB, "carol")]
        return [len(pages) for pages in keys], [set(uids) for uids in owned]

    assert with_store(place, body) == ([1, 1, 0], [{"a"}, {"b", "gone"}, set()])


def test_pages_of_two_keys_are_told_once_in_order(place, monkeypatch):
    monkeypatch.setattr(audit_index, "_FULL_PAGE", 1)

    async def body(store):
        await store.audit.open()
        for uid in "aababb":
            await store.audit.append([read(uid)])
            await index_all(store)
        keys = [object_key("a"), object_key("b")]
        return [
            [page.number for page in await store.records.find_pages(keys[:count], up_to=up_to, limit=limit, principal="")]
            for count, up_to, limit in ((1, None, 9), (2, None, 9), (2, 5, 2), (2, 1, 9), (2, 0, 9))
        ]  # fmt: skip

    assert with_store(place, body) == [[4, 2, 1], [6, 5, 4, 3, 2, 1], [5, 4], [1], []]


def read_by(store, principal, **fields):
    """What `/audit` tells the principal: [(who, when)], the newest first."""
    origin = Origin(principal, None, None, None)

    async def read_all():
        trail = AuditTrail(store.audit.append)
        reader = RecordReader(
            store, AuditIndexer(store.records), Auditor(trail, records_reads=False), ()
        )
        answer = await reader.read(principal, AuditRequest(RecordQuery(**fields), 1000), origin)
        records = map(json.loads, answer.lines)
        return [(record["principal"], int(record["time"][-4:-1])) for record in records]

    return read_all()


def test_who_takes_an_identifier_reads_nothing_that_others_did_with_it_before(place):
    async def body(store):
        await store.audit.open()
        await store.audit.append([read("a", 1), read("a", 2)])
        await index_all(store)
        await store.commit([Insert(an_object("a", owner=BOB))], [create("a", 5, BOB)])
        await store.audit.append([read("a", 9)])
        told = [await read_by(store, BOB, **fields) for fields in ({"uid": "a"}, {})]
        await store.commit([Remove("a", 1)], [])
        return (
            *told,
            await read_by(store, BOB, uid="a"),
            await read_by(store, BOB, uid="a", since_ms=0),
        )

    assert with_store(place, body) == ([(ALICE, 9), (BOB, 5)],) * 4


def test_what_others_do_is_told_once_the_creation_is_indexed(place):
    async def body(store):
        await store.audit.open()
        await store.commit([Insert(an_object("a"))], [])
        await store.audit.append([read("a", 9)])
        await index_all(store)
        return await store.records.find_owned(["a"], owner=ALICE)

    assert with_store(place, body) == {}


def test_object_was_made_when_it_was_there_first(place):
    async def body(store):
        await store.audit.open()
        uids = ["a", "b", 'odd "\\ 🔑']
        several = make_draft(NEWS, "CreateKeyPair", changes=uids[1:], time_ms=NOW * 1000 + 2)
        await store.commit([Insert(an_object(uid)) for uid in uids[1:]], [several])
        await store.commit([Insert(an_object("a"))], [create("a", 3)])
        await index_all(store)
        await store.commit([Remove("a", 1)], [make_draft(NEWS, "Destroy", changes=["a"])])
        await store.commit([Insert(an_object("a"))], [create("a", 900)])
        await index_all(store)
        made = await store.records.find_owned([*uids, "c"], owner=ALICE)
        return {uid: at - NOW * 1000 for uid, at in made.items()}

    assert with_store(place, body) == {"a": 3, "b": 2, 'odd "\\ 🔑': 2}


def test_whoever_gets_objects_by_a_transfer_is_led_to_their_older_records(place, monkeypatch):
    monkeypatch.setattr(audit_index, "_FULL_PAGE", 1)

    async def body(store):
        await store.audit.open()
        await store.commit([Insert(an_object("a"))], [create("a", 1)])
        await store.audit.append([read("a", 2)])
        await index_all(store)
        before = await read_by(store, BOB)
        detail = {"from": ALICE, "to": BOB}
        moved = make_draft(
            COMMAND, "Transfer", detail=detail, changes=["a"], time_ms=NOW * 1000 + 3
        )
        await store.commit([Replace(an_object("a", owner=BOB), 1)], [moved])
        return before, await read_by(store, BOB), await read_by(store, ALICE)

    before, new, old = with_store(place, body)
    assert before == []
    assert new == [(None, 3), (ALICE, 2), (ALICE, 1)]
    assert old == [(ALICE, 2), (ALICE, 1)]


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE audit_segments SET since = since + 1",
        "UPDATE audit_segments SET until = until - 1",
        "UPDATE audit_segments SET last = last + 1",
        "DELETE FROM audit_segments",
    ],
)
def test_page_whose_segments_were_edited_is_refused_whatever_is_looked_for(place, edit):
    async def body(store):
        await store.audit.open()
        await store.audit.append([read("a"), read("b")])
        await index_all(store)
        assert await find(store, uid="a") == [(1, "000")]
        write_behind(place, edit)
        with pytest.raises(GeneralFailure):
            await find(store, principal=ALICE, operation="Decrypt")

    with_store(place, body)


def test_record_that_was_renamed_is_not_left_out_without_a_word(place):
    async def body(store):
        await store.audit.open()
        await store.audit.append([read("a"), read("b")])
        await index_all(store)
        ways = (
            "CAST(replace(CAST(lines AS TEXT), {}) AS BLOB)",
            "convert_to(replace(convert_from(lines, 'UTF8'), {}), 'UTF8')",
        )
        edit = ways[isinstance(place, str)].format('\'"uid":"a"\', \'"uid":"c"\'')
        write_behind(place, f"UPDATE audit_segments SET lines = {edit}")
        with pytest.raises(GeneralFailure):
            await find(store, uid="a")

    with_store(place, body)


def test_times_of_a_page_are_those_of_its_records_whatever_their_rows_say(place):
    async def body(store):
        await store.audit.open()
        await index_all(store)
        await store.audit.append([read("a", 1), read("a", 7)])
        write_behind(place, "UPDATE audit_segments SET since = 0, until = 0")
        await index_all(store)
        pages = await store.records.find_pages((), up_to=None, limit=9, principal=ALICE)
        return [page.ceiling_ms >= NOW * 1000 + 7 for page in pages]

    assert with_store(place, body) == [True]


@pytest.mark.parametrize("value", ["'a text'", "x'00ff'"])
def test_value_of_another_type_in_the_index_is_refused(tmp_path, value):
    place = tmp_path / "kms.db"  # SQLite alone takes it

    async def body(store):
        await store.audit.open()
        await store.commit([Insert(an_object("a"))], [create("a")])
        await store.audit.append([read("a")])
        await index_all(store)
        write_behind(place, f"UPDATE audit_made SET made = {value}")
        with pytest.raises(GeneralFailure):
            await store.records.find_owned(["a"], owner=ALICE)
        write_behind(place, f"UPDATE audit_uses SET last_used = {value}")
        with pytest.raises(GeneralFailure):
            await store.list_owned(ALICE)

    with_store(place, body)


def test_use_at_a_time_that_no_clock_has_is_refused(place):
    async def body(store):
        await store.audit.open()
        await store.commit([Insert(an_object("a"))], [create("a")])
        await store.audit.append([read("a")])
        await index_all(store)
        write_behind(place, "UPDATE audit_uses SET last_used = 1000000000000000000")
        with pytest.raises(GeneralFailure):
            await store.list_owned(ALICE)

    with_store(place, body)
