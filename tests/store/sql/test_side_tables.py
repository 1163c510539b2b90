"""What there may be only once: a name among an owner's objects."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from kms_tornado.errors import NonUniqueName
from kms_tornado.kmip.enums import NameType, State
from kms_tornado.kmip.structures import Name
from kms_tornado.store.base import Insert, Remove, Replace

from ..helpers import BOB, KEY_ATTRIBUTES, an_object, with_store


def named(uid, *names, **changes):
    given = tuple(Name(each) if isinstance(each, str) else each for each in names)
    return an_object(uid, attributes=replace(KEY_ATTRIBUTES, names=given), **changes)


# --- names --------------------------------------------------------------------------------------

URI = Name("payroll", NameType.URI)
LONG = "x" * 60_000


@pytest.mark.parametrize(
    ("first", "second", "is_free"),
    [
        pytest.param(named("1", "a"), named("2", "a"), False, id="the same"),
        pytest.param(named("1", "a", "b"), named("2", "c", "b"), False, id="one of several"),
        pytest.param(named("1", LONG), named("2", LONG), False, id="long"),
        pytest.param(named("1", "a\0"), named("2", "a\0"), False, id="with a null character"),
        pytest.param(named("1", "a", state=State.DEACTIVATED), named("2", "a"), False, id="revoked"),
        pytest.param(named("1", "a"), named("2", "b"), True, id="another"),
        pytest.param(named("1", "a"), named("2", "A"), True, id="in capitals"),
        pytest.param(named("1", "a"), named("2", "a "), True, id="with a blank"),
        pytest.param(named("1", "%"), named("2", "_"), True, id="wildcards"),
        pytest.param(named("1", LONG), named("2", LONG + "y"), True, id="another long one"),
        pytest.param(named("1", "payroll"), named("2", URI), True, id="of another type"),
        pytest.param(named("1", "a"), named("2", "a", owner=BOB), True, id="of another owner"),
        pytest.param(named("1"), named("2"), True, id="none"),
        pytest.param(
            named("1", "a", state=State.DESTROYED), named("2", "a"), True, id="of the destroyed"
        ),
        pytest.param(
            named("1", "a"), named("2", "a", state=State.DESTROYED), True, id="for the destroyed"
        ),
    ],
)  # fmt: skip
def test_a_name_is_unique_among_an_owners_objects(place, first, second, is_free):
    async def body(store):
        await store.commit([Insert(first)])
        if not is_free:
            with pytest.raises(NonUniqueName):
                await store.commit([Insert(an_object("too")), Insert(second)])
            assert await store.get("too") is None
        else:
            await store.commit([Insert(second)])
        assert (await store.get(second.uid) is not None) is is_free

    with_store(place, body)


def test_a_name_given_up_is_free(place):
    async def body(store):
        await store.commit([Insert(named("1", "a"))])
        await store.commit([Replace(named("1", "b"), seen=1)])
        await store.commit([Insert(named("2", "a"))])
        with pytest.raises(NonUniqueName):
            await store.commit([Replace(named("1", "a"), seen=2)])
        await store.commit([Replace(named("2", "a", state=State.DESTROYED), seen=1)])
        await store.commit([Replace(named("1", "a"), seen=2)])
        await store.commit([Remove("1", seen=3)])
        await store.commit([Insert(named("3", "a", "b"))])

    with_store(place, body)


@pytest.mark.parametrize("new_comes_first", [True, False])
def test_a_name_changes_hands_in_one_commit(place, new_comes_first):
    """As ReKey has it: the replacement takes the name of the old key over."""

    async def body(store):
        await store.commit([Insert(named("old", "a"))])
        changes = [Insert(named("new", "a")), Replace(named("old"), seen=1)]
        await store.commit(changes if new_comes_first else changes[::-1])
        with pytest.raises(NonUniqueName):
            await store.commit([Replace(named("old", "a"), seen=2)])

    with_store(place, body)


def test_a_name_goes_with_the_object_to_its_new_owner(place):
    async def body(store):
        await store.commit([Insert(named("1", "a")), Insert(named("2", "a", owner=BOB))])
        with pytest.raises(NonUniqueName):
            await store.commit([Replace(named("1", "a", owner=BOB), seen=1)])
        await store.commit([Replace(named("1", owner=BOB), seen=1)])
        await store.commit([Insert(named("3", "a"))])

    with_store(place, body)


def test_of_many_who_want_a_name_at_once_one_gets_it(place):
    async def body(store):
        wishes = (store.commit([Insert(named(str(n), "a"))]) for n in range(20))
        outcomes = await asyncio.gather(*wishes, return_exceptions=True)
        assert outcomes.count(None) == 1
        assert sum(isinstance(each, NonUniqueName) for each in outcomes) == 19

    with_store(place, body)
