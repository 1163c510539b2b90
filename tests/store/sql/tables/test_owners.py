"""How many objects an owner has, how many bytes they take, and no more than so many."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from kms_tornado.domain import managed_object
from kms_tornado.errors import ServerLimitExceeded
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import ObjectType, Operation, State
from kms_tornado.kmip.objects import OpaqueObject
from kms_tornado.kmip.payloads import (
    DestroyRequest,
    ImportRequest,
    ReKeyRequest,
    RevokeRequest,
)
from kms_tornado.service.objects.access_rights import AccessRequest
from kms_tornado.store.interface.changes import Grant, Insert, Remove, Replace, Withdraw
from kms_tornado.store.postgres.backend import PostgresBackend
from kms_tornado.store.sql.tables import owners
from kms_tornado.store.sql.tables.row_macs import AlteredRow
from kms_tornado.store.sql.tables.rows import format_row

from .... import postgres
from ....operations.inside import Inside
from ...helpers import (
    ALICE,
    AUTHENTICATOR,
    BOB,
    KEY_ATTRIBUTES,
    an_object,
    engine_behind,
    opened,
    run,
    with_store,
    write_behind,
)


@pytest.fixture
def at_most_three(monkeypatch):
    monkeypatch.setattr(owners, "MAX_OBJECTS_OF_AN_OWNER", 3)


def test_an_owner_has_a_million_objects_at_most():
    assert managed_object.MAX_OBJECTS_OF_AN_OWNER == 1_000_000


def test_more_objects_than_an_owner_may_have_are_refused(place, at_most_three):
    async def body(store):
        await store.commit([Insert(an_object("1")), Insert(an_object("2"))])
        with pytest.raises(ServerLimitExceeded):
            await store.commit([Insert(an_object("3")), Insert(an_object("4"))])
        assert await store.get("3") is None
        await store.commit([Insert(an_object("3")), Insert(an_object("bobs", owner=BOB))])
        with pytest.raises(ServerLimitExceeded):
            await store.commit([Replace(an_object("bobs", owner=ALICE), seen=1)])
        await store.commit([Replace(an_object("3", sealed=None, state=State.DESTROYED), seen=1)])
        with pytest.raises(ServerLimitExceeded):
            await store.commit([Insert(an_object("4"))])
        await store.commit([Remove("3", seen=2)])
        await store.commit([Insert(an_object("4"))])
        await store.commit([Remove("4", seen=1), Insert(an_object("5"))])
        await store.commit([Replace(an_object("5", owner=BOB), seen=1)])
        await store.commit([Insert(an_object("6"))])
        with pytest.raises(ServerLimitExceeded):
            await store.commit([Insert(an_object("7"))])

    with_store(place, body)


def test_refused_objects_do_not_count(place, at_most_three):
    async def body(store):
        await store.commit([Insert(an_object("1"))])
        twice = [store.commit([Insert(an_object("1"))]) for _ in range(9)]
        await asyncio.gather(*twice, return_exceptions=True)
        await store.commit([Insert(an_object("2")), Insert(an_object("3"))])

    with_store(place, body)


def test_an_owners_first_objects_may_come_by_two_servers_at_once():
    url = postgres.empty_database()

    async def main():
        async with opened(url) as one, opened(url) as another:
            for number in range(20):
                owner = f"owner {number}"
                firsts = [
                    store.commit([Insert(an_object(f"{number} {place}", owner=owner))])
                    for place, store in enumerate((one, another))
                ]
                await asyncio.gather(*firsts)

    run(main())


# --- bytes --------------------------------------------------------------------------------------


UNIT = owners.UNIT_BYTES


def sized(uid, units, **changes):
    """An object that takes so many units, 1,000 bytes less than would be one more."""
    return an_object(uid, sealed=bytes(units * UNIT - 1000), **changes)


def count_of(place, owner=ALICE):
    """The stored count; None where there is none."""
    with engine_behind(place).connect() as connection:
        return connection.execute(
            text("SELECT objects FROM owners WHERE owner = :owner"), {"owner": owner}
        ).scalar()


def edit_count(place, number, mac, owner=ALICE):
    edit = "UPDATE owners SET objects = :number, mac = :mac WHERE owner = :owner"
    write_behind(place, edit, number=number, mac=mac, owner=owner)


def count_as_before(place, number, owner=ALICE):
    """Store the number of the owner's objects as older versions did."""
    edit_count(place, number, owners.former_count_mac(AUTHENTICATOR, owner, number), owner)


def length_of(new):
    """The bytes of an object beside its sealed material."""
    row = format_row(new, AUTHENTICATOR, generation=1, now=0)
    return len(row["attributes"].encode()) + len(row["tags"].encode())


def grouped(group):
    return {"attributes": KEY_ATTRIBUTES.replace(object_groups=(group,))}


