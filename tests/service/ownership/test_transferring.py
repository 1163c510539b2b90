"""An owner's objects become another user's: whole, page by page, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import Any

import pytest

from kms_tornado.domain.managed_object import SealedMaterial, UniqueIdentifier
from kms_tornado.errors import ItemNotFound, NonUniqueName
from kms_tornado.kmip.attributes import Attributes, with_user_tags
from kms_tornado.kmip.enums import NameType, Operation, State
from kms_tornado.kmip.payloads import DestroyRequest, RevokeRequest
from kms_tornado.kmip.structures import Name, RevocationReason
from kms_tornado.service.objects.access_rights import AccessRequest
from kms_tornado.service.ownership import transferring
from kms_tornado.service.ownership.transferring import Transfer, Transferrer, TransferResult
from kms_tornado.store.interface.changes import Replace

from ...operations.inside import ALICE, BOB, Inside
from .transfers import Meddling, check_whole, grants_of, owned

CAROL, DEVS = "carol", "group:devs"
GET, ENCRYPT = Operation.GET, Operation.ENCRYPT


def move(
    kms: Inside, old: str = ALICE, new: str = BOB, store: Any = None, **more: Any
) -> TransferResult:
    transferrer = Transferrer(store or kms.store, kms.ring)
    is_rehearsal = more.pop("is_rehearsal", False)
    moved: TransferResult
    moved = kms.run(transferrer.transfer(Transfer(old, new, **more), is_rehearsal=is_rehearsal))
    return moved


def grant(kms: Inside, key: str, user: str, *operations: Operation) -> None:
    request = AccessRequest(UniqueIdentifier(key), user, frozenset(operations))
    kms.run(kms.rights.grant(ALICE, request, has_groups=True))


def named(value: str) -> dict[str, Any]:
    return {"names": (Name(value, NameType.UNINTERPRETED_TEXT_STRING),)}


def test_object_is_the_new_owners_with_all_that_it_has(kms: Inside) -> None:
    tags = with_user_tags(Attributes(), ["billing"]).vendor_attributes
    key = kms.create(vendor_attributes=tags, **named("invoices"))
    octets, sealed = kms.key_of(key), kms.encrypt(key)
    before = kms.run(kms.store.get(key))
    assert move(kms) == TransferResult(1, {})
    assert kms.key_of(key, BOB) == octets
    assert kms.decrypt(sealed, BOB) == b"data"
    assert kms.encrypt('["billing"]', user=BOB).unique_identifier == key
    after = kms.run(kms.store.get(key))
    assert after.sealed != before.sealed, "bound to its owner"
    assert (
        dataclasses.replace(after, owner=ALICE, sealed=before.sealed, generation=before.generation)
        == before
    )
    assert (owned(kms, ALICE), owned(kms, BOB)) == (set(), {key})
    for look in (lambda: kms.key_of(key), lambda: kms.encrypt('["billing"]')):
        with pytest.raises(ItemNotFound):
            look()
    check_whole(kms, BOB, 1)
    kms.create(**named("invoices"))  # the name is free again, and only there
    with pytest.raises(NonUniqueName):
        kms.create(BOB, **named("invoices"))


def test_rights_of_others_stay_unless_they_are_to_be_dropped(kms: Inside) -> None:
    kept, dropped = kms.create(), kms.create()
    for key in (kept, dropped):
        for user in (BOB, CAROL, DEVS, "*"):
            grant(kms, key, user, GET)
    assert move(kms, uids=[kept]).moved == 1
    assert grants_of(kms, kept, BOB) == {CAROL: {"get"}, DEVS: {"get"}, "*": {"get"}}
    assert kms.key_of(kept, CAROL)
    assert kms.key_of(dropped, ALICE), "not named"
    assert move(kms, keeps_grants=False).moved == 1
    assert grants_of(kms, dropped, BOB) == {}
    with pytest.raises(ItemNotFound):
        kms.key_of(dropped, CAROL)
    check_whole(kms, BOB, 2)


def test_destroyed_and_revoked_objects_move_too(kms: Inside) -> None:
    revoked, destroyed = kms.create(), kms.create()
    for key in (revoked, destroyed):
        kms.do(ALICE, Operation.REVOKE, RevokeRequest(key, RevocationReason(1)))
    kms.do(ALICE, Operation.DESTROY, DestroyRequest(destroyed))
    assert move(kms).moved == 2
    assert kms.state(revoked, BOB) is State.DEACTIVATED
    assert kms.state(destroyed, BOB) is State.DESTROYED


def test_number_of_each_owners_objects_follows(
    kms: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [kms.create() for _ in range(5)]
    assert move(kms).moved == 5
    for key in keys:  # the counts would be refused as edited, were they not right
        kms.do(BOB, Operation.REVOKE, RevokeRequest(key, RevocationReason(1)))
        kms.do(BOB, Operation.DESTROY, DestroyRequest(key, remove=True))
    kms.create(ALICE)
    kms.create(BOB)


def test_object_whose_name_is_taken_stays_and_the_others_move(
    kms: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transferring, "_PAGE", 4)
    kms.create(BOB, **named("taken"))
    keys = [kms.create() for _ in range(5)]
    stays = kms.create(**named("taken"))
    keys += [kms.create(**named(f"free-{number}")) for number in range(3)]
    text = f"{BOB} has another object with one of its names: 'taken'"
    assert move(kms, is_rehearsal=True) == TransferResult(8, {stays: text})
    assert owned(kms, ALICE) == {*keys, stays}
    assert move(kms) == TransferResult(8, {stays: text})
    assert owned(kms, ALICE) == {stays}
    assert kms.key_of(stays)
    check_whole(kms, BOB, 9)


def test_envelope_of_somebody_else_stays_and_is_told(kms: Inside) -> None:
    good, bad = kms.create(), kms.create()
    target = kms.run(kms.store.get(bad))
    broken = dataclasses.replace(target, sealed=SealedMaterial(bytes(200)))
    kms.run(kms.store.commit([Replace(broken, seen=target.generation)]))
    result = move(kms)
    assert result.moved == 1
    assert [*result.failures] == [bad]
    assert owned(kms, BOB) == {good}


@pytest.mark.parametrize("is_done", [False, True], ids=["before the call", "behind it"])
def test_transfer_that_is_interrupted_at_any_moment_goes_on_where_it_was(
    kms: Inside, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    monkeypatch.setattr(transferring, "_PAGE", 3)
    keys = {kms.create(): b"" for _ in range(8)}
    for key in keys:
        keys[key] = kms.key_of(key)
        grant(kms, key, CAROL, GET)
    owners = [ALICE, BOB]
    for moment in range(1, 22):
        old, new = owners
        store = Meddling(kms.store, ends_at=moment, is_done=is_done)
        with contextlib.suppress(asyncio.CancelledError):
            move(kms, old, new, store)
        there, here = owned(kms, new), owned(kms, old)
        assert there | here == set(keys)
        assert not there & here
        assert len(there) in {0, 3, 6, 8}
        assert move(kms, old, new) == TransferResult(len(here), {})
        assert {key: kms.key_of(key, new) for key in keys} == keys
        assert all(grants_of(kms, key, new) == {CAROL: {"get"}} for key in keys)
        owners.reverse()


@pytest.mark.parametrize("change", ["withdraw", "destroy", "rename"])
def test_object_that_is_changed_meanwhile_moves_as_it_is_then(kms: Inside, change: str) -> None:
    key, other = kms.create(), kms.create()
    grant(kms, key, CAROL, GET)

    async def meddle() -> None:
        if change == "withdraw":
            request = AccessRequest(UniqueIdentifier(key), CAROL, frozenset({GET}))
            await kms.rights.withdraw(ALICE, request)
        else:
            target = await kms.store.get(UniqueIdentifier(key))
            assert target is not None
            changes = {"state": State.DESTROYED, "sealed": None} if change == "destroy" else {
                "attributes": target.attributes.replace(**named("new"))
            }  # fmt: skip
            await kms.store.commit(
                [Replace(dataclasses.replace(target, **changes), seen=target.generation)]
            )

    assert move(kms, store=Meddling(kms.store, before_commit=meddle)) == TransferResult(2, {})
    assert grants_of(kms, key, BOB) == ({} if change == "withdraw" else {CAROL: {"get"}})
    assert kms.state(key, BOB) is (State.DESTROYED if change == "destroy" else State.ACTIVE)
    assert (kms.known(key, BOB).names != ()) is (change == "rename")
    assert kms.key_of(other, BOB)


def test_object_that_became_somebody_elses_meanwhile_stays_theirs(kms: Inside) -> None:
    key, other = kms.create(), kms.create()

    async def meddle() -> None:
        await Transferrer(kms.store, kms.ring).transfer(Transfer(ALICE, CAROL, [key]))

    assert move(kms, store=Meddling(kms.store, before_commit=meddle)) == TransferResult(1, {})
    assert (owned(kms, CAROL), owned(kms, BOB)) == ({key}, {other})


def test_many_objects_move_page_by_page(kms: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transferring, "_PAGE", 10)
    for _ in range(25):
        kms.create()
    others = kms.create(CAROL)
    reported: list[int] = []
    transferrer = Transferrer(kms.store, kms.ring)
    kms.run(transferrer.transfer(Transfer(ALICE, BOB), report=reported.append))
    assert reported == [10, 20, 25]
    check_whole(kms, BOB, 25)
    assert owned(kms, CAROL) == {others}
    assert move(kms) == TransferResult(), "nothing is left"
