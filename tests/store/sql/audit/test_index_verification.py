"""Whoever edits the index of the audit, so that searches leave records out, is told of by who verifies the audit."""

from __future__ import annotations

import pytest

from kms_tornado.audit.indexing import owner_key
from kms_tornado.audit.record import COMMAND, Origin, make_draft
from kms_tornado.store.interface.changes import Insert, Remove, Replace
from kms_tornado.store.sql.audit import index as audit_index

from ...helpers import ALICE, BOB, an_object, with_store, write_behind
from .indexed import NOW, create, index_all, read


async def fill(store):
    """Three pages and more: objects that are made, used by strangers, given away and removed."""
    await store.audit.open()
    stranger = Origin("carol", None, None, None)
    for uid in ("a", "b", "gone"):
        await store.commit([Insert(an_object(uid))], [create(uid)])
    await index_all(store)
    for number in range(4):
        await store.audit.append([read("a", number), read("b", number)])
        await store.audit.append([make_draft(stranger, "Get", uid="b", time_ms=NOW * 1000 + 9)])
        await store.audit.append([make_draft(stranger, "Get", uid="never", result="Failed")])
        await index_all(store)
    given = make_draft(COMMAND, "Transfer", uid="b", detail={"from": ALICE, "to": BOB})
    await store.commit([Replace(an_object("b", owner=BOB), seen=1)], [given])
    await store.commit([Remove("gone", 1)], [make_draft(COMMAND, "Destroy", uid="gone")])
    await store.audit.append([read("b", 11)])
    await index_all(store)


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch):
    monkeypatch.setattr(audit_index, "_FULL_PAGE", 5)


def test_index_that_servers_made_fits_the_records(place):
    async def body(store):
        before = await store.checks.find_index_fault()  # there is none yet
        await fill(store)
        indexed = await store.checks.find_index_fault()
        await store.audit.append([read("a", 12)])
        behind = await store.checks.find_index_fault()
        await store.records.forget_index()
        begun = await store.checks.find_index_fault()
        await index_all(store)
        return before, indexed, behind, begun, await store.checks.find_index_fault()

    assert with_store(place, body) == (None,) * 5


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ("DELETE FROM audit_index WHERE page = 2", "page 2 is not found by"),
        ("UPDATE audit_index SET key = key + 1", "page 1 is not found by"),
        (f"DELETE FROM audit_index WHERE key = {owner_key(ALICE)}", "is not found by 1 of"),
        (f"DELETE FROM audit_index WHERE key = {owner_key(BOB)} AND page = 2", "is not found by 1 of"),
        ("UPDATE audit_pages SET until = since WHERE page = 2", "page 2 has other times"),
        ("UPDATE audit_pages SET since = until + 1 WHERE page = 2", "page 2 has other times"),
        ("UPDATE audit_pages SET ceiling = 0 WHERE page = 2", "page 2 has other times"),
        ("DELETE FROM audit_pages WHERE page = 2", "page 2 is gone"),
        ("DELETE FROM audit_pages WHERE page > 2", "pages at its end are gone"),
        ("UPDATE audit_pages SET ranges = '{}' WHERE page = 2", "are passed over by page 3"),
        ("UPDATE audit_pages SET ranges = '{' WHERE page = 2", "cannot be read"),
        ("UPDATE audit_made SET made = made + 1", "audit_made has something else"),
        ("DELETE FROM audit_made WHERE uid = 'a'", "audit_made lacks rows"),
        ("UPDATE audit_uses SET uses = 0 WHERE uid = 'a'", "audit_uses has something else"),
        ("DELETE FROM audit_uses WHERE uid = 'a'", "audit_uses lacks rows"),
    ],
)  # fmt: skip
def test_edit_of_the_index_is_told(place, edit, told):
    async def body(store):
        await fill(store)
        write_behind(place, edit)
        edited = await store.checks.find_index_fault()
        await store.records.forget_index()
        await index_all(store)
        return edited, await store.checks.find_index_fault()

    edited, made_anew = with_store(place, body)
    assert told in edited
    assert made_anew is None
