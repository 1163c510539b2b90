"""What the object store promises to the operations."""

from __future__ import annotations

import asyncio
import traceback
from contextlib import nullcontext
from dataclasses import replace

import pytest

from kms_tornado.domain.search import LocateSearch, ObjectFilter, TagSearch
from kms_tornado.errors import InvalidField, ObjectAlreadyExists, Unavailable
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicAlgorithm, KeyFormatType, ObjectType, State
from kms_tornado.store.base import Conflict, Insert, Remove, Replace
from kms_tornado.store.bounds import MAX_TAGS

from .helpers import ALICE, BOB, KEY_ATTRIBUTES, an_object, seeking, uids, with_store

# --- one object ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(an_object("plain"), id="a key"),
        pytest.param(
            an_object("bare", attributes=Attributes(), tags=frozenset()), id="no attributes"
        ),
        pytest.param(an_object("gone", sealed=None, state=State.DESTROYED), id="destroyed"),
        pytest.param(an_object("empty", sealed=b""), id="empty material"),
        pytest.param(an_object("old", version=7, generation=9), id="version and generation"),
        pytest.param(an_object("Ω '\"; DROP TABLE objects; --", owner="o'hara"), id="odd names"),
        pytest.param(
            an_object("tags", tags=frozenset({"a'b", '"', "\\", "é", "%", "日本", ",", "[]"})),
            id="odd tags",
        ),
        pytest.param(an_object("sd", object_type=ObjectType.SECRET_DATA), id="secret data"),
    ],
)
def test_an_object_comes_back_as_it_was(place, kept):
    async def body(store):
        await store.commit([Insert(kept)])
        return await store.get(kept.uid)

    assert with_store(place, body) == kept


def test_an_object_is_there_after_a_restart(place):
    with_store(place, lambda store: store.commit([Insert(an_object("kept"))]))
    assert with_store(place, lambda store: store.get("kept")) == an_object("kept")


@pytest.mark.parametrize("uid", ["absent", "", "KEPT", "kept ", "kep_", "%", "\0", "\ud800"])
def test_what_is_not_there_is_none(place, uid):
    async def body(store):
        await store.commit([Insert(an_object("kept"))])
        return await store.get(uid)

    assert with_store(place, body) is None


def test_a_taken_identifier_is_refused_and_the_first_object_stays(place):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        with pytest.raises(ObjectAlreadyExists):
            await store.commit([Insert(an_object("one", owner=BOB))])
        return (await store.get("one")).owner

    assert with_store(place, body) == ALICE


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(an_object("\ud800"), id="half a character in the identifier"),
        pytest.param(an_object("x", tags=frozenset({"\ud800"})), id="half a character in a tag"),
        pytest.param(an_object("x", created_at=2**63), id="a number of 64 bits"),
        pytest.param(
            an_object("x", tags=frozenset(map(str, range(MAX_TAGS + 1)))), id="too many tags"
        ),
    ],
)
def test_what_no_database_can_hold_is_an_invalid_field(place, bad):
    async def body(store):
        with pytest.raises(InvalidField):
            await store.commit([Insert(an_object("good")), Insert(bad)])
        assert await store.get("good") is None
        await store.commit([Insert(an_object("good"))])
        return await store.get("good")

    assert with_store(place, body) == an_object("good")


def test_no_error_shows_the_row_that_it_is_about(place):
    row = an_object("canary-uid", tags=frozenset({"canary-tag"}), sealed=b"canary-sealed")

    async def body(store):
        await store.commit([Insert(row)])
        with pytest.raises(ObjectAlreadyExists) as caught:
            await store.commit([Insert(row)])
        shown = "".join(traceback.format_exception(caught.value))
        assert "ObjectAlreadyExists" in shown
        assert "canary" not in shown

    with_store(place, body)


# --- compare and set ----------------------------------------------------------------------------


def test_a_replacement_counts_the_generation_up(place):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        seen = await store.get("one")
        changed = replace(
            seen,
            state=State.DEACTIVATED,
            tags=frozenset({"new"}),
            attributes=replace(KEY_ATTRIBUTES, cryptographic_length=128),
            version=2,
        )
        await store.commit([Replace(changed, seen.generation)])
        assert await store.get("one") == replace(changed, generation=2)
        assert uids(await store.find_tagged(TagSearch(frozenset({"new"}), principal=ALICE))) == [
            "one"
        ]
        assert uids(await store.find_tagged(TagSearch(frozenset({"_kk"}), principal=ALICE))) == []
        shorter = seeking(cryptographic_length=128)
        assert await store.locate(LocateSearch(shorter, principal=ALICE, offset=0, maximum=9)) == (
            1,
            ["one"],
        )

    with_store(place, body)


