"""Grants in the store: who reads what, and what a withdrawal undoes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from kms_tornado.domain.search import LocateSearch, ObjectFilter, Standing, TagSearch
from kms_tornado.errors import GeneralFailure, InvalidField, ServerLimitExceeded
from kms_tornado.kmip.enums import ObjectType, Operation, State
from kms_tornado.kmip.payloads import DateRange
from kms_tornado.store.bounds import MAX_GRANTED_TO_EVERYONE, MAX_LISTED
from kms_tornado.store.interface.changes import Conflict, Grant, Insert, Remove, Replace, Withdraw
from kms_tornado.store.sql.tables import grants

from ...helpers import ALICE, BOB, an_object, locate, seeking, uids, with_store, write_behind

GET, ENCRYPT, DESTROY = Operation.GET, Operation.ENCRYPT, Operation.DESTROY


def grant(uid, *operations, grantee=BOB, owner=ALICE):
    return Grant(uid, owner, grantee, frozenset(operations))


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([], id="nobody"),
        pytest.param([BOB], id="one"),
        pytest.param([BOB, "*", "group:x", "bo", f"{BOB}2"], id="several"),
        pytest.param(
            ["x,", ":[1],", '":[1],', '],"y":[2', "]", "[", "{", "}"], id="names like JSON"
        ),
        pytest.param(["back\\", '\\"', '"', '\\":[', "\\\\", "é", "😀"], id="names with escapes"),
    ],
)
def test_text_looked_through_tells_what_the_parsed_one_does(names):
    table = {name: frozenset({ENCRYPT, place + 1}) for place, name in enumerate(names)}
    written = grants.format_grants(table)
    assert grants.parse_grants(written) == table
    assert grants.count_grantees(written) == len(table)
    for name in (*names, "nobody", "", "2"):
        asked = {name: table[name]} if name in table else {}
        assert grants.find_grants(written, [name, "somebody"]) == asked


def withdraw(uid, *operations, grantee=BOB, owner=ALICE):
    return Withdraw(uid, owner, grantee, frozenset(operations))


def run(place, body):
    async def prepared(store):
        await store.commit([Insert(an_object("one", tags=frozenset({"t", "_kk"})))])
        await body(store)

    with_store(place, prepared)


async def may(store, *rights, principal=BOB):
    """Whether the rights suffice."""
    return await store.get_for("one", principal=principal, rights=rights) is not None


async def tagged(store, *rights, principal=BOB, **more):
    """What is found by the tag."""
    return uids(await store.find_tagged(TagSearch(frozenset({"t"}), principal, rights, **more)))


def test_the_owner_needs_no_right_and_others_one_of_those_asked_for(place):
    async def body(store):
        assert await may(store, principal=ALICE)
        assert not await may(store, GET)
        await store.commit([grant("one", GET)])
        assert await may(store, GET)
        assert await may(store, ENCRYPT, GET)
        assert not await may(store, ENCRYPT)
        assert not await may(store, ENCRYPT, DESTROY)
        assert not await may(store)
        assert not await may(store, GET, principal="eve")

    run(place, body)


def test_a_tag_search_is_among_ones_own_objects_or_among_those_granted_by_name(place):
    async def body(store):
        await store.commit([grant("one", GET)])
        await store.commit([grant("one", ENCRYPT, grantee="*")])
        assert await tagged(store, principal=ALICE) == ["one"]
        assert await tagged(store, GET, principal=ALICE) == [], "one's own was not granted"
        assert await tagged(store) == []
        assert await tagged(store, GET) == await tagged(store, ENCRYPT, GET) == ["one"]
        assert await tagged(store, ENCRYPT) == await tagged(store, ENCRYPT, DESTROY) == []
        assert await tagged(store, ENCRYPT, principal="eve") == [], "granted to everyone"
        assert await tagged(store, GET, other_than=ALICE) == []
        assert await tagged(store, GET, other_than="carol") == ["one"]

    run(place, body)


DEVS, OPS = "group:devs", "group:ops"


@pytest.mark.parametrize("count", [1, 2, 3, 9, 256])
def test_what_a_group_may_its_members_may(place, count):
    groups = frozenset({DEVS, *(f"group:{number}" for number in range(count - 1))})

    async def found(store, groups):
        """By identifier, by tag, by Locate, in the list."""
        search = LocateSearch(seeking(tags={"t"}), BOB, 0, 10, groups=groups)
        tagged = TagSearch(frozenset({"t"}), BOB, [GET], groups=groups)
        return [
            await store.get_for("one", principal=BOB, groups=groups, rights=[GET]) is not None,
            uids(await store.find_tagged(tagged)) == ["one"],
            [located.standing for located in (await store.locate(search)).objects]
            == [Standing.GRANTED_BY_NAME],
            [granted.operations for granted in await store.list_granted(BOB, groups)] == [{GET}],
        ]

    async def body(store):
        assert await found(store, groups) == [False] * 4
        await store.commit([grant("one", GET, grantee=DEVS), grant("one", GET, grantee="eve")])
        assert await found(store, groups) == [True] * 4
        assert await found(store, groups - {DEVS}) == [False] * 4
        assert await found(store, frozenset({OPS})) == [False] * 4
        assert await found(store, frozenset()) == [False] * 4
        await store.commit([withdraw("one", GET, grantee=DEVS)])
        assert await found(store, groups) == [False] * 4

    run(place, body)


def test_rights_of_name_groups_and_everyone_are_one_list(place):
    async def body(store):
        grantees = {
            BOB: GET,
            DEVS: ENCRYPT,
            OPS: DESTROY,
            "*": Operation.MAC,
            "group:x": Operation.SIGN,
        }
        await store.commit([grant("one", right, grantee=name) for name, right in grantees.items()])
        listed = await store.list_granted(BOB, {DEVS, OPS})
        assert [granted.operations for granted in listed] == [
            {GET, ENCRYPT, DESTROY, Operation.MAC}
        ]
        assert await store.list_granted(ALICE, {DEVS}) == [], "one's own"

    run(place, body)


def test_row_of_a_group_that_was_written_into_the_index_gives_nobody_a_right(place):
    async def body(store):
        await store.commit([grant("one", ENCRYPT, grantee=DEVS)])
        row = f"INSERT INTO grants SELECT serial, '{OPS}', {int(ENCRYPT)} FROM objects"
        write_behind(place, row)
        for groups in ({OPS}, {DEVS, OPS}):
            with pytest.raises(GeneralFailure):
                await store.get_for("one", principal=BOB, groups=groups, rights=[ENCRYPT])
        with pytest.raises(GeneralFailure):
            await store.find_tagged(
                TagSearch(frozenset({"t"}), BOB, [ENCRYPT], groups=frozenset({OPS}))
            )

    run(place, body)


def test_what_everyone_may_each_may(place):
    async def body(store):
        await store.commit([grant("one", GET, grantee="*")])
        for principal in (BOB, "eve", "*", ALICE):
            assert await may(store, GET, principal=principal)
        await store.commit([withdraw("one", GET, grantee=BOB)])
        assert await may(store, GET)
        await store.commit([withdraw("one", GET, grantee="*")])
        assert not await may(store, GET)

    run(place, body)


def test_locate_finds_what_is_granted_once(place):
    async def body(store):
        async def located(**wanted):
            return await locate(
                store, LocateSearch(seeking(**wanted), principal=BOB, offset=0, maximum=9)
            )

        await store.commit([grant("one", GET, ENCRYPT), grant("one", GET, grantee="*")])
        await store.commit([Insert(an_object("mine", owner=BOB, tags=frozenset({"t"})))])
        await store.commit([grant("mine", GET, grantee="*", owner=BOB)])
        assert await located() == (2, ["mine", "one"])
        assert await located(tags=frozenset({"t"})) == (2, ["mine", "one"])
        assert await located(tags=frozenset({"t", "_kk"})) == (1, ["one"])
        assert await located(unique_identifier="one") == (1, ["one"])
        assert await located(states=frozenset({State.DESTROYED})) == (0, [])

    run(place, body)


OWN, BY_NAME, EVERYONE = Standing


def test_own_objects_stand_before_those_granted_by_name_and_those_before_everyones(place):
    """The newest first among each, on any page."""
    expected = [
        ("own-new", OWN),
        ("own-old", OWN),
        ("name-new", BY_NAME),
        ("name-old", BY_NAME),
        ("all-new", EVERYONE),
        ("all-old", EVERYONE),
    ]

    async def body(store):
        for number, age in enumerate(("old", "new")):
            owned = {"own": BOB, "name": ALICE, "all": "carol"}
            for later, (uid, owner) in enumerate(owned.items()):
                made = an_object(f"{uid}-{age}", owner=owner, created_at=100 * number + later)
                await store.commit([Insert(made)])
            await store.commit([grant(f"name-{age}", GET), grant(f"name-{age}", GET, grantee="*")])
            await store.commit([grant(f"all-{age}", GET, grantee="*", owner="carol")])
        for wanted in (ObjectFilter(), seeking(tags={"_kk"}), seeking(cryptographic_length=256)):
            for offset in range(7):
                for maximum in (1, 3, 9):
                    page = await store.locate(
                        LocateSearch(wanted, BOB, offset, maximum, readers=(GET,))
                    )
                    assert page == (6, expected[offset : offset + maximum], OWN)

    with_store(place, body)


@pytest.mark.parametrize(
    ("found", "addressable"),
    [
        pytest.param("own", OWN, id="own"),
        pytest.param("own name other all", OWN, id="own and granted"),
        pytest.param("name", BY_NAME, id="by name"),
        pytest.param("name again all", BY_NAME, id="several of one owner, and everyone's"),
        pytest.param("name other", None, id="by name, of two owners"),
    ],
)
def test_page_tells_which_standing_is_addressable_among_all_matches(place, found, addressable):
    async def body(store):
        owners = {"own": BOB, "other": "carol"}
        for uid in found.split():
            owner = owners.get(uid, ALICE)
            await store.commit([Insert(an_object(uid, owner=owner))])
            if owner != BOB:
                grantee = "*" if uid == "all" else BOB
                await store.commit([grant(uid, GET, grantee=grantee, owner=owner)])
        for offset, maximum in ((0, 9), (0, 1), (1, 1), (9, 9)):
            page = await store.locate(LocateSearch(ObjectFilter(), BOB, offset, maximum))
            told = (page.total, page.addressable)
            assert told == (len(found.split()), addressable), (offset, maximum)

    with_store(place, body)


@pytest.mark.parametrize("grantee", [BOB, "*"])
@pytest.mark.parametrize("right", [GET, ENCRYPT])
def test_locate_compares_what_the_principal_may_read(place, grantee, right):
    readers = (Operation.GET_ATTRIBUTES, GET)

    async def body(store):
        async def is_found(wanted, **more):
            page = await store.locate(
                LocateSearch(wanted, BOB, offset=0, maximum=9, readers=readers, **more)
            )
            return page.uids == ("one",)

        await store.commit([grant("one", right, grantee=grantee)])
        assert await is_found(ObjectFilter())
        assert await is_found(seeking(unique_identifier="one"))
        assert await is_found(seeking(tags={"t"})) == (right is GET or grantee == BOB)
        for wanted in (
            seeking(cryptographic_length=256),
            seeking(object_type=ObjectType.SYMMETRIC_KEY),
            seeking(unique_identifier="one", cryptographic_length=256),
            ObjectFilter(states=frozenset({State.ACTIVE})),
            ObjectFilter(ranges=(DateRange("InitialDate", 0, 2_000_000_000),)),
            ObjectFilter(tags=frozenset({"t"}), states=frozenset({State.ACTIVE})),
        ):
            assert await is_found(wanted) == (right is GET), wanted
            assert await is_found(wanted, now=1_800_000_000) == (right is GET), wanted

    run(place, body)


def test_granting_twice_is_once_and_withdrawing_takes_only_what_is_named(place):
    async def body(store):
        assert await store.list_grants("one", owner=ALICE) == {}
        for _ in range(2):
            await store.commit([grant("one", GET, ENCRYPT)])
        await store.commit([grant("one", DESTROY, GET)])
        await store.commit([withdraw("one", ENCRYPT, Operation.MAC)])
        assert await store.list_grants("one", owner=ALICE) == {BOB: {GET, DESTROY}}
        assert await store.list_grants("one", owner=BOB) is None
        assert await store.list_grants("absent", owner=ALICE) is None

    run(place, body)


@pytest.mark.parametrize("change", [grant, withdraw])
@pytest.mark.parametrize(("uid", "owner"), [("one", BOB), ("absent", ALICE), ("absent", BOB)])
def test_only_the_owner_of_what_is_there_changes_grants(place, change, uid, owner):
    async def body(store):
        with pytest.raises(Conflict):
            await store.commit([change(uid, GET, grantee="eve", owner=owner)])
        assert await store.list_grants("one", owner=ALICE) == {}

    run(place, body)


def test_what_no_database_can_hold_is_an_invalid_field(place):
    async def body(store):
        with pytest.raises(InvalidField):
            await store.commit([grant("one", GET, grantee="\ud800")])
        assert not await may(store, GET, principal="\ud800")

    run(place, body)


@pytest.mark.parametrize(
    "change",
    [lambda seen: Replace(replace(seen, state=State.DEACTIVATED), seen.generation),
     lambda seen: Remove(seen.uid, seen.generation)],
    ids=["replace", "remove"],
)  # fmt: skip
def test_a_change_decided_under_a_right_fails_once_it_is_withdrawn(place, change):
    async def body(store):
        await store.commit([grant("one", DESTROY)])
        seen = await store.get_for("one", principal=BOB, rights=(DESTROY,))
        await store.commit([withdraw("one", DESTROY)])
        with pytest.raises(Conflict):
            await store.commit([change(seen)])
        assert (await store.get("one")).state is State.ACTIVE

    run(place, body)


def test_grants_and_empty_withdrawals_are_no_conflict_for_a_change(place):
    async def body(store):
        seen = await store.get("one")
        await store.commit([grant("one", GET), withdraw("one", ENCRYPT)])
        await store.commit([Replace(replace(seen, state=State.DEACTIVATED), seen.generation)])
        assert await may(store, GET), "a change leaves the grants"

    run(place, body)


def test_grants_go_with_the_object(place):
    async def body(store):
        await store.commit([grant("one", GET), grant("one", GET, grantee="*")])
        await store.commit([Remove("one", 1)])
        assert await store.list_granted(BOB) == []
        await store.commit([Insert(an_object("one", tags=frozenset({"t"})))])
        assert not await may(store, GET)
        assert await store.list_grants("one", owner=ALICE) == {}

    run(place, body)


def test_a_new_owner_starts_without_grants(place):
    async def body(store):
        await store.commit([grant("one", GET, grantee="eve")])
        await store.commit([Replace(an_object("one", owner=BOB, tags=frozenset({"t"})), 1)])
        assert await store.list_grants("one", owner=BOB) == {}
        assert not await may(store, GET, principal="eve")

    run(place, body)


def test_listings_have_no_material(place):
    async def body(store):
        await store.commit([grant("one", GET, ENCRYPT)])
        await store.commit([Insert(an_object("two", created_at=1_800_000_000))])
        owned = [each.target for each in await store.list_owned(ALICE)]
        assert uids(owned) == ["two", "one"]
        (obtained,) = await store.list_granted(BOB)
        assert (obtained.target.uid, obtained.operations) == ("one", {GET, ENCRYPT})
        assert [each.sealed for each in [*owned, obtained.target]] == [None] * 3
        assert await store.list_granted(ALICE) == await store.list_owned(BOB) == []

    run(place, body)


def test_listings_end_with_the_newest_so_many(place):
    """Who owns a million objects, or grants them to everyone, fills nobody's memory."""

    async def body(store):
        many = [
            change
            for number in range(MAX_LISTED + 1)
            for change in (
                Insert(an_object(f"{number}", created_at=1_800_000_000 + number)),
                grant(f"{number}", GET, ENCRYPT),
            )
        ]
        await store.commit(many)
        newest = [str(MAX_LISTED - number) for number in range(MAX_LISTED)]
        assert uids(each.target for each in await store.list_owned(ALICE)) == newest
        obtained = await store.list_granted(BOB)
        assert uids(each.target for each in obtained) == newest
        assert {each.operations for each in obtained} == {frozenset({GET, ENCRYPT})}
        assert {each.grantees for each in obtained} == {frozenset({BOB})}

    run(place, body)


