"""Searches by tags and by attributes, as one statement each: their shapes, and the cache of statements.

The life of a search
====================

Searches (`TagSearch`, `LocateSearch` in `domain.search`) come with many requests, and mostly differ in
their values alone. Writing its statement costs milliseconds of Python; running it costs tens
of microseconds to milliseconds. Hence three steps:

1. **Shape.** `shape_tag_search` and `shape_locate` divide a search into its *shape* (how many tags, which
   attributes compared in which way, which states) and the *values* of its parameters. A shape is
   hashable. Everything that clients choose freely is a value: it never becomes part of the text, so no
   value can be taken for SQL. Conditions are sorted, so that their order in the request makes no
   difference. `conditions` does this for attributes.

2. **Prepare.** `StatementCache.get` has the statement of a shape, or writes it in a thread, so that the
   event loop never waits for the writing. It keeps the latest 128 shapes: clients choose the shapes, and
   one may take 100 KB. The cache belongs to the store (`SearchStatements`).

3. **Run.** The backend runs the statement with the values. What it does depends on the database:

   - PostgreSQL plans and runs it on one of its connections for reading.
   - SQLite runs a tag search on the event loop, as it rarely takes more than a fraction of a
     millisecond. A statement that takes longer is interrupted (`TooLong`), and tried again along another
     tag; in the end it goes to a thread. Locate goes to a thread at once, as it counts all matches.
   - Within a transaction (a batch), a search has to see changes that are not made yet: the writer makes
     them, runs the same statement, and rolls everything back (`Backend.rehearse`).

How a statement finds its objects quickly is told in `statements`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from sqlalchemy import Dialect

from ....domain.search import LocateSearch, TagSearch
from ...bounds import clamp
from ...interface.compute import Compute, compute_on_any_thread
from ..queries import bind_caller, count_slots
from ..statements import SQLITE, Prepared, Values
from .conditions import shape_filter
from .statements import LocateShape, TagShape, write_locate, write_tag_search

ShapeT = TypeVar("ShapeT", bound=Hashable)

# Most statements that are cached for each of the two types of search.
_MAX_SHAPES = 128


# --- shape --------------------------------------------------------------------------------------


def shape_tag_search(search: TagSearch) -> tuple[TagShape, Iterator[Values]]:
    """(shape, one set of parameter values for each tag whose index entries may be scanned).

    Every set of values gives the same rows; the first is likely to give them soonest.
    """
    # The principal's own objects are found without groups.
    group_count = count_slots(search.groups) if search.rights else 0
    shape = TagShape(
        len(search.tags),
        search.states,
        bool(search.rights),
        search.now is not None,
        group_count,
        search.archived,
    )
    return shape, _rotate_tags(search)


def _rotate_tags(search: TagSearch) -> Iterator[Values]:
    tags = order_tags(search.tags)
    caller = bind_caller(search.principal, search.rights, search.groups)
    passed_over = search.principal if search.other_than is None else search.other_than
    for _ in range(len(tags)):
        yield {**_bind_tags(tags), **caller, "now": search.now, "other_than": passed_over}
        tags.append(tags.pop(0))


def shape_locate(search: LocateSearch) -> tuple[LocateShape, Mapping[str, Any]]:
    """(shape, values of the parameters)."""
    tags = order_tags(search.filter.tags)
    shape, values = shape_filter(search.filter, search.now)
    offset, maximum = clamp(search.offset), clamp(search.maximum)
    page = {"offset": offset, "maximum": maximum, "end": clamp(offset + maximum)}
    caller = bind_caller(search.principal, search.readers, search.groups)
    return LocateShape(shape, count_slots(search.groups)), {
        **_bind_tags(tags),
        **values,
        **page,
        **caller,
    }


def order_tags(tags: frozenset[str]) -> list[str]:
    """The tags in a fixed order, users' tags first: they are on fewer objects than the server's own."""
    return sorted(tags, key=lambda tag: (tag.startswith("_"), tag))


def _bind_tags(tags: Sequence[str]) -> dict[str, str]:
    return {f"tag_{index}": tag for index, tag in enumerate(tags)}


# --- prepare ------------------------------------------------------------------------------------


class StatementCache(Generic[ShapeT]):
    """Statements by shape, each written when its shape first occurs; the oldest are dropped."""

    def __init__(self, prepare: Callable[[ShapeT], Prepared], compute: Compute) -> None:
        self._prepare = prepare
        self._compute = compute
        self._statements: OrderedDict[ShapeT, Prepared] = OrderedDict()

    async def get(self, shape: ShapeT, *, principal: str) -> Prepared:
        """The statement of the shape; a new one is written in a thread, off the event loop."""
        statement = self._statements.get(shape)
        if statement is None:
            return await self._compute(partial(self.write, shape), principal=principal)
        return statement

    def write(self, shape: ShapeT) -> Prepared:
        """Write the statement of the shape, and cache it. Runs in any thread."""
        statement = self._statements[shape] = self._prepare(shape)
        if len(self._statements) > _MAX_SHAPES:
            self._statements.popitem(last=False)
        return statement


class SearchStatements:
    """The statements of searches, compiled for one database. Each store has its own."""

    def __init__(self, dialect: Dialect, compute: Compute = compute_on_any_thread) -> None:
        merges = dialect is SQLITE
        self.locate = StatementCache[LocateShape](
            lambda shape: Prepared(write_locate(shape, merges=merges), dialect), compute
        )
        self.tagged = StatementCache[TagShape](
            lambda shape: Prepared(write_tag_search(shape), dialect), compute
        )
