"""Chains: each record names the hash of the one before it."""

from __future__ import annotations

import json

from kms_tornado.audit.chain import NOTHING, ChainHead, extend, hash_line, is_chained
from kms_tornado.audit.entry import AuditEntry
from kms_tornado.audit.record import make_draft

from .logs import ORIGIN, make_chain


def test_each_record_names_the_hash_of_the_one_before_it():
    lines = make_chain(4, [("a", None, "00"), ("a", "00", "01"), ("b", None, "02")])
    records = [*map(json.loads, lines)]
    assert [record["seq"] for record in records] == [1, 2, 3]
    assert [record["chain"] for record in records] == [4] * 3
    assert [record["prev"] for record in records] == [NOTHING, *map(hash_line, lines[:-1])]


def test_chain_goes_on_behind_its_head():
    head = ChainHead(1, 5, "ab" * 32)
    (segment,) = extend(head, [(make_draft(ORIGIN, "Get", uid="a", time_ms=7), ())])
    assert (segment.first, segment.head.seq) == (6, 6)
    assert json.loads(segment.lines)["prev"] == head.hash
    assert segment.head.hash == hash_line(segment.lines)
    assert (segment.since_ms, segment.until_ms) == (7, 7)


def test_many_records_are_several_segments_without_a_gap():
    draft = make_draft(ORIGIN, "Get", uid="a" * 250)
    segments = [*extend(ChainHead(1, 0, NOTHING), [(draft, ())] * 2500)]
    assert len(segments) > 2
    assert all(len(segment.lines) <= 256 * 1024 for segment in segments)
    lines = [line for segment in segments for line in segment.lines.split(b"\n")]
    assert [json.loads(line)["seq"] for line in lines] == [*range(1, 2501)]
    assert [segment.first for segment in segments[1:]] == [
        segment.head.seq + 1 for segment in segments[:-1]
    ]


def test_change_of_many_objects_has_several_records_of_them():
    objects = [(f"{number:03}", None, "00") for number in range(70)]
    draft = AuditEntry(ORIGIN, "Create").draft_change([uid for uid, _, _ in objects])
    (segment,) = extend(ChainHead(1, 0, NOTHING), [(draft, objects)])
    told = [json.loads(line)["objects"] for line in segment.lines.split(b"\n")]
    assert [*map(len, told)] == [32, 32, 6]
    assert [tuple(one) for part in told for one in part] == objects


def test_lines_are_chained_as_long_as_none_before_the_last_is_edited():
    draft = make_draft(ORIGIN, "Get", uid="a")
    (segment,) = extend(ChainHead(1, 0, NOTHING), [(draft, ())] * 4)
    lines = segment.lines.split(b"\n")
    assert is_chained(lines)
    assert is_chained(lines[1:])
    for place in range(3):
        edited = [*lines]
        edited[place] = edited[place].replace(b"alice", b"mallo")
        assert not is_chained(edited)
    assert not is_chained([lines[0], *lines[2:]])
