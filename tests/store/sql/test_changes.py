"""Changes: all of a commit or none, each on the generation that was seen."""

from __future__ import annotations

import asyncio
import random
import traceback
from dataclasses import replace

import pytest

from kms_tornado.domain.search import LocateSearch, ObjectFilter, TagSearch
from kms_tornado.errors import GeneralFailure, InvalidField, ObjectAlreadyExists
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import ObjectType, Operation, State
from kms_tornado.operations.common.identifiers import MAX_IDENTIFIER_BYTES, MAX_TAG_BYTES
from kms_tornado.store.bounds import MAX_TAGS
from kms_tornado.store.interface.changes import (
    Conflict,
    Grant,
    Insert,
    Refused,
    Remove,
    Replace,
    Withdraw,
)
from kms_tornado.user_names import MAX_NAME_LENGTH

from ..helpers import (
    ALICE,
    BOB,
    KEY_ATTRIBUTES,
    an_object,
    locate,
    seeking,
    uids,
    with_store,
    write_behind,
)

# --- one object ---------------------------------------------------------------------------------


KEPT = {
    "a key": an_object("plain"),
    "no attributes": an_object("bare", attributes=Attributes(), tags=frozenset()),
    "destroyed": an_object("gone", sealed=None, state=State.DESTROYED),
    "empty material": an_object("empty", sealed=b""),
    "version and generation": an_object("old", version=7, generation=9),
    "odd names": an_object("Ω '\"; DROP TABLE objects; --", owner="o'hara"),
    "odd tags": an_object("tags", tags=frozenset({"a'b", '"', "\\", "é", "%", "日本", ",", "[]"})),
    "secret data": an_object("sd", object_type=ObjectType.SECRET_DATA),
}


def test_an_object_comes_back_as_it_was(place):
    async def body(store):
        for kept in KEPT.values():
            await store.commit([Insert(kept)])
        return {name: await store.get(kept.uid) for name, kept in KEPT.items()}

    assert with_store(place, body) == KEPT


def test_an_object_is_there_after_a_restart(place):
    with_store(place, lambda store: store.commit([Insert(an_object("kept"))]))
    assert with_store(place, lambda store: store.get("kept")) == an_object("kept")


