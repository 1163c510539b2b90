"""Searches by tags and by what Locate names: what is found, in which order, on which page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kms_tornado.domain.search import LocateSearch, ObjectFilter, Standing, TagSearch
from kms_tornado.errors import InvalidField
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import (
    CryptographicAlgorithm,
    KeyFormatType,
    ObjectType,
    Operation,
    State,
)
from kms_tornado.store.bounds import MAX_TAGS
from kms_tornado.store.interface.changes import Grant, Insert, Replace

from ...helpers import ALICE, BOB, KEY_ATTRIBUTES, an_object, locate, seeking, uids, with_store

# --- tags ---------------------------------------------------------------------------------------


def test_tag_lists_find_the_objects_that_carry_all_of_them(place):
    async def body(store):
        for uid, tags in {"a": "x", "b": "x y", "c": "x y z", "d": "z"}.items():
            await store.commit([Insert(an_object(uid, tags=frozenset([*tags.split(), "_kk"])))])

        async def found(*tags):
            return sorted(
                uids(await store.find_tagged(TagSearch(frozenset(tags), principal=ALICE)))
            )

        assert await found("x") == ["a", "b", "c"]
        assert await found("x", "y") == ["b", "c"]
        assert await found("z", "x", "_kk", "y") == ["c"]
        assert await found("_kk") == ["a", "b", "c", "d"]
        assert await found("x", "absent") == []
        assert await found("X") == []
        assert await found("%") == []
        assert await found("\ud800") == []

    with_store(place, body)


def test_no_tags_at_all_find_nothing(place):
    async def body(store):
        await store.commit([Insert(an_object("a")), Insert(an_object("b", tags=frozenset()))])
        return await store.find_tagged(TagSearch(frozenset(), principal=ALICE))

    assert not with_store(place, body)


def test_more_tags_than_an_object_may_have_are_refused(place):
    tags = frozenset(map(str, range(MAX_TAGS + 1)))

    async def body(store):
        with pytest.raises(InvalidField):
            await store.find_tagged(TagSearch(tags, principal=ALICE))
        with pytest.raises(InvalidField):
            await locate(
                store, LocateSearch(ObjectFilter(tags=tags), principal=ALICE, offset=0, maximum=1)
            )
        most = frozenset(map(str, range(MAX_TAGS)))
        await store.commit([Insert(an_object("much", tags=most))])
        return await store.find_tagged(TagSearch(most, principal=ALICE))

    assert uids(with_store(place, body)) == ["much"]


def test_tag_lists_never_find_another_users_object(place):
    async def body(store):
        await store.commit([Insert(an_object("alices")), Insert(an_object("bobs", owner=BOB))])
        for principal, expected in ((ALICE, ["alices"]), (BOB, ["bobs"]), ("eve", [])):
            assert (
                uids(await store.find_tagged(TagSearch(frozenset({"_kk"}), principal=principal)))
                == expected
            )

    with_store(place, body)


def test_a_new_owner_is_the_one_who_finds_an_object(place):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        await store.commit([Replace(an_object("one", owner=BOB), seen=1)])
        assert uids(await store.find_tagged(TagSearch(frozenset({"_kk"}), principal=ALICE))) == []
        assert uids(await store.find_tagged(TagSearch(frozenset({"_kk"}), principal=BOB))) == [
            "one"
        ]

    with_store(place, body)


@pytest.mark.parametrize("state", State)
def test_tag_lists_and_locate_pass_over_the_destroyed(place, state):
    expected = [] if state in (State.DESTROYED, State.DESTROYED_COMPROMISED) else ["one"]

    async def body(store):
        await store.commit([Insert(an_object("one", state=state))])
        assert (
            uids(await store.find_tagged(TagSearch(frozenset({"_kk"}), principal=ALICE)))
            == expected
        )
        found = await locate(
            store, LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=9)
        )
        assert found == (len(expected), expected)
        asked = ObjectFilter(states=frozenset({state}))
        assert await locate(store, LocateSearch(asked, principal=ALICE, offset=0, maximum=9)) == (
            1,
            ["one"],
        )

    with_store(place, body)


def test_the_newest_comes_first_and_the_later_of_two_in_one_second(place):
    times = {"a": 30, "b": 10, "c": 30, "d": 20, "e": 30}
    expected = ["e", "c", "a", "d", "b"]

    async def body(store):
        for uid, created_at in times.items():
            await store.commit([Insert(an_object(uid, created_at=created_at))])
        assert (
            uids(await store.find_tagged(TagSearch(frozenset({"_kk"}), principal=ALICE)))
            == expected
        )
        for wanted in (ObjectFilter(), ObjectFilter(tags=frozenset({"_kk"}))):
            found = await locate(store, LocateSearch(wanted, principal=ALICE, offset=0, maximum=9))
            assert found == (5, expected)

    with_store(place, body)


def test_a_tag_list_yields_a_hundred_at_most(place):
    async def body(store):
        await store.commit([Insert(an_object(f"{n:03}", created_at=n)) for n in range(150)])
        return await store.find_tagged(TagSearch(frozenset({"_kk"}), principal=ALICE))

    assert uids(with_store(place, body)) == [f"{n:03}" for n in range(149, 49, -1)]


# --- locate -------------------------------------------------------------------------------------

AES_128 = replace(KEY_ATTRIBUTES, cryptographic_length=128, cryptographic_usage_mask=0x0C)
CHACHA20 = Attributes(
    cryptographic_algorithm=CryptographicAlgorithm.CHACHA20,
    cryptographic_length=256,
    key_format_type=KeyFormatType.TRANSPARENT_SYMMETRIC_KEY,
)
STOCK = [
    an_object("aes-256", tags=frozenset({"_kk", "invoices"})),
    an_object("aes-128", attributes=AES_128, tags=frozenset({"_kk", "invoices", "old"})),
    an_object("chacha", attributes=CHACHA20),
    an_object("secret", object_type=ObjectType.SECRET_DATA, attributes=Attributes()),
    an_object("revoked", state=State.DEACTIVATED),
    an_object("destroyed", state=State.DESTROYED, sealed=None),
    an_object("bobs", owner=BOB),
]


#: What is asked for → the filter, and the identifiers of what matches.
MATCHES = {
    "anything": (ObjectFilter(), "aes-256 aes-128 chacha secret revoked"),
    "a tag": (ObjectFilter(tags=frozenset({"invoices"})), "aes-256 aes-128"),
    "two tags": (ObjectFilter(tags=frozenset({"invoices", "old"})), "aes-128"),
    "an unknown tag": (ObjectFilter(tags=frozenset({"absent"})), ""),
    "a tag that cannot be": (ObjectFilter(tags=frozenset({"\ud800"})), ""),
    "an identifier": (seeking(unique_identifier="chacha"), "chacha"),
    "another user's identifier": (seeking(unique_identifier="bobs"), ""),
    "a type": (seeking(object_type=ObjectType.SECRET_DATA), "secret"),
    "an algorithm": (seeking(cryptographic_algorithm=CryptographicAlgorithm.CHACHA20), "chacha"),
    "a length": (seeking(cryptographic_length=128), "aes-128"),
    "a length that cannot be": (seeking(cryptographic_length=2**70), ""),
    "a length of zero": (seeking(cryptographic_length=0), ""),
    "one usage": (seeking(cryptographic_usage_mask=0x04), "aes-256 aes-128 revoked"),
    "two usages": (seeking(cryptographic_usage_mask=0x30), "aes-256 revoked"),
    "one usage too many": (seeking(cryptographic_usage_mask=0x31), ""),
    "raw": (seeking(key_format_type=KeyFormatType.RAW), "aes-256 aes-128 revoked"),
    "one state": (ObjectFilter(states=frozenset({State.DEACTIVATED})), "revoked"),
    "two states": (
        ObjectFilter(states=frozenset({State.DEACTIVATED, State.DESTROYED})),
        "revoked destroyed",
    ),
    "no state": (ObjectFilter(states=frozenset()), ""),
    "all at once": (
        seeking(
            tags=frozenset({"_kk"}),
            object_type=ObjectType.SYMMETRIC_KEY,
            cryptographic_algorithm=CryptographicAlgorithm.AES,
            cryptographic_length=256,
            cryptographic_usage_mask=0x0C,
            states=frozenset({State.ACTIVE}),
        ),
        "aes-256",
    ),
}


def test_locate_finds_what_matches_in_all(place):
    async def body(store):
        await store.commit([Insert(each) for each in STOCK])
        searches = {
            name: LocateSearch(wanted, principal=ALICE, offset=0, maximum=100)
            for name, (wanted, _) in MATCHES.items()
        }
        return {name: await locate(store, search) for name, search in searches.items()}

    found = {name: (total, sorted(uids)) for name, (total, uids) in with_store(place, body).items()}
    split = {name: sorted(expected.split()) for name, (_, expected) in MATCHES.items()}
    assert found == {name: (len(expected), expected) for name, expected in split.items()}


#: Which page → its offset, its length, and what is on it.
PAGES = {
    "the first page": (0, 3, ["9", "8", "7"]),
    "the second page": (3, 3, ["6", "5", "4"]),
    "the last page": (9, 3, ["0"]),
    "past the end": (10, 3, []),
    "far past the end": (2**70, 3, []),
    "nothing wanted": (0, 0, []),
    "less than nothing wanted": (0, -1, []),
    "before the start": (-1, 1, ["9"]),
}


def test_locate_pages_and_always_tells_the_number_of_all(place):
    async def body(store):
        await store.commit([Insert(an_object(str(n), created_at=n)) for n in range(10)])
        searches = {
            name: LocateSearch(ObjectFilter(), principal=ALICE, offset=offset, maximum=maximum)
            for name, (offset, maximum, _) in PAGES.items()
        }
        return {name: await locate(store, search) for name, search in searches.items()}

    expected = {name: (10, page) for name, (_, _, page) in PAGES.items()}
    assert with_store(place, body) == expected


# --- more matches than are counted --------------------------------------------------------------


def test_matches_are_counted_up_to_a_bound_and_paged_beyond_it(place, monkeypatch):
    monkeypatch.setattr("kms_tornado.store.sql.search.statements.MAX_COUNTED", 3)

    async def body(store):
        everything = LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=2)
        for number in range(3):
            await store.commit([Insert(an_object(f"{number}", created_at=number))])
        assert await locate(store, everything) == (3, ["2", "1"])
        await store.commit(
            [Insert(an_object("3", created_at=3)), Insert(an_object("4", created_at=4))]
        )
        assert await locate(store, everything) == (None, ["4", "3"])
        assert await locate(store, replace(everything, offset=4)) == (None, ["0"])
        assert await locate(store, replace(everything, filter=seeking(unique_identifier="1"))) == (
            1,
            ["1"],
        )

    with_store(place, body)


def test_what_was_granted_by_more_than_were_counted_is_not_addressable(place, monkeypatch):
    """Another owner may be among those that were not counted."""
    monkeypatch.setattr("kms_tornado.store.sql.search.statements.MAX_COUNTED", 2)
    everything = LocateSearch(ObjectFilter(), principal="carol", offset=0, maximum=1)

    async def body(store):
        found = []
        for number in range(3):
            grant = Grant(f"{number}", ALICE, "carol", frozenset({Operation.GET}))
            await store.commit([Insert(an_object(f"{number}")), grant])
            found.append(await store.locate(everything))
        return found

    *counted, beyond = with_store(place, body)
    assert [(page.total, page.addressable) for page in counted] == [
        (1, Standing.GRANTED_BY_NAME),
        (2, Standing.GRANTED_BY_NAME),
    ]
    assert (beyond.total, beyond.addressable, beyond.uids) == (None, None, ("2",))