def test_so_many_users_have_rights_on_an_object_and_no_more(place, monkeypatch):
    most = 20  # each grant writes them all again, so that the thousandth takes long
    monkeypatch.setattr(grants, "MAX_GRANTEES", most)

    async def body(store):
        users = [f"user-{number}" for number in range(most)]
        await store.commit([grant("one", GET, grantee=each) for each in users])
        with pytest.raises(ServerLimitExceeded):
            await store.commit([grant("one", GET, grantee="one more")])
        await store.commit([grant("one", ENCRYPT, grantee=users[0])])
        await store.commit([withdraw("one", GET, grantee=users[1])])
        await store.commit([grant("one", GET, grantee="one more")])
        assert len(await store.list_grants("one", owner=ALICE)) == most

    run(place, body)


def test_so_many_objects_of_an_owner_are_granted_to_everyone_and_no_more(place):
    """Every user's Locate looks at all of them."""

    async def body(store):
        public = [str(number) for number in range(MAX_GRANTED_TO_EVERYONE)]
        await store.commit([Insert(an_object(uid)) for uid in [*public, "more"]])
        await store.commit([Insert(an_object("bob's", owner=BOB))])
        await store.commit([grant(uid, GET, ENCRYPT, grantee="*") for uid in public])
        with pytest.raises(ServerLimitExceeded, match=r"withdraw \* from another"):
            await store.commit([grant("more", GET, grantee="*")])
        assert await store.list_grants("more", owner=ALICE) == {}
        # Nothing else is refused: other users, more rights to such an object, other owners.
        await store.commit([grant("more", GET, grantee=BOB)])
        await store.commit([grant(public[0], DESTROY, grantee="*")])
        await store.commit([grant("bob's", GET, grantee="*", owner=BOB)])
        await store.commit([withdraw(public[1], GET, ENCRYPT, grantee="*")])
        await store.commit([grant("more", GET, grantee="*")])
        with pytest.raises(ServerLimitExceeded):
            await store.commit([grant(public[1], GET, grantee="*")])

    run(place, body)


def test_many_at_once_grant_and_withdraw(place):
    async def body(store):
        turns = [grant("one", GET, ENCRYPT), withdraw("one", ENCRYPT)] * 50
        await asyncio.gather(*(store.commit([each]) for each in turns))
        assert await store.list_grants("one", owner=ALICE) == {BOB: {GET}}

    run(place, body)
