"""Searches by tags and by attributes, as one statement each.

The life of a search
====================

A search (`TagSearch`, `LocateSearch` in `domain.search`) comes with every request and differs from the
last one mostly in its values. Writing its statement costs milliseconds of Python; running it costs tens
of microseconds to milliseconds. Hence three steps:

1. **Shape.** `shape_tag_search` and `shape_locate` divide a search into its *shape* (how many tags, which
   attributes compared in which way, which states) and the *values* of its parameters. A shape is
   hashable. Everything that clients choose freely is a value: it never becomes part of the text, so no
   value can be taken for SQL. Conditions are sorted, so that their order in the request makes no
   difference. `search_filter` does this for attributes.

2. **Prepare.** `StatementCache.get` has the statement of a shape, or writes it in a thread, so that the
   event loop never waits for the writing. It keeps the latest 128 shapes: clients choose the shapes, and
   one may take 100 KB. The cache belongs to the store (`SearchStatements`).

3. **Run.** The backend runs the statement with the values. What it does depends on the database:

   - PostgreSQL plans and runs it on one of its connections for reading.
   - SQLite runs a tag search on the event loop, as it rarely takes more than a fraction of a
     millisecond. A statement that takes longer is interrupted (`TooLong`), and tried again along another
     tag, see below; in the end it goes to the reader thread. Locate goes to the reader thread at once, as
     it counts all matches.
   - Within a transaction (a batch), a search has to see changes that are not made yet: the writer makes
     them, runs the same statement, and rolls everything back (`Backend.rehearse`).

How a statement finds its objects quickly
-----------------------------------------

A principal sees its own objects and those that were granted to it. A condition with OR would use no
index well, so a statement is a UNION of two searches, each with an index of its own:

- Among its own objects a search walks along one index, from the newest on, and a page ends as soon as
  it is full. It walks along its first tag, else along its rarest value (a Name, say), else along all of
  the owner's objects. Nobody knows beforehand which tag is rare. Users' tags come first, because the
  server's own (`_kk`) are on a great many objects (`order_tags`).
- Among granted objects it looks up every object on which there is a grant.

Neither search meets an object that the principal may not see. Both collect serials; whole rows are read
for the newest hundred of a tag search alone.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    GenerativeSelect,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    true,
    union_all,
)

from ...domain.managed_object import UniqueIdentifier
from ...domain.search import LocateSearch, TagSearch
from ...kmip.enums import State
from ..bounds import clamp
from .queries import (
    bind_caller,
    principal_parameter,
    serials_of_any_right,
    serials_of_rights,
)
from .rows import OBJECT_ROW
from .schema import object_tags, objects
from .search_filter import (
    FilterShape,
    bind_now,
    shape_filter,
    write_constant,
    write_filter,
    write_states,
)
from .statements import SQLITE, Prepared, Rows, Values

ShapeT = TypeVar("ShapeT", bound=Hashable)

#: Objects that a tag search yields at most (`ObjectStore.find_tagged`).
MAX_TAGGED = 100

# Statements that are kept of each kind of search.
_MAX_SHAPES = 128


# --- shape --------------------------------------------------------------------------------------


class TagShape(NamedTuple):
    """Tag searches of one shape are one statement."""

    tag_count: int
    states: frozenset[State] | None
    is_for_granted: bool
    is_by_date: bool


def shape_tag_search(search: TagSearch) -> tuple[TagShape, Iterator[Values]]:
    """(shape, values of the parameters, once for each tag that the search may walk along).

    Each of the values finds the same objects; the first is likely to find them soonest.
    """
    shape = TagShape(len(search.tags), search.states, bool(search.rights), search.now is not None)
    return shape, _rotate_tags(search)


def _rotate_tags(search: TagSearch) -> Iterator[Values]:
    tags = order_tags(search.tags)
    caller = bind_caller(search.principal, search.rights)
    for _ in range(len(tags)):
        yield {**_bind_tags(tags), **caller, "now": search.now}
        tags.append(tags.pop(0))


def shape_locate(search: LocateSearch) -> tuple[FilterShape, Mapping[str, Any]]:
    """(shape, values of the parameters)."""
    tags = order_tags(search.filter.tags)
    shape, values = shape_filter(search.filter, search.now)
    offset, maximum = clamp(search.offset), clamp(search.maximum)
    page = {"offset": offset, "maximum": maximum, "end": clamp(offset + maximum)}
    return shape, {**_bind_tags(tags), **values, **page, "principal": search.principal}


def order_tags(tags: frozenset[str]) -> list[str]:
    """Users' tags in front: they are on fewer objects than those that the server gives to all."""
    return sorted(tags, key=lambda tag: (tag.startswith("_"), tag))


def _bind_tags(tags: Sequence[str]) -> dict[str, str]:
    return {f"tag_{index}": tag for index, tag in enumerate(tags)}


def _make_tag_parameters(count: int) -> list[Any]:
    return [bindparam(f"tag_{index}") for index in range(count)]


# --- prepare ------------------------------------------------------------------------------------


class StatementCache(Generic[ShapeT]):
    """Statements by their shapes, each written when its shape is met first."""

    def __init__(self, prepare: Callable[[ShapeT], Prepared]) -> None:
        self._prepare = prepare
        self._statements: OrderedDict[ShapeT, Prepared] = OrderedDict()

    async def get(self, shape: ShapeT) -> Prepared:
        """At once if it is there; the event loop never waits for the writing."""
        statement = self._statements.get(shape)
        return await asyncio.to_thread(self.write, shape) if statement is None else statement

    def write(self, shape: ShapeT) -> Prepared:
        """In any thread."""
        statement = self._statements[shape] = self._prepare(shape)
        if len(self._statements) > _MAX_SHAPES:
            self._statements.popitem(last=False)
        return statement


