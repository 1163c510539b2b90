"""Lists in pages, and numbers: the same on every database."""

from __future__ import annotations

from typing import Any

from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import ObjectType, Operation, State
from kms_tornado.store.interface.changes import Grant, Insert
from kms_tornado.store.interface.lists import LIST_START

from ...helpers import ALICE, BOB, an_object, with_store

T = 1_800_000_000


def grant(uid: str, *operations: Operation, grantee: str = BOB) -> Grant:
    return Grant(uid, ALICE, grantee, frozenset(operations))


async def walk(read: Any, limit: int) -> list[list[str]]:
    """The identifiers of each page until one is empty."""
    pages: list[list[str]] = []
    position = LIST_START
    while page := await read(after=position, limit=limit):
        pages.append([item.target.uid for _, item in page])
        position = page[-1][0]
    return pages


def test_pages_have_every_object_once_the_newest_first(place: Any) -> None:
    """Those of the same second, too, which only their serials tell apart."""

    async def body(store: Any) -> None:
        times = [T, T + 5, T, T, T + 5, T - 1, T]
        await store.commit(
            [Insert(an_object(f"{i}", created_at=t)) for i, t in enumerate(times)]
            + [Insert(an_object("bobs", owner=BOB))]
        )

        async def owned(**page: Any) -> Any:
            return await store.pages.list_owned(ALICE, **page)

        assert await walk(owned, 2) == [["4", "1"], ["6", "3"], ["2", "0"], ["5"]]
        (whole,) = await walk(owned, 100)
        assert whole == [item.target.uid for item in await store.list_owned(ALICE)]

    with_store(place, body)


def test_object_that_is_added_or_gone_moves_no_other(place: Any) -> None:
    async def body(store: Any) -> None:
        await store.commit([Insert(an_object(f"{i}", created_at=T + i)) for i in range(4)])
        first = await store.pages.list_owned(ALICE, after=LIST_START, limit=2)
        await store.commit([Insert(an_object("new", created_at=T + 9))])
        rest = await store.pages.list_owned(ALICE, after=first[-1][0], limit=9)
        assert [item.target.uid for _, item in first + rest] == ["3", "2", "1", "0"]

    with_store(place, body)


def test_page_of_granted_objects_counts_objects_and_not_rights(place: Any) -> None:
    async def body(store: Any) -> None:
        await store.commit([Insert(an_object(f"{i}", created_at=T + i)) for i in range(5)])
        await store.commit(
            [grant(f"{i}", Operation.GET, Operation.ENCRYPT, Operation.SIGN) for i in range(4)]
            + [grant("1", Operation.GET, grantee="*"), grant("4", Operation.MAC, grantee="group:x")]
        )

        async def granted(**page: Any) -> Any:
            return await store.pages.list_granted(BOB, (), **page)

        assert await walk(granted, 2) == [["3", "2"], ["1", "0"]]
        (_, newest), *_ = await store.pages.list_granted(
            BOB, ["x", "group:x"], after=LIST_START, limit=1
        )
        assert (newest.target.uid, newest.operations) == ("4", {Operation.MAC})
        assert newest.target.sealed is None
        page = await store.pages.list_granted(BOB, (), after=LIST_START, limit=9)
        assert [item for _, item in page] == [*await store.list_granted(BOB)]
        assert await store.pages.list_granted(ALICE, (), after=LIST_START, limit=9) == []

    with_store(place, body)


def test_page_tells_rights_of_those_alone_who_are_asked_for_and_the_number_of_all(
    place: Any,
) -> None:
    """A thousand users may have rights on each object: all rights of a page would not fit into the memory."""

    async def body(store: Any) -> None:
        await store.commit([Insert(an_object(f"{i}", created_at=T + i)) for i in range(3)])
        await store.commit(
            [
                grant("2", Operation.GET, Operation.SIGN),
                grant("2", Operation.GET, grantee="*"),
                grant("2", Operation.GET, grantee="carol"),
                grant("1", Operation.MAC, grantee="carol"),
            ]
        )

        async def read(*grantees: str) -> list[tuple[int, Any]]:
            page = await store.pages.list_owned(ALICE, after=LIST_START, limit=9, grantees=grantees)
            return [(item.shared_with, item.grants) for _, item in page]

        assert await read() == [(3, {}), (1, {}), (0, {})]
        asked = {BOB: {Operation.GET, Operation.SIGN}, "*": {Operation.GET}}
        assert await read(BOB, "*") == [(3, asked), (1, {}), (0, {})]

    with_store(place, body)


def test_numbers_are_those_of_the_states_at_the_time(place: Any) -> None:
    async def body(store: Any) -> None:
        kinds = [
            (State.ACTIVE, {}),
            (State.ACTIVE, {"deactivation_date": T}),
            (State.ACTIVE, {"deactivation_date": T + 10}),
            (State.ACTIVE, {"deactivation_date": T + 11}),
            (State.PRE_ACTIVE, {}),
            (State.PRE_ACTIVE, {"activation_date": T}),
            (State.PRE_ACTIVE, {"activation_date": T + 1, "deactivation_date": T + 5}),
            (State.PRE_ACTIVE, {"activation_date": T - 2, "deactivation_date": T - 1}),
            (State.DESTROYED, {"deactivation_date": T + 5}),
        ]
        await store.commit(
            [
                Insert(an_object(f"{i}", state=state, attributes=Attributes(**attributes)))
                for i, (state, attributes) in enumerate(kinds)
            ]
            + [
                Insert(an_object("x", object_type=ObjectType.SECRET_DATA)),
                Insert(an_object("bobs", owner=BOB)),
            ]
        )
        told: dict[tuple[ObjectType, State, bool], int] = {}
        for *kind, number in await store.pages.count_owned(ALICE, now=T, soon=T + 10):
            told[tuple(kind)] = told.get(tuple(kind), 0) + number
        key = ObjectType.SYMMETRIC_KEY
        assert told == {
            (key, State.ACTIVE, False): 3,
            (key, State.ACTIVE, True): 1,
            (key, State.PRE_ACTIVE, False): 2,
            (key, State.DEACTIVATED, False): 2,
            (key, State.DESTROYED, False): 1,
            (ObjectType.SECRET_DATA, State.ACTIVE, False): 1,
        }
        assert await store.pages.count_owned("nobody", now=T, soon=T) == []

    with_store(place, body)
