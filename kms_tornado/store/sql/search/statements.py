"""The statements of searches by tags and of Locate, and how the rows of a Locate are read.

`searches` tells when a statement is written and run.

How a statement finds its objects quickly
-----------------------------------------

A principal sees its own objects, those that were granted to it by name, and those that were granted to
everybody. A condition with OR would use no index well, so Locate is a UNION of three searches, each with
an index of its own; a search by tags is one of the first two:

- Among the principal's own objects, a search scans one index from the newest entry on, and stops as soon
  as the page is full. It scans the entries of its rarest value (a Name, say) if it has one, else those of
  its first tag, else all of the owner's objects. Which tag is rare is not known beforehand. Users' tags
  come first, because the server's own (`_kk`) are on a great many objects (`search.order_tags`).
- Among granted objects, it looks up every object on which the principal, or everybody, has a grant.

None of them reads an object that the principal may not see. All collect serials first; only a tag search
then reads whole rows, those of the newest hundred. A page of Locate lists the three in this order, though
its statement sorts by date alone (`_place_behind`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    GenerativeSelect,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)

from ....domain.managed_object import UniqueIdentifier
from ....domain.search import LocatedObject, LocatedPage, Standing
from ....kmip.enums import State
from ..constants import write_constant
from ..queries import (
    principal_parameter,
    serials_by_name,
    serials_for_everyone,
    serials_of_rights_by_name,
    serials_of_rights_for_everyone,
)
from ..statements import Rows
from ..tables.rows import OBJECT_ROW
from ..tables.schema import object_tags, objects
from .conditions import FilterShape, write_filter
from .states import bind_now, write_states, write_storage

#: Most objects that a tag search returns (`Objects.find_tagged`).
MAX_TAGGED = 100

#: Most matches that a Locate counts, which takes some 15 ms: a principal may have ten times as many.
MAX_COUNTED = 100_000


class TagShape(NamedTuple):
    """What determines the statement of a tag search.

    is_granted: whether it searches granted objects instead of the principal's own.
    uses_dates: whether dates that have passed count for the state, so that the statement has the parameter `now`.
    group_count: as in `queries.count_slots`.
    archived: as in `domain.search.ObjectFilter`.
    """

    tag_count: int
    states: frozenset[State] | None
    is_granted: bool
    uses_dates: bool
    group_count: int = 0
    archived: bool | None = None


class LocateShape(NamedTuple):
    """What determines the statement of a Locate. group_count: as in `queries.count_slots`."""

    filter: FilterShape
    group_count: int = 0


def write_tag_search(shape: TagShape) -> Select[Any]:
    """A statement for the newest objects with all the tags, of which there is at least one."""
    tags = _make_tag_parameters(shape.tag_count)
    conditions = [
        *write_states(shape.states, bind_now(shape.uses_dates)),
        *write_storage(shape.archived, shape.states),
    ]
    if shape.is_granted:
        serials = serials_of_rights_by_name(shape.group_count)
        search = _search_granted(tags, conditions, serials)
        search = search.where(objects.c.owner != bindparam("other_than"))
    else:
        search = _search_own(tags, conditions)
    newest = search.order_by(*_newest_first()).limit(write_constant(MAX_TAGGED)).subquery()
    return (
        select(*OBJECT_ROW)
        .join_from(newest, objects, objects.c.serial == newest.c.serial)
        .order_by(newest.c.created_at.desc(), newest.c.serial.desc())
    )


def write_locate(shape: LocateShape, *, merges: bool) -> Select[Any]:
    """A statement for rows of `_NumbersOfMatches`, identifier and standing.

    For an empty page it gives one row, without identifier and standing.
    merges: whether the database merges sorted searches lazily; see `_merge_newest_first`.
    One statement, so that numbers and page come from one snapshot. The filter is written out for each
    search rather than as a common table expression, which SQLite would materialize before it counts.
    """
    searches = _search_by_standing(shape)
    matches = _count_matches(*searches).subquery()
    offset, maximum, end = (
        bindparam(name, type_=BigInteger) for name in ("offset", "maximum", "end")
    )
    page = (
        _merge_newest_first(searches, None if merges else end)
        .limit(maximum)
        .offset(offset)
        .subquery()
    )
    return (
        select(*matches.c, page.c.uid, page.c.standing)
        .select_from(matches.outerjoin(page, true()))
        .order_by(page.c.created_at.desc(), page.c.serial.desc())
    )


class _NumbersOfMatches(NamedTuple):
    """The numbers of matches by standing, and whether those granted by name have several owners.

    A number above MAX_COUNTED means at least that many. has_several_owners: None where nothing was granted by name.
    """

    own: int
    everyones: int
    by_name: int
    has_several_owners: bool | None


def _count_matches(own: Select[Any], by_name: Select[Any], everyones: Select[Any]) -> Select[Any]:
    """A statement for `_NumbersOfMatches`: one row."""
    own_number, everyones_number = (
        select(func.count()).select_from(_cut(search, write_constant(1))).scalar_subquery()
        for search in (own, everyones)
    )
    granted = _cut(by_name, objects.c.owner)
    owners = select(
        func.count().label("number"),
        func.min(granted.c.owner).label("first"),
        func.max(granted.c.owner).label("last"),
    ).subquery()
    return select(
        own_number.label("own"),
        everyones_number.label("everyones"),
        owners.c.number.label("by_name"),
        (owners.c.first != owners.c.last).label("has_several_owners"),
    )


def _cut(search: Select[Any], column: ColumnElement[Any]) -> Any:
    """One column of the first matches, one more of them than are counted."""
    owner = column.label("owner")
    return search.with_only_columns(owner).limit(write_constant(MAX_COUNTED + 1)).subquery()


def _search_by_standing(located: LocateShape) -> list[Select[Any]]:
    """A search for each `Standing`, in that order; no two of them find the same object.

    Among other owners' objects, attributes are compared where the principal may read them, and tags where it may read
    them or has any right by name.
    """
    shape, by_name = located.filter, serials_by_name(located.group_count)
    tags = _make_tag_parameters(shape.tag_count)
    conditions = write_filter(shape, principal_parameter)
    serial = objects.c.serial
    may_read = (
        [
            or_(
                serial.in_(serials_of_rights_by_name(located.group_count)),
                serial.in_(serials_of_rights_for_everyone),
            )
        ]
        if shape.compares_attributes
        else []
    )
    is_for_all = shape.compares_attributes or shape.tag_count
    searches = [
        _search_own(tags, conditions.rest, conditions.start),
        _search_granted(tags, [*conditions.whole, *may_read], by_name),
        _search_granted(
            tags,
            [*conditions.whole, serial.not_in(by_name)],
            serials_of_rights_for_everyone if is_for_all else serials_for_everyone,
        ),
    ]
    return [
        _place_behind(search, standing) for standing, search in zip(Standing, searches, strict=True)
    ]


# Seconds, more than any two objects lie apart: 34,000 years.
_APART = 2**40


def _place_behind(search: Select[Any], standing: Standing) -> Select[Any]:
    """The search with its standing as a column, and its objects older than all that stand nearer.

    Then the order of created_at alone is the order of the page, and SQLite reads the index of the
    principal's own objects in it. With the standing as a first key it would sort them all.
    """
    serial, created_at, uid = search.selected_columns
    if standing:
        created_at = (created_at - write_constant(standing * _APART)).label("created_at")
    return search.with_only_columns(
        serial, created_at, uid, write_constant(standing).label("standing")
    )


def _search_own(
    tags: Sequence[Any],
    conditions: Sequence[ColumnElement[bool]],
    start: Select[Any] | None = None,
) -> Select[Any]:
    """A search for (serial, created_at, uid) among the principal's own objects.

    start: a query for the objects with a rare value, if the search is to begin with those.
    """
    serial, created_at = objects.c.serial, objects.c.created_at
    if start is not None:
        rare = start.subquery()
        search = _select_columns(rare.join(objects, serial == rare.c.object), serial, created_at)
        search = search.where(*_has_all(tags, serial))
    elif tags:
        # The equal owners let the database scan only the principal's entries in the index of the tag.
        is_same_object = and_(
            serial == object_tags.c.object, objects.c.owner == object_tags.c.owner
        )
        source = object_tags.join(objects, is_same_object)
        search = _select_columns(source, object_tags.c.object, object_tags.c.created_at)
        search = search.where(
            object_tags.c.tag == tags[0], *_has_all(tags[1:], object_tags.c.object)
        )
    else:
        search = _select_columns(objects, serial, created_at)
    return search.where(objects.c.owner == principal_parameter, *conditions)


def _search_granted(
    tags: Sequence[Any], conditions: Sequence[ColumnElement[bool]], serials: Select[Any]
) -> Select[Any]:
    """As `_search_own`, among the objects that others granted. serials: a query for their serials."""
    serial = objects.c.serial
    search = _select_columns(objects, serial, objects.c.created_at).where(*_has_all(tags, serial))
    return search.where(objects.c.owner != principal_parameter, serial.in_(serials), *conditions)


def _select_columns(
    source: Any, serial: ColumnElement[Any], created_at: ColumnElement[Any]
) -> Select[Any]:
    return select(
        serial.label("serial"), created_at.label("created_at"), objects.c.uid.label("uid")
    ).select_from(source)


def _has_all(tags: Sequence[Any], serial: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """The condition that the object has all the tags, which are looked up one by one."""
    if not tags:
        return []
    tag_rows = object_tags.alias()
    matching = select(func.count()).where(tag_rows.c.object == serial, tag_rows.c.tag.in_(tags))
    return [matching.scalar_subquery() == write_constant(len(tags))]


def _merge_newest_first(
    searches: Sequence[Select[Any]], limit: ColumnElement[int] | None
) -> GenerativeSelect:
    """The union of the searches, newest first.

    limit: how many rows of each search are enough, for PostgreSQL, which reads and sorts the whole
    union. None for SQLite, which merges the searches lazily and reads no further than it must.
    """
    if limit is not None:
        limited = [search.order_by(*_newest_first()).limit(limit).subquery() for search in searches]
        searches = [select(search) for search in limited]
    return union_all(*searches).order_by(*_newest_first())


def _newest_first() -> list[ColumnElement[Any]]:
    return [literal_column(name).desc() for name in ("created_at", "serial")]


def _make_tag_parameters(count: int) -> list[Any]:
    return [bindparam(f"tag_{index}") for index in range(count)]


# --- the answer ---------------------------------------------------------------------------------


def parse_page(rows: Rows) -> LocatedPage:
    """The page of the rows of `write_locate`.

    There is no row at all where the search had a value that no object can have.
    """
    if not rows:
        return LocatedPage(0, ())
    matches = _NumbersOfMatches(*rows[0][:-2])
    total = matches.own + matches.by_name + matches.everyones
    return LocatedPage(
        total if total <= MAX_COUNTED else None,
        [
            LocatedObject(UniqueIdentifier(uid), Standing(standing))
            for *_, uid, standing in rows
            if uid is not None
        ],
        _choose_addressable(matches),
    )


def _choose_addressable(matches: _NumbersOfMatches) -> Standing | None:
    if matches.own:
        return Standing.OWN
    # Of more than were counted, the owners are not known.
    is_of_several = matches.has_several_owners or matches.by_name > MAX_COUNTED
    return None if is_of_several else Standing.GRANTED_BY_NAME
