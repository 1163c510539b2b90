"""Objects that are changed behind the server's back, and what their verification tells."""

from __future__ import annotations

import json
from typing import Any

from kms_tornado.audit.entry import AuditEntry
from kms_tornado.audit.record import Origin
from kms_tornado.audit.verification import ChainVerifier
from kms_tornado.service.verification.objects import RecordReader
from kms_tornado.service.verification.records import Report, verify_objects
from kms_tornado.store.interface.changes import Insert, Replace
from kms_tornado.store.interface.object_store import ObjectStore

from ...store.helpers import ALICE, Place, an_object

ORIGIN = Origin(ALICE, None, "127.0.0.1", "dfb8822b6b0e65ef")


def execute(place: Place, *statements: str) -> None:
    from sqlalchemy import text

    from ...store.helpers import engine_behind

    with engine_behind(place).begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def change(operation: str, *uids: str) -> Any:
    return AuditEntry(ORIGIN, operation).draft_change(uids)


async def make(store: ObjectStore, uid: str) -> None:
    await store.commit([Insert(an_object(uid))], [change("Create", uid)])


async def modify(store: ObjectStore, uid: str) -> None:
    target = await store.get(uid)  # type: ignore[arg-type]
    assert target is not None
    await store.commit([Replace(target, target.generation)], [change("ModifyAttribute", uid)])


async def verify(store: ObjectStore, *accepted: str) -> Report:
    report = Report()
    reader = RecordReader(store, ChainVerifier({}))
    await verify_objects(store, reader, report, accepted=accepted)
    return report


async def records_of(store: ObjectStore, *operations: str) -> list[Any]:
    records, chain, first = [], 0, 0
    while segments := await store.audit.read_segments(chain, first):
        records += [json.loads(line) for segment in segments for line in segment.lines]
        chain, first = segments[-1].chain, segments[-1].first
    return [record for record in records if record["operation"] in operations]


def keep(place: Place) -> None:
    """As somebody does who wants the rows of today back tomorrow."""
    execute(place, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT * FROM objects")


def put_back(place: Place, uid: str = "a") -> None:
    execute(
        place,
        f"DELETE FROM objects WHERE uid = '{uid}'",
        f"INSERT INTO objects SELECT * FROM kept WHERE uid = '{uid}'",
    )


async def roll_back(store: ObjectStore, place: Place) -> None:
    keep(place)
    await modify(store, "a")
    put_back(place)
