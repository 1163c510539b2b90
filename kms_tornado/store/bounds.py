"""Upper limits of statements and listings, and the checks of them."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import InvalidField
from .interface.changes import Change, Insert, Replace

#: Tags of one object or one search. Each is bound as a parameter, and SQLite limits their number.
MAX_TAGS = 500

#: Objects in a listing of those that a user owns or was granted: others may grant any number of them.
#: Locate returns the rest, page by page.
MAX_LISTED = 1000

#: Users with rights on one object: the listing for its owner has no pages.
MAX_GRANTEES = 1000

#: Objects of one owner that are granted to everyone: each user's Locate looks at all of them.
MAX_GRANTED_TO_EVERYONE = 250

_LARGEST_NUMBER = 2**63 - 1


def check_tags(tags: frozenset[str]) -> None:
    """Raises InvalidField for more than MAX_TAGS tags."""
    if len(tags) > MAX_TAGS:
        raise InvalidField(f"more than {MAX_TAGS} tags")


def check_tags_of_changes(changes: Iterable[Change]) -> None:
    """Raises InvalidField where a change writes an object with more than MAX_TAGS tags."""
    for change in changes:
        if isinstance(change, (Insert, Replace)):
            check_tags(change.new.tags)


def clamp(number: int) -> int:
    """The offset or limit, kept within 0 and 2**63 - 1: SQLite reads a negative limit as no limit."""
    return min(max(number, 0), _LARGEST_NUMBER)
