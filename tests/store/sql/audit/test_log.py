"""The audit of a database: a change and its record are one, and chains neither fork nor have holes."""

from __future__ import annotations

import asyncio
import json
from functools import partial

import pytest
from sqlalchemy import text

from kms_tornado.audit.chain import hash_line
from kms_tornado.audit.checkpoint import parse_checkpoint, sign_checkpoint
from kms_tornado.audit.entry import AuditEntry
from kms_tornado.audit.record import Origin, make_draft
from kms_tornado.audit.verification import ChainVerifier
from kms_tornado.errors import KMIPError
from kms_tornado.kmip.enums import Operation
from kms_tornado.store.interface.changes import (
    Conflict,
    Grant,
    Insert,
    Refused,
    Remove,
    Replace,
    Withdraw,
)
from kms_tornado.store.interface.object_checks import ReadSoFar

from ....audit.logs import KEY
from ...helpers import ALICE, an_object, engine_behind, opened, with_store, write_behind

ORIGIN = Origin(ALICE, None, "127.0.0.1", "dfb8822b6b0e65ef")
TIME = "2026-11-29T11:45:25Z"
SIGN = partial(sign_checkpoint, key=KEY)


def change(operation, *uids):
    return AuditEntry(ORIGIN, operation).draft_change(uids)


def read(operation, uid):
    return make_draft(ORIGIN, operation, uid=uid)


async def read_chains(store):
    """{chain: its records}, after everything that a verification looks at."""
    verifier = ChainVerifier({})
    chains: dict[int, list[dict[str, object]]] = {}
    chain = first = 0
    while segments := await store.audit.read_segments(chain, first):
        for segment in segments:
            assert segment.is_ours
            assert [*verifier.feed(segment.chain, segment.lines)] == []
            chains.setdefault(segment.chain, []).extend(map(json.loads, segment.lines))
            chain, first = segment.chain, segment.first
    assert [*verifier.finish()] == []
    assert verifier.ends == await store.audit.heads()
    for row in (await store.checks.read_page(ReadSoFar({}, verifier.ends), 0)).rows:
        assert (row.fault, row.is_refused) == (None, False)
        assert verifier.paths.find_fault(row.uid, row.code.hex()[:32]) is None
    return chains


async def read_records(store):
    """All but those that begin chains."""
    return [
        record
        for records in (await read_chains(store)).values()
        for record in records
        if record["operation"] != "ChainBegin"
    ]


async def fill(store):
    """An object that is made, granted, withdrawn, changed; one that is removed; and a use."""
    await store.audit.open()
    await store.commit([Insert(an_object("a"))], [change("Create", "a")])
    await store.commit([Insert(an_object("b"))], [change("Create", "b")])
    right = frozenset({Operation.GET})
    await store.commit([Grant("a", ALICE, "bob", right)], [change("AccessGrant", "a")])
    await store.commit([Withdraw("a", ALICE, "bob", right)], [change("AccessRevoke", "a")])
    target = await store.get("a")
    await store.commit([Replace(target, target.generation)], [change("ModifyAttribute", "a")])
    await store.commit([Remove("b", 1)], [change("Destroy", "b")])
    await store.audit.append([read("Get", "a")])


def test_each_change_has_a_record_with_the_codes_before_and_after_it(place):
    async def body(store):
        await fill(store)
        return await read_records(store)

    records = with_store(place, body)
    told = {
        record["operation"]: [[was is None, code is None] for _, was, code in record["objects"]]
        for record in records
        if "objects" in record
    }
    changed = [[False, False]]
    assert told == {
        "Create": [[True, False]], "AccessGrant": changed, "AccessRevoke": changed,
        "ModifyAttribute": changed, "Destroy": [[False, True]],
    }  # fmt: skip
    assert "objects" not in next(record for record in records if record["operation"] == "Get")


def test_grant_of_what_is_granted_is_a_record_without_a_change(place):
    async def body(store):
        await store.audit.open()
        await store.commit([Insert(an_object("a"))], [change("Create", "a")])
        for _ in range(2):
            grant = Grant("a", ALICE, "bob", frozenset({Operation.GET}))
            await store.commit([grant], [change("AccessGrant", "a")])
        return await read_records(store)

    grants = [r for r in with_store(place, body) if r["operation"] == "AccessGrant"]
    assert ["objects" in record for record in grants] == [True, False]


@pytest.mark.parametrize("together", [False, True], ids=["alone", "beside others"])
def test_change_that_is_not_made_has_no_record(place, together):
    async def body(store):
        await store.audit.open()
        await store.commit([Insert(an_object("a"))], [change("Create", "a")])
        jobs = [
            store.commit([Insert(an_object("a"))], [change("Create", "a")]),
            store.commit([Remove("a", 99)], [change("Destroy", "a")]),
            store.commit_groups(
                [[Insert(an_object("c"))], [Insert(an_object("a"))]],
                [change("Create", "c"), change("Create", "a")],
            ),
        ]
        if together:
            jobs += [
                store.commit([Insert(an_object(f"n{n}"))], [change("Create", f"n{n}")])
                for n in range(5)
            ]
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
        assert all(isinstance(one, KMIPError | Conflict | Refused) for one in outcomes[:3])
        return await read_records(store)

    made = sorted(record["uid"] for record in with_store(place, body))
    assert made == (["a", "n0", "n1", "n2", "n3", "n4"] if together else ["a"])


