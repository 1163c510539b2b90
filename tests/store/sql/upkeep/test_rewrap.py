"""Envelopes that are sealed anew while others write."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from kms_tornado.domain.managed_object import SealedMaterial
from kms_tornado.kmip.enums import State
from kms_tornado.store.interface.changes import Insert, Replace
from kms_tornado.store.interface.master_keys import CannotReseal
from kms_tornado.store.sql.upkeep import rewrap

from ...helpers import an_object, with_store, write_behind

OLD, NEW = b"old key.", b"new key."


def sealed_under(key_id, text=b"material"):
    return SealedMaterial(b"\1" + key_id + text)


def reseal(envelope):
    return sealed_under(NEW, envelope.sealed[9:])


async def add(store, *uids, key_id=OLD, **changes):
    await store.commit(
        [
            Insert(an_object(uid, sealed=sealed_under(key_id, uid.encode()), **changes))
            for uid in uids
        ]
    )


async def reseal_all(store, reseal=reseal):
    pages, after = [], 0
    while (page := await store.master_keys.reseal_page(after, NEW, reseal)) is not None:
        pages.append(page)
        after = page.last
    return pages


def test_envelopes_under_other_keys_are_sealed_anew_and_nothing_else_changes(place):
    async def body(store):
        await add(store, "one", "two")
        await add(store, "new", key_id=NEW)
        await store.commit([Insert(an_object("destroyed", sealed=None, state=State.DESTROYED))])
        before = {uid: await store.get(uid) for uid in ("one", "two", "new", "destroyed")}
        assert await store.master_keys.count_envelopes() == {OLD: 2, NEW: 1}
        [page] = await reseal_all(store)
        assert (page.found, page.written, page.failures) == (2, 2, {})
        assert await store.master_keys.count_envelopes() == {NEW: 3}
        for uid in ("one", "two"):
            sealed = sealed_under(NEW, uid.encode())
            assert await store.get(uid) == dataclasses.replace(before[uid], sealed=sealed)
        for uid in ("new", "destroyed"):
            assert await store.get(uid) == before[uid]
        assert await reseal_all(store) == []

    with_store(place, body)


def test_object_that_was_changed_meanwhile_is_found_again(place):
    async def body(store):
        await add(store, "one", "two")
        submit = store.backend.submit

        async def submit_late(job):
            target = await store.get("one")
            store.backend.submit = submit
            await store.commit([Replace(dataclasses.replace(target, tags=frozenset("x")), 1)])
            return await submit(job)

        store.backend.submit = submit_late
        [page] = await reseal_all(store)
        assert (page.found, page.written) == (2, 1)
        assert (await store.get("one")).sealed == sealed_under(OLD, b"one")
        assert (await store.get("one")).tags == frozenset("x")
        [page] = await reseal_all(store)
        assert (page.found, page.written) == (1, 1)
        assert (await store.get("one")).sealed == sealed_under(NEW, b"one")

    with_store(place, body)


def test_former_envelope_that_a_server_puts_back_is_found_again(place):
    async def body(store):
        await add(store, "one")
        read = await store.get("one")
        await reseal_all(store)
        await store.commit([Replace(dataclasses.replace(read, tags=frozenset("x")), 1)])
        assert (await store.get("one")).sealed == sealed_under(OLD, b"one")
        [page] = await reseal_all(store)
        assert page.written == 1

    with_store(place, body)


@pytest.mark.parametrize(
    "column", ["owner = 'eve'", "usage_mask = 1", "sealed = nonce_source", "mac = sealed_digest"]
)
def test_row_that_something_else_wrote_is_left_and_told(place, caplog, column):
    async def body(store):
        await add(store, "one", "two")
        if column.startswith("sealed"):
            other = sealed_under(OLD, b"other")
            write_behind(place, "UPDATE objects SET sealed = :v WHERE uid = 'one'", v=other)
        else:
            write_behind(place, f"UPDATE objects SET {column} WHERE uid = 'one'")
        [page] = await reseal_all(store)
        assert (page.found, page.written, list(page.failures)) == (2, 1, ["one"])
        assert await store.master_keys.count_envelopes() == {OLD: 1, NEW: 1}

    with_store(place, body)
    [line] = caplog.messages
    assert "the row of the object one was changed by something else than this server" in line


def test_envelope_that_does_not_open_is_left_and_named(place):
    def refuse(envelope):
        if envelope.uid == "one":
            raise CannotReseal("sealed under another key")
        return reseal(envelope)

    async def body(store):
        await add(store, "one", "two")
        [page] = await reseal_all(store, refuse)
        assert (page.written, page.failures) == (1, {"one": "sealed under another key"})

    with_store(place, body)


def test_pages_are_shorter_where_envelopes_are_long(place, monkeypatch):
    monkeypatch.setattr(rewrap, "_MAX_PAGE_BYTES", 30)

    async def body(store):
        await add(store, "1", "22", "x" * 40, "333")
        pages = await reseal_all(store)
        assert [page.written for page in pages] == [2, 1, 1]

    with_store(place, body)


def test_two_at_once_seal_each_object_once(place):
    async def body(store):
        await add(store, *(f"o{number}" for number in range(30)))
        pages = await asyncio.gather(*(reseal_all(store) for _ in range(3)))
        assert sum(page.written for found in pages for page in found) == 30
        assert await store.master_keys.count_envelopes() == {NEW: 30}

    with_store(place, body)
