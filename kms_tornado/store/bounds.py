"""How much of something a statement may have."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import InvalidField
from .base import Change, Insert, Replace

#: Tags of one object or one question. SQLite takes so many values in a statement and no more.
MOST_TAGS = 500

#: Objects in a listing of what somebody owns, or was granted: others may grant without end. Locate finds
#: the rest, page by page.
MOST_LISTED = 1000

#: Users with rights on one object: its owner sees all of them at once.
MOST_GRANTEES = 1000

_MOST = 2**63 - 1


def check_tags(tags: frozenset[str]) -> None:
    """Raises InvalidField."""
    if len(tags) > MOST_TAGS:
        raise InvalidField(f"more than {MOST_TAGS} tags")


def check_tags_of(changes: Iterable[Change]) -> None:
    """Raises InvalidField."""
    for change in changes:
        if isinstance(change, (Insert, Replace)):
            check_tags(change.new.tags)


def bounded(number: int) -> int:
    """An offset or a limit that databases can hold; to SQLite, a negative limit is none."""
    return min(max(number, 0), _MOST)