PLAIN = length_of(an_object("1", sealed=None))

#: One object, as arguments of `an_object` → the units that it takes.
SIZES = {
    "no material": ({"sealed": None}, 1),
    "a unit to the last byte": ({"sealed": bytes(UNIT - PLAIN)}, 1),
    "a byte more": ({"sealed": bytes(UNIT - PLAIN + 1)}, 2),
    "material of a megabyte": ({"sealed": bytes(1 << 20)}, 257),
    "attributes": (grouped("g" * 7500), 2),
    "letters of two bytes": (grouped("é" * 8000), 4),
    "letters of four bytes": (grouped("😀" * 8000), 8),
    "NUL, which ends a text elsewhere": (grouped("g\0" + "g" * 7500), 2),
    "tags": ({"tags": frozenset({"t" * 4096, "é" * 2048})}, 3),
}  # fmt: skip


def test_an_object_takes_a_unit_for_each_4096_bytes_begun(place):
    """When it is added, and when the units of an older version's objects are counted."""

    async def body(store):
        for owner, (values, units) in SIZES.items():
            await store.commit([Insert(an_object(owner, owner=owner, **values))])
            assert count_of(place, owner) == units, owner
            count_as_before(place, 1, owner)
            await store.commit([Insert(an_object(f"{owner} 2", owner=owner))])
            assert count_of(place, owner) == units + 1, owner

    with_store(place, body)


MANY = [f"grantee {number:03}" + "é" * 100 for number in range(40)]  # of 211 bytes each

