"""Changes that are held back until all of them are committed, or taken back."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from kms_tornado.domain.nonces import NonceSource
from kms_tornado.domain.search import LocateSearch, ObjectFilter, TagSearch
from kms_tornado.errors import NonceReused, NonUniqueName, ObjectAlreadyExists
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import State
from kms_tornado.kmip.structures import Name
from kms_tornado.operations.common.transaction import Transaction
from kms_tornado.store.interface.changes import (
    Conflict,
    Insert,
    Refused,
    Remove,
    Replace,
    ReserveNonces,
    UseNonce,
)

from ... import postgres
from ...store.helpers import ALICE, an_object, locate, with_store


@pytest.fixture(params=["sqlite", "postgresql"])
def path(request, tmp_path):
    if request.param == "sqlite":
        return tmp_path / "kms.db"
    return postgres.empty_database()


def revoked(target):
    return dataclasses.replace(target, state=State.DEACTIVATED)


def test_nothing_is_changed_before_the_end(path):
    async def body(store):
        transaction = Transaction(store)
        await transaction.commit([Insert(an_object("a"))])
        assert (await transaction.get("a")).uid == "a"
        assert await store.get("a") is None
        await transaction.finish()
        assert (await store.get("a")).uid == "a"

    with_store(path, body)


def test_identifier_that_the_server_made_is_not_looked_for(path):
    async def body(store):
        looked_for = []

        class Watched:
            commit_groups = store.commit_groups

            async def is_taken(self, uid, *, owner):
                looked_for.append(uid)
                return await store.is_taken(uid, owner=owner)

        transaction = Transaction(Watched())
        made = [Insert(an_object(uid), is_uid_random=True) for uid in "ab"]
        await transaction.commit([*made, Insert(an_object("chosen"))])
        await transaction.finish()
        assert looked_for == ["chosen"]
        assert [(await store.get(uid)).uid for uid in "ab"] == ["a", "b"]

    with_store(path, body)


def test_changes_build_on_each_other(path):
    async def body(store):
        transaction = Transaction(store)
        await transaction.commit([Insert(an_object("a"))])
        held = await transaction.get("a")
        await transaction.commit([Replace(revoked(held), seen=held.generation)])
        held = await transaction.get("a")
        assert held.state is State.DEACTIVATED
        await transaction.commit([Remove("a", seen=held.generation)])
        assert await transaction.get("a") is None
        await transaction.commit([Insert(an_object("a", tags=frozenset({"again"})))])
        await transaction.finish()
        assert (await store.get("a")).tags == {"again"}

    with_store(path, body)


def test_conflict_with_others_leaves_nothing_done(path):
    async def body(store):
        await store.commit([Insert(an_object("a"))])
        transaction = Transaction(store)
        held = await transaction.get("a")
        await transaction.commit([Insert(an_object("b")), Replace(revoked(held), seen=1)])
        await store.commit([Replace(an_object("a", tags=frozenset({"x"})), seen=1)])
        with pytest.raises(Conflict):
            await transaction.finish()
        assert await store.get("b") is None
        assert (await store.get("a")).state is State.ACTIVE

    with_store(path, body)


def test_identifier_that_others_take_in_between_is_a_conflict(path):
    async def body(store):
        transaction = Transaction(store)
        await transaction.commit([Insert(an_object("a"))])
        await store.commit([Insert(an_object("a"))])
        with pytest.raises(Conflict):
            await transaction.finish()

    with_store(path, body)


def test_what_is_known_to_fail_fails_at_once(path):
    async def body(store):
        await store.commit([Insert(an_object("a"))])
        transaction = Transaction(store)
        with pytest.raises(ObjectAlreadyExists):
            await transaction.commit([Insert(an_object("a"))])
        for change in (Replace(an_object("a"), seen=7), Remove("a", seen=7), Remove("b", seen=1)):
            with pytest.raises(Conflict):
                await transaction.commit([change])

    with_store(path, body)


def test_searches_see_what_is_held_back(path):
    async def body(store):
        await store.commit([Insert(an_object("a", tags=frozenset({"t"})))])
        await store.commit([Insert(an_object("z", tags=frozenset({"t"})))])
        transaction = Transaction(store)

        async def search():
            tagged = await transaction.find_tagged(TagSearch(frozenset({"t"}), principal=ALICE))
            total, found = await locate(
                transaction, LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=9)
            )
            assert total == len(found)
            return [each.uid for each in tagged], found

        assert await search() == (["z", "a"], ["z", "a"])
        await transaction.commit([Insert(an_object("b", tags=frozenset({"t"})))])
        await transaction.commit([Replace(an_object("z", tags=frozenset()), seen=1)])
        await transaction.commit([Remove("a", seen=1)])
        assert await search() == (["b"], ["b", "z"])
        transaction.begin_item(1)
        await transaction.commit([Replace(an_object("b", tags=frozenset()), seen=1)])
        assert await search() == ([], ["b", "z"])
        transaction.roll_back_item()
        assert await search() == (["b"], ["b", "z"])
        assert await store.get("b") is None, "nothing of it is done"
        assert (
            await locate(store, LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=9))
        )[0] == 2
        await transaction.finish()
        assert await search() == (["b"], ["b", "z"])

    with_store(path, body)


def test_a_search_after_somebody_else_s_change_is_a_conflict(path):
    async def body(store):
        await store.commit([Insert(an_object("a"))])
        transaction = Transaction(store)
        await transaction.commit([Replace(revoked(an_object("a")), seen=1)])
        await store.commit([Replace(an_object("a", tags=frozenset({"x"})), seen=1)])
        with pytest.raises(Conflict):
            await locate(
                transaction, LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=9)
            )

    with_store(path, body)


def named(uid, value):
    return an_object(uid, attributes=Attributes(names=(Name(value),)))


def test_items_that_cannot_be_are_told_and_nothing_is_done(path):
    async def body(store):
        await store.commit([Insert(named("a", "taken")), Insert(an_object("k"))])
        transaction = Transaction(store)
        wishes = (named("b", "free"), named("c", "taken"), named("d", "new"), named("e", "new"))
        for item, wish in enumerate(wishes):
            transaction.begin_item(item)
            await transaction.commit([Insert(wish)])
        for item in (4, 5):
            transaction.begin_item(item)
            await transaction.commit([UseNonce("k", KEY, b"nonce", seen=1)])
        with pytest.raises(Refused) as caught:
            await transaction.finish()
        assert {item: type(error) for item, error in caught.value.failures.items()} == {
            1: NonUniqueName,
            3: NonUniqueName,
            5: NonceReused,
        }
        assert [await store.get(each.uid) for each in wishes] == [None] * 4
        await store.commit([UseNonce("k", KEY, b"nonce", seen=1)])

    with_store(path, body)


# --- nonces -------------------------------------------------------------------------------------

KEY = bytes(32)


@pytest.mark.parametrize(
    ("change", "source"),
    [
        pytest.param(UseNonce("a", KEY, b"nonce", seen=1), NonceSource.CALLER, id="caller"),
        pytest.param(ReserveNonces("a", KEY, 1, seen=1), NonceSource.SERVER, id="server"),
    ],
)
@pytest.mark.parametrize("is_new", [False, True])
def test_later_items_see_the_source_that_an_earlier_one_fixed(path, change, source, is_new):
    async def body(store):
        await (transaction := Transaction(store)).commit([Insert(an_object("other"))])
        if is_new:
            await transaction.commit([Insert(an_object("a"))])
        else:
            await store.commit([Insert(an_object("a"))])
        transaction.begin_item(1)
        await transaction.commit([change])
        assert (await transaction.get("a")).nonce_source == source
        assert (await transaction.get_for("a", principal=ALICE)).nonce_source == source
        limited = dataclasses.replace(an_object("a"), tags=frozenset())
        await transaction.commit([Replace(limited, seen=1)])
        assert (await transaction.get("a")).nonce_source == source, "though it was read before"
        assert is_new or (await store.get("a")).nonce_source is None
        await transaction.finish()
        stored = await store.get("a")
        assert (stored.nonce_source, stored.generation) == (source, 2)

    with_store(path, body)


def test_item_that_is_rolled_back_fixes_no_source(path):
    async def body(store):
        await store.commit([Insert(an_object("a"))])
        transaction = Transaction(store)
        transaction.begin_item(0)
        await transaction.commit([UseNonce("a", KEY, b"nonce", seen=1)])
        transaction.roll_back_item()
        assert (await transaction.get("a")).nonce_source is None
        transaction.begin_item(1)
        await transaction.commit([ReserveNonces("a", KEY, 1, seen=1)])
        await transaction.finish()
        assert (await store.get("a")).nonce_source == NonceSource.SERVER

    with_store(path, body)


def test_nonces_of_a_conflict_are_neither_recorded_nor_reserved(path):
    async def body(store):
        await store.commit([Insert(an_object(uid)) for uid in ("a", "b", "x")])
        transaction = Transaction(store)
        await transaction.commit([UseNonce("a", KEY, b"nonce", seen=1)])
        await transaction.commit([ReserveNonces("b", bytes(31) + b"b", 1, seen=1)])
        await transaction.commit([Replace(an_object("x"), seen=1)])
        await store.commit([Replace(an_object("x"), seen=1)])
        with pytest.raises(Conflict):
            await transaction.finish()
        assert [(await store.get(uid)).nonce_source for uid in "ab"] == [None, None]
        await transaction.commit([UseNonce("a", KEY, b"nonce", seen=1)])
        await transaction.finish()
        assert (await store.get("a")).nonce_source == NonceSource.CALLER

    with_store(path, body)


def test_reservation_for_an_object_of_the_database_is_not_held_back(path):
    async def body(store):
        await store.commit([Insert(an_object("a"))])
        transaction = Transaction(store)
        await transaction.commit([Insert(an_object("b"))])
        assert [transaction.holds_back(uid) for uid in "ab"] == [False, True]
        assert not store.holds_back("b")
        await transaction.reserve_nonces(ReserveNonces("a", KEY, 5, seen=1))
        assert (await store.get("a")).nonce_source == NonceSource.SERVER
        assert (await transaction.get("a")).nonce_source == NonceSource.SERVER

    with_store(path, body)


def test_what_is_taken_back_is_not_committed(path):
    async def body(store):
        transaction = Transaction(store)
        transaction.begin_item(0)
        await transaction.commit([Insert(an_object("a"))])
        transaction.begin_item(1)
        await transaction.commit([Insert(an_object("b")), Remove("a", seen=1)])
        transaction.roll_back_item()
        assert (await transaction.get("a")).uid == "a"
        await transaction.finish()
        assert await store.get("b") is None
        assert (await store.get("a")).uid == "a"

    with_store(path, body)


def test_what_is_settled_stays(path):
    async def body(store):
        transaction = Transaction(store)
        transaction.begin_item(0)
        await transaction.commit([Insert(an_object("a"))])
        await transaction.commit_now()
        assert (await store.get("a")).uid == "a"
        await transaction.commit([Insert(an_object("b"))])
        transaction.roll_back_item()
        await transaction.finish()
        assert [await store.get(uid) is None for uid in "ab"] == [False, True]

    with_store(path, body)


def test_empty_transaction_asks_nothing_of_the_store():
    asyncio.run(Transaction(None).finish())