class SearchStatements:
    """The statements of searches, as one database takes them. Each store has its own."""

    def __init__(self, dialect: Dialect) -> None:
        merges = dialect is SQLITE
        self.locate = StatementCache[FilterShape](
            lambda shape: Prepared(write_locate(shape, merges=merges), dialect)
        )
        self.tagged = StatementCache[TagShape](
            lambda shape: Prepared(write_tag_search(shape, merges=merges), dialect)
        )


def write_tag_search(shape: TagShape, *, merges: bool) -> Select[Any]:
    """The newest objects with all the tags, of which there is one at least.

    merges: see `_merge_newest_first`.
    """
    tags = _make_tag_parameters(shape.tag_count)
    conditions = write_states(shape.states, bind_now(shape.is_by_date))
    searches = [_search_own(tags, conditions)]
    if shape.is_for_granted:
        searches.append(_search_granted(tags, conditions, serials_of_rights))
    limit = write_constant(MAX_TAGGED)
    newest = _merge_newest_first(searches, None if merges else limit).limit(limit).subquery()
    return (
        select(*OBJECT_ROW)
        .join_from(newest, objects, objects.c.serial == newest.c.serial)
        .order_by(newest.c.created_at.desc(), newest.c.serial.desc())
    )


def write_locate(shape: FilterShape, *, merges: bool) -> Select[Any]:
    """Rows of (number of all matches, identifier); one row with None where the page is empty.

    merges: see `_merge_newest_first`.
    One statement, so that number and page are of one moment. The filter stands in it twice rather
    than in a common table expression, which SQLite would write out whole before it counts.
    """
    tags = _make_tag_parameters(shape.tag_count)
    conditions = write_filter(shape, principal_parameter)
    own = _search_own(tags, conditions.rest, conditions.start)
    granted = _search_granted(tags, conditions.whole, serials_of_any_right)
    own_count, granted_count = (
        search.with_only_columns(func.count()).scalar_subquery() for search in (own, granted)
    )
    total = select((own_count + granted_count).label("total")).subquery()
    offset, maximum, end = (
        bindparam(name, type_=BigInteger) for name in ("offset", "maximum", "end")
    )
    page = (
        _merge_newest_first((own, granted), None if merges else end)
        .limit(maximum)
        .offset(offset)
        .subquery()
    )
    return (
        select(total.c.total, page.c.uid)
        .select_from(total.outerjoin(page, true()))
        .order_by(page.c.created_at.desc(), page.c.serial.desc())
    )


def _search_own(
    tags: Sequence[Any],
    conditions: Sequence[ColumnElement[bool]],
    start: Select[Any] | None = None,
) -> Select[Any]:
    """A search for (serial, created_at, uid) among the principal's own objects.

    start: the objects with a rare value, to begin there.
    """
    serial, created_at = objects.c.serial, objects.c.created_at
    if start is not None:
        rare = start.subquery()
        search = _select_found(rare.join(objects, serial == rare.c.object), serial, created_at)
        search = search.where(*_has_all(tags, serial))
    elif tags:
        # Equal owners let the walk begin at the principal's own.
        at_one_tag = and_(serial == object_tags.c.object, objects.c.owner == object_tags.c.owner)
        source = object_tags.join(objects, at_one_tag)
        search = _select_found(source, object_tags.c.object, object_tags.c.created_at)
        search = search.where(
            object_tags.c.tag == tags[0], *_has_all(tags[1:], object_tags.c.object)
        )
    else:
        search = _select_found(objects, serial, created_at)
    return search.where(objects.c.owner == principal_parameter, *conditions)


def _search_granted(
    tags: Sequence[Any], conditions: Sequence[ColumnElement[bool]], serials: Select[Any]
) -> Select[Any]:
    """The same among the objects that others granted. serials: of these."""
    serial = objects.c.serial
    search = _select_found(objects, serial, objects.c.created_at).where(*_has_all(tags, serial))
    return search.where(objects.c.owner != principal_parameter, serial.in_(serials), *conditions)


def _select_found(
    source: Any, serial: ColumnElement[Any], created_at: ColumnElement[Any]
) -> Select[Any]:
    return select(
        serial.label("serial"), created_at.label("created_at"), objects.c.uid.label("uid")
    ).select_from(source)


def _has_all(tags: Sequence[Any], serial: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """The condition that the object has all the tags, which are looked up one by one."""
    if not tags:
        return []
    looked_up = object_tags.alias()
    matching = select(func.count()).where(looked_up.c.object == serial, looked_up.c.tag.in_(tags))
    return [matching.scalar_subquery() == write_constant(len(tags))]


def _merge_newest_first(
    searches: Sequence[Select[Any]], limit: ColumnElement[int] | None
) -> GenerativeSelect:
    """All the searches, merged.

    limit: so many rows of each are enough. None on a database that merges them as they come and reads
    none further than it must; PostgreSQL reads and sorts all of a union.
    """
    order: list[ColumnElement[Any]] = [
        literal_column(name).desc() for name in ("created_at", "serial")
    ]
    if len(searches) == 1:
        return searches[0].order_by(*order)
    if limit is not None:
        limited = [search.order_by(*order).limit(limit).subquery() for search in searches]
        searches = [select(search) for search in limited]
    return union_all(*searches).order_by(*order)


# --- the answer ---------------------------------------------------------------------------------


def parse_page(rows: Rows) -> tuple[int, Sequence[UniqueIdentifier]]:
    """(number of all matches, identifiers) of the rows of `write_locate`.

    No row at all: a value was sought that no object can have.
    """
    if not rows:
        return 0, ()
    return rows[0][0], [UniqueIdentifier(uid) for _, uid in rows if uid is not None]
