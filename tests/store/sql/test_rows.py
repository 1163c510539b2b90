"""Rows: an object comes back as it was, and the same text is parsed once."""

from __future__ import annotations

from kms_tornado.store.sql.rows import OBJECT_ROW, RowParser, format_row

from ..helpers import AUTHENTICATOR, an_object


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
