"""Limits of what one statement or one listing may hold."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import InvalidField
from .base import Change, Insert, Replace

#: Tags of one object or one search. Each is a value of the statement, of which SQLite takes a limited
#: number.
MAX_TAGS = 500

#: Objects in a listing of what a user owns or was granted: others may grant without end. Locate finds
#: the rest, page by page.
MAX_LISTED = 1000

#: Users with rights on one object: its owner sees all of them at once.
MAX_GRANTEES = 1000

_LARGEST_NUMBER = 2**63 - 1


def check_tags(tags: frozenset[str]) -> None:
    """Raises InvalidField."""
    if len(tags) > MAX_TAGS:
        raise InvalidField(f"more than {MAX_TAGS} tags")


def check_tags_of_changes(changes: Iterable[Change]) -> None:
    """Raises InvalidField."""
    for change in changes:
        if isinstance(change, (Insert, Replace)):
            check_tags(change.new.tags)


def clamp(number: int) -> int:
    """An offset or a limit that databases can hold; to SQLite, a negative limit is none."""
    return min(max(number, 0), _LARGEST_NUMBER)
