"""What the index takes from records is what the records say, whatever texts stand in them."""

from __future__ import annotations

import json
import re

import pytest

from kms_tornado.audit.chain import NOTHING, ChainHead, extend
from kms_tornado.audit.entry import AuditEntry
from kms_tornado.audit.indexing import (
    format_time,
    index_records,
    object_key,
    owner_key,
    parse_time,
    principal_key,
    read_fields,
    read_times,
)
from kms_tornado.audit.query import RecordQuery
from kms_tornado.audit.record import COMMAND, FAILED, Origin, make_draft

from ..rows import each_row

ALICE = Origin("alice@example.com", "https://issuer.example", "192.0.2.1", "dfb8822b6b0e65ef")
STRANGER = Origin(None, None, "192.0.2.1", None)
#: 2026-11-29T11:45:26.081Z
NOW = 1_795_952_726_081


def segment(*drafts, objects=()):
    recorded = [(draft, objects) for draft in drafts]
    (made,) = extend(ChainHead(1, 0, NOTHING), recorded)
    return made.lines


def use(uid, operation="Encrypt", at=NOW, **more):
    return make_draft(ALICE, operation, uid=uid, time_ms=at, **more)


def keys(*uids, principals=(ALICE.principal,)):
    return {*map(object_key, uids), *map(principal_key, principals)}


def test_records_are_found_by_object_and_principal():
    indexed = index_records([segment(use("a"), use("b")), segment(use("c"))])
    assert indexed.keys == keys("a", "b", "c")


def test_times_of_records_are_those_of_the_oldest_and_the_newest():
    lines = segment(use("a"), use('","time":"1","uid":"', at=NOW + 5), use("b", at=NOW - 7))
    assert read_times(lines) == (NOW - 7, NOW + 5)
    assert read_times(lines.replace(b'"time":', b'"term":', 1)) is None
    assert read_times(lines.replace(b'"time":"2', b'"time":"x')) is None


def test_record_of_nobody_about_nothing_has_no_key():
    assert index_records([segment(make_draft(STRANGER, "Request", result="Refused"))]).keys == set()


ODD_TEXTS = [
    'quote " and \\ backslash \\"',
    '","v":1}',
    '"operation":"Get","prev":"',
    "line\nfeed",
    "\x7f\u2028 Zoë 🔑",
    "half \ud83d",
    '],["',
    '{"also":["b"]',
]


@each_row("text", ODD_TEXTS, ids=ascii)
def test_text_of_a_client_is_taken_for_nothing_else(text):
    origin = Origin(text, text, "192.0.2.1", "dfb8822b6b0e65ef")
    drafts = [
        make_draft(origin, "Encrypt", uid=text, time_ms=NOW, detail={"principal": text}),
        make_draft(origin, "Encrypt", uid="b", time_ms=NOW),
    ]
    indexed = index_records([segment(*drafts)])
    assert indexed.keys == keys(text, "b", principals=[text])
    assert dict(indexed.uses) == {
        json.loads(json.dumps(text)).encode("utf-16", "surrogatepass").decode("utf-16", "replace"): (1, NOW),
        "b": (1, NOW),
    }  # fmt: skip


def test_objects_that_took_part_are_found_and_used_too():
    drafts = use("a", "Export", also=["wrapping"]), use("a", "Get")
    indexed = index_records([segment(*drafts)])
    assert indexed.keys == keys("a", "wrapping")
    assert dict(indexed.uses) == {"a": (2, NOW), "wrapping": (1, NOW)}


@pytest.mark.parametrize("uids", [["a"], ["a", "b"]], ids=len)
def test_objects_that_only_a_change_names_are_found(uids):
    draft = make_draft(STRANGER, "Adopt", changes=uids)
    indexed = index_records([segment(draft, objects=[(uid, None, "00") for uid in uids])])
    assert indexed.keys == keys(*uids, principals=[])


@pytest.mark.parametrize("uids", [["a"], ["a", "b"], ["\u2028"]], ids=ascii)
def test_object_is_made_where_there_was_no_row_of_it(uids):
    made = use(uids[0], "Create", changes=uids, at=NOW + 5), use("x", "Import", changes=uids)
    changed = use("a", "Activate", changes=["c"], at=NOW - 5)
    indexed = index_records(
        [
            segment(*made, objects=[(uid, None, "00") for uid in uids]),
            segment(changed, objects=[("c", "00", None)]),
        ]
    )
    assert indexed.made == dict.fromkeys(uids, NOW)


def test_transfer_tells_both_owners():
    detail = {"from": 'a"', "to": "b" * 300}
    draft = make_draft(COMMAND, "Transfer", detail=detail, changes=["x", "y"])
    indexed = index_records(
        [segment(draft, use("a"), objects=[("x", "00", "01"), ("y", "02", "03")])]
    )
    assert indexed.transfers == {('a"', "b" * 255)}


def test_uses_are_counted_with_the_time_of_the_last():
    drafts = use("a", at=NOW + 5), use("a"), use("b", "Get"), use("a", "Decrypt")
    assert dict(index_records([segment(*drafts)]).uses) == {"a": (3, NOW + 5), "b": (1, NOW)}


