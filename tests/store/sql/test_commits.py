"""Commits of several groups: all of them or none, and which of them cannot be done."""

from __future__ import annotations

import pytest

from kms_tornado.domain.search import LocateSearch, ObjectFilter, TagSearch
from kms_tornado.errors import NonUniqueName, ObjectAlreadyExists
from kms_tornado.kmip.enums import State
from kms_tornado.kmip.structures import Name
from kms_tornado.store.base import Conflict, Insert, Refused, Remove, Replace
from kms_tornado.store.sql.commits import Commit, GroupCommit, join_commits

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
