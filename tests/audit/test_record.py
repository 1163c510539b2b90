"""Records: one canonical line each, whatever a client sent."""

from __future__ import annotations

import json

import pytest

from kms_tornado.audit.entry import AuditEntry
from kms_tornado.audit.parsing import Link, MalformedRecord, parse_line, read_link
from kms_tornado.audit.record import Origin, canonical, make_draft, render

from ..rows import each_row

ZEROS = "0" * 64
ORIGIN = Origin("alice@example.com", "https://issuer.example", "127.0.0.1", "dfb8822b6b0e65ef")


# RFC 8785 §3.2.2 and §3.2.3, as far as records have such values
@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({"b": 1, "a": None}, '{"a":null,"b":1}', id="members in order"),
        pytest.param('\u20ac$\u000f\nA\'B"\\\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"', id="text"),
        pytest.param([1, [], {}], "[1,[],{}]", id="no spaces"),
        pytest.param("\x7f\u2028", '"\x7f\u2028"', id="only control characters are escaped"),
    ],
)
def test_canonical_form_is_that_of_rfc_8785(value, text):
    assert canonical(value) == text.encode()


DRAFTS = {
    "use": AuditEntry(ORIGIN, "Get").draft_outcome("a"),
    "use of an odd identifier": AuditEntry(ORIGIN, "Get").draft_outcome('é"\n\ud800' + "x" * 300),
    "failure": AuditEntry(ORIGIN, "Get").draft_outcome(
        None, result="Failed", reason="Item_Not_Found"
    ),
    "stranger": make_draft(Origin(None, None, None, None), "Request", result="Refused"),
    "all members": make_draft(
        ORIGIN,
        "Encrypt",
        uid="a",
        also=["b", "ü"],
        count=7,
        detail={"z": [1, "é"], "a": 2},
        item="1/2",
    ),
}


@each_row("name", DRAFTS)
@each_row("objects", [(), [("ä", None, "00ff"), ("b", "00ff", None)]], ids=["", "of"])
def test_line_is_canonical(name, objects):
    line = render(DRAFTS[name], 3, 17, ZEROS, objects).encode()
    members = parse_line(line)
    assert canonical(members) == line
    assert (members["chain"], members["seq"], members["prev"]) == (3, 17, ZEROS)
    assert members.get("objects", []) == [list(one) for one in objects]


def test_record_of_a_use_says_who_what_and_whence():
    entry = AuditEntry(ORIGIN, "Decrypt")
    entry.touched += ["key", "wrapping"]
    record = json.loads(render(entry.draft_outcome(None), 1, 1, ZEROS))
    assert record["uid"] == "key"
    assert record["also"] == ["wrapping"]
    expected = {
        "principal": "alice@example.com", "issuer": "https://issuer.example", "operation": "Decrypt",
        "remote_ip": "127.0.0.1", "request_id": "dfb8822b6b0e65ef", "protocol": "http",
        "result": "Success", "reason": None,
    }  # fmt: skip
    assert {name: record[name] for name in expected} == expected


def test_text_of_a_client_is_cut_and_has_whole_characters_only():
    record = json.loads(render(DRAFTS["use of an odd identifier"], 1, 1, ZEROS))
    assert len(record["uid"]) == 255
    assert record["uid"].startswith('é"\n\ufffdxx')


SOUND = json.loads(render(DRAFTS["use"], 1, 1, ZEROS))


@each_row(
    ("line", "why"),
    [
        pytest.param(b"", "no JSON", id="empty"),
        pytest.param(b"[]", "no JSON object", id="list"),
        pytest.param(b"\xff{}", "no JSON", id="no UTF-8"),
        pytest.param(b'{"a":1,"a":1}', "twice", id="duplicate member"),
        pytest.param(canonical(SOUND)[:-9], "no JSON", id="truncated"),
        pytest.param(canonical({**SOUND, "extra": 1}), "that none has", id="unknown member"),
        pytest.param(canonical({**SOUND, "seq": "1"}), "no number", id="number as a text"),
        pytest.param(canonical({**SOUND, "seq": 0}), "no number", id="number below 1"),
        pytest.param(canonical({**SOUND, "v": 2}), "version", id="other version"),
        pytest.param(b'{"seq":1.0}', "whole number", id="fraction"),
        pytest.param(b'{"seq":NaN}', "whole number", id="no number"),
        pytest.param(
            canonical({name: SOUND[name] for name in SOUND if name != "principal"}),
            "has no principal",
            id="member is missing",
        ),
    ],
)
def test_line_that_is_no_record_is_refused(line, why):
    with pytest.raises(MalformedRecord, match=why):
        parse_line(line)


def test_sound_line_is_taken_in_any_order_of_its_members():
    text = json.dumps(dict(reversed(SOUND.items())), indent=1)
    assert canonical(parse_line(text.encode())) == canonical(SOUND)


def read_by_parsing(line):
    """What `read_link` has to find; None where it has to refuse the line."""
    try:
        record = parse_line(line)
    except MalformedRecord:
        return None
    return Link(record["chain"], record["seq"], record["prev"], record.get("objects", ()))


def read(line):
    try:
        return read_link(line)
    except MalformedRecord:
        return None


@each_row("name", DRAFTS)
@each_row("objects", [(), [("b", "00ff", None)]], ids=["", "of"])
def test_place_in_the_chain_is_read_whatever_the_record(name, objects):
    line = render(DRAFTS[name], 7, 10**17, "ab" * 32, objects).encode()
    assert read_link(line) == read_by_parsing(line)
    assert read_link(line)[:3] == (7, 10**17, "ab" * 32)


def test_place_of_an_edited_record_is_read_as_parsing_reads_it():
    line = render(DRAFTS["use"], 7, 12, "ab" * 32).encode()
    for place in range(len(line)):
        for octet in b'"\\0-e,}\n\x00\xff':
            edited = line[:place] + bytes([octet]) + line[place + 1 :]
            assert read(edited) == read_by_parsing(edited), edited
