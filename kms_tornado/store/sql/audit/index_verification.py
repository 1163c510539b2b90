"""Whether the index of the audit has what the records say, so that no search leaves one out.

Nothing in the index has a code: it can be made anew from the records, and is compared with them here. It is read as it is
at one moment, up to the record that it has come to.

What owners find a page by is compared for objects that were there before the page was begun, and are there now.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Select, select

from ....audit.indexing import Indexed, Uses, index_records, owner_key, read_times
from ..stored_values import stored_bytes, stored_text
from ..tables.schema import (
    audit_index,
    audit_made,
    audit_pages,
    audit_segments,
    audit_uses,
    objects,
    server_state,
)
from .index_state import STATE_NAME, IndexState, parse_ranges, parse_state

#: Values in one statement.
_MOST_VALUES = 500
_S, _P = audit_segments.c, audit_pages.c
_select_pages = select(_P.page, _P.ranges, _P.since, _P.until, _P.ceiling).order_by(_P.page)

_T = TypeVar("_T")


class _Page(NamedTuple):
    """A row of audit_pages."""

    page: int
    ranges: str
    since: int
    until: int
    ceiling: int


class _Altered(Exception):
    """The index is not as a server made it. The text says where."""


def find_index_fault(connection: Connection) -> str | None:
    """Where the index is not as a server made it; None where it is, and where there is none yet."""
    value = connection.execute(
        select(server_state.c.value).where(server_state.c.name == STATE_NAME)
    ).scalar()
    state = None if value is None else parse_state(stored_bytes(value))
    if state is None:  # the next step makes it anew
        return None
    try:
        _Comparison(connection).compare(state)
    except _Altered as exc:
        return str(exc)
    except (ValueError, TypeError, AttributeError):
        return "a row of audit_pages cannot be read"
    return None


class _Comparison:
    """Goes through the pages, and adds up what their records say."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._positions: dict[int, int] = {}
        self._uses: dict[str, Uses] = {}
        self._made: dict[str, int] = {}
        #: identifier → the page with the record by which it became an object's.
        self._made_in: dict[str, int] = {}
        self._ceiling = 0

    def compare(self, state: IndexState) -> None:
        """Raises _Altered."""
        number = 0
        for number, row in enumerate(self._connection.execute(_select_pages).all(), 1):
            page = _Page(*row)
            if page.page != number:
                raise _Altered(f"page {number} is gone")
            self._compare_page(page)
        if number != state.page or self._positions != state.positions:
            raise _Altered("pages at its end are gone, or records are passed over")
        made = {uid: (at,) for uid, at in self._made.items()}
        self._compare_rows("audit_uses", self._uses, select(audit_uses))
        self._compare_rows("audit_made", made, select(audit_made))

    def _compare_page(self, page: _Page) -> None:
        segments = [*self._read_segments(page)]
        indexed = index_records(segments)
        self._add(indexed, page.page)
        keys = set(indexed.keys) | self._find_owner_keys(indexed.uids, page.page)
        if missing := keys - self._select_known(page.page, keys):
            raise _Altered(
                f"page {page.page} is not found by {len(missing)} of its objects and users"
            )
        times = [read_times(lines) or (0, 0) for lines in segments]
        self._ceiling = max([self._ceiling, *(until for _, until in times)])
        is_covered = all(page.since <= since and until <= page.until for since, until in times)
        if not is_covered or page.ceiling < self._ceiling:
            raise _Altered(f"page {page.page} has other times than its records")

    def _read_segments(self, page: _Page) -> Iterator[bytes]:
        for chain, (first, last) in parse_ranges(json.loads(page.ranges)).items():
            if first != self._positions.get(chain, 0) + 1:
                raise _Altered(
                    f"records before {chain}/{first} are passed over by page {page.page}"
                )
            self._positions[chain] = last
            statement = select(_S.lines).where(_S.chain == chain, _S.first.between(first, last))
            for (lines,) in self._connection.execute(statement.order_by(_S.first)):
                yield stored_bytes(lines)

    def _add(self, indexed: Indexed, page: int) -> None:
        for uid, (uses, last_ms) in indexed.uses.items():
            known = self._uses.get(uid, Uses(0, 0))
            self._uses[uid] = Uses(known.uses + uses, max(known.last_ms, last_ms))
        for uid, made in indexed.made.items():
            self._made[uid] = min(self._made.get(uid, made), made)
            self._made_in.setdefault(uid, page)

    def _find_owner_keys(self, uids: Collection[str], page: int) -> set[int]:
        """The keys by which owners find the page: of objects that were certainly there when it was made."""
        older = [uid for uid in uids if self._made_in.get(uid, page) < page]
        keys: set[int] = set()
        for part in _split(older):
            owners = select(objects.c.owner).where(objects.c.uid.in_(part)).distinct()
            keys |= {owner_key(stored_text(owner)) for (owner,) in self._connection.execute(owners)}
        return keys

    def _select_known(self, page: int, keys: Collection[int]) -> set[int]:
        known: set[int] = set()
        for part in _split([*keys]):
            statement = select(audit_index.c.key).where(
                audit_index.c.key.in_(part), audit_index.c.page == page
            )
            known |= {key for (key,) in self._connection.execute(statement)}
        return known

    def _compare_rows(
        self, name: str, expected: Mapping[str, tuple[Any, ...]], statement: Select[Any]
    ) -> None:
        """Raises _Altered where the table has other rows than these: {identifier: the other columns}."""
        number = 0
        for uid, *values in self._connection.execute(statement):
            number += 1
            if expected.get(uid) != tuple(values):
                raise _Altered(f"{name} has something else than the records")
        if number != len(expected):
            raise _Altered(f"{name} lacks rows")


def _split(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(values), _MOST_VALUES):
        yield values[start : start + _MOST_VALUES]
