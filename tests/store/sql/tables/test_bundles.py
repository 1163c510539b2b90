"""The rows with a database's key bundle."""

from __future__ import annotations

from ...helpers import with_store


def test_bundles_are_kept_by_the_identifier_of_their_master_key(place):
    async def body(store):
        assert await store.master_keys.list_bundles() == {}
        await store.master_keys.add_bundles({b"12345678": b"sealed", b"\0" * 8: b"other"})
        return await store.master_keys.list_bundles()

    assert with_store(place, body) == {b"12345678": b"sealed", b"\0" * 8: b"other"}
    assert len(with_store(place, lambda store: store.master_keys.list_bundles())) == 2


def test_bundle_is_not_stored_in_the_place_of_one_that_is_there(place):
    async def body(store):
        await store.master_keys.add_bundles({b"12345678": b"first"})
        await store.master_keys.add_bundles({b"12345678": b"second", b"87654321": b"new"})
        return await store.master_keys.list_bundles()

    assert with_store(place, body) == {b"12345678": b"first", b"87654321": b"new"}


def test_row_with_another_name_is_no_bundle(place):
    async def body(store):
        def add(runner):
            runner.command("INSERT INTO server_state VALUES ('key_bundle:xyz', '')")
            runner.command("INSERT INTO server_state VALUES ('key_bundles', '')")

        await store.backend.run_exclusively(add)
        return await store.master_keys.list_bundles()

    assert with_store(place, body) == {}
