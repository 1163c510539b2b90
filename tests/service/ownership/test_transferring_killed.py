"""A transfer that is killed (kill -9) at any moment: nothing is half, and the next run goes on with what is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.audit.record import Origin
from kms_tornado.audit.verification import ChainVerifier
from kms_tornado.crypto.sealing.envelope import EnvelopeContext, KeyRing, open_sealed
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicAlgorithm, ObjectType, Operation
from kms_tornado.kmip.payloads import CreateRequest
from kms_tornado.service.kms import KMS
from kms_tornado.service.master_keys.key_ring import open_ring
from kms_tornado.service.objects.access_rights import AccessRequest
from kms_tornado.service.ownership import transferring
from kms_tornado.service.ownership.transferring import Transfer, Transferrer, TransferResult
from kms_tornado.service.verification.objects import RecordReader
from kms_tornado.service.verification.records import Report, verify_objects
from kms_tornado.settings.service import ServiceSettings
from kms_tornado.store.interface.object_store import ObjectStore
from kms_tornado.store.opening import open_store
from kms_tornado.store.postgres.runner import PipelinedRunner
from kms_tornado.store.sql.statements import DriverRunner

from ... import postgres
from ...operations.inside import a_principal
from ..kill import Step, count_steps, kill_at, spread

ALICE = a_principal("alice")
NUMBER = 25
PAGE = 10

#: What a step is, on each database, and how many moments are tried.
CASES: dict[str, tuple[list[Step], int]] = {
    "sqlite": ([(DriverRunner, name) for name in ("command", "change_counted", "change_all")], 9),
    "postgresql": (
        [(PipelinedRunner, name) for name in ("select_prepared", "change_all", "commit")],
        8,
    ),
}


def open_database(
    settings: ServiceSettings, body: Callable[[ObjectStore, KeyRing], Awaitable[Any]]
) -> Any:
    """As a command does."""

    async def run() -> Any:
        data_dir = settings.data_dir
        assert data_dir is not None
        store = open_store(settings.database_url, data_dir, may_make=False, may_upgrade=False)
        await store.start()
        try:
            ring = await open_ring(settings, data_dir, store)
            await store.audit.open()
            return await body(store, ring)
        finally:
            await store.stop()

    return asyncio.run(run())


def transfer(settings: ServiceSettings, old: str, new: str) -> TransferResult:
    async def body(store: ObjectStore, ring: KeyRing) -> TransferResult:
        return await Transferrer(store, ring).transfer(Transfer(old, new))

    result: TransferResult = open_database(settings, body)
    return result


async def fill(settings: ServiceSettings) -> list[str]:
    """Keys of Alice's, each of which Carol may get."""
    origin = Origin("alice", None, None, None)
    request = CreateRequest(
        ObjectType.SYMMETRIC_KEY, Attributes(cryptographic_algorithm=CryptographicAlgorithm.AES)
    )
    uids = []
    async with KMS(settings) as kms:
        for _ in range(NUMBER):
            made = await kms.service.execute(ALICE, Operation.CREATE, request, origin)
            uids.append(made.unique_identifier)
            right = AccessRequest(uids[-1], "carol", frozenset({Operation.GET}))
            await kms.access.grant("alice", right, origin)
    return uids


def check(settings: ServiceSettings, uids: list[str]) -> tuple[dict[str, int], dict[str, bytes]]:
    """{owner: number of objects}, {object: material}, once each object is whole: its material, its rights and its records."""

    async def body(store: ObjectStore, ring: KeyRing) -> Any:
        report = Report()
        await verify_objects(store, RecordReader(store, ChainVerifier({})), report)
        assert (report.faults, report.found, report.objects) == ([], {}, NUMBER)
        owners, materials = {"alice": 0, "bob": 0}, {}
        for uid in uids:
            target: Any = await store.get(uid)  # type: ignore[arg-type]
            owners[target.owner] += 1
            context = EnvelopeContext(uid, target.owner, target.object_type, target.version)
            materials[uid] = open_sealed(ring, target.sealed, context).reveal()
            grants = await store.list_grants(target.uid, owner=target.owner)
            assert grants == {"carol": frozenset({Operation.GET})}
        for owner, number in owners.items():
            assert len(await store.list_owned(owner)) == number
        return owners, materials

    owners, materials = open_database(settings, body)
    return owners, materials


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)])
def test_transfer_that_is_killed_leaves_every_object_whole_and_is_gone_on_with(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transferring, "_PAGE", PAGE)
    url = "sqlite:///kms.db"
    if kind == "postgresql":
        url = postgres.cluster().new_database()
    settings = ServiceSettings(data_dir=tmp_path / "data", database_url=url)
    steps, moments = CASES[kind]
    uids = asyncio.run(fill(settings))
    owners, before = check(settings, uids)
    assert owners == {"alice": NUMBER, "bob": 0}
    transfer(settings, "alice", "bob")  # the first one makes the row of another owner
    total = count_steps(lambda: transfer(settings, "bob", "alice"), steps)
    old, new = "alice", "bob"
    done = set()
    for moment in spread(moments, total):
        kill_at(moment, lambda old=old, new=new: transfer(settings, old, new), steps)  # type: ignore[misc]
        owners, materials = check(settings, uids)
        assert materials == before
        done.add(owners[new])
        result = transfer(settings, old, new)
        assert (result.moved, result.failures) == (owners[old], {})
        old, new = new, old
    assert {0, NUMBER} < done <= {0, PAGE, 2 * PAGE, NUMBER}
    owners, materials = check(settings, uids)
    assert (owners[old], materials) == (NUMBER, before)
