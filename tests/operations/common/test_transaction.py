"""Changes that are held back, and batches whose store or clock will not play along."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json

import pytest

from kms_tornado.auth.principal import Principal
from kms_tornado.domain.search import LocateSearch, ObjectFilter, TagSearch
from kms_tornado.errors import NonceReused, NonUniqueName, ObjectAlreadyExists, Unavailable
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import State
from kms_tornado.kmip.messages import parse_message
from kms_tornado.kmip.payloads import CreateResponse
from kms_tornado.kmip.structures import Name
from kms_tornado.operations.common.transaction import Transaction
from kms_tornado.service import batch
from kms_tornado.service.catalogue import CATALOGUE, collect_payload_types
from kms_tornado.store.base import Conflict, Insert, Refused, Remove, Replace, UseNonce

from ... import postgres
from ...kms import attributes, batch_item, message, name, uid
from ...store.conftest import postgres_or_skip
from ...store.helpers import ALICE, an_object, with_store


@pytest.fixture(params=["sqlite", "postgresql"])
def path(request, tmp_path):
    if request.param == "sqlite":
        return tmp_path / "kms.db"
    return postgres_or_skip(postgres.empty_database)


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
            total, found = await transaction.locate(
                LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=9)
            )
            assert total == len(found)
            return [each.uid for each in tagged], found

        assert await search() == (["z", "a"], ["z", "a"])
        await transaction.commit([Insert(an_object("b", tags=frozenset({"t"})))])
        await transaction.commit([Replace(an_object("z", tags=frozenset()), seen=1)])
        await transaction.commit([Remove("a", seen=1)])
        assert await search() == (["b"], ["b", "z"])
        transaction.begin(1)
        await transaction.commit([Replace(an_object("b", tags=frozenset()), seen=1)])
        assert await search() == ([], ["b", "z"])
        transaction.take_back()
        assert await search() == (["b"], ["b", "z"])
        assert await store.get("b") is None, "nothing of it is done"
        assert (
            await store.locate(LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=9))
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
            await transaction.locate(
                LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=9)
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
            transaction.begin(item)
            await transaction.commit([Insert(wish)])
        for item in (4, 5):
            transaction.begin(item)
            await transaction.commit([UseNonce("k", b"nonce", seen=1)])
        with pytest.raises(Refused) as caught:
            await transaction.finish()
        assert {item: type(error) for item, error in caught.value.failures.items()} == {
            1: NonUniqueName,
            3: NonUniqueName,
            5: NonceReused,
        }
        assert [await store.get(each.uid) for each in wishes] == [None] * 4
        await store.commit([UseNonce("k", b"nonce", seen=1)])

    with_store(path, body)


def test_what_is_taken_back_is_not_committed(path):
    async def body(store):
        transaction = Transaction(store)
        transaction.begin(0)
        await transaction.commit([Insert(an_object("a"))])
        transaction.begin(1)
        await transaction.commit([Insert(an_object("b")), Remove("a", seen=1)])
        transaction.take_back()
        assert (await transaction.get("a")).uid == "a"
        await transaction.finish()
        assert await store.get("b") is None
        assert (await store.get("a")).uid == "a"

    with_store(path, body)


def test_what_is_settled_stays(path):
    async def body(store):
        transaction = Transaction(store)
        transaction.begin(0)
        await transaction.commit([Insert(an_object("a"))])
        await transaction.commit_now()
        assert (await store.get("a")).uid == "a"
        await transaction.commit([Insert(an_object("b"))])
        transaction.take_back()
        await transaction.finish()
        assert [await store.get(uid) is None for uid in "ab"] == [False, True]

    with_store(path, body)


def test_empty_transaction_asks_nothing_of_the_store():
    asyncio.run(Transaction(None).finish())


# --- batches with a service that fails on demand -------------------------------------------------


class Scripted:
    """A service whose attempts and commits end as the script says; an exception is raised."""

    operations = CATALOGUE

    def __init__(self, *script, commits=()):
        self.script = list(script)
        self.commits = list(commits)
        self.attempts = 0

    async def attempt(self, principal, operation, request, objects):
        self.attempts += 1
        step = self.script.pop(0) if self.script else None
        if step is SETTLES:
            await objects.commit_now()
        if isinstance(step, BaseException):
            raise step
        return CreateResponse(request.object_type, "a")

    def take_turn(self, principal, *requests):
        return contextlib.nullcontext()

    def begin_transaction(self, *, undoes=False):
        service = self

        class Held(Transaction):
            async def finish(self):
                step = service.commits.pop(0) if service.commits else None
                if step is not None:
                    raise step

        return Held(None, undoes=undoes)


PAYLOADS = collect_payload_types(CATALOGUE)
SETTLES = object()
CREATE = batch_item("Create", name("ObjectType", "SymmetricKey"), attributes())
DOWN = Unavailable("the database is out of reach")


def results(service, *items, option="Continue", **kwargs):
    body = message(*items, header=[name("BatchErrorContinuationOption", option)])
    read = parse_message(json.dumps(body).encode(), PAYLOADS)
    principal = Principal.__new__(Principal)
    done = asyncio.run(batch.run(service, principal, read, overhead=0, **kwargs))
    return [each.result for each in done]


def test_store_that_is_out_of_reach_from_the_start_is_503():
    with pytest.raises(Unavailable):
        results(Scripted(DOWN), CREATE, CREATE)


@pytest.mark.parametrize("option", ["Continue", "Stop", "Undo"])
@pytest.mark.parametrize("script", [[None, DOWN], [None, None]], ids=["reading", "committing"])
def test_when_the_store_goes_away_nothing_was_done(script, option):
    service = Scripted(*script, commits=[DOWN] if script[1] is None else [])
    with pytest.raises(Unavailable):
        results(service, CREATE, CREATE, option=option)


@pytest.mark.parametrize(
    ("option", "told"),
    [("Continue", ["Success", "General_Failure", "General_Failure"]), ("Stop", ["Success", "General_Failure"])],
)  # fmt: skip
def test_what_was_settled_before_the_store_went_away_is_told(option, told):
    service = Scripted(SETTLES, None, commits=[None, None, DOWN])
    assert results(service, CREATE, CREATE, CREATE, option=option) == told


def test_what_was_settled_is_not_run_again():
    service = Scripted(None, SETTLES, None, Conflict())
    assert results(service, CREATE, CREATE, CREATE, CREATE) == ["Success"] * 4
    assert service.attempts == 4 + 2


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("Continue", ["Success", "Non_Unique_Name_Attribute", "Success"]),
        ("Stop", ["Success", "Non_Unique_Name_Attribute"]),
        ("Undo", ["Operation_Undone", "Non_Unique_Name_Attribute"]),
    ],
)
def test_an_item_that_the_database_refuses_at_the_end_has_failed(option, told):
    service = Scripted(commits=[Refused({1: NonUniqueName("taken")})])
    assert results(service, CREATE, CREATE, CREATE, option=option) == told


@pytest.mark.parametrize("option", ["Continue", "Undo"])
def test_conflict_has_the_item_or_the_batch_run_again(option):
    service = Scripted(None, Conflict(), commits=[None] if option == "Continue" else [Conflict()])
    assert results(service, CREATE, CREATE, option=option) == ["Success"] * 2
    assert service.attempts > 2


@pytest.mark.parametrize("option", ["Continue", "Undo"])
def test_conflicts_without_end_are_a_failure(option):
    service = Scripted(*[Conflict()] * 1000)
    assert set(results(service, CREATE, CREATE, option=option)) == {"General_Failure"}


def test_no_item_is_begun_after_the_deadline():
    clock = iter([0.0, 1.0, 29.0, 31.0, 32.0])
    service = Scripted()
    found = results(service, *[CREATE] * 4, monotonic=lambda: next(clock))
    assert found == ["Success", "Success", "General_Failure", "General_Failure"]
    assert service.attempts == 2


def test_undo_after_the_deadline_takes_all_back():
    clock = iter([0.0, 1.0, 31.0])
    found = results(Scripted(), CREATE, CREATE, option="Undo", monotonic=lambda: next(clock))
    assert found == ["Operation_Undone", "General_Failure"]


@pytest.mark.parametrize("option", ["Continue", "Undo"])
def test_others_run_between_items_once_the_batch_has_had_its_turn(monkeypatch, option):
    monkeypatch.setattr(batch, "TURN_S", -1)
    body = message(*[CREATE] * 4, header=[name("BatchErrorContinuationOption", option)])
    read = parse_message(json.dumps(body).encode(), PAYLOADS)
    service = Scripted()
    seen = []

    async def watch():
        while True:
            seen.append(service.attempts)
            await asyncio.sleep(0)

    async def both():
        watching = asyncio.create_task(watch())
        await batch.run(service, Principal.__new__(Principal), read, overhead=0)
        watching.cancel()

    asyncio.run(both())
    assert seen == [1, 2, 3, 4]


def test_answers_are_bounded_without_a_wish_of_the_client(monkeypatch):
    monkeypatch.setattr(batch, "MAX_RESPONSE_BYTES", 200)
    found = results(Scripted(), *[CREATE] * 3)
    assert found[0] == "Success"
    assert found[-1] == "Response_Too_Large"


def test_refused_message_is_not_executed():
    service = Scripted()
    read = parse_message(
        json.dumps(message(batch_item("Get", uid("a")), count=3)).encode(), PAYLOADS
    )
    done = asyncio.run(batch.run(service, Principal.__new__(Principal), read, overhead=0))
    assert [each.result for each in done] == ["Invalid_Message"]
    assert service.attempts == 0
