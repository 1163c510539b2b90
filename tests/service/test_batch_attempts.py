"""A batch whose service and whose database fail on demand: what is tried again, and what is answered."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from kms_tornado.auth.principal import Principal
from kms_tornado.errors import NonUniqueName, Unavailable
from kms_tornado.kmip.enums import ObjectType
from kms_tornado.kmip.messages.bodies import parse_message
from kms_tornado.kmip.payloads import CreateResponse
from kms_tornado.operations.common.transaction import Transaction
from kms_tornado.service import batch
from kms_tornado.service.catalogue import CATALOGUE, collect_payload_types
from kms_tornado.service.load.loop_turns import LoopTurns
from kms_tornado.store.interface.changes import Conflict, Refused

from ..kmip_items import attributes, batch_item, message, name, uid
from ..rows import each_row


class Scripted:
    """A service whose attempts and commits end as the script says; an exception is raised.

    Each attempt makes an object of its own, named by its number. named: what each request named, in the order of attempts.
    """

    operations = CATALOGUE
    auditor = None

    def __init__(self, *script, commits=()):
        self.script = list(script)
        self.commits = list(commits)
        self.attempts = 0
        self.named = []
        self.loop_turns = LoopTurns()

    async def attempt(self, principal, operation, request, objects, *, client, entry):
        self.attempts += 1
        self.named.append(getattr(request, "unique_identifier", None))
        step = self.script.pop(0) if self.script else None
        if step is SETTLES:
            await objects.commit_now()
        if isinstance(step, BaseException):
            raise step
        return CreateResponse(ObjectType.SYMMETRIC_KEY, f"{self.attempts}")

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
ALICE = Principal("alice", "alice", "", {}, 0)
CREATE = batch_item("Create", name("ObjectType", "SymmetricKey"), attributes())
DOWN = Unavailable("the database is out of reach")


def results(service, *items, option="Continue", **kwargs):
    body = message(*items, header=[name("BatchErrorContinuationOption", option)])
    read = parse_message(json.dumps(body).encode(), PAYLOADS)
    principal = ALICE
    done = asyncio.run(batch.run(service, principal, read, overhead=0, **kwargs))
    return [each.result for each in done]


def test_store_that_is_out_of_reach_from_the_start_is_503():
    with pytest.raises(Unavailable):
        results(Scripted(DOWN), CREATE, CREATE)


@each_row("option", ["Continue", "Stop", "Undo"])
@each_row("script", [[None, DOWN], [None, None]], ids=["reading", "committing"])
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


def test_the_placeholder_is_again_what_it_was_where_the_batch_goes_on():
    service = Scripted(SETTLES, commits=[None, None, Conflict(), Conflict()])
    assert results(service, CREATE, batch_item("Get"), CREATE) == ["Success"] * 3
    assert service.named == [None, "1", None, "1", None, "1", None]


@each_row(
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
        await batch.run(service, ALICE, read, overhead=0)
        watching.cancel()

    asyncio.run(both())
    assert sorted(set(seen)) == [1, 2, 3, 4]


def test_answers_are_bounded_without_a_wish_of_the_client(monkeypatch):
    monkeypatch.setattr(batch, "MAX_RESPONSE_BYTES", 600)
    found = results(Scripted(), *[CREATE] * 3)
    assert found[0] == "Success"
    assert found[-1] == "Response_Too_Large"


def test_refused_message_is_not_executed():
    service = Scripted()
    read = parse_message(
        json.dumps(message(batch_item("Get", uid("a")), count=3)).encode(), PAYLOADS
    )
    done = asyncio.run(batch.run(service, ALICE, read, overhead=0))
    assert [each.result for each in done] == ["Invalid_Message"]
    assert service.attempts == 0