#: What is done in one commit after another → the units that Alice's and Bob's objects take at the end.
HISTORIES = {
    "single creates": ([[Insert(sized("1", 2))], [Insert(sized("2", 3))]], 5, None),
    "a batch of creates": (
        [[Insert(sized("1", 2)), Insert(sized("2", 1)), Insert(sized("3", 1, owner=BOB))]], 3, 1,
    ),
    "an object grows": ([[Insert(sized("1", 2))], [Replace(sized("1", 7), seen=1)]], 7, None),
    "attributes grow": ([[Insert(an_object("1"))], [Replace(an_object("1", **grouped("g" * 9000)), 1)]], 3, None),
    "an object shrinks": ([[Insert(sized("1", 7))], [Replace(sized("1", 2), seen=1)]], 2, None),
    "its material is destroyed": (
        [[Insert(sized("1", 7))], [Replace(an_object("1", sealed=None), seen=1)]], 1, None,
    ),
    "it is removed": (
        [[Insert(sized("1", 7)), Insert(sized("2", 2))], [Remove("1", seen=1)]], 2, None,
    ),
    "it gets another owner": (
        [[Insert(sized("1", 7)), Insert(sized("2", 2))], [Replace(sized("1", 5, owner=BOB), seen=1)]],
        2, 5,
    ),
    "many rights are granted": (
        [[Insert(an_object("1"))],
         [Grant("1", ALICE, user, frozenset({Operation.GET})) for user in MANY]], 3, None,
    ),
    "and withdrawn": (
        [[Insert(an_object("1"))],
         [Grant("1", ALICE, user, frozenset({Operation.GET})) for user in MANY],
         [Withdraw("1", ALICE, user, frozenset({Operation.GET})) for user in MANY[1:]]], 1, None,
    ),
    "rights end with the owner": (
        [[Insert(an_object("1"))],
         [Grant("1", ALICE, user, frozenset({Operation.GET})) for user in MANY],
         [Replace(an_object("1", owner=BOB), seen=1)]], 0, 1,
    ),
    "made, changed and removed in one commit": (
        [[Insert(sized("1", 9))],
         [Insert(sized("2", 3)), Replace(sized("2", 5), seen=1), Replace(sized("1", 1), seen=1),
          Remove("2", seen=2)]], 1, None,
    ),
    "changed twice in one commit": (
        [[Insert(sized("1", 2))], [Replace(sized("1", 9), seen=1), Replace(sized("1", 4), seen=2)]],
        4, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("history", HISTORIES)
def test_the_count_follows_what_is_done(place, history):
    commits, of_alice, of_bob = HISTORIES[history]

    async def body(store):
        for changes in commits:
            await store.commit(changes)

    with_store(place, body)
    assert (count_of(place), count_of(place, BOB)) == (of_alice, of_bob)


def test_units_of_creates_that_share_a_transaction_are_all_counted(place):
    async def body(store):
        calls = (store.commit([Insert(sized(f"{n}", 1 + n % 4))]) for n in range(40))
        await asyncio.gather(*calls)

    with_store(place, body)
    assert count_of(place) == 100


@pytest.mark.parametrize("case", ["material", "attributes", "rights", "create", "batch", "owner"])
def test_nobody_s_objects_take_more_bytes_than_the_limit(place, at_most_three, case):
    every_right = frozenset({Operation.GET})
    growth = {
        "material": [Replace(sized("1", 3), seen=1)],
        "attributes": [Replace(an_object("1", **grouped("g" * 9000)), seen=1)],
        "rights": [Grant("1", ALICE, user, every_right) for user in MANY],
        "create": [Insert(sized("2", 3))],
        "batch": [Insert(sized("2", 1)), Insert(sized("3", 2))],
        "owner": [Replace(sized("bobs", 3, owner=ALICE), seen=1)],
    }[case]
    less = {
        "material": [Replace(sized("1", 2), seen=1)],
        "attributes": [Replace(an_object("1", **grouped("g" * 5000)), seen=1)],
        "rights": [Grant("1", ALICE, user, every_right) for user in MANY[:20]],
        "create": [Insert(sized("2", 1))],
        "batch": [Insert(sized("2", 1))],
        "owner": [Replace(sized("bobs", 1, owner=ALICE), seen=1)],
    }[case]

    async def body(store):
        present = [Insert(an_object("1")), Insert(sized("bobs", 3, owner=BOB))]
        await store.commit([*present, Insert(an_object("4"))][: 3 if case != "create" else 2])
        before = count_of(place), await store.get("1")
        for _ in range(2):
            with pytest.raises(
                ServerLimitExceeded, match=r"^nobody owns more than 3 objects, or 12288"
            ):
                await store.commit(growth)
        assert (count_of(place), await store.get("1")) == before
        await store.commit(less)

    with_store(place, body)
    assert count_of(place) in (2, 3)


def test_who_has_more_than_the_limit_makes_it_less_and_changes_what_stays_as_large(
    place, monkeypatch
):
    async def body(store):
        await store.commit([Insert(sized("1", 9)), Insert(an_object("2"))])
        monkeypatch.setattr(owners, "MAX_OBJECTS_OF_AN_OWNER", 3)
        await store.commit([Replace(sized("1", 9, state=State.DEACTIVATED), seen=1)])
        with pytest.raises(ServerLimitExceeded):
            await store.commit([Insert(an_object("3"))])
        await store.commit([Replace(sized("1", 5), seen=2)])
        await store.commit([Remove("1", seen=3)])
        await store.commit([Insert(an_object("3"))])

    with_store(place, body)
    assert count_of(place) == 2


# --- what older versions counted ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "units"),
    [
        pytest.param([Insert(sized("3", 4))], 13, id="a create"),
        pytest.param([Insert(sized("3", 4)), Insert(sized("4", 1))], 14, id="a batch"),
        pytest.param([Replace(sized("1", 8), seen=1)], 10, id="an object grows"),
        pytest.param([Replace(an_object("1", sealed=None), seen=1)], 3, id="a Destroy"),
        pytest.param([Remove("1", seen=1)], 2, id="a Remove"),
        pytest.param(
            [Grant("1", ALICE, user, frozenset({Operation.GET})) for user in MANY], 11, id="grants"
        ),
        pytest.param([Replace(sized("1", 6, owner=BOB), seen=1)], 2, id="another owner"),
    ],
)
@pytest.mark.parametrize("limit", [1_000_000, 9])
def test_the_first_change_counts_the_units_of_an_older_version_s_objects(
    place, changes, units, limit, monkeypatch
):
    """It is done even where they turn out to be too many; the next one is refused."""

    async def body(store):
        await store.commit([Insert(sized("1", 7)), Insert(sized("2", 2))])
        await store.commit([Insert(an_object("bobs", owner=BOB))])
        count_as_before(place, 2)
        monkeypatch.setattr(owners, "MAX_OBJECTS_OF_AN_OWNER", limit)
        await store.commit(changes)
        assert count_of(place) == units
        if units >= limit:
            with pytest.raises(ServerLimitExceeded):
                await store.commit([Insert(an_object("last"))])
        else:
            await store.commit([Insert(an_object("last"))])
            assert count_of(place) == units + 1

    with_store(place, body)


def test_many_creates_at_once_by_owners_of_an_older_version_are_all_counted(place):
    async def body(store):
        for owner in (ALICE, BOB):
            await store.commit([Insert(sized(owner, 5, owner=owner))])
            count_as_before(place, 1, owner)
        calls = (
            store.commit([Insert(an_object(f"{n}", owner=(ALICE, BOB, "carol")[n % 3]))])
            for n in range(30)
        )
        await asyncio.gather(*calls)

    with_store(place, body)
    assert [count_of(place, owner) for owner in (ALICE, BOB, "carol")] == [15, 15, 10]


def test_a_change_that_leaves_the_units_leaves_an_older_version_s_count(place):
    async def body(store):
        await store.commit([Insert(sized("1", 7))])
        count_as_before(place, 1)
        await store.commit([Replace(sized("1", 7, state=State.DEACTIVATED), seen=1)])

    with_store(place, body)
    assert count_of(place) == 1


def test_who_had_as_many_objects_as_may_be_adds_none_after_the_upgrade(place, at_most_three):
    async def body(store):
        await store.commit([Insert(an_object(f"{n}")) for n in range(3)])
        count_as_before(place, 3)
        for _ in range(2):
            with pytest.raises(ServerLimitExceeded):
                await store.commit([Insert(an_object("4"))])
        await store.commit([Remove("1", seen=1)])
        await store.commit([Insert(an_object("4"))])

    with_store(place, body)
    assert count_of(place) == 3


# --- what somebody else wrote -------------------------------------------------------------------


FORGED = {
    "a lower number": (1, owners.count_mac(AUTHENTICATOR, ALICE, 2)),
    "a lower number of an older version": (1, owners.former_count_mac(AUTHENTICATOR, ALICE, 2)),
    "another owner's code": (2, owners.count_mac(AUTHENTICATOR, BOB, 2)),
    "another owner's code of an older version": (2, owners.former_count_mac(AUTHENTICATOR, BOB, 2)),
    "no code": (2, b""),
}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([Insert(an_object("3"))], id="create"),
        pytest.param([Replace(sized("1", 2), seen=1)], id="growth"),
        pytest.param([Remove("1", seen=1)], id="removal"),
    ],
)
def test_a_count_that_something_else_wrote_is_refused(place, changes):
    async def body(store):
        await store.commit([Insert(an_object("1")), Insert(an_object("2"))])
        for case, (number, mac) in FORGED.items():
            edit_count(place, number, mac)
            with pytest.raises(AlteredRow, match="tell the operator"):
                await store.commit(changes)
            assert count_of(place) == number, case
        edit_count(place, 2, owners.count_mac(AUTHENTICATOR, ALICE, 2))
        await store.commit(changes)

    with_store(place, body)


