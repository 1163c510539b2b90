"""Changes that are held back, and batches whose store or clock will not play along."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import pytest

from kms_tornado.auth.principal import Principal
from kms_tornado.domain.search import ObjectFilter
from kms_tornado.errors import FeatureNotSupported, ObjectAlreadyExists, Unavailable
from kms_tornado.kmip.enums import State
from kms_tornado.kmip.messages import parse_message
from kms_tornado.kmip.payloads import CreateResponse
from kms_tornado.operations import batch
from kms_tornado.operations.transaction import Transaction
from kms_tornado.store.base import Conflict, Insert, Remove, Replace

from ..kms import attributes, batch_item, message, name, uid
from ..store.helpers import ALICE, an_object, with_store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kms.db"


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


def test_searches_pass_until_something_is_held_back(path):
    async def body(store):
        await store.commit([Insert(an_object("a", tags=frozenset({"t"})))])
        transaction = Transaction(store)

        async def search():
            found = await transaction.with_tags(frozenset({"t"}), principal=ALICE)
            total, _ = await transaction.locate(
                ObjectFilter(), principal=ALICE, offset=0, maximum=9
            )
            return [each.uid for each in found], total

        assert await search() == (["a"], 1)
        await transaction.commit([Insert(an_object("b"))])
        with pytest.raises(FeatureNotSupported):
            await search()

    with_store(path, body)


def test_empty_transaction_asks_nothing_of_the_store():
    asyncio.run(Transaction(None).finish())


# --- batches with a service that fails on demand -------------------------------------------------


class Scripted:
    """A service whose attempts and commits end as the script says; an exception is raised."""

    def __init__(self, *script, commits=()):
        self.script = list(script)
        self.commits = list(commits)
        self.attempts = 0

    async def attempt(self, principal, operation, request, objects):
        self.attempts += 1
        step = self.script.pop(0) if self.script else None
        if isinstance(step, BaseException):
            raise step
        return CreateResponse(request.object_type, "a")

    def transaction(self, *, undoes=False):
        service = self

        class Held(Transaction):
            async def finish(self):
                step = service.commits.pop(0) if service.commits else None
                if step is not None:
                    raise step

        return Held(None)


CREATE = batch_item("Create", name("ObjectType", "SymmetricKey"), attributes())
DOWN = Unavailable("the database is out of reach")


def results(service, *items, option="Continue", **kwargs):
    body = message(*items, header=[name("BatchErrorContinuationOption", option)])
    read = parse_message(json.dumps(body).encode())
    principal = Principal.__new__(Principal)
    done = asyncio.run(batch.run(service, principal, read, overhead=0, **kwargs))
    return [each.result for each in done]


def test_store_that_is_out_of_reach_from_the_start_is_503():
    with pytest.raises(Unavailable):
        results(Scripted(DOWN), CREATE, CREATE)


@pytest.mark.parametrize("script", [[None, DOWN], [None, None]], ids=["reading", "committing"])
def test_what_was_done_before_the_store_went_away_is_told(script):
    service = Scripted(*script, commits=[None, DOWN] if script[1] is None else [])
    assert results(service, CREATE, CREATE) == ["Success", "General_Failure"]


@pytest.mark.parametrize("done", [0, 1])
def test_with_undo_nothing_was_done(done):
    with pytest.raises(Unavailable):
        results(Scripted(*[None] * done, DOWN), CREATE, CREATE, option="Undo")


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


def test_answers_are_bounded_without_a_wish_of_the_client(monkeypatch):
    monkeypatch.setattr(batch, "MAX_RESPONSE_BYTES", 200)
    found = results(Scripted(), *[CREATE] * 3)
    assert found[0] == "Success"
    assert found[-1] == "Response_Too_Large"


def test_refused_message_is_not_executed():
    service = Scripted()
    read = parse_message(json.dumps(message(batch_item("Get", uid("a")), count=3)).encode())
    done = asyncio.run(batch.run(service, Principal.__new__(Principal), read, overhead=0))
    assert [each.result for each in done] == ["Invalid_Message"]
    assert service.attempts == 0