@pytest.mark.parametrize(
    "draft",
    [
        use("a", result=FAILED, reason="Permission_Denied"),
        use("a", "Create"),
        use("a", "GetAttributes"),
        use("a" * 255),  # of a longer one there is only the beginning
        use(None, "Get"),
        use("a", "ReserveNonces", detail={"reserved": 4096}),  # for the encryptions to come
    ],
)
def test_this_is_no_use(draft):
    assert index_records([segment(draft)]).uses == {}


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b"null", b'{"uid":1}', b"\xff", b"[" * 100_000], ids=repr
)
def test_line_that_is_no_record_is_passed_over(line):
    lines = segment(use("a")) + b"\n" + line
    assert index_records([lines]).keys == keys("a")
    assert [found.place.seq for found in RecordQuery().find(1, 1, lines.split(b"\n"))] == [1]


def test_time_of_a_record_is_read_and_written():
    assert parse_time("2026-11-29T11:45:26.081Z") == NOW
    assert format_time(NOW) == "2026-11-29T11:45:26.081Z"


LINES = segment(
    use("a"), use("b", "Get"), use("a", result=FAILED, reason="x", at=NOW + 1000),
    use("c", also=["a"]), make_draft(STRANGER, "Request", result="Refused", time_ms=NOW),
).split(b"\n")  # fmt: skip


@each_row(
    ("query", "found"),
    [
        (RecordQuery(), [1, 2, 3, 4, 5]),
        (RecordQuery(uid="a"), [1, 3, 4]),
        (RecordQuery(uid="c"), [4]),
        (RecordQuery(uid="alice@example.com"), []),
        (RecordQuery(principal=ALICE.principal), [1, 2, 3, 4]),
        (RecordQuery(principal="alice"), []),
        (RecordQuery(only_of="bob"), [1, 2, 3, 4, 5]),  # whoever may read them
        (RecordQuery(principal="bob", only_of=ALICE.principal), []),
        (RecordQuery(operation="Encrypt"), [1, 3, 4]),
        (RecordQuery(result="Failed"), [3]),
        (RecordQuery(since_ms=NOW + 1), [3]),
        (RecordQuery(since_ms=NOW, until_ms=NOW), [1, 2, 4, 5]),
    ],
    ids=str,
)
def test_query_finds(query, found):
    assert [record.place.seq for record in query.find(1, 1, LINES)] == found


def test_whoever_reads_but_own_records_is_led_to_them_by_the_own_name_alone():
    query = RecordQuery(uid="a", principal="bob", only_of="carol")
    assert query.keys == (principal_key("carol"), owner_key("carol"))
    assert RecordQuery(uid="a", principal="bob").keys == (object_key("a"),)
    assert RecordQuery(principal="bob").keys == (principal_key("bob"),)
    assert RecordQuery(operation="Get").keys == ()


def test_records_are_read_alike_by_their_pattern_and_as_json(monkeypatch):
    lines = segment(
        use("a"), use(None), use('"\\', also=["b"]), make_draft(STRANGER, "Request", result="Refused", uid="é")
    ).split(b"\n")  # fmt: skip
    quick = [read_fields(line) for line in lines]
    monkeypatch.setattr("kms_tornado.audit.indexing._RECORD", re.compile(b"nothing"))
    assert [read_fields(line) for line in lines] == quick
    assert [fields.uids for fields in quick] == [{"a"}, set(), {'"\\', "b"}, {"é"}]


def test_found_record_tells_whom_and_which_objects_it_is_about():
    (found,) = RecordQuery(uid="c").find(1, 1, LINES)
    assert (found.principal, found.uids) == (ALICE.principal, {"a", "c"})


def test_identifier_of_which_there_is_but_the_beginning_is_nobodys_object():
    lines = segment(use("a" * 300, also=["b" * 255, "c"])).split(b"\n")
    (found,) = RecordQuery().find(1, 1, lines)
    assert found.uids == {"c"}


@pytest.mark.parametrize(
    "draft", [use("b"), use("b", item="2/5"), use("b", count=3), use("b", "Sign", detail={"n": 1})]
)
def test_records_of_every_kind_are_read_alike(monkeypatch, draft):
    """The quick way finds what parsing each line does."""
    entry = AuditEntry(ALICE, "Get")
    entry.touched = ["a"]
    lines = segment(entry.draft_outcome("a"), draft, use("c"))
    found = index_records([lines])
    monkeypatch.setattr("kms_tornado.audit.indexing._RECORD", re.compile(b"nothing"))
    assert index_records([lines]) == found
    assert found.keys == keys("a", "b", "c")


def test_object_that_was_changed_is_found_beside_the_one_that_the_record_is_about():
    draft = use("a", "ReKey", changes=["b"])
    assert index_records([segment(draft, objects=[("b", "00", None)])]).keys == keys("a", "b")


@each_row(
    ("member", "value"),
    [
        ("uid", 1), ("uid", []), ("also", 1), ("also", [[]]), ("objects", [[1, 2]]), ("objects", 1), ("operation", None),
        ("principal", {}), ("result", 1), ("time", "2026"), ("time", None), ("detail", 1), ("uid", "\ud800"),
        ("uid", "a\0b"),
    ],
)  # fmt: skip
def test_member_of_a_wrong_type_stops_nothing(member, value):
    """Somebody who writes to the database may leave such records there."""
    forged = json.dumps({**json.loads(segment(use("x"))), member: value}).encode()
    indexed = index_records([segment(use("a")) + b"\n" + forged])
    assert keys("a") <= indexed.keys
    assert {"a"} <= indexed.uses.keys() <= {"a", "x", "\ufffd"}
