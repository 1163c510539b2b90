"""Commits of several groups: all of them or none, and which of them cannot be done."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kms_tornado.domain.search import LocateSearch, ObjectFilter, TagSearch
from kms_tornado.errors import NonUniqueName, ObjectAlreadyExists
from kms_tornado.kmip.enums import State
from kms_tornado.kmip.structures import Name
from kms_tornado.store.interface.changes import Conflict, Insert, Refused, Remove, Replace
from kms_tornado.store.postgres.writing import batches
from kms_tornado.store.sql import additions, changes
from kms_tornado.store.sql.commits import Commit, GroupCommit, join_commits
from kms_tornado.store.sqlite import writer as sqlite_writer

from ..helpers import ALICE, AUTHENTICATOR, KEY_ATTRIBUTES, an_object, locate, uids, with_store

NAMED = KEY_ATTRIBUTES.replace(names=(Name("n"),))


async def refusals(store, groups):
    with pytest.raises(Refused) as caught:
        await store.commit_groups(groups)
    return {place: type(error) for place, error in caught.value.failures.items()}


def test_groups_build_on_those_before_them(place):
    async def body(store):
        changed = an_object("a", state=State.DEACTIVATED)
        await store.commit_groups([[Insert(an_object("a"))], [], [Replace(changed, seen=1)]])
        assert (await store.get("a")).state is State.DEACTIVATED

    with_store(place, body)


def test_refused_groups_are_told_apart_and_nothing_is_done(place):
    async def body(store):
        await store.commit([Insert(an_object("taken")), Insert(an_object("n", attributes=NAMED))])
        groups = [
            [Insert(an_object("a"))],
            [Insert(an_object("taken"))],
            [Insert(an_object("b"))],
            [Insert(an_object("c", attributes=NAMED))],
        ]
        assert await refusals(store, groups) == {1: ObjectAlreadyExists, 3: NonUniqueName}
        assert [await store.get(uid) for uid in "abc"] == [None] * 3

    with_store(place, body)


def test_the_only_group_that_is_refused_has_its_place(place):
    async def body(store):
        await store.commit([Insert(an_object("taken"))])
        assert await refusals(store, [[], [Insert(an_object("taken"))]]) == {1: ObjectAlreadyExists}

    with_store(place, body)


def test_a_conflict_in_a_group_is_a_conflict_of_all(place):
    async def body(store):
        await store.commit([Insert(an_object("a"))])
        with pytest.raises(Conflict):
            await store.commit_groups([[Insert(an_object("b"))], [Remove("a", seen=7)]])
        assert await store.get("b") is None

    with_store(place, body)


def test_a_search_after_changes_finds_them_and_leaves_nothing(place):
    async def body(store):
        groups = [[Insert(an_object("a"))]]
        search = LocateSearch(ObjectFilter(), ALICE, offset=0, maximum=9)
        tagged = TagSearch(frozenset({"_kk"}), ALICE)
        assert await locate(store, search, groups) == (1, ["a"])
        assert uids(await store.find_tagged(tagged, groups)) == ["a"]
        assert await locate(store, search) == (0, [])
        assert await store.find_tagged(tagged) == []

    with_store(place, body)


def test_what_is_committed_has_nothing_left_to_do(place):
    async def body(store):
        await store.commit([Insert(an_object("a"))])
        await store.commit_now()
        assert await store.get("a") is not None

    with_store(place, body)


@pytest.mark.parametrize(
    ("changes", "only_adds", "erases"),
    [
        pytest.param([Insert(an_object("a"))], True, False, id="a new object"),
        pytest.param([Replace(an_object("a"), seen=1)], False, False, id="a change"),
        pytest.param([Replace(an_object("a", sealed=None), seen=1)], False, True, id="destroyed"),
        pytest.param([Insert(an_object("b")), Remove("a", seen=1)], False, True, id="removed"),
    ],
)
def test_a_commit_knows_what_its_writer_asks(changes, only_adds, erases):
    commit = Commit(changes, AUTHENTICATOR, now=1)
    assert (commit.only_adds, commit.erases) == (only_adds, erases)
    assert GroupCommit([changes, []], AUTHENTICATOR, now=1).erases is erases


def test_joined_commits_are_one_with_the_changes_of_all():
    one, other = (
        Commit([Insert(an_object(uid))], AUTHENTICATOR, now) for uid, now in (("a", 1), ("b", 2))
    )
    joined = Commit([*one.changes, *other.changes], AUTHENTICATOR, 2)
    assert join_commits([one, other]) == joined


# --- faults of the program ----------------------------------------------------------------------


class Fault(Exception):
    """What no database raises."""


@pytest.fixture
def faulty_rows(monkeypatch):
    """The rows of objects whose identifier begins with "bad" cannot be made."""
    format_row = changes.format_row

    def faulty(new, *arguments, **options):
        if new.uid.startswith("bad"):
            raise Fault(new.uid)
        return format_row(new, *arguments, **options)

    for module in (changes, additions):
        monkeypatch.setattr(module, "format_row", faulty)
    return format_row


@pytest.mark.parametrize(
    ("kind", "number"), [("create", 0), ("create", 20), ("change", 0), ("change", 20)]
)
def test_a_fault_in_a_job_is_raised_as_it_is_and_stops_that_job_alone(
    place, kind, number, faulty_rows, monkeypatch
):
    """It is no database out of reach: whoever asks again in a second meets it again."""
    uids = ["bad", *(f"good {each}" for each in range(number))]

    def job(uid):
        new = an_object(uid)
        return [Insert(new) if kind == "create" else Replace(new, seen=1)]

    async def body(store):
        if kind == "change":
            with monkeypatch.context() as sound:
                sound.setattr(additions, "format_row", faulty_rows)
                sound.setattr(changes, "format_row", faulty_rows)
                await store.commit([Insert(an_object(uid)) for uid in uids])
        calls = (store.commit(job(uid)) for uid in uids)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Fault] + [type(None)] * number
        assert (await store.check()).state == "up"
        await store.commit([Insert(an_object("later"))])

    with_store(place, body)


def test_a_fault_in_a_group_or_in_a_search_after_changes_is_raised_as_it_is(place, faulty_rows):
    groups = [[Insert(an_object("good"))], [Insert(an_object("bad"))]]

    async def body(store):
        with pytest.raises(Fault):
            await store.commit_groups(groups)
        with pytest.raises(Fault):
            await locate(store, LocateSearch(ObjectFilter(), ALICE, offset=0, maximum=10), groups)
        assert await store.get("good") is None

    with_store(place, body)


@pytest.mark.parametrize("kind", ["create", "change"])
def test_a_fault_of_the_writer_is_in_the_log_and_no_database_out_of_reach(
    place, kind, monkeypatch, caplog
):
    async def body(store):
        await store.commit([Insert(an_object("one")), Insert(an_object("two"))])
        with monkeypatch.context() as faulty:
            for owner, name in (
                [(sqlite_writer, "_run_all")]
                if isinstance(place, Path)
                else [(batches, "_drop_expired"), (batches, "_join")]
            ):
                faulty.setattr(owner, name, _fail)
            calls = (
                store.commit(
                    [Insert(an_object(f"new {uid}"))]
                    if kind == "create"
                    else [Replace(an_object(uid), seen=1)]
                )
                for uid in ("one", "two")
            )
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [RuntimeError] * 2
        assert outcomes[0] is not outcomes[1]  # each gets a traceback of its own
        assert (await store.check()).state == "up"
        await store.commit([Insert(an_object("new one")), Replace(an_object("two"), seen=1)])

    with_store(place, body)
    records = [record for record in caplog.records if record.levelname == "ERROR"]
    assert 1 <= len(records) <= 2  # of a transaction each
    assert all(record.exc_info[0] is Fault for record in records)


def _fail(*arguments, **options):
    raise Fault
