"""A dump is read as it was written, or not at all."""

from __future__ import annotations

import gzip
import json
import random

import pytest

from kms_tornado.store.dump import BadDump, DumpHeader, DumpReader, DumpWriter

from .helpers import ROW_MAC

HEADER = DumpHeader(
    made="2026-11-29T12:00:00Z",
    revision="0006",
    check=b"check",
    bundles={b"12345678": b"sealed"},
    tables={"objects": ("uid", "sealed"), "owners": ("owner",)},
    rows=3,
)
ROWS = [
    ("objects", ["one é\u2028 𝄞", b"\0\xff"]),
    ("objects", [None, 2**62]),
    ("owners", ["\x7f' OR 1"]),
]


@pytest.fixture
def dump(tmp_path):
    path = tmp_path / "dump"
    write(path, ROWS)
    return path


def write(path, rows, row_mac=ROW_MAC):
    with open(path, "wb") as file:
        writer = DumpWriter(file, row_mac)
        writer.begin(HEADER)
        for row in rows:
            writer.add(*row)
        assert writer.end() == len(rows)


def read(path):
    return list(DumpReader(path).read_rows(ROW_MAC))


def rewrite(path, change):
    """Change the lines of the file, as somebody who has no key."""
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(change(lines))))


def test_dump_is_read_as_it_was_written(dump):
    assert DumpReader(dump).read_header() == HEADER
    assert read(dump) == ROWS
    assert read(dump) == ROWS  # it may be read again


def test_empty_database_is_dumped_too(dump):
    write(dump, [])
    assert read(dump) == []


def test_byte_that_is_flipped_anywhere_is_noticed(dump):
    whole = dump.read_bytes()
    # Bytes 3 to 9 of a gzip file say when and by what it was made, and nothing of what is in it (RFC 1952).
    places = [place for place in range(len(whole)) if not 3 <= place <= 9]
    chosen = random.Random(13).choices(places, k=200)
    unnoticed = []
    for place in chosen:
        for bit in (0x01, 0x80):
            dump.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            try:
                read(dump)
            except BadDump:
                continue
            unnoticed.append((place, bit))
    assert unnoticed == []


def test_file_that_is_cut_off_anywhere_is_noticed(dump):
    whole = dump.read_bytes()
    for length in range(len(whole)):
        dump.write_bytes(whole[:length])
        with pytest.raises(BadDump):
            pytest.fail(f"{length}: {read(dump)}")


def _change_end(change):
    def edit(lines):
        end = json.loads(lines[-1])
        change(end["end"])
        return [*lines[:-1], json.dumps(end).encode() + b"\n"]

    return edit


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param(lambda x: [*x[:1], *x[2:]], "missing or damaged", id="a line less"),
        pytest.param(lambda x: [*x[:2], *x[1:]], "missing or damaged", id="a line twice"),
        pytest.param(lambda x: [x[0], x[2], x[1], *x[3:]], "missing or dam", id="another order"),
        pytest.param(lambda x: x[:-1], "its last line is missing", id="no last line"),
        pytest.param(lambda x: [*x, x[1]], "added behind its end", id="a line behind the end"),
        pytest.param(lambda x: [*x, *x], "added behind its end", id="another dump behind it"),
        pytest.param(lambda x: x[1:], "it is no backup", id="no first line"),
        pytest.param(lambda x: [b"{}\n", *x], "it is no backup", id="another first line"),
        pytest.param(lambda x: [], "no JSON", id="nothing"),
        pytest.param(lambda x: [b"[" * 10**5 + b"\n"], "no JSON", id="nested too deeply"),
        pytest.param(lambda x: [x[0].replace(b":1,", b":2,", 1), *x[1:]], "newer", id="newer"),
        pytest.param(lambda x: [x[0].replace(b"0006", b"0005"), *x[1:]], "damaged", id="header"),
        pytest.param(
            lambda x: [x[0], x[1].replace(b"objects", b"objectz"), *x[2:]], "damaged", id="table"
        ),
        pytest.param(lambda x: [x[0], b'["objects",[1]]\n', *x[2:]], "damaged", id="few values"),
        pytest.param(lambda x: [x[0], b'["objects",[{"b":"?"},1]]\n'], "damaged", id="no base64"),
        pytest.param(lambda x: [x[0], b"7\n"], "damaged", id="a number"),
        pytest.param(lambda x: [*x[:-1], b'{"end":7}\n'], "last line is damaged", id="odd end"),
        pytest.param(_change_end(lambda end: end.pop("mac")), "last line is dam", id="no code"),
        pytest.param(_change_end(lambda end: end.update(mac="00" * 32)), "master", id="a code"),
    ],
)  # fmt: skip
def test_file_that_was_edited_is_refused(dump, change, text):
    rewrite(dump, change)
    with pytest.raises(BadDump, match=text):
        read(dump)


def test_dump_under_another_key_is_refused(dump):
    write(dump, ROWS, lambda message: bytes(32))
    with pytest.raises(BadDump, match="no server with these master keys has written it"):
        read(dump)


@pytest.mark.parametrize("content", [b"", b"no gzip", b"\x1f\x8b", bytes(100)], ids=repr)
def test_file_of_another_kind_is_no_dump(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(BadDump):
        DumpReader(tmp_path / "file").read_header()
