"""Objects beside the audit's records: what is not as its last record left it is found, refused, and used again later."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from kms_tornado.audit.record import COMMAND
from kms_tornado.audit.verification import ChainVerifier
from kms_tornado.domain.search import LocateSearch
from kms_tornado.errors import GeneralFailure, ObjectAlreadyExists
from kms_tornado.kmip.enums import Operation
from kms_tornado.service.verification.objects import ObjectVerification, RecordReader
from kms_tornado.service.verification.records import NotAccepted
from kms_tornado.store.interface.changes import Grant, Insert, Remove, Replace
from kms_tornado.store.interface.object_checks import AUDIT
from kms_tornado.store.interface.object_store import ObjectStore

from ...store.helpers import (
    ALICE,
    Place,
    an_object,
    locate,
    seeking,
    with_store,
    write_behind,
)
from .altered_objects import (
    change,
    execute,
    keep,
    make,
    modify,
    put_back,
    records_of,
    roll_back,
    verify,
)


@pytest.fixture(autouse=True)
def _nothing_kept(place: Place) -> Iterator[None]:
    yield
    if isinstance(place, str):  # the database is shared
        execute(place, "DROP TABLE IF EXISTS kept")


async def revive(store: ObjectStore, place: Place) -> None:
    keep(place)
    target = await store.get("a")  # type: ignore[arg-type]
    assert target is not None
    await store.commit([Remove(target.uid, target.generation)], [change("Destroy", "a")])
    put_back(place)


async def fork(store: ObjectStore, place: Place) -> None:
    await roll_back(store, place)
    await modify(store, "a")


async def delete(store: ObjectStore, place: Place) -> None:
    keep(place)
    execute(place, "DELETE FROM objects WHERE uid = 'a'")


async def edit(store: ObjectStore, place: Place) -> None:
    keep(place)
    execute(place, "UPDATE objects SET state = state + 1 WHERE uid = 'a'")


async def reseal(store: ObjectStore, place: Place) -> None:
    keep(place)
    execute(
        place,
        "UPDATE objects SET sealed = (SELECT sealed FROM kept WHERE uid = 'b') WHERE uid = 'a'",
    )


async def forge(store: ObjectStore, place: Place) -> None:
    """A change that this server made, of which no record tells: as if its record were gone with its chain."""
    keep(place)
    await store.commit([Grant("a", ALICE, "bob", frozenset({Operation.GET}))])  # type: ignore[arg-type]


Edit = Callable[[ObjectStore, Place], Awaitable[None]]
EDITS = {
    "older row": (roll_back, "an older one was put back"),
    "revived": (revive, "it was removed, and is there again"),
    "fork": (fork, "its changes do not follow one another"),
    "gone": (delete, "it is gone, and no record tells of its removal"),
    "edited": (edit, "something else than this server wrote its row (its code does not fit)"),
    "other material": (reseal, "(sealed_digest does not fit the sealed material)"),
    "change without a record": (forge, "its row is not the one of its last record"),
}


def with_two(place: Place, body: Callable[[ObjectStore], Awaitable[Any]]) -> Any:
    """A store with the objects a and b, both with their records."""

    async def run(store: ObjectStore) -> Any:
        await store.audit.open()
        await make(store, "a")
        await store.commit(
            [Insert(an_object("b", sealed=b"other material"))], [change("Create", "b")]
        )
        return await body(store)

    return with_store(place, run)


def ignoring_altered(caplog: pytest.LogCaptureFixture) -> None:
    """Each use of an altered row has a line in the log, which other tests are about."""
    assert all("was changed by something else" in message for message in caplog.messages)
    caplog.clear()


@pytest.mark.parametrize(("edit", "told"), EDITS.values(), ids=EDITS)
def test_object_is_refused_from_then_on_also_after_a_restart(
    place: Place, edit: Edit, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def find(store: ObjectStore) -> None:
        assert (await verify(store)).found == {}
        await edit(store, place)
        (fault,) = (await verify(store)).found.values()
        assert told in fault.text
        assert (fault.uid, fault.is_told_only) == ("a", False)
        again = await verify(store)
        assert again.found.keys() == {"a"}

    async def use(store: ObjectStore) -> None:
        await store.audit.open()
        if edit is delete:
            assert await store.get("a") is None  # type: ignore[arg-type]
        else:
            with pytest.raises(GeneralFailure, match="tell the operator of the server"):
                await store.get("a")  # type: ignore[arg-type]
        with pytest.raises((GeneralFailure, ObjectAlreadyExists)):
            await make(store, "a")
        assert await store.get("b") is not None  # type: ignore[arg-type]
        (record,) = await records_of(store, "Finding")
        assert (record["uid"], record["protocol"]) == ("a", "command")
        assert told in record["detail"]["fault"]
        (finding,) = (await store.checks.list_findings()).items()
        assert finding[0] == "a"
        assert told in finding[1].text

    with_two(place, find)
    with_store(place, use)
    ignoring_altered(caplog)


@pytest.mark.parametrize(
    ("edit", "told"),
    [EDITS[name] for name in ("gone", "edited", "other material", "change without a record")],
    ids=["gone", "edited", "other material", "change without a record"],
)
def test_object_is_used_again_once_its_row_is_put_back(
    place: Place, edit: Edit, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(store: ObjectStore) -> None:
        await edit(store, place)
        await verify(store)
        put_back(place)
        report = await verify(store)
        assert (report.found, report.faults, report.cleared) == ({}, [], ["a"])
        assert await store.get("a") is not None  # type: ignore[arg-type]
        await modify(store, "a")
        assert (await verify(store)).found == {}
        found, cleared = await records_of(store, "Finding")
        assert cleared["detail"]["cleared"] == found["detail"]["fault"]
        assert await store.checks.list_findings() == {}
        target = await store.get("a")  # type: ignore[arg-type]
        assert target is not None
        await store.commit([Remove(target.uid, target.generation)], [change("Destroy", "a")])
        await make(store, "a")  # the identifier is its owner's, and nobody's no longer

    with_two(place, body)
    ignoring_altered(caplog)


@pytest.mark.parametrize(
    "edit", [roll_back, revive, fork, delete, forge], ids=lambda edit: edit.__name__
)
def test_object_is_taken_as_it_is_where_the_operator_says_so(place: Place, edit: Edit) -> None:
    async def body(store: ObjectStore) -> None:
        await edit(store, place)
        await verify(store)
        report = await verify(store, "a")
        assert (report.found, report.faults) == ({}, [])
        accepted = await records_of(store, "Accept")
        assert {record["uid"] for record in accepted} == {"a"}
        assert all(record["detail"]["fault"] and record["objects"] for record in accepted)
        assert (await store.get("a") is None) is (edit is delete)  # type: ignore[arg-type]
        if edit is not delete:
            await modify(store, "a")
        assert (await verify(store)).found == {}

    with_two(place, body)


async def retag(store: ObjectStore, uid: str, tag: str) -> None:
    target = await store.get(uid)  # type: ignore[arg-type]
    assert target is not None
    changed = dataclasses.replace(
        target,
        tags=frozenset({tag}),
        attributes=dataclasses.replace(target.attributes, activation_date=len(tag)),
    )
    await store.commit([Replace(changed, target.generation)], [change("ModifyAttribute", uid)])


@pytest.mark.parametrize("is_accepted", [True, False], ids=["accepted", "put back rightly"])
def test_object_that_is_used_again_is_found_again(place: Place, is_accepted: bool) -> None:
    """Its rows in other tables are those of another row, or went with the one that was deleted."""
    tag = "old" if is_accepted else "newer"

    async def body(store: ObjectStore) -> None:
        await store.audit.open()
        await make(store, "a")
        await retag(store, "a", "old")
        if is_accepted:
            keep(place)
            await retag(store, "a", "newer")
            put_back(place)
            await verify(store, "a")
        else:
            await retag(store, "a", "newer")
            keep(place)
            execute(place, "DELETE FROM objects WHERE uid = 'a'")
            await verify(store)
            put_back(place)
            await verify(store)
        for wanted in (seeking(tags=[tag]), seeking(activation_date=len(tag))):
            assert await locate(store, LocateSearch(wanted, ALICE, 0, 10)) == (1, ["a"])
        assert (await verify(store)).found == {}

    with_store(place, body)


@pytest.mark.parametrize("edit", [edit, reseal], ids=["edited", "other material"])
def test_row_that_something_else_wrote_is_never_accepted(
    place: Place, edit: Edit, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(store: ObjectStore) -> None:
        await edit(store, place)
        with pytest.raises(NotAccepted, match="a"):
            await verify(store, "a")
        with pytest.raises(GeneralFailure):
            await store.get("a")  # type: ignore[arg-type]
        assert await records_of(store, "Accept") == []

    with_two(place, body)
    ignoring_altered(caplog)


def test_object_that_is_as_it_should_be_is_not_accepted_again(place: Place) -> None:
    async def body(store: ObjectStore) -> None:
        report = await verify(store, "a", "b")
        assert (report.found, report.faults) == ({}, [])
        assert await records_of(store, "Accept", "Finding") == []

    with_two(place, body)


def test_row_that_is_made_usable_again_by_somebody_else_is_refused_again(place: Place) -> None:
    async def body(store: ObjectStore) -> None:
        await roll_back(store, place)
        await verify(store)
        put_back(place)
        assert await store.get("a") is not None  # type: ignore[arg-type]
        assert (await verify(store)).found.keys() == {"a"}
        with pytest.raises(GeneralFailure):
            await store.get("a")  # type: ignore[arg-type]
        assert len(await records_of(store, "Finding")) == 1

    with_two(place, body)


def test_object_that_changes_all_the_time_is_never_found(place: Place) -> None:
    async def body(store: ObjectStore) -> None:
        ends = asyncio.Event()

        async def change_it() -> None:
            while not ends.is_set():
                await modify(store, "a")

        async def make_and_remove() -> None:
            while not ends.is_set():
                await make(store, "c")
                await store.commit([Remove("c", 1)], [change("Destroy", "c")])  # type: ignore[arg-type]

        tasks = [asyncio.create_task(change_it()), asyncio.create_task(make_and_remove())]
        while store.audit.changes < 100:
            report = await verify(store)
            assert (report.found, report.faults) == ({}, [])
        ends.set()
        await asyncio.gather(*tasks)
        assert len(await records_of(store, "ModifyAttribute")) > 1

    with_two(place, body)


def test_where_records_are_gone_an_object_without_one_is_told_and_not_refused(place: Place) -> None:
    async def body(store: ObjectStore) -> None:
        write_behind(place, "DELETE FROM audit_segments")
        report = await verify(store)
        assert "is cut" in report.faults[0]
        assert {fault.is_told_only for fault in report.found.values()} == {True}
        assert await store.get("a") is not None  # type: ignore[arg-type]
        findings = await store.checks.list_findings()
        assert findings.keys() == {AUDIT, "a", "b"}

    with_two(place, body)


def test_row_that_changes_after_it_was_read_is_left_for_the_next_look(place: Place) -> None:
    """Nothing is refused by what a row was a moment ago."""

    async def body(store: ObjectStore) -> None:
        await roll_back(store, place)
        reader = RecordReader(store, ChainVerifier({}))
        await reader.catch_up()
        checks = store.checks
        moment = await checks.read_page(reader.so_far(), 0)
        await modify(store, "a")

        class Late:
            """The store, whose page was read before that change."""

            def __init__(self) -> None:
                self.checks = self
                self.clear, self.refuse = checks.clear, checks.refuse

            async def read_page(self, *arguments: Any) -> Any:
                return moment

        late: Any = Late()
        checked = await ObjectVerification(late, reader, COMMAND).check_page(0)
        assert [fault.uid for fault in checked.faults] == ["a"]
        assert checked.found == []
        assert await store.get("a") is not None  # type: ignore[arg-type]
        (fault,) = (await verify(store)).found.values()
        assert "do not follow one another" in fault.text

    with_two(place, body)
