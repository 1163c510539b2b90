"""Rows: an object comes back as it was, and the same text is parsed once."""

from __future__ import annotations

import tracemalloc

import pytest

from kms_tornado.store.sql.tables.row_macs import AlteredRow
from kms_tornado.store.sql.tables.rows import OBJECT_ROW, RowParser, cache_by_length, format_row

from ....rows import each_row
from ...helpers import AUTHENTICATOR, an_object

MIB = 1024 * 1024


def row_of(target):
    row = format_row(target, AUTHENTICATOR, generation=target.generation, now=0)
    return tuple(row[column.name] for column in OBJECT_ROW)


def test_an_object_comes_back_from_its_row():
    assert RowParser(AUTHENTICATOR).parse_row(row_of(an_object("one"))) == an_object("one")


def test_same_text_is_parsed_once():
    parser = RowParser(AUTHENTICATOR)
    one, other = (parser.parse_row(row_of(an_object(uid))) for uid in ("one", "other"))
    assert one.attributes is other.attributes
    assert one.tags is other.tags


@pytest.mark.parametrize("length", [10, 3000, 100_000])
def test_text_of_any_length_is_parsed_once_while_few_of_it_are_read(length):
    parsed = []
    find = cache_by_length(lambda text: parsed.append(text) or len(parsed))
    assert [find("x" * length), find("x" * length)] == [1, 1]
    assert len(parsed) == 1


@pytest.mark.parametrize("length", [1000, 4000, 100_000, 300_000])
def test_cache_of_parsed_texts_is_bounded_in_bytes_whatever_their_length(length):
    """A cache bounded in entries held 4,096 of 64 KiB: 0.9 GiB in one process."""
    find = cache_by_length(lambda text: bytes(len(text)))
    tracemalloc.start()
    try:
        for number in range(2 * 16 * MIB // length):
            find(str(number).ljust(length))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2 * 10 * MIB  # the text is held, too


def test_row_that_was_read_before_is_not_checked_again():
    parser = RowParser(AUTHENTICATOR)
    first, second = (parser.parse_row(row_of(an_object("one"))) for _ in range(2))
    assert first is second


@each_row("column", [column.name for column in OBJECT_ROW])
def test_row_that_was_read_before_is_refused_once_a_column_differs(column):
    parser = RowParser(AUTHENTICATOR)
    row = row_of(an_object("one"))
    parser.parse_row(row)
    place = [known.name for known in OBJECT_ROW].index(column)
    edited = list(row)
    edited[place] = edit(row[place])
    with pytest.raises(AlteredRow):
        parser.parse_row(tuple(edited))
    parser.parse_row(row)


def edit(value):
    match value:
        case bytes():
            return value[:-1] + bytes((value[-1] ^ 1,))
        case str():
            return value + " "
        case None:
            return 1
    return value + 1
