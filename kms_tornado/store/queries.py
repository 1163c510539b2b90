"""The questions to the database. Values are bound parameters, never part of the text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    literal,
    select,
    true,
)

from ..domain.managed_object import ObjectFilter
from ..kmip.enums import State
from .rows import COLUMNS
from .schema import object_tags, objects, server_state

#: What a tag list may yield at most (`ObjectStore.with_tags`).
MOST_WITH_TAGS = 100

#: The states that Locate passes over unless it is asked for them, and tag lists always.
DESTROYED = frozenset({State.DESTROYED, State.DESTROYED_COMPROMISED})
_ALIVE = tuple(int(state) for state in State if state not in DESTROYED)

_NEWEST_FIRST = (objects.c.created_at.desc(), objects.c.serial.desc())


def visible_to(principal: str | BindParameter[Any]) -> ColumnElement[bool]:
    """The objects that a principal may find: the one place that grants will widen."""
    return objects.c.owner == principal


by_uid = select(*COLUMNS).where(objects.c.uid == bindparam("uid"))

any_object = select(objects.c.serial).limit(1)

check_value = select(server_state.c.value).where(server_state.c.name == "master_key_check")


def with_tags(
    tags: Sequence[str], principal: str, states: frozenset[State] | None
) -> tuple[Select[Any], dict[str, str]]:
    """(statement, its values): the newest objects that carry all the tags, of which there is one.

    The search walks along the first tag, see `leading_first`.
    """
    values = {f"tag_{index}": tag for index, tag in enumerate(tags)}
    return _with_so_many_tags(len(tags), states), {**values, "principal": principal}


def leading_first(tags: frozenset[str]) -> list[str]:
    """A user's tag in front: it is on fewer objects than those that the server gives to all."""
    return sorted(tags, key=lambda tag: (tag.startswith("_"), tag))


@lru_cache(maxsize=64)  # building it anew takes thirty times as long as running it
def _with_so_many_tags(number: int, states: frozenset[State] | None) -> Select[Any]:
    return (
        select(*COLUMNS)
        .select_from(_tagged())
        .where(
            visible_to(bindparam("principal")),
            *_in_states(states),
            *_carries([bindparam(f"tag_{index}") for index in range(number)]),
        )
        .order_by(object_tags.c.created_at.desc(), object_tags.c.object.desc())
        .limit(MOST_WITH_TAGS)
    )


def _in_states(states: frozenset[State] | None) -> list[ColumnElement[bool]]:
    if states is None:
        return [objects.c.state != int(state) for state in DESTROYED]
    return [objects.c.state.in_(sorted(int(state) for state in states))]


def locate(wanted: ObjectFilter, principal: str, *, offset: int, maximum: int) -> Select[Any]:
    """Rows of (number of all matches, identifier); one row with None where the page is empty.

    One statement, so that number and page are of one moment. The filter stands in it twice rather
    than in a common table expression, which SQLite would write out whole before it counts.
    """
    matches: Any = objects
    order = _NEWEST_FIRST
    if wanted.tags:
        matches = _tagged()
        order = (object_tags.c.created_at.desc(), object_tags.c.object.desc())
    where = and_(visible_to(principal), *_conditions(wanted))
    total = select(func.count().label("total")).select_from(matches).where(where).subquery()
    page = (
        select(objects.c.uid, objects.c.created_at, objects.c.serial)
        .select_from(matches)
        .where(where)
        .order_by(*order)
        .limit(maximum)
        .offset(offset)
        .subquery()
    )
    return (
        select(total.c.total, page.c.uid)
        .select_from(total.outerjoin(page, true()))
        .order_by(page.c.created_at.desc(), page.c.serial.desc())
    )


def _conditions(wanted: ObjectFilter) -> list[ColumnElement[bool]]:
    states = _ALIVE if wanted.states is None else tuple(int(state) for state in wanted.states)
    conditions: list[ColumnElement[bool]] = [objects.c.state.in_(states)]
    for column, value in (
        (objects.c.uid, wanted.uid),
        (objects.c.object_type, wanted.object_type),
        (objects.c.algorithm, wanted.algorithm),
        (objects.c.length, wanted.length),
        (objects.c.key_format, wanted.key_format),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.usage_mask is not None:
        mask = literal(wanted.usage_mask, objects.c.usage_mask.type)
        conditions.append(objects.c.usage_mask.bitwise_and(mask) == mask)
    if wanted.tags:
        conditions.extend(_carries(leading_first(wanted.tags)))
    return conditions


def _tagged() -> Any:
    """Objects beside one of their tags. Equal owners let the walk begin at the principal's own."""
    return object_tags.join(
        objects,
        and_(objects.c.serial == object_tags.c.object, objects.c.owner == object_tags.c.owner),
    )


def _carries(tags: Sequence[Any]) -> list[ColumnElement[bool]]:
    """Walk along the first tag and look the others up."""
    leading, *others = tags
    conditions: list[ColumnElement[bool]] = [object_tags.c.tag == leading]
    if others:
        further = object_tags.alias()
        found = (
            select(func.count())
            .where(further.c.object == object_tags.c.object, further.c.tag.in_(others))
            .scalar_subquery()
        )
        conditions.append(found == len(others))
    return conditions
