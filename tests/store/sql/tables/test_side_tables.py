"""What there may be only once: a name among an owner's objects."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from kms_tornado.errors import NonUniqueName
from kms_tornado.kmip.enums import NameType, State
from kms_tornado.kmip.structures import Name
from kms_tornado.store.interface.changes import Insert, Remove, Replace

from ...helpers import BOB, KEY_ATTRIBUTES, an_object, with_store


def named(uid, *names, **changes):
    given = tuple(Name(each) if isinstance(each, str) else each for each in names)
    return an_object(uid, attributes=replace(KEY_ATTRIBUTES, names=given), **changes)


# --- names --------------------------------------------------------------------------------------

URI = Name("payroll", NameType.URI)
LONG = "x" * 60_000


#: What the names of two objects are to each other → the objects, and whether there may be both.
PAIRS = {
    "the same": (named("1", "a"), named("2", "a"), False),
    "one of several": (named("1", "a", "b"), named("2", "c", "b"), False),
    "long": (named("1", LONG), named("2", LONG), False),
    "with a null character": (named("1", "a\0"), named("2", "a\0"), False),
    "revoked": (named("1", "a", state=State.DEACTIVATED), named("2", "a"), False),
    "another": (named("1", "a"), named("2", "b"), True),
    "in capitals": (named("1", "a"), named("2", "A"), True),
    "with a blank": (named("1", "a"), named("2", "a "), True),
    "wildcards": (named("1", "%"), named("2", "_"), True),
    "another long one": (named("1", LONG), named("2", LONG + "y"), True),
    "of another type": (named("1", "payroll"), named("2", URI), True),
    "of another owner": (named("1", "a"), named("2", "a", owner=BOB), True),
    "none": (named("1"), named("2"), True),
    "of the destroyed": (named("1", "a", state=State.DESTROYED), named("2", "a"), True),
    "for the destroyed": (named("1", "a"), named("2", "a", state=State.DESTROYED), True),
}


def test_a_name_is_unique_among_an_owners_objects(place):
    """Each pair has owners and identifiers of its own."""

    async def body(store):
        for case, (*pair, is_free) in PAIRS.items():
            first, second = (
                replace(each, uid=f"{case} {each.uid}", owner=f"{each.owner} {case}")
                for each in pair
            )
            await store.commit([Insert(first)])
            too = an_object(f"{case} too", owner=first.owner)
            try:
                await store.commit([Insert(too), Insert(second)])
            except NonUniqueName:
                assert not is_free, case
            stored = [await store.get(each.uid) for each in (first, too, second)]
            assert stored == [first, *((too, second) if is_free else (None, None))], case

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
