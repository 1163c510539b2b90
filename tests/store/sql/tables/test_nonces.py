"""The records of nonces: one source for each key, no nonce twice, and nothing deleted or edited unseen."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from kms_tornado.domain import nonces
from kms_tornado.domain.nonces import NonceSource
from kms_tornado.errors import (
    GeneralFailure,
    InvalidField,
    NonceReused,
    NoncesSpent,
    WrongNonceSource,
)
from kms_tornado.kmip.enums import State
from kms_tornado.store.interface.changes import (
    Conflict,
    Insert,
    Refused,
    Remove,
    Replace,
    ReserveNonces,
    UseNonce,
)

from ...helpers import BOB, an_object, opened, with_store

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
NONCE = b"nonce of 12."


def use(uid="1", nonce=NONCE, key=KEY, seen=1, by_object=False):
    return UseNonce(uid, key, nonce, seen, by_object)


def reserve(uid="1", count=1, key=KEY, seen=1, by_object=False):
    return ReserveNonces(uid, key, count, seen, by_object)


async def fails(store, error, *changes):
    with pytest.raises(error) as caught:
        await store.commit(changes)
    return str(caught.value)


def execute(place, statement, *values):
    """As somebody who may write to the database, and has no key. ?: a value."""
    if isinstance(place, Path):
        with contextlib.closing(sqlite3.connect(place)) as database, database:
            cursor = database.execute(statement, values)
            return cursor.fetchall() if cursor.description else cursor.rowcount
    url = make_url(place)
    with psycopg.connect(
        host=url.query["host"], user=url.username, dbname=url.database, autocommit=True
    ) as database:
        cursor = database.execute(statement.replace("?", "%s"), values)
        return cursor.fetchall() if cursor.description else cursor.rowcount


# --- one source ---------------------------------------------------------------------------------


def test_first_use_fixes_the_source_in_the_object_too_and_the_other_is_refused(place):
    async def body(store):
        await store.commit([Insert(an_object("1")), Insert(an_object("2"))])
        assert (await store.get("1")).nonce_source is None
        await store.commit([use("1")])
        await store.commit([reserve("2", key=OTHER_KEY)])
        assert "send IVCounterNonce" in await fails(store, WrongNonceSource, reserve("1"))
        refused = use("2", key=OTHER_KEY)
        assert "leave IVCounterNonce out" in await fails(store, WrongNonceSource, refused)
        one, two = [await store.get(uid) for uid in "12"]
        assert (one.nonce_source, two.nonce_source) == (NonceSource.CALLER, NonceSource.SERVER)
        assert (one.generation, two.generation) == (1, 1)

    with_store(place, body)


@pytest.mark.parametrize("second", ["2", "1"], ids=["another identifier", "the same, removed"])
@pytest.mark.parametrize("owner", [None, BOB])
def test_same_material_has_one_source_and_one_record(place, second, owner):
    other = an_object(second, **({"owner": owner} if owner else {}))

    async def body(store):
        await store.commit([Insert(an_object("1")), use("1"), Insert(an_object("s"))])
        await store.commit([reserve("s", key=OTHER_KEY)])
        if second == "1":
            await store.commit([Remove("1", seen=1)])
            if owner:  # its identifier stays its owner's
                return
        await store.commit([Insert(other)])
        await fails(store, NonceReused, use(second))
        await fails(store, WrongNonceSource, reserve(second))
        await fails(store, WrongNonceSource, use(second, key=OTHER_KEY))
        assert (await store.get(second)).nonce_source is None, "nothing was done"
        await store.commit([use(second, b"another one.")])

    with_store(place, body)


def test_records_outlive_destroy_and_restart(place):
    async def body(store):
        await store.commit([Insert(an_object("1")), use("1")])
        gone = an_object("1", state=State.DESTROYED, sealed=None)
        await store.commit([Replace(gone, seen=1)])
        assert (await store.get("1")).nonce_source == NonceSource.CALLER

    with_store(place, body)

    async def later(store):
        await store.commit([Insert(an_object("2"))])
        await fails(store, NonceReused, use("2"))

    with_store(place, later)


def test_other_material_under_the_same_identifier_begins_anew(place):
    async def body(store):
        await store.commit([Insert(an_object("1")), use("1")])
        await store.commit([Replace(an_object("1"), seen=1)])
        assert (await store.get("1")).nonce_source == NonceSource.CALLER, "the same version"
        await store.commit([Replace(an_object("1", version=2), seen=2)])
        assert (await store.get("1")).nonce_source is None
        await store.commit([reserve("1", key=OTHER_KEY, seen=3)])

    with_store(place, body)


def test_key_of_an_older_version_takes_the_servers_nonces(place):
    old = an_object("1", nonce_source=NonceSource.SERVER_UNRECORDED)

    async def body(store):
        await store.commit([Insert(old), Insert(an_object("2"))])
        await fails(store, WrongNonceSource, use("1"))
        await store.commit([reserve("1")])
        assert (await store.get("1")).nonce_source == NonceSource.SERVER
        await fails(store, WrongNonceSource, use("2"))

    with_store(place, body)


@pytest.mark.parametrize("change", [use, reserve])
def test_key_that_changed_meanwhile_is_a_conflict(place, change):
    async def body(store):
        await store.commit([Insert(an_object("1"))])
        await store.commit([Replace(an_object("1", state=State.DEACTIVATED), seen=1)])
        for uid in ("1", "absent"):
            await fails(store, Conflict, change(uid))
        await store.commit([change("1", seen=2)])

    with_store(place, body)


def test_of_two_servers_that_use_a_key_first_one_fixes_the_source(place):
    async def main():
        async with opened(place) as one, opened(place) as two:
            for turn in range(10):
                key, uids = bytes([turn]) * 32, [f"{turn}-{number}" for number in range(4)]
                await one.commit([Insert(an_object(uid)) for uid in uids])
                outcomes = await asyncio.gather(
                    *(
                        store.commit([change])
                        for number, uid in enumerate(uids)
                        for store, change in (
                            (one, use(uid, bytes([number]) * 12, key)),
                            (two, reserve(uid, 5, key)),
                        )
                    ),
                    return_exceptions=True,
                )
                assert {type(each) for each in outcomes} == {type(None), WrongNonceSource}
                sources = {(await one.get(uid)).nonce_source for uid in uids}
                assert len(sources) == 1, sources
                wrong = use(uids[0], b"n" * 12, key), reserve(uids[0], 1, key)
                await fails(two, WrongNonceSource, wrong[sources == {NonceSource.CALLER}])

    asyncio.run(main())


# --- callers' nonces ----------------------------------------------------------------------------


def test_nonce_is_good_once_for_each_key(place):
    async def body(store):
        await store.commit([Insert(an_object("1")), Insert(an_object("2"))])
        await store.commit([use("1")])
        for _ in range(2):
            await fails(store, NonceReused, use("1"))
        await store.commit([use("1", NONCE[:-1]), use("2", key=OTHER_KEY)])
        twice = [use("2", b"x", OTHER_KEY)] * 2
        await fails(store, NonceReused, *twice)
        await store.commit(twice[:1])
        assert (await store.get("1")).generation == 1

    with_store(place, body)


def test_nonces_of_any_length_and_order_are_told_apart(place):
    numbers = random.Random(9)
    chosen = {
        bytes(numbers.choice((0, 1, 254, 255)) for _ in range(numbers.choice((1, 2, 3, 8, 12, 64))))
        for _ in range(150)
    }
    used = numbers.sample(sorted(chosen), len(chosen))

    async def body(store):
        await store.commit([Insert(an_object("1"))])
        for nonce in used:
            await store.commit([use("1", nonce)])
        for nonce in used:
            await fails(store, NonceReused, use("1", nonce))

    with_store(place, body)


@pytest.mark.parametrize("length", [0, 256])
def test_what_is_no_nonce_is_refused(place, length):
    async def body(store):
        await store.commit([Insert(an_object("1"))])
        await fails(store, InvalidField, use("1", bytes(length)))
        await store.commit([use("1", b"\xff" * 255)])

    with_store(place, body)


def test_nonces_by_object_repeat_with_another_object_only(place):
    """As the policy `permissive` has it."""

    async def body(store):
        await store.commit([Insert(an_object(uid)) for uid in "123"])
        await store.commit([use("1")])
        await fails(store, NonceReused, use("2"))
        for uid in "23":
            await store.commit([use(uid, by_object=True)])
        for uid in "123":
            await fails(store, NonceReused, use(uid, by_object=True))
            await fails(store, NonceReused, use(uid))
            await fails(store, WrongNonceSource, reserve(uid, by_object=True))
        await store.commit([use("2", b"another one.", by_object=True)])
        await fails(store, NonceReused, use("1", b"another one."))

    with_store(place, body)


@pytest.mark.parametrize(
    ("first", "second"), [(use, reserve), (reserve, use)], ids=["caller first", "server first"]
)
def test_source_by_object_is_another_objects_own_and_mixed_material_is_of_no_further_use(
    place, first, second
):
    """As the policy `permissive` has it; `conservative` refuses both from then on."""

    async def body(store):
        await store.commit([Insert(an_object(uid)) for uid in "123"])
        await store.commit([first("1")])
        await fails(store, WrongNonceSource, second("2"))
        await fails(store, WrongNonceSource, second("1", by_object=True))
        await store.commit([second("2", by_object=True)])
        await fails(store, WrongNonceSource, first("2", by_object=True))
        await store.commit(
            [first("1", by_object=True) if first is reserve else use("1", b"x", by_object=True)]
        )
        for uid in "123":
            for change in (use(uid, b"y"), reserve(uid)):
                await fails(store, WrongNonceSource, change)
        await store.commit([use("3", b"y", by_object=True)])

    with_store(place, body)


def test_reserved_nonces_are_counted_for_the_material_in_any_case(place, monkeypatch):
    monkeypatch.setattr(nonces, "MAX_SERVER_NONCES", 10)

    async def body(store):
        await store.commit([Insert(an_object(uid)) for uid in "12"])
        await store.commit([reserve("1", 6, by_object=True)])
        await fails(store, NoncesSpent, reserve("2", 5, by_object=True))

    with_store(place, body)


def test_of_many_who_use_a_nonce_at_once_on_two_servers_one_may(place):
    async def main():
        async with opened(place) as one, opened(place) as two:
            uids = [str(number) for number in range(4)]
            await one.commit([Insert(an_object(uid)) for uid in uids])
            for turn in range(5):
                nonce = bytes([turn]) * 12
                outcomes = await asyncio.gather(
                    *(store.commit([use(uid, nonce)]) for uid in uids for store in (one, two)),
                    return_exceptions=True,
                )
                assert outcomes.count(None) == 1
                assert sum(isinstance(each, NonceReused) for each in outcomes) == 7

    asyncio.run(main())


def test_different_nonces_at_once_on_two_servers_are_all_recorded(place):
    async def main():
        async with opened(place) as one, opened(place) as two:
            uids = [str(number) for number in range(4)]
            await one.commit([Insert(an_object(uid)) for uid in uids])
            all_used = [bytes([number]) * 12 for number in range(40)]
            random.Random(9).shuffle(all_used)
            await asyncio.gather(
                *(
                    (one, two)[place_in_list % 2].commit([use(uids[place_in_list % 4], nonce)])
                    for place_in_list, nonce in enumerate(all_used)
                )
            )
            for nonce in all_used:
                await fails(one, NonceReused, use("0", nonce))

    asyncio.run(main())


# --- the server's nonces ------------------------------------------------------------------------


def test_reservations_add_up_to_the_limit_over_restarts(place, monkeypatch):
    monkeypatch.setattr(nonces, "MAX_SERVER_NONCES", 100)

    async def first(store):
        await store.commit([Insert(an_object("1")), Insert(an_object("2"))])
        await store.commit([reserve("1", 60)])

    async def second(store):
        await store.reserve_nonces(reserve("2", 30))
        assert "ReKey" in await fails(store, NoncesSpent, reserve("1", 11))
        await store.commit([reserve("1", 10)])
        await fails(store, NoncesSpent, reserve("2", 1))
        await store.commit([reserve("1", 0)])

    with_store(place, first)
    with_store(place, second)


def test_two_servers_that_race_never_overspend(place, monkeypatch):
    monkeypatch.setattr(nonces, "MAX_SERVER_NONCES", 100)

    async def main():
        async with opened(place) as one, opened(place) as two:
            await one.commit([Insert(an_object("1")), Insert(an_object("2"))])
            outcomes = await asyncio.gather(
                *(
                    store.commit([reserve(uid, 7)])
                    for _ in range(6)
                    for uid in "12"
                    for store in (one, two)
                ),
                return_exceptions=True,
            )
            assert outcomes.count(None) == 14
            assert sum(isinstance(each, NoncesSpent) for each in outcomes) == 10

    asyncio.run(main())
    assert execute(place, "SELECT reserved FROM nonce_sources") == [(98,)]


# --- in one commit of several steps -------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "failures"),
    [
        pytest.param([[use()], [use(nonce=b"x")]], {}, id="callers"),
        pytest.param([[reserve()], [reserve()]], {}, id="the server"),
        pytest.param([[use()], [reserve()]], {2: WrongNonceSource}, id="caller, then server"),
        pytest.param([[reserve()], [use()]], {2: WrongNonceSource}, id="server, then caller"),
        pytest.param([[use()], [use()]], {2: NonceReused}, id="one nonce twice"),
    ],
)
def test_first_step_that_uses_a_new_key_fixes_its_source(place, steps, failures):
    async def body(store):
        groups = [[Insert(an_object("1"))], *steps]
        if not failures:
            await store.commit_groups(groups)
            assert (await store.get("1")).nonce_source is not None
            return
        with pytest.raises(Refused) as caught:
            await store.commit_groups(groups)
        assert {at: type(error) for at, error in caught.value.failures.items()} == failures
        assert await store.get("1") is None
        assert execute(place, "SELECT count(*) FROM nonce_sources") == [(0,)]

    with_store(place, body)


# --- somebody writes to the database ------------------------------------------------------------


async def fill(store):
    await store.commit([Insert(an_object(uid)) for uid in ("caller", "server", "new", "unused")])
    for nonce in (b"a" * 12, b"m" * 12, b"z" * 12):
        await store.commit([use("caller", nonce)])
    await store.commit([reserve("server", 10, OTHER_KEY)])


#: What is done to the database → the changes of which each is refused.
TAMPERING = {
    "a nonce is deleted": (
        "DELETE FROM used_nonces WHERE key = ? AND nonce > ? AND nonce < ?",
        (KEY, b"\x0cl", b"\x0cn"),
        [use("caller", b"m" * 12), use("new", b"m" * 12)],
    ),
    "the last nonce is deleted": (
        "DELETE FROM used_nonces WHERE key = ? AND nonce > ?",
        (KEY, b"\x0cn"),
        [use("caller", b"z" * 12)],
    ),
    "the first record is deleted": (
        "DELETE FROM used_nonces WHERE key = ? AND nonce = ?",
        (KEY, b""),
        [use("caller", b"A" * 12)],
    ),
    "all nonces of a key are deleted": (
        "DELETE FROM used_nonces WHERE key = ?",
        (KEY,),
        [use("caller", b"m" * 12), use("new", b"q" * 12)],
    ),
    "next skips a nonce": (
        "UPDATE used_nonces SET next = ? WHERE key = ? AND nonce = ?",
        (b"", KEY, b""),
        [use("caller", b"A" * 12)],
    ),
    "a nonce is changed": (
        "UPDATE used_nonces SET nonce = ? WHERE key = ? AND nonce > ? AND nonce < ?",
        (b"\x0cmm", KEY, b"\x0cl", b"\x0cn"),
        [use("caller", b"m" * 12)],
    ),
    "a nonce is moved to another key": (
        "UPDATE used_nonces SET key = ? WHERE key = ? AND nonce > ? AND nonce < ?",
        (OTHER_KEY, KEY, b"\x0cl", b"\x0cn"),
        [use("caller", b"m" * 12)],
    ),
    "the source is deleted": (
        "DELETE FROM nonce_sources WHERE key = ?",
        (KEY,),
        [use("caller", b"q" * 12), use("new"), reserve("new")],
    ),
    "the source of the server's nonces is deleted": (
        "DELETE FROM nonce_sources WHERE key = ?",
        (OTHER_KEY,),
        [use("new", key=OTHER_KEY), reserve("server", key=OTHER_KEY)],
    ),
    "the source is another": (
        "UPDATE nonce_sources SET source = 2 WHERE key = ?",
        (OTHER_KEY,),
        [use("new", key=OTHER_KEY), reserve("server", key=OTHER_KEY)],
    ),
    "fewer are reserved": (
        "UPDATE nonce_sources SET reserved = 0 WHERE key = ?",
        (OTHER_KEY,),
        [reserve("server", key=OTHER_KEY), reserve("new", key=OTHER_KEY)],
    ),
    "the source belongs to another key": (
        "UPDATE nonce_sources SET key = ? WHERE key = ?",
        (bytes(32), OTHER_KEY),
        [reserve("server", key=OTHER_KEY), use("new", key=bytes(32))],
    ),
    "source and nonces of a key are deleted": (
        "DELETE FROM nonce_sources WHERE key = ?; DELETE FROM used_nonces WHERE key = ?",
        (KEY, KEY),
        [use("caller", b"q" * 12), use("new"), reserve("new")],
    ),
    "all records are deleted": (
        "DELETE FROM nonce_sources; DELETE FROM used_nonces",
        (),
        [use("caller"), use("new"), reserve("new"), reserve("unused", key=bytes(32))],
    ),
    "a key is deleted from the list of keys": (
        "DELETE FROM nonce_sources WHERE key = ?; DELETE FROM used_nonces WHERE nonce = ?",
        (KEY, KEY),
        [use("new"), reserve("new")],
    ),
}


@pytest.mark.parametrize("case", TAMPERING)
def test_records_that_somebody_deletes_or_edits_are_refused_loud(place, case, caplog):
    statements, values, refused = TAMPERING[case]
    with_store(place, fill)
    for statement in statements.split("; "):
        count = statement.count("?")
        assert execute(place, statement, *values[:count])
        values = values[count:]

    async def body(store):
        for change in refused:
            caplog.clear()
            text = await fails(store, GeneralFailure, change)
            assert "tell the operator" in text
            (line,) = [record.getMessage() for record in caplog.records]
            assert change.uid in line
        # What has nothing to do with it goes on, where its records are there.
        if case != "all records are deleted":
            await store.commit([use("unused", key=b"u" * 32)])

    with_store(place, body)


def test_source_in_the_object_is_not_erased_unseen(place):
    with_store(place, fill)
    assert execute(place, "UPDATE objects SET nonce_source = NULL WHERE uid = 'server'") == 1

    async def body(store):
        await fails(store, GeneralFailure, use("server", key=OTHER_KEY))

    with_store(place, body)