@pytest.mark.parametrize(
    "stale",
    [
        pytest.param(Replace(an_object("one", state=State.COMPROMISED), seen=1), id="replace"),
        pytest.param(Replace(an_object("one"), seen=3), id="replace a later one"),
        pytest.param(Replace(an_object("absent"), seen=1), id="replace what is not there"),
        pytest.param(Remove("one", seen=1), id="remove"),
        pytest.param(Remove("absent", seen=1), id="remove what is not there"),
    ],
)
def test_a_change_of_what_was_changed_meanwhile_is_a_conflict(place, stale):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        await store.commit([Replace(an_object("one", owner=BOB), seen=1)])
        with pytest.raises(Conflict):
            await store.commit([Insert(an_object("two")), stale])
        assert await store.get("two") is None
        return await store.get("one")

    assert with_store(place, body) == an_object("one", owner=BOB, generation=2)


def test_of_many_replacements_at_once_exactly_one_wins(place):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        changes = [Replace(an_object("one", created_at=number), seen=1) for number in range(50)]
        outcomes = await asyncio.gather(
            *(store.commit([change]) for change in changes), return_exceptions=True
        )
        assert outcomes.count(None) == 1
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 49
        won = outcomes.index(None)
        assert await store.get("one") == an_object("one", created_at=won, generation=2)

    with_store(place, body)


def test_a_conflict_hurts_nobody_who_shares_the_commit(place):
    async def body(store):
        await store.commit([Insert(an_object("taken"))])
        bad = [
            store.commit([Insert(an_object(f"x{n}")), Insert(an_object("taken"))])
            for n in range(20)
        ]
        good = [store.commit([Insert(an_object(f"good{n}"))]) for n in range(20)]
        mixed = [each for pair in zip(bad, good, strict=True) for each in pair]
        outcomes = await asyncio.gather(*mixed, return_exceptions=True)
        assert all(isinstance(outcome, ObjectAlreadyExists) for outcome in outcomes[::2])
        assert outcomes[1::2] == [None] * 20
        total, found = await store.locate(
            LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=99)
        )
        assert total == 21
        assert set(found) == {"taken", *(f"good{n}" for n in range(20))}

    with_store(place, body)


def test_a_removed_identifier_is_free_again_and_its_tags_are_gone(place):
    async def body(store):
        await store.commit([Insert(an_object("one", tags=frozenset({"old"})))])
        await store.commit([Remove("one", seen=1)])
        assert await store.get("one") is None
        assert not await store.holds_objects()
        await store.commit([Insert(an_object("one", tags=frozenset({"new"})))])
        assert await store.find_tagged(TagSearch(frozenset({"old"}), principal=ALICE)) == []
        assert uids(await store.find_tagged(TagSearch(frozenset({"new"}), principal=ALICE))) == [
            "one"
        ]

    with_store(place, body)


def test_changes_of_one_commit_build_on_one_another(place):
    async def body(store):
        await store.commit(
            [
                Insert(an_object("one")),
                Replace(an_object("one", owner=BOB), 1),
                Insert(an_object("2")),
            ]
        )
        await store.commit([Remove("one", 2), Insert(an_object("one"))])
        return await store.get("one")

    assert with_store(place, body) == an_object("one")


def test_a_caller_who_stops_waiting_harms_nobody(place):
    async def body(store):
        gone = asyncio.ensure_future(store.commit([Insert(an_object("gone"))]))
        stays = asyncio.ensure_future(store.commit([Insert(an_object("stays"))]))
        await asyncio.sleep(0)
        gone.cancel()
        await stays
        return await store.get("stays")

    assert with_store(place, body) == an_object("stays")


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
            await store.locate(
                LocateSearch(ObjectFilter(tags=tags), principal=ALICE, offset=0, maximum=1)
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
        found = await store.locate(
            LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=9)
        )
        assert found == (len(expected), expected)
        asked = ObjectFilter(states=frozenset({state}))
        assert await store.locate(LocateSearch(asked, principal=ALICE, offset=0, maximum=9)) == (
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
            found = await store.locate(LocateSearch(wanted, principal=ALICE, offset=0, maximum=9))
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


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(ObjectFilter(), "aes-256 aes-128 chacha secret revoked", id="anything"),
        pytest.param(ObjectFilter(tags=frozenset({"invoices"})), "aes-256 aes-128", id="a tag"),
        pytest.param(ObjectFilter(tags=frozenset({"invoices", "old"})), "aes-128", id="two tags"),
        pytest.param(ObjectFilter(tags=frozenset({"absent"})), "", id="an unknown tag"),
        pytest.param(ObjectFilter(tags=frozenset({"\ud800"})), "", id="a tag that cannot be"),
        pytest.param(seeking(unique_identifier="chacha"), "chacha", id="an identifier"),
        pytest.param(seeking(unique_identifier="bobs"), "", id="another user's identifier"),
        pytest.param(seeking(object_type=ObjectType.SECRET_DATA), "secret", id="a type"),
        pytest.param(
            seeking(cryptographic_algorithm=CryptographicAlgorithm.CHACHA20),
            "chacha",
            id="an algorithm",
        ),
        pytest.param(seeking(cryptographic_length=128), "aes-128", id="a length"),
        pytest.param(seeking(cryptographic_length=2**70), "", id="a length that cannot be"),
        pytest.param(seeking(cryptographic_length=0), "", id="a length of zero"),
        pytest.param(
            seeking(cryptographic_usage_mask=0x04), "aes-256 aes-128 revoked", id="one usage"
        ),
        pytest.param(seeking(cryptographic_usage_mask=0x30), "aes-256 revoked", id="two usages"),
        pytest.param(seeking(cryptographic_usage_mask=0x31), "", id="one usage too many"),
        pytest.param(
            seeking(key_format_type=KeyFormatType.RAW), "aes-256 aes-128 revoked", id="raw"
        ),
        pytest.param(
            ObjectFilter(states=frozenset({State.DEACTIVATED})), "revoked", id="one state"
        ),
        pytest.param(
            ObjectFilter(states=frozenset({State.DEACTIVATED, State.DESTROYED})),
            "revoked destroyed",
            id="two states",
        ),
        pytest.param(ObjectFilter(states=frozenset()), "", id="no state"),
        pytest.param(
            seeking(
                tags=frozenset({"_kk"}),
                object_type=ObjectType.SYMMETRIC_KEY,
                cryptographic_algorithm=CryptographicAlgorithm.AES,
                cryptographic_length=256,
                cryptographic_usage_mask=0x0C,
                states=frozenset({State.ACTIVE}),
            ),
            "aes-256",
            id="all at once",
        ),
    ],
)
def test_locate_finds_what_matches_in_all(place, wanted, expected):
    async def body(store):
        await store.commit([Insert(each) for each in STOCK])
        return await store.locate(LocateSearch(wanted, principal=ALICE, offset=0, maximum=100))

    total, found = with_store(place, body)
    assert (total, sorted(found)) == (len(expected.split()), sorted(expected.split()))


