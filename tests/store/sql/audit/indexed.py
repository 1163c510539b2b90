"""Records for the index of the audit, and its steps."""

from __future__ import annotations

from kms_tornado.audit.record import Origin, make_draft

from ...helpers import ALICE

NOW = 1_795_952_726
NEWS = Origin(ALICE, None, "127.0.0.1", "dfb8822b6b0e65ef")


def read(uid, number=0, operation="Get"):
    return make_draft(NEWS, operation, uid=uid, time_ms=NOW * 1000 + number)


async def index_all(store, now=NOW):
    """The number of steps."""
    for number in range(100):
        step = await store.records.take_step(now)
        if not step.behind:
            return number
    raise AssertionError("it does not catch up")


def create(uid, number=0, owner=ALICE):
    """The record of its creation."""
    made_by = Origin(owner, None, "127.0.0.1", "dfb8822b6b0e65ef")
    return make_draft(made_by, "Import", uid=uid, changes=[uid], time_ms=NOW * 1000 + number)
