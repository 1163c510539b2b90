"""How the owners of a database's objects are named is remembered from the first object on."""

from __future__ import annotations

from typing import Any

import pytest

from kms_tornado.domain.user_naming import UserNaming
from kms_tornado.errors import GeneralFailure
from kms_tornado.store.interface.changes import Conflict, Insert, Remove

from ...helpers import Place, an_object, with_store, write_behind

ISSUER, OTHER = "https://login.example.com/", "https://other.example.com"
ISSUERS = [ISSUER, OTHER]
PLAIN, BY_ISSUER, EMAIL = (
    UserNaming(False, "sub"),
    UserNaming(True, "sub"),
    UserNaming(False, "email"),
)


async def settle(store: Any, naming: UserNaming) -> UserNaming:
    settled: UserNaming = await store.naming.settle(naming, ISSUERS)
    return settled


@pytest.mark.parametrize("configured", [BY_ISSUER, EMAIL])
def test_naming_is_kept_while_there_are_objects(place: Place, configured: UserNaming) -> None:
    async def body(store: Any) -> None:
        assert await settle(store, PLAIN) == PLAIN
        await store.commit([Insert(an_object("1"))])
        assert await settle(store, configured) == PLAIN

    with_store(place, body)

    async def after_a_restart(store: Any) -> None:
        assert await settle(store, configured) == PLAIN
        assert await settle(store, PLAIN) == PLAIN

    with_store(place, after_a_restart)


def test_naming_may_change_before_the_first_object_and_after_the_last(place: Place) -> None:
    async def body(store: Any) -> None:
        assert await settle(store, PLAIN) == PLAIN
        assert await settle(store, EMAIL) == EMAIL
        await store.commit([Insert(an_object("1"))])
        assert await settle(store, PLAIN) == EMAIL
        await store.commit([Remove("1", seen=1)])
        assert await settle(store, PLAIN) == PLAIN

    with_store(place, body)


@pytest.mark.parametrize(
    ("owner", "configured", "expected"),
    [
        pytest.param("alice", PLAIN, PLAIN, id="plain stays plain"),
        pytest.param("alice", BY_ISSUER, PLAIN, id="a second issuer comes"),
        pytest.param(f"{ISSUER}#alice", BY_ISSUER, BY_ISSUER, id="by issuer stays so"),
        pytest.param(f"{OTHER}#alice", PLAIN, BY_ISSUER, id="all but one issuer went"),
        pytest.param(f"{OTHER}/#alice", BY_ISSUER, PLAIN, id="of no issuer that is configured"),
        pytest.param("alice", EMAIL, EMAIL, id="the claim is not told by names"),
    ],
)
def test_database_of_an_older_version_is_told_by_its_owners(
    place: Place, owner: str, configured: UserNaming, expected: UserNaming
) -> None:
    async def body(store: Any) -> None:
        await store.commit([Insert(an_object("1", owner=owner))])
        assert await settle(store, configured) == expected
        if expected == configured:  # and stored
            other = UserNaming(expected.by_issuer, "azp")
            assert await settle(store, other) == expected

    with_store(place, body)


@pytest.mark.parametrize(
    "value",
    [b'00|[true, "sub"]', b'[true, "sub"]', b"", b'zz|[true, "sub"]', b"\xff|x"],
    ids=["wrong code", "no code", "empty", "no hexadecimal", "no text"],
)
def test_row_that_something_else_wrote_is_refused(place: Place, value: bytes) -> None:
    async def fill(store: Any) -> None:
        await settle(store, PLAIN)
        await store.commit([Insert(an_object("1"))])

    with_store(place, fill)
    statement = "UPDATE server_state SET value = :value WHERE name = 'user_naming'"
    write_behind(place, statement, value=value)

    async def body(store: Any) -> None:
        with pytest.raises(GeneralFailure):
            await settle(store, PLAIN)

    with_store(place, body)


def test_claims_of_issuers_of_their_own_are_kept_and_may_be_added_to(place: Place) -> None:
    own = UserNaming(False, "sub", own=((ISSUER, "email"),))
    more = UserNaming(False, "sub", own=((ISSUER, "email"), (OTHER, "oid")))
    moving = UserNaming(False, "email", former=more, own=((OTHER, "sub"),))

    async def body(store: Any) -> None:
        assert await settle(store, own) == own
        await store.commit([Insert(an_object("1"))])
        assert await settle(store, more) == own
        await store.naming.change(own, more)
        assert await settle(store, own) == more
        with pytest.raises(Conflict):
            await store.naming.change(own, PLAIN)
        await store.naming.change(more, moving)

    with_store(place, body)

    async def after_a_restart(store: Any) -> None:
        assert await settle(store, PLAIN) == moving

    with_store(place, after_a_restart)
