"""Cursors of listings: they come back as they were, to their principal alone, and tell nothing."""

from __future__ import annotations

from base64 import urlsafe_b64decode

import pytest

from kms_tornado.crypto.cursor_seal import CursorSeal
from kms_tornado.service.objects.listing_cursor import ListingCursors
from kms_tornado.service.objects.listing_request import BadListingRequest
from kms_tornado.store.interface.lists import ListPosition

from ...rows import each_row
from ...store.helpers import ALICE, BOB

HERE = ListPosition(1_800_000_000, 4711)
CURSORS = ListingCursors(CursorSeal(bytes(range(64))))


@each_row("position", [HERE, ListPosition(0, 0), ListPosition(2**63 - 1, 2**63 - 1)])
def test_cursor_leads_back_to_its_position(position: ListPosition) -> None:
    cursor = CURSORS.format_cursor(position, ALICE)
    assert CURSORS.parse_cursor(cursor, ALICE) == position
    assert ListingCursors(CursorSeal(bytes(range(64)))).parse_cursor(cursor, ALICE) == position


def test_cursors_of_neighbours_have_nothing_in_common() -> None:
    """Not with one another, not with their numbers, and not with those of somebody else at the same place."""
    one, other, bobs = (
        urlsafe_b64decode(CURSORS.format_cursor(position, user) + "=")
        for position, user in ((HERE, ALICE), (HERE._replace(serial=4712), ALICE), (HERE, BOB))
    )
    assert not {one[i : i + 4] for i in range(29)} & {other[i : i + 4] for i in range(29)}
    assert not {one[i : i + 4] for i in range(29)} & {bobs[i : i + 4] for i in range(29)}
    assert HERE.serial.to_bytes(2) not in one


@each_row(
    "cursor",
    [
        pytest.param("1.2", id="numbers"),
        pytest.param("A" * 43, id="zeros"),
        pytest.param(CURSORS.format_cursor(HERE, BOB), id="somebody else's"),
        pytest.param(
            ListingCursors(CursorSeal(bytes(64))).format_cursor(HERE, ALICE),
            id="of another database",
        ),
        pytest.param(CURSORS.format_cursor(HERE, ALICE) + "A", id="longer"),
        pytest.param(CURSORS.format_cursor(HERE, ALICE)[:-1], id="shorter"),
        pytest.param("é" * 43, id="not ASCII"),
        pytest.param(CURSORS.format_cursor(HERE, ALICE) + "\n", id="a line end"),
    ],
)
def test_other_cursor_is_refused_without_repeating_it(cursor: str) -> None:
    with pytest.raises(BadListingRequest) as refusal:
        CURSORS.parse_cursor(cursor, ALICE)
    assert cursor not in str(refusal.value)