@pytest.mark.parametrize(
    ("offset", "maximum", "expected"),
    [
        pytest.param(0, 3, ["9", "8", "7"], id="the first page"),
        pytest.param(3, 3, ["6", "5", "4"], id="the second page"),
        pytest.param(9, 3, ["0"], id="the last page"),
        pytest.param(10, 3, [], id="past the end"),
        pytest.param(2**70, 3, [], id="far past the end"),
        pytest.param(0, 0, [], id="nothing wanted"),
        pytest.param(0, -1, [], id="less than nothing wanted"),
        pytest.param(-1, 1, ["9"], id="before the start"),
    ],
)
def test_locate_pages_and_always_tells_the_number_of_all(place, offset, maximum, expected):
    async def body(store):
        await store.commit([Insert(an_object(str(n), created_at=n)) for n in range(10)])
        return await store.locate(
            LocateSearch(ObjectFilter(), principal=ALICE, offset=offset, maximum=maximum)
        )

    assert with_store(place, body) == (10, expected)


# --- the server's own ---------------------------------------------------------------------------


def test_the_first_check_value_is_kept(place):
    async def body(store):
        assert await store.master_key_check() is None
        values = await asyncio.gather(*(store.set_master_key_check(bytes([n])) for n in range(9)))
        assert len(set(values)) == 1
        assert await store.master_key_check() == values[0]
        return values[0]

    kept = with_store(place, body)
    assert with_store(place, lambda store: store.set_master_key_check(b"later")) == kept


@pytest.mark.parametrize("state", [State.ACTIVE, State.DESTROYED])
def test_a_store_knows_whether_it_holds_objects(place, state):
    async def body(store):
        await store.set_master_key_check(b"check")
        assert not await store.holds_objects()
        await store.commit([Insert(an_object("one", state=state))])
        assert await store.holds_objects()

    with_store(place, body)


CALLS = {
    "ping": lambda store: store.ping(),
    "get": lambda store: store.get("one"),
    "find_tagged": lambda store: store.find_tagged(TagSearch(frozenset({"_kk"}), principal=ALICE)),
    "locate": lambda store: store.locate(
        LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=1)
    ),
    "commit": lambda store: store.commit([Insert(an_object("two"))]),
    "holds_objects": lambda store: store.holds_objects(),
    "master_key_check": lambda store: store.master_key_check(),
    "set_master_key_check": lambda store: store.set_master_key_check(b"check"),
}


@pytest.mark.parametrize(
    "opening", [pytest.param(True, id="open"), pytest.param(False, id="closed")]
)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_closed_store_is_unavailable(place, call, opening):
    async def body(store):
        if not opening:
            await store.stop()
        with nullcontext() if opening else pytest.raises(Unavailable):
            await call(store)

    with_store(place, body)


def test_stopping_finishes_the_writes_that_were_accepted(place):
    async def body(store):
        commits = [
            asyncio.ensure_future(store.commit([Insert(an_object(str(n)))])) for n in range(100)
        ]
        await asyncio.sleep(0)
        await store.stop()
        assert await asyncio.gather(*commits) == [None] * 100

    with_store(place, body)
    found = with_store(
        place,
        lambda store: store.locate(
            LocateSearch(ObjectFilter(), principal=ALICE, offset=0, maximum=0)
        ),
    )
    assert found == (100, [])


def test_a_store_can_be_started_again(place):
    async def body(store):
        await store.commit([Insert(an_object("one"))])
        await store.stop()
        await store.stop()
        await store.start()
        return await store.get("one")

    assert with_store(place, body) == an_object("one")