# --- operations ---------------------------------------------------------------------------------


@pytest.fixture
def kms(place, tmp_path):
    backend = None if isinstance(place, Path) else PostgresBackend(place)
    with Inside(tmp_path, backend=backend) as inside:
        inside.url = tmp_path / "kms.db" if backend is None else place
        yield inside


def import_opaque(kms, uid, length, **options):
    held = OpaqueObject(0x80000001, bytes(length))
    request = ImportRequest(uid, ObjectType.OPAQUE_OBJECT, object=held, **options)
    return kms.do("alice", Operation.IMPORT, request).unique_identifier


def grant_many(kms, uid):
    for user in MANY:
        change = AccessRequest(uid, user.replace(" ", "-"), frozenset({Operation.GET}))
        kms.run(kms.rights.grant("alice", change))


OPERATIONS = {
    "Create": lambda kms, uid: kms.create(object_groups=("g" * 9000,)),
    "Import": lambda kms, uid: import_opaque(kms, "", 9000),
    "Import over an object": lambda kms, uid: import_opaque(
        kms, import_opaque(kms, "over", 1), 9000, replace_existing=True
    ),
    "AddAttribute": lambda kms, uid: kms.add(uid, "object_groups", "g" * 9000),
    "ModifyAttribute": lambda kms, uid: kms.modify(uid, "comment", "g" * 9000),
    "SetAttribute": lambda kms, uid: kms.set(uid, "comment", "g" * 9000),
    "ReKey": lambda kms, uid: kms.do(
        "alice", Operation.RE_KEY, ReKeyRequest(uid, attributes=Attributes(comment="g" * 9000))
    ),
    "a grant": grant_many,
}  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_beyond_the_quota_gets_a_result_that_says_so(kms, operation, monkeypatch):
    uid = kms.create(comment="short")
    monkeypatch.setattr(owners, "MAX_OBJECTS_OF_AN_OWNER", 2)
    with pytest.raises(ServerLimitExceeded) as caught:
        OPERATIONS[operation](kms, uid)
    assert str(caught.value) == (
        "nobody owns more than 2 objects, or 8192 bytes of them, each rounded up to a multiple of 4096:"
        " remove objects, or make them smaller"
    )
    assert kms.known(uid).comment == "short"


def test_destroy_gives_the_bytes_back(kms, monkeypatch):
    uid = import_opaque(kms, "large", 9000)
    assert count_of(kms.url, "alice") == 3
    monkeypatch.setattr(owners, "MAX_OBJECTS_OF_AN_OWNER", 3)
    with pytest.raises(ServerLimitExceeded):
        kms.create()
    kms.do("alice", Operation.REVOKE, RevokeRequest(uid))
    kms.do("alice", Operation.DESTROY, DestroyRequest(uid))
    assert count_of(kms.url, "alice") == 1
    kms.create()