def test_longest_identifier_owner_and_tag_have_a_place_in_every_index(place):
    """PostgreSQL's entries of an index have at most 2,704 bytes; random characters, as others are compressed."""
    wide = random.Random(1).sample(range(0x20000, 0x2A000), 2000)

    def fill(octets):
        return "".join(map(chr, wide[: octets // 4]))

    largest = an_object(
        fill(MAX_IDENTIFIER_BYTES),
        owner=fill(4 * MAX_NAME_LENGTH),
        tags=frozenset({"_kk", fill(MAX_TAG_BYTES)}),
    )

    async def body(store):
        await store.commit([Insert(largest)])
        await store.commit(
            [Grant(largest.uid, largest.owner, largest.owner[::-1], frozenset({Operation.GET}))]
        )
        assert (await store.get(largest.uid)).tags == largest.tags

    with_store(place, body)


def test_what_is_not_there_is_none(place):
    absent = ("absent", "", "KEPT", "kept ", "kep_", "%", "\0", "\ud800")

    async def body(store):
        await store.commit([Insert(an_object("kept"))])
        return {uid: await store.get(uid) for uid in absent}

    assert with_store(place, body) == dict.fromkeys(absent)


def test_a_taken_identifier_is_refused_and_the_first_object_stays(place):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        with pytest.raises(ObjectAlreadyExists):
            await store.commit([Insert(an_object("one", owner=BOB))])
        return (await store.get("one")).owner

    assert with_store(place, body) == ALICE


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(an_object("\ud800"), id="half a character in the identifier"),
        pytest.param(an_object("x", tags=frozenset({"\ud800"})), id="half a character in a tag"),
        pytest.param(an_object("x", created_at=2**63), id="a number of 64 bits"),
        pytest.param(
            an_object("x", tags=frozenset(map(str, range(MAX_TAGS + 1)))), id="too many tags"
        ),
    ],
)
def test_what_no_database_can_hold_is_an_invalid_field(place, bad):
    async def body(store):
        with pytest.raises(InvalidField):
            await store.commit([Insert(an_object("good")), Insert(bad)])
        assert await store.get("good") is None
        await store.commit([Insert(an_object("good"))])
        return await store.get("good")

    assert with_store(place, body) == an_object("good")


def test_no_error_shows_the_row_that_it_is_about(place):
    row = an_object("canary-uid", tags=frozenset({"canary-tag"}), sealed=b"canary-sealed")

    async def body(store):
        await store.commit([Insert(row)])
        with pytest.raises(ObjectAlreadyExists) as caught:
            await store.commit([Insert(row)])
        shown = "".join(traceback.format_exception(caught.value))
        assert "ObjectAlreadyExists" in shown
        assert "canary" not in shown

    with_store(place, body)


# --- compare and set ----------------------------------------------------------------------------


def test_a_replacement_counts_the_generation_up(place):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        seen = await store.get("one")
        changed = replace(
            seen,
            state=State.DEACTIVATED,
            tags=frozenset({"new"}),
            attributes=replace(KEY_ATTRIBUTES, cryptographic_length=128),
            version=2,
        )
        await store.commit([Replace(changed, seen.generation)])
        assert await store.get("one") == replace(changed, generation=2)
        assert uids(await store.find_tagged(TagSearch(frozenset({"new"}), principal=ALICE))) == [
            "one"
        ]
        assert uids(await store.find_tagged(TagSearch(frozenset({"_kk"}), principal=ALICE))) == []
        shorter = seeking(cryptographic_length=128)
        assert await locate(store, LocateSearch(shorter, principal=ALICE, offset=0, maximum=9)) == (
            1,
            ["one"],
        )

    with_store(place, body)


@pytest.mark.parametrize(
    "stale",
    [
        pytest.param(Replace(an_object("one", state=State.COMPROMISED), seen=1), id="replace"),
        pytest.param(Replace(an_object("one"), seen=3), id="replace a later one"),
        pytest.param(Replace(an_object("absent"), seen=1), id="replace what is not there"),
        pytest.param(Remove("one", seen=1), id="remove"),
        pytest.param(Remove("absent", seen=1), id="remove what is not there"),
    ],
)
def test_a_change_of_what_was_changed_meanwhile_is_a_conflict(place, stale):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        await store.commit([Replace(an_object("one", owner=BOB), seen=1)])
        with pytest.raises(Conflict):
            await store.commit([Insert(an_object("two")), stale])
        assert await store.get("two") is None
        return await store.get("one")

    assert with_store(place, body) == an_object("one", owner=BOB, generation=2)


def test_of_many_replacements_at_once_exactly_one_wins(place):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        changes = [Replace(an_object("one", created_at=number), seen=1) for number in range(50)]
        outcomes = await asyncio.gather(
            *(store.commit([change]) for change in changes), return_exceptions=True
        )
        assert outcomes.count(None) == 1
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 49
        won = outcomes.index(None)
        assert await store.get("one") == an_object("one", created_at=won, generation=2)

    with_store(place, body)


def test_a_conflict_hurts_nobody_who_shares_the_commit(place):
    async def body(store):
        await store.commit([Insert(an_object("taken"))])
        bad = [
            store.commit([Insert(an_object(f"x{n}")), Insert(an_object("taken"))])
            for n in range(20)
        ]
        good = [store.commit([Insert(an_object(f"good{n}"))]) for n in range(20)]
        mixed = [each for pair in zip(bad, good, strict=True) for each in pair]
        outcomes = await asyncio.gather(*mixed, return_exceptions=True)
        assert all(isinstance(outcome, ObjectAlreadyExists) for outcome in outcomes[::2])
        assert outcomes[1::2] == [None] * 20
        total, found = await locate(
            store, LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=99)
        )
        assert total == 21
        assert set(found) == {"taken", *(f"good{n}" for n in range(20))}

    with_store(place, body)


def test_a_removed_identifier_is_free_again_and_its_tags_are_gone(place):
    async def body(store):
        await store.commit([Insert(an_object("one", tags=frozenset({"old"})))])
        await store.commit([Remove("one", seen=1)])
        assert await store.get("one") is None
        assert not await store.holds_objects()
        await store.commit([Insert(an_object("one", tags=frozenset({"new"})))])
        assert await store.find_tagged(TagSearch(frozenset({"old"}), principal=ALICE)) == []
        assert uids(await store.find_tagged(TagSearch(frozenset({"new"}), principal=ALICE))) == [
            "one"
        ]

    with_store(place, body)


def test_changes_of_one_commit_build_on_one_another(place):
    async def body(store):
        await store.commit(
            [
                Insert(an_object("one")),
                Replace(an_object("one", owner=BOB), 1),
                Insert(an_object("2")),
            ]
        )
        await store.commit([Remove("one", 2), Insert(an_object("one", owner=BOB))])
        return await store.get("one")

    assert with_store(place, body) == an_object("one", owner=BOB)


def test_an_identifier_stays_the_owners_of_the_object_that_was_removed(place):
    async def body(store):
        await store.commit([Insert(an_object("one")), Insert(an_object("two"))])
        assert await store.is_taken("one", owner=ALICE)
        await store.commit([Remove("one", 1)])
        assert await store.is_taken("one", owner=BOB)
        assert not await store.is_taken("one", owner=ALICE)
        assert not await store.is_taken("three", owner=BOB)
        for changes in ([], [Insert(an_object("other", owner=BOB))], [Remove("two", 1)]):
            with pytest.raises(ObjectAlreadyExists):
                await store.commit([*changes, Insert(an_object("one", owner=BOB))])
        for generation in (1, 1):
            await store.commit([Insert(an_object("one"))])
            await store.commit([Remove("one", generation)])
        with pytest.raises(ObjectAlreadyExists):
            await store.commit([Insert(an_object("one", owner=BOB))])
        assert await store.get("other") is None

    with_store(place, body)


