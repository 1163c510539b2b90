"""Searches by tags and by attributes, and the statements that were written for them.

A search is taken apart into its shape, which a statement is written for once, and its values.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
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
from ..bounds import bounded
from .queries import asking, principal_parameter, serials_of_any_right, serials_of_rights
from .rows import COLUMNS
from .schema import object_tags, objects
from .search_filter import Shape, constant, in_states, parameter_of_now, taken_apart, written
from .statements import SQLITE, Prepared

S = TypeVar("S", bound=Hashable)

#: What a tag list may yield at most (`ObjectStore.with_tags`).
MOST_WITH_TAGS = 100

#: Statements that are kept of one kind of search, those of 100 KB at most. Clients choose the shapes.
_SHAPES = 128


class TagShape(NamedTuple):
    """Tag lists of one shape are one statement. number: of tags."""

    number: int
    states: frozenset[State] | None
    is_for_granted: bool
    is_by_date: bool


def listing(search: TagSearch, tags: Sequence[str]) -> tuple[TagShape, Mapping[str, Any]]:
    """What `with_tags` is to be written for, and the values of its parameters.

    tags: those of the search, in the order of `leading_first`: the statement walks along the first.
    Without rights it is among the principal's own: half the work, whatever others grant to everyone.
    """
    shape = TagShape(len(tags), search.states, bool(search.rights), search.now is not None)
    values = {f"tag_{index}": tag for index, tag in enumerate(tags)}
    return shape, {**values, **asking(search.principal, search.rights), "now": search.now}


def leading_first(tags: frozenset[str]) -> list[str]:
    """A user's tag in front: it is on fewer objects than those that the server gives to all."""
    return sorted(tags, key=lambda tag: (tag.startswith("_"), tag))


def with_tags(shape: TagShape, *, merges: bool) -> Select[Any]:
    """The newest objects that carry all the tags, of which there is one. merges: see `_newest_first`."""
    tags: list[Any] = [bindparam(f"tag_{index}") for index in range(shape.number)]
    conditions = in_states(shape.states, parameter_of_now(shape.is_by_date))
    searches = [_own(tags, conditions)]
    if shape.is_for_granted:
        searches.append(_granted(tags, conditions, serials_of_rights))
    each = None if merges else constant(MOST_WITH_TAGS)
    found = _newest_first(searches, each).limit(constant(MOST_WITH_TAGS)).subquery()
    return (
        select(*COLUMNS)
        .join_from(found, objects, objects.c.serial == found.c.serial)
        .order_by(found.c.created_at.desc(), found.c.serial.desc())
    )


def _own(
    tags: Sequence[Any],
    conditions: Sequence[ColumnElement[bool]],
    begin: Select[Any] | None = None,
) -> Select[Any]:
    """Search for (serial, created_at, uid) among the principal's own.

    This one and `_granted` rather than one with OR, so that each has an index of its own: here it
    begins at a rare value (begin), else at the newest with the first tag, else at the newest; there
    it looks up what is granted. Neither meets what is not the principal's to see.
    """
    serial, created_at = objects.c.serial, objects.c.created_at
    if begin is not None:
        rare = begin.subquery()
        own = _search(rare.join(objects, serial == rare.c.object), serial, created_at)
        own = own.where(*_carry(serial, tags))
    elif tags:
        # Equal owners let the walk begin at the principal's own.
        at_one_tag = and_(serial == object_tags.c.object, objects.c.owner == object_tags.c.owner)
        source = object_tags.join(objects, at_one_tag)
        own_tags = [object_tags.c.tag == tags[0], *_carry(object_tags.c.object, tags[1:])]
        own = _search(source, object_tags.c.object, object_tags.c.created_at).where(*own_tags)
    else:
        own = _search(objects, serial, created_at)
    return own.where(objects.c.owner == principal_parameter, *conditions)


def _granted(
    tags: Sequence[Any], conditions: Sequence[ColumnElement[bool]], granted: Select[Any]
) -> Select[Any]:
    """The same among what others granted."""
    serial = objects.c.serial
    others = _search(objects, serial, objects.c.created_at).where(*_carry(serial, tags))
    return others.where(objects.c.owner != principal_parameter, serial.in_(granted), *conditions)


