"""Every envelope comes under the newest master key, whenever the process that does it is killed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.service.kms import KMS
from kms_tornado.service.master_keys.key_ring import open_ring
from kms_tornado.service.master_keys.rewrapping import Rewrapped, rewrap
from kms_tornado.store.opening import open_store
from kms_tornado.store.sql.statements import DriverRunner
from kms_tornado.store.sql.upkeep import rewrap as pages

from ..kill import count_steps, kill_at, spread
from .place import NEW, OLD, THIRD, Place, create, get, key_id

NUMBER = 25


def run_rewrap(place: Place, *keys: bytes) -> Rewrapped:
    async def run() -> Rewrapped:
        settings = place.settings(*keys)
        data_dir = place.directory / "data"
        store = open_store(settings.database_url, data_dir, may_make=False, may_upgrade=False)
        await store.start()
        try:
            return await rewrap(store, await open_ring(settings, data_dir, store))
        finally:
            await store.stop()

    return asyncio.run(run())


def create_many(place: Place, number: int, *keys: bytes) -> Sequence[str]:
    async def body(kms: KMS) -> Sequence[str]:
        return await asyncio.gather(*(create(kms) for _ in range(number)))

    uids: Sequence[str] = place.open(keys, body)
    return uids


def materials(place: Place, uids: Sequence[str], *keys: bytes) -> Mapping[str, bytes]:
    async def body(kms: KMS) -> Mapping[str, bytes]:
        return {uid: await get(kms, uid) for uid in uids}

    found: Mapping[str, bytes] = place.open(keys, body)
    return found


def test_every_envelope_comes_under_the_newest_key(place: Place) -> None:
    uids = [*create_many(place, 5, OLD), *create_many(place, 5, THIRD, OLD)]
    before = materials(place, uids, THIRD, OLD)
    result = run_rewrap(place, NEW, THIRD, OLD)
    assert (result.written, result.failures, result.left) == (10, {}, {})
    assert {place.sealed_under(uid) for uid in uids} == {key_id(NEW)}
    assert materials(place, uids, NEW) == before
    assert run_rewrap(place, NEW).written == 0


def test_key_may_be_turned_back(place: Place) -> None:
    uids = create_many(place, 3, OLD)
    before = materials(place, uids, OLD)
    run_rewrap(place, NEW, OLD)
    assert run_rewrap(place, OLD, NEW).written == 3
    assert materials(place, uids, OLD) == before


def test_object_under_a_key_that_is_away_is_left_and_told(place: Place) -> None:
    uids = create_many(place, 2, OLD)
    create_many(place, 1, NEW, OLD)
    result = run_rewrap(place, THIRD, NEW)
    assert result.written == 1
    assert result.left == {key_id(OLD): 2}
    assert set(result.failures) == set(uids)
    assert all(key_id(OLD).hex() in why for why in result.failures.values())
    assert run_rewrap(place, THIRD, OLD).left == {}


def test_envelope_that_was_moved_to_another_object_is_left_and_told(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = create_many(place, 2, OLD)
    place.sql(
        f"UPDATE objects SET sealed = (SELECT sealed FROM objects WHERE uid = '{two}') WHERE uid = '{one}'"
    )
    result = run_rewrap(place, NEW, OLD)
    assert (result.written, list(result.failures)) == (1, [one])
    assert any(one in line for line in caplog.messages)


def test_progress_is_reported(place: Place) -> None:
    create_many(place, 3, OLD)
    seen: list[int] = []

    async def body(kms: KMS) -> None:
        assert kms._ring is not None
        await rewrap(kms.store, kms._ring, report=seen.append)

    place.open([NEW, OLD], body)
    assert seen == [3]


def test_killed_at_twenty_moments_it_loses_nothing_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_lengths", pages._lengths.limit(10))  # three pages
    template = Place(tmp_path / "template")
    template.directory.mkdir()
    uids = create_many(template, NUMBER, OLD)
    before = materials(template, uids, OLD)
    steps: list[tuple[Any, str]] = [
        (DriverRunner, "command"), (DriverRunner, "change"), (DriverRunner, "change_all"),
        (DriverRunner, "select"),
    ]  # fmt: skip

    def copy(name: str) -> Place:
        place = Place(tmp_path / name)
        shutil.copytree(template.directory, place.directory)
        return place

    counted = copy("counted")
    total = count_steps(lambda: run_rewrap(counted, NEW, OLD), steps)
    assert {counted.sealed_under(uid) for uid in uids} == {key_id(NEW)}
    done = set()
    for moment in spread(20, total):
        place = copy(str(moment))
        kill_at(moment, lambda place=place: run_rewrap(place, NEW, OLD), steps)  # type: ignore[misc]
        [[left]] = place.sql("SELECT count(*) FROM objects WHERE hex(substr(sealed, 2, 8)) = "
                             f"'{key_id(OLD).hex().upper()}'")  # fmt: skip
        done.add(NUMBER - left)
        result = run_rewrap(place, NEW, OLD)
        assert (result.written, result.left) == (left, {})
        assert materials(place, uids, NEW) == before
        shutil.rmtree(place.directory)
    assert done == {0, 10, 20, 25}