def test_batch_has_a_record_of_each_item_in_one_transaction(place):
    async def body(store):
        await store.audit.open()
        new = an_object("a")
        after = an_object("a", tags=frozenset({"t"}))
        await store.commit_groups(
            [[Insert(new)], [Replace(after, 1)], [Insert(an_object("b"))]],
            [change("Create", "a"), change("ModifyAttribute", "a"), change("Create", "b")],
        )
        return await read_records(store)

    first, second, third = with_store(place, body)
    assert [record["operation"] for record in (first, second, third)] == [
        "Create", "ModifyAttribute", "Create",
    ]  # fmt: skip
    assert (
        "objects" not in first
    )  # the transaction knows the object as it was and is, not in between
    assert [one[:2] for one in second["objects"]] == [["a", None]]
    assert [one[:2] for one in third["objects"]] == [["b", None]]


def test_many_at_once_leave_no_hole_and_no_record_twice(place):
    async def body(store):
        await store.audit.open()

        async def work(number):
            uid = f"u{number}"
            await store.commit(
                [Insert(an_object(uid, owner=f"o{number % 5}"))], [change("Create", uid)]
            )
            grant = Grant(uid, f"o{number % 5}", "bob", frozenset({Operation.GET}))
            await store.commit([grant], [change("AccessGrant", uid)])
            await store.audit.append([read("Get", uid)])

        await asyncio.gather(*map(work, range(80)))
        return await read_records(store)

    records = with_store(place, body)
    assert sorted((r["operation"], r["uid"]) for r in records) == sorted(
        (operation, f"u{n}") for operation in ("Create", "AccessGrant", "Get") for n in range(80)
    )


def test_servers_that_share_a_database_have_chains_of_their_own(place):
    async def main():
        async with opened(place) as one, opened(place) as other:
            for store in (one, other):
                await store.audit.open()
            for number in range(4):
                store = (one, other)[number % 2]
                await store.commit(
                    [Insert(an_object(f"u{number}"))], [change("Create", f"u{number}")]
                )
            return await read_chains(one)

    chains = asyncio.run(main())
    assert [len(records) for records in chains.values()] == [3, 3]
    assert len({record["detail"]["database"] for (record, *_) in chains.values()}) == 1


def test_server_that_stopped_leaves_its_chain_to_the_next_one(place):
    async def add(store, uid):
        await store.audit.open()
        await store.commit([Insert(an_object(uid))], [change("Create", uid)])
        return await read_chains(store)

    with_store(place, lambda store: add(store, "a"))
    chains = with_store(place, lambda store: add(store, "b"))
    assert [record["uid"] for record in chains[1]] == [None, "a", "b"]
    assert [*chains] == [1]


def test_chain_that_another_process_took_is_left_to_it(place):
    """As a process finds it that was stopped for a minute."""

    async def body(store):
        altered = []
        store.audit.on_altered(lambda mine, found: altered.append((mine, found)))
        await fill(store)
        await asyncio.to_thread(
            write_behind, place, "UPDATE audit_chains SET session = 'another process'"
        )
        await store.commit([Insert(an_object("c"))], [change("Create", "c")])
        await store.audit.append([read("Get", "c")])
        return altered, await read_chains(store)

    altered, chains = with_store(place, body)
    assert altered == []
    assert [record["uid"] for record in chains[max(chains)]][-2:] == ["c", "c"]
    assert len(chains) >= 2


@pytest.mark.parametrize("seq", [1, 2])
def test_head_that_something_else_moved_is_told_and_left_as_it_is(place, seq):
    async def body(store):
        altered = []
        store.audit.on_altered(lambda mine, found: altered.append((mine, found)))
        await store.audit.open()
        await store.audit.append([read("Get", "a")])
        await asyncio.to_thread(
            write_behind,
            place,
            "UPDATE audit_chains SET seq = :seq, head = :head",
            seq=seq,
            head="11" * 32,
        )
        await store.audit.append([read("Get", "b")])
        return altered, await store.audit.heads()

    altered, heads = with_store(place, body)
    ((mine, found),) = altered
    assert (mine.seq, found.seq) == (2, seq)
    assert heads[1].hash == "11" * 32
    assert heads[2].seq == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_chains SET seq = 1, head = '{head}'",
        "UPDATE audit_chains SET head = '{head}'",
        "UPDATE audit_chains SET seq = -5",
        "DELETE FROM audit_chains",
    ],
    ids=["lower", "of another hash", "of no number", "gone"],
)
def test_chain_whose_head_does_not_name_its_last_record_is_left_to_who_verifies_it(
    place, statement
):
    """Whoever goes on with it would write records in places that others have."""

    async def body(store):
        await store.audit.open()
        await store.audit.append([read("Get", "a")])

    with_store(place, body)
    write_behind(place, statement.format(head="11" * 32))

    async def go_on(store):
        altered = []
        store.audit.on_altered(lambda mine, found: altered.append((mine.seq, found.chain)))
        await store.audit.open()
        await store.audit.append([read("Get", "b")])
        await store.audit.make_checkpoint(SIGN, TIME)
        return altered, {chain: head.seq for chain, head in (await store.audit.heads()).items()}

    altered, heads = with_store(place, go_on)
    assert heads[2] == 2
    assert altered == ([] if statement.startswith("DELETE") else [(2, 1)])


