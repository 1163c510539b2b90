"""Attempts and turns: what happens to an operation whose object others change meanwhile."""

from __future__ import annotations

import asyncio
import time

import pytest

from kms_tornado.auth.principal import Principal
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.sealing.envelope import KeyRing, MasterKey
from kms_tornado.errors import OperationNotSupported
from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.payloads import GetRequest, InteropRequest, LogRequest
from kms_tornado.service.service import ATTEMPTS, Service, TooManyConflicts
from kms_tornado.settings.service import ServiceSettings
from kms_tornado.store.interface.changes import Conflict

from ..rows import each_row

ALICE, BOB = (Principal(name, name, "https://a.example/", {}, 2**31) for name in "ab")


class ConflictingStore:
    """A store in which others change the object in each of the first conflicts."""

    def __init__(self, conflicts):
        self.conflicts = conflicts
        self.reads = 0

    async def get_for(self, uid, *, principal, groups=(), rights=()):
        self.reads += 1
        if self.reads <= self.conflicts:
            raise Conflict
        raise LookupError("the end of the conflicts")


async def at_once(function, *, principal, heavy=False, size=0):
    return function()


def make_service(store, **settings):
    key = MasterKey(KeyMaterial(bytes(32)))
    return Service(
        store, KeyRing([key], key.own_bundle), at_once, ServiceSettings(**settings), now=time.time
    )


@each_row("conflicts", [0, 1, ATTEMPTS - 1])
def test_an_operation_that_meets_a_conflict_is_run_again(conflicts):
    store = ConflictingStore(conflicts)
    with pytest.raises(LookupError):
        asyncio.run(make_service(store).execute(ALICE, Operation.GET, GetRequest("x")))
    assert store.reads == conflicts + 1


def test_after_so_many_conflicts_the_operation_fails():
    store = ConflictingStore(10**6)
    with pytest.raises(TooManyConflicts, match="try again"):
        asyncio.run(make_service(store).execute(ALICE, Operation.GET, GetRequest("x")))
    assert store.reads == ATTEMPTS


@each_row(
    ("principal", "identifier", "waits"),
    [
        pytest.param(ALICE, "x", True, id="same principal and object"),
        pytest.param(ALICE, "y", False, id="another object"),
        pytest.param(BOB, "x", False, id="another principal"),
    ],
)
def test_turns_are_taken_by_principal_and_identifier(principal, identifier, waits):
    async def second_is_held_up():
        service = make_service(ConflictingStore(0))
        entered = asyncio.Event()

        async def enter():
            async with service.take_turn(principal, GetRequest(identifier)):
                entered.set()

        async with service.take_turn(ALICE, GetRequest("x")):
            task = asyncio.create_task(enter())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            was_held_up = not entered.is_set()
        await task
        return was_held_up

    assert asyncio.run(second_is_held_up()) == waits


def test_requests_that_name_the_same_objects_in_another_order_do_not_wait_for_each_other_forever():
    async def both():
        service = make_service(ConflictingStore(0))

        async def enter(*identifiers):
            async with service.take_turn(ALICE, *map(GetRequest, identifiers)):
                await asyncio.sleep(0)

        await asyncio.wait_for(asyncio.gather(enter("x", "y"), enter("y", "x")), timeout=5)

    asyncio.run(both())


def test_turns_are_forgotten_when_nobody_waits_any_more():
    async def take():
        service = make_service(ConflictingStore(0))
        async with service.take_turn(ALICE, GetRequest("x")):
            assert len(service._turns) == 1
        return len(service._turns)

    assert asyncio.run(take()) == 0


@each_row(
    ("operation", "request_payload"),
    [
        (Operation.INTEROP, InteropRequest(interop_function=1)),
        (Operation.LOG, LogRequest(log_message="x")),
        (Operation.CERTIFY, GetRequest("x")),
    ],
)
def test_an_operation_that_is_not_offered_is_refused(operation, request_payload):
    service = make_service(ConflictingStore(0))
    with pytest.raises(OperationNotSupported, match=f"^{operation.name.title()} is not offered"):
        asyncio.run(service.execute(ALICE, operation, request_payload))


def test_interop_operations_are_offered_where_the_settings_say_so():
    service = make_service(ConflictingStore(0), kmip_interop=True)
    response = asyncio.run(service.execute(ALICE, Operation.LOG, LogRequest(log_message="x")))
    assert response == service.payloads[Operation.LOG].response()
