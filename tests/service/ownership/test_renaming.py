"""All objects move to the names of another naming, or none does: whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.domain.user_naming import UserNaming
from kms_tornado.errors import ConfigurationError
from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.payloads import DestroyRequest, RevokeRequest
from kms_tornado.kmip.structures import RevocationReason
from kms_tornado.service.objects.access_rights import AccessRequest
from kms_tornado.service.ownership.renaming import NamingMove, move_to_naming
from kms_tornado.service.ownership.transferring import TransferResult
from kms_tornado.store.interface.changes import Conflict

from ...operations.inside import ALICE, BOB, Inside
from .transfers import Meddling, check_whole, grants_of, owned

A, B = "https://a.example", "https://b.example/"
PLAIN, BY_ISSUER, BY_EMAIL = (
    UserNaming(False, "sub"),
    UserNaming(True, "sub"),
    UserNaming(False, "email"),
)
GET = Operation.GET


def to_issuer(**more: Any) -> NamingMove:
    return NamingMove(PLAIN, BY_ISSUER, (A, B), A, **more)


def to_shared() -> NamingMove:
    return NamingMove(BY_ISSUER, PLAIN, (A, B))


def by_map(**renamed: str) -> NamingMove:
    return NamingMove(PLAIN, BY_EMAIL, (A,), renamed=renamed)


def settle(kms: Inside, naming: UserNaming) -> UserNaming:
    settled: UserNaming = kms.run(kms.store.naming.settle(naming, (A, B)))
    return settled


def move(kms: Inside, naming_move: NamingMove, store: Any = None, **more: Any) -> TransferResult:
    result: TransferResult
    result = kms.run(move_to_naming(store or kms.store, kms.ring, naming_move, **more))
    return result


def grant(kms: Inside, owner: str, key: str, *users: str) -> None:
    for user in users:
        request = AccessRequest(kms.run(kms.store.get(key)).uid, user, frozenset({GET}))
        kms.run(kms.rights.grant(owner, request, has_groups=True))


def fill(kms: Inside, prefix: str = "") -> tuple[str, str, str]:
    """(alice's key, bob's key, an identifier that alice removed)."""
    alice, bob = f"{prefix}{ALICE}", f"{prefix}{BOB}"
    first, second, removed = kms.create(alice), kms.create(bob), kms.create(alice)
    grant(kms, alice, first, bob, "*", f"group:{prefix}devs")
    kms.do(alice, Operation.REVOKE, RevokeRequest(removed, RevocationReason(1)))
    kms.do(alice, Operation.DESTROY, DestroyRequest(removed, remove=True))
    return first, second, removed


def check_moved(
    kms: Inside, filled: tuple[str, str, str], prefix: str, names: dict[str, str]
) -> None:
    first, second, removed = filled
    alice, bob = f"{prefix}{names.get(ALICE, ALICE)}", f"{prefix}{names.get(BOB, BOB)}"
    assert (owned(kms, alice), owned(kms, bob)) == ({first}, {second})
    group = "group:devs" if names else f"group:{prefix}devs"
    assert grants_of(kms, first, alice) == {bob: {"get"}, "*": {"get"}, group: {"get"}}
    assert kms.key_of(first, bob)
    check_whole(kms, alice, 1)
    assert not kms.run(kms.store.is_taken(removed, owner=alice))
    assert kms.run(kms.store.is_taken(removed, owner=bob))


@pytest.mark.parametrize("is_done", [False, True], ids=["before the call", "behind it"])
def test_names_get_their_issuer_lose_it_and_get_it_again_whenever_interrupted(
    kms: Inside, is_done: bool
) -> None:
    settle(kms, PLAIN)
    filled = fill(kms)
    there = True
    for moment in range(1, 60, 3):
        wanted = BY_ISSUER if there else PLAIN
        naming_move = to_issuer() if there else to_shared()
        store = Meddling(kms.store, ends_at=moment, is_done=is_done)
        with contextlib.suppress(asyncio.CancelledError):
            move(kms, naming_move, store)
        seen = settle(kms, wanted)
        if seen != wanted:
            again = NamingMove(seen, wanted, (A, B), A if there else None)
            assert not move(kms, again).failures
        assert settle(kms, wanted) == wanted
        check_moved(kms, filled, f"{A}#" if there else "", {})
        there = not there


def test_users_get_the_names_of_another_claim(kms: Inside) -> None:
    settle(kms, PLAIN)
    filled = fill(kms)
    names = {ALICE: "alice@x", BOB: BOB}  # bob has one name by both claims
    assert move(kms, by_map(**names), is_rehearsal=True) == TransferResult(1, {})
    assert settle(kms, PLAIN) == PLAIN
    assert move(kms, by_map(**names)) == TransferResult(1, {})
    assert settle(kms, BY_EMAIL) == BY_EMAIL
    check_moved(kms, filled, "", names)


def test_move_by_a_map_goes_on_where_it_was(kms: Inside) -> None:
    settle(kms, PLAIN)
    filled = fill(kms)
    names = {ALICE: "alice@x", BOB: "bob@x"}
    for moment in range(1, 60):
        with contextlib.suppress(asyncio.CancelledError):
            naming_move = NamingMove(settle(kms, PLAIN), BY_EMAIL, (A,), renamed=names)
            move(kms, naming_move, Meddling(kms.store, ends_at=moment))
            break
    assert settle(kms, BY_EMAIL) == BY_EMAIL
    check_moved(kms, filled, "", names)


@pytest.mark.parametrize(
    ("naming", "users", "naming_move", "fault"),
    [
        pytest.param(PLAIN, [ALICE, BOB], by_map(alice="a@x"), "no new name for bob", id="not in the map"),
        pytest.param(PLAIN, [ALICE, "a@x"], by_map(alice="a@x"), "no new name for a@x", id="somebody has the new name"),
        pytest.param(PLAIN, [ALICE, BOB], by_map(alice="a", bob="a"), "would become one; give their objects to one of them before: alice, bob", id="two to one"),
        pytest.param(PLAIN, [ALICE, f"{A}#{ALICE}"], to_issuer(), "look as if they had been moved already; give their objects to other names before: https://a.example#alice", id="named as if by the issuer"),
        pytest.param(PLAIN, [ALICE, f"{B}#bob"], to_issuer(), "look as if", id="named as if by the other issuer"),
        pytest.param(BY_ISSUER, [f"{A}#{ALICE}", f"{B}#{ALICE}"], to_shared(), "would become one", id="one name at two issuers"),
        pytest.param(BY_ISSUER, [f"{A}#{ALICE}", ALICE], to_shared(), "look as if", id="a name without an issuer"),
    ],
)  # fmt: skip
def test_move_by_which_somebody_would_get_anothers_keys_is_refused(
    kms: Inside, naming: UserNaming, users: list[str], naming_move: NamingMove, fault: str
) -> None:
    settle(kms, naming)
    keys = {user: kms.create(user) for user in users}
    with pytest.raises(ConfigurationError) as caught:
        move(kms, naming_move)
    assert fault in str(caught.value)
    assert settle(kms, naming) == naming
    assert all(kms.key_of(key, user) for user, key in keys.items())


def test_nothing_moves_where_one_object_cannot(kms: Inside) -> None:
    import dataclasses

    from kms_tornado.domain.managed_object import SealedMaterial
    from kms_tornado.store.interface.changes import Replace

    settle(kms, PLAIN)
    good, bad = kms.create(), kms.create()
    target = kms.run(kms.store.get(bad))
    broken = dataclasses.replace(target, sealed=SealedMaterial(bytes(200)))
    kms.run(kms.store.commit([Replace(broken, seen=target.generation)]))
    result = move(kms, to_issuer())
    assert result.moved == 0
    assert [*result.failures] == [bad]
    assert settle(kms, PLAIN) == PLAIN
    assert kms.key_of(good)


def test_naming_that_was_changed_meanwhile_is_not_overwritten(kms: Inside) -> None:
    settle(kms, PLAIN)
    kms.create()
    with pytest.raises(Conflict):
        kms.run(kms.store.naming.change(BY_EMAIL, BY_ISSUER))
    assert settle(kms, PLAIN) == PLAIN


def test_database_is_in_use_while_a_connection_is_open(tmp_path: Path) -> None:
    """A database of SQLite's is in use while any connection is open, and not afterwards."""
    from kms_tornado.store.sqlite.in_use import is_in_use

    with Inside(tmp_path) as inside:
        inside.create()
        assert is_in_use(tmp_path / "kms.db")
    before = (tmp_path / "kms.db").read_bytes()
    assert not is_in_use(tmp_path / "kms.db")
    assert (tmp_path / "kms.db").read_bytes() == before