def _search(source: Any, serial: ColumnElement[Any], created_at: ColumnElement[Any]) -> Select[Any]:
    return select(
        serial.label("serial"), created_at.label("created_at"), objects.c.uid.label("uid")
    ).select_from(source)


def _carry(serial: ColumnElement[Any], tags: Sequence[Any]) -> list[ColumnElement[bool]]:
    """That the object has all the tags, looked up one by one."""
    if not tags:
        return []
    looked_up = object_tags.alias()
    found = select(func.count()).where(looked_up.c.object == serial, looked_up.c.tag.in_(tags))
    return [found.scalar_subquery() == constant(len(tags))]


def _newest_first(
    searches: Sequence[Select[Any]], most: ColumnElement[int] | None
) -> GenerativeSelect:
    """All, merged. most: so many rows of each are enough; None on a database that merges them as they
    come and reads none further than it must. PostgreSQL reads and sorts all of a union."""
    order: list[ColumnElement[Any]] = [
        literal_column(name).desc() for name in ("created_at", "serial")
    ]
    if len(searches) == 1:
        return searches[0].order_by(*order)
    if most is not None:
        firsts = [each.order_by(*order).limit(most).subquery() for each in searches]
        searches = [select(each) for each in firsts]
    return union_all(*searches).order_by(*order)


def locating(search: LocateSearch) -> tuple[Shape, Mapping[str, Any]]:
    """What `locate` is to be written for, and the values of its parameters."""
    shape, values = taken_apart(search.filter, leading_first(search.filter.tags), search.now)
    offset, maximum = bounded(search.offset), bounded(search.maximum)
    page = {"offset": offset, "maximum": maximum, "end": bounded(offset + maximum)}
    return shape, {**values, **page, "principal": search.principal}


def locate(shape: Shape, *, merges: bool) -> Select[Any]:
    """Rows of (number of all matches, identifier); one row with None where the page is empty.

    merges: see `_newest_first`.
    One statement, so that number and page are of one moment. The filter stands in it twice rather
    than in a common table expression, which SQLite would write out whole before it counts.
    """
    tags: list[Any] = [bindparam(f"tag_{index}") for index in range(shape.tags)]
    conditions = written(shape, principal_parameter)
    own = _own(tags, conditions.rest, conditions.begin)
    others = _granted(tags, conditions.whole, serials_of_any_right)
    numbers = [each.with_only_columns(func.count()).scalar_subquery() for each in (own, others)]
    total = select((numbers[0] + numbers[1]).label("total")).subquery()
    offset, maximum, end = (
        bindparam(name, type_=BigInteger) for name in ("offset", "maximum", "end")
    )
    page = (
        _newest_first((own, others), None if merges else end)
        .limit(maximum)
        .offset(offset)
        .subquery()
    )
    return (
        select(total.c.total, page.c.uid)
        .select_from(total.outerjoin(page, true()))
        .order_by(page.c.created_at.desc(), page.c.serial.desc())
    )


def page_of(rows: Sequence[Sequence[Any]]) -> tuple[int, Sequence[UniqueIdentifier]]:
    """What the rows of `locate` say. None at all: a value was sought that no object can have."""
    if not rows:
        return 0, ()
    return rows[0][0], [UniqueIdentifier(uid) for _, uid in rows if uid is not None]


class _Written(Generic[S]):
    """Statements by their shapes. One is written when its shape is met first, which takes milliseconds."""

    def __init__(self, write: Callable[[S], Prepared]) -> None:
        self._write = write
        self._kept: OrderedDict[S, Prepared] = OrderedDict()

    async def of(self, shape: S) -> Prepared:
        """At once if it is known; the event loop never waits for the writing."""
        prepared = self._kept.get(shape)
        return await asyncio.to_thread(self.written, shape) if prepared is None else prepared

    def written(self, shape: S) -> Prepared:
        """In any thread."""
        prepared = self._kept[shape] = self._write(shape)
        if len(self._kept) > _SHAPES:
            self._kept.popitem(last=False)
        return prepared


class Searches:
    """The statements of searches, as one database takes them."""

    def __init__(self, dialect: Dialect) -> None:
        merges = dialect is SQLITE
        self.locate = _Written[Shape](lambda shape: Prepared(locate(shape, merges=merges), dialect))
        self.with_tags = _Written[TagShape](
            lambda shape: Prepared(with_tags(shape, merges=merges), dialect)
        )
