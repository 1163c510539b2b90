"""Identifiers that a request mentions besides its target: each needs a right of its own."""

from __future__ import annotations

import pytest

from kms_tornado.service.catalogue import select_operations

from ..kmip_items import structure, uid
from .mentions import MENTIONS, link

ROWS = [pytest.param(*row, id=title) for title, row in MENTIONS.items()]


@pytest.fixture
def mine(bob):
    key = bob.create(mask=0x200000)
    bob.do("AddAttribute", uid(key), link(key))
    return key


@pytest.mark.parametrize(("operation", "items", "right"), ROWS)
def test_what_is_mentioned_and_not_yours_reads_like_what_is_not_there(
    alice, bob, mine, operation, items, right
):
    theirs = alice.create()
    absent = "0" * len(theirs)
    nothing = bob.refused(operation, *items(mine, absent))
    assert "Not_Found: " in nothing
    assert bob.refused(operation, *items(mine, theirs)).replace(theirs, absent) == nothing
    others = {each.name.lower() for each in select_operations(kmip_interop=False)} - {right, "get"}
    alice.grant(theirs, bob, *others)
    assert bob.refused(operation, *items(mine, theirs)).replace(theirs, absent) == nothing


@pytest.mark.parametrize(("operation", "items", "right"), ROWS)
def test_what_is_mentioned_takes_its_right_and_no_other(alice, bob, mine, operation, items, right):
    theirs = alice.create()
    alice.grant(theirs, bob, right)
    answer = bob.send(structure(operation, *items(mine, theirs)))
    assert answer.status == 200 or "Not_Found: " not in answer.text