def test_many_identifiers_are_looked_up_at_once(place):
    async def body(store):
        many = [f"{number}" for number in range(1100)]
        await store.commit([Insert(an_object(uid)) for uid in many])
        await store.commit([Remove(many[-1], 1)])
        taken = [Insert(an_object(f"b{uid}", owner=BOB)) for uid in many]
        with pytest.raises(ObjectAlreadyExists):
            await store.commit([*taken, Insert(an_object(many[-1], owner=BOB))])
        await store.commit(taken)

    with_store(place, body)


def test_who_removes_and_who_takes_the_identifier_at_once(place):
    """The one who takes it waits for the one who removes, and then sees whose it is."""

    async def body(store):
        for number in range(20):
            uid = f"{number}"
            await store.commit([Insert(an_object(uid))])
            removed, taken = await asyncio.gather(
                store.commit([Remove(uid, 1)]),
                store.commit([Insert(an_object(uid, owner=BOB))]),
                return_exceptions=True,
            )
            assert removed is None
            assert isinstance(taken, ObjectAlreadyExists)

    with_store(place, body)


def test_a_caller_who_stops_waiting_harms_nobody(place):
    async def body(store):
        gone = asyncio.ensure_future(store.commit([Insert(an_object("gone"))]))
        stays = asyncio.ensure_future(store.commit([Insert(an_object("stays"))]))
        await asyncio.sleep(0)
        gone.cancel()
        await stays
        return await store.get("stays")

    assert with_store(place, body) == an_object("stays")


# --- rows that something else wrote -------------------------------------------------------------

GET = frozenset({Operation.GET})
#: The changes of a row that was good when it was read, and is edited before they are made.
CHANGES_OF_A_ROW = {
    "replace": lambda uid: Replace(an_object(uid, state=State.DEACTIVATED), seen=1),
    "remove": lambda uid: Remove(uid, seen=1),
    "grant": lambda uid: Grant(uid, ALICE, "carol", GET),
    "withdraw": lambda uid: Withdraw(uid, ALICE, BOB, GET),
}
EDITS_OF_A_ROW = {
    "a value": "UPDATE objects SET state = 1 WHERE uid = :uid",
    "a value that repeats an attribute": "UPDATE objects SET usage_mask = 1 WHERE uid = :uid",
    "its rights": "UPDATE objects SET grants = '' WHERE uid = :uid",
    "its code": "UPDATE objects SET mac = NULL WHERE uid = :uid",
}


@pytest.mark.parametrize("change", CHANGES_OF_A_ROW.values(), ids=CHANGES_OF_A_ROW)
def test_a_change_does_not_rewrite_a_row_that_something_else_wrote(place, caplog, change):
    async def body(store):
        for uid, edit in EDITS_OF_A_ROW.items():
            await store.commit([Insert(an_object(uid))])
            await store.commit([Grant(uid, ALICE, BOB, GET)])
            write_behind(place, edit, uid=uid)
            for commit in (store.commit([change(uid)]), store.commit_groups([[change(uid)]])):
                caplog.clear()
                with pytest.raises((GeneralFailure, Refused)) as caught:
                    await commit
                if isinstance(caught.value, Refused):
                    assert isinstance(caught.value.failures[0], GeneralFailure), uid
                (record,) = caplog.records
                assert record.levelname == "ERROR"
                assert f"the object {uid}" in record.getMessage()
            with pytest.raises(GeneralFailure):
                await store.get(uid)

    with_store(place, body)


def test_a_change_of_rights_does_not_go_by_an_index_that_something_else_wrote(place):
    async def body(store):
        for uid, edit in (
            ("one", "UPDATE grants SET operation = 20"),
            ("two", "DELETE FROM grants"),
        ):
            await store.commit([Insert(an_object(uid)), Grant(uid, ALICE, BOB, GET)])
            write_behind(place, edit)
            for change in (Grant, Withdraw):
                with pytest.raises(GeneralFailure):
                    await store.commit([change(uid, ALICE, BOB, GET)])

    with_store(place, body)


def test_only_the_other_changes_of_a_batch_are_told_apart_from_an_edited_row(place):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        write_behind(place, EDITS_OF_A_ROW["a value"], uid="one")
        groups = [[Insert(an_object("two"))], [CHANGES_OF_A_ROW["replace"]("one")]]
        with pytest.raises(Refused) as caught:
            await store.commit_groups(groups)
        assert list(caught.value.failures) == [1]
        assert await store.get("two") is None

    with_store(place, body)