@pytest.mark.parametrize("goes_on", [False, True], ids=["as it is", "and goes on"])
def test_chain_that_was_cut_behind_a_checkpoint_is_told_by_the_next_one(place, goes_on):
    """As somebody does who knows how it works, while no server has the chain."""

    async def cut(store):
        await fill(store)
        await store.audit.make_checkpoint(SIGN, TIME)
        return await store.audit.heads()

    heads = with_store(place, cut)
    (last,) = heads.values()
    with engine_behind(place).begin() as connection:
        connection.execute(
            text("DELETE FROM audit_segments WHERE last = :last"), {"last": last.seq}
        )
        (lines,) = connection.execute(
            text("SELECT lines FROM audit_segments ORDER BY first DESC LIMIT 1")
        ).one()
        head = hash_line(bytes(lines).rpartition(b"\n")[2])
        values = {"seq": last.seq - 1, "head": head}
        connection.execute(text("UPDATE audit_chains SET seq = :seq, head = :head"), values)

    async def look(store):
        altered = []
        await store.audit.open()
        store.audit.on_altered(lambda mine, found: altered.append((mine, found)))
        if goes_on:
            for _ in range(3):
                await store.audit.append([read("Get", "a")])
        await store.audit.make_checkpoint(SIGN, TIME)
        told = list(altered)
        await store.audit.append([read("Get", "a")])
        await store.audit.make_checkpoint(SIGN, TIME)
        return told, altered

    told, altered = with_store(place, look)
    ((mine, found),) = told
    assert mine == last
    assert found.seq == last.seq + (2 if goes_on else -1)
    assert altered == told  # once


def test_checkpoint_names_all_heads_and_the_one_before_it(place):
    async def body(store):
        await fill(store)
        first = await store.audit.make_checkpoint(SIGN, TIME)
        assert await store.audit.make_checkpoint(SIGN, TIME) == first  # nothing was added
        await store.audit.append([read("Get", "a")])
        second = await store.audit.make_checkpoint(SIGN, TIME)
        assert await store.audit.newest_checkpoint() == second
        assert await store.audit.read_checkpoints(0) == [(1, first), (2, second)]
        parsed = parse_checkpoint(second.encode(), [KEY.public])
        assert dict(parsed.heads) == await store.audit.heads()
        position = await store.audit.position(parsed)
        assert (position.database, position.line) == (parsed.database, second)
        assert position.hashes == {head.chain: head.hash for head in parsed.heads.values()}

    with_store(place, body)


def test_chains_of_a_database_that_was_put_back_are_never_used_again(place):
    async def body(store):
        await fill(store)
        before = await store.audit.heads()
        await store.audit.retire_chains(17)
        await store.audit.append([read("Get", "a")])
        after = await store.audit.heads()
        assert {chain: after[chain] for chain in before} == before
        return await read_chains(store)

    chains = with_store(place, body)
    assert [record["operation"] for record in chains[18]] == ["ChainBegin", "Get"]


def test_objects_of_an_older_version_are_recorded_once_as_they_are(place):
    async def body(store):
        for uid in ("a", "b"):
            await store.commit([Insert(an_object(uid))])
        assert await store.audit.open() == 2
        assert await store.audit.open() == 0
        return await read_records(store)

    (record,) = with_store(place, body)
    assert record["operation"] == "Adopt"
    assert [one[:2] for one in record["objects"]] == [["a", None], ["b", None]]


def test_segment_that_something_else_wrote_is_told_from_ours(place):
    async def body(store):
        await fill(store)
        await asyncio.to_thread(
            write_behind, place, "UPDATE audit_segments SET mac = lines WHERE first > 1"
        )
        segments = await store.audit.read_segments(0, 0)
        return {segment.first == 1: segment.is_ours for segment in segments}

    assert with_store(place, body) == {True: True, False: False}


def test_changes_without_drafts_leave_no_record(place):
    async def body(store):
        await store.audit.open()
        await store.commit([Insert(an_object("a"))])
        return await store.audit.heads()

    assert with_store(place, body) == {}
