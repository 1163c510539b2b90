"""The codes of rows: every value counts, and no two rows have one message."""

from __future__ import annotations

import pytest

from kms_tornado.errors import Unavailable
from kms_tornado.store.sql.tables.row_macs import (
    AUTHENTIC_COLUMNS,
    AUTHENTIC_NAMES,
    AlteredRow,
    RowAuthenticator,
)
from kms_tornado.store.sql.tables.rows import format_row

from ...helpers import AUTHENTICATOR, an_object

ROW = format_row(an_object("one"), AUTHENTICATOR, generation=1, now=0)
VALUES = tuple(ROW[name] for name in AUTHENTIC_NAMES)
MAC = ROW["mac"]


def test_a_row_as_it_was_written_is_taken():
    AUTHENTICATOR.check_object(VALUES, MAC)


@pytest.mark.parametrize("place", range(len(AUTHENTIC_COLUMNS)), ids=AUTHENTIC_NAMES)
@pytest.mark.parametrize("kind", ["other", "null", "text", "bytes"])
def test_no_value_can_be_another_or_of_another_type(place, kind):
    value = VALUES[place]
    if kind == "other":
        new = value + value if isinstance(value, (str, bytes)) and value else 99
    else:
        new = {"null": None, "text": f"{value}", "bytes": f"{value}".encode()}[kind]
    if new == value:
        pytest.skip("it is the value")
    with pytest.raises(AlteredRow, match="cannot be used") as caught:
        AUTHENTICATOR.check_object((*VALUES[:place], new, *VALUES[place + 1 :]), MAC)
    assert caught.value.subject.startswith("the object ")


def test_a_text_cannot_reach_into_the_next():
    first = AUTHENTIC_NAMES.index("uid")
    moved = list(VALUES)
    moved[first : first + 2] = ["on", "e" + VALUES[first + 1]]
    with pytest.raises(AlteredRow):
        AUTHENTICATOR.check_object(moved, MAC)


@pytest.mark.parametrize("mac", [None, b"", MAC[:-1], bytes(32), "text", 7])
def test_another_code_is_refused(mac):
    with pytest.raises(AlteredRow):
        AUTHENTICATOR.check_object(VALUES, mac)


SIDE = [("t", "a", "b"), ("t", "ab", ""), ("t", "a", b"b"), ("t", 1, "b"), ("t", "1", "b"), ("t", None, "b"),
        ("ta", "", "b"), ("t", "a", "b", None), ("t",), ("t", ""), ("t", b""), ("t", None)]  # fmt: skip


def test_rows_of_other_tables_have_different_codes():
    assert len({AUTHENTICATOR.row_mac(*values) for values in SIDE}) == len(SIDE)
    for values in SIDE:
        AUTHENTICATOR.check_row("it", AUTHENTICATOR.row_mac(*values), *values)
        with pytest.raises(AlteredRow):
            AUTHENTICATOR.check_row("it", bytes(32), *values)


def test_without_a_key_no_row_is_read_or_written():
    with pytest.raises(Unavailable):
        RowAuthenticator().row_mac("t")
    with pytest.raises(Unavailable):
        RowAuthenticator().check_object(VALUES, MAC)
