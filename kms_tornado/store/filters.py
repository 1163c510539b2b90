"""What Locate looks for, as conditions of SQL. Values are bound parameters, never part of the text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, select

from ..domain.search import ObjectFilter
from ..kmip.attributes import plain
from ..kmip.enums import State
from ..kmip.payloads import DateRange
from ..kmip.ttlv import ItemType, Node, children_of
from .schema import object_values, objects
from .values import COLUMNS, Leaf, leaves_of

#: The states that Locate passes over unless it is asked for them, and tag lists always.
DESTROYED = frozenset({State.DESTROYED, State.DESTROYED_COMPROMISED})

_COLUMNS = {tag: objects.c[name] for tag, name in COLUMNS.items()}
_LIMITS = {
    "UsageLimitsTotal": objects.c.usage_limits_total,
    "UsageLimitsCount": objects.c.usage_limits_count,
}
_NOT_IN_ROWS = frozenset({*_COLUMNS, "ObjectType", "UniqueIdentifier", "UsageLimits"})
_NUMBER = objects.c.usage_mask.type


def in_states(states: frozenset[State] | None, now: Any) -> list[ColumnElement[bool]]:
    """now: what to make of the dates, a bound parameter, too; None: the state is as stored."""
    if states is None:  # dates destroy nothing
        return [objects.c.state != int(state) for state in sorted(DESTROYED)]
    state: ColumnElement[Any] = objects.c.state
    if now is not None and not states.isdisjoint(_BY_DATE):
        state = _state_at(now)
    return [state.in_([int(each) for each in sorted(states)])]


_BY_DATE = frozenset({State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED})


def _state_at(now: Any) -> ColumnElement[Any]:
    """As `domain.dates.state_at`: the activation date makes an object Active, the other ends that."""
    is_activated = objects.c.activation_date <= now
    is_over = objects.c.deactivation_date <= now
    pre_active, active = (objects.c.state == int(s) for s in (State.PRE_ACTIVE, State.ACTIVE))
    return case(
        (and_(pre_active, is_activated, is_over), int(State.DEACTIVATED)),
        (and_(pre_active, is_activated), int(State.ACTIVE)),
        (and_(active, is_over), int(State.DEACTIVATED)),
        else_=objects.c.state,
    )


def conditions(wanted: ObjectFilter, now: int | None) -> list[ColumnElement[bool]]:
    """All but the tags."""
    moment = None if now is None else literal(now, _NUMBER)
    found = in_states(wanted.states, moment)
    for node in wanted.attributes:
        found += _condition(node)
    return [*found, *map(_in_range, wanted.ranges)]


def leading(
    wanted: ObjectFilter, owner: ColumnElement[Any]
) -> tuple[Select[Any] | None, ObjectFilter]:
    """(the owner's objects that have one of the values sought, what is left to ask of those).

    None where nothing that is sought may be rare. A search begins best at a Name, else at the longest
    text. Texts are often rare; numbers are not.
    """
    texts = [
        (leaf, node)
        for node in wanted.attributes
        if node.tag not in _NOT_IN_ROWS
        for leaf in leaves_of(plain(node))
        if leaf.number is None
    ]
    if not texts:
        return None, wanted
    first, of = max(texts, key=lambda pair: (pair[0].path == "Name.NameValue", len(pair[0].value)))
    if of.type is not ItemType.STRUCTURE:  # this value is all of it
        rest = tuple(node for node in wanted.attributes if node is not of)
        wanted = dataclasses.replace(wanted, attributes=rest)
    begin = select(object_values.c.object).where(
        object_values.c.path == first.path,
        object_values.c.value == first.value,
        object_values.c.owner == owner,
    )
    return begin.distinct(), wanted


def _condition(node: Node) -> Iterable[ColumnElement[bool]]:
    if node.tag == "UniqueIdentifier":
        return [objects.c.uid == node.value]
    if node.tag == "ObjectType":
        return [objects.c.object_type == _number(node)]
    if node.tag == "CryptographicUsageMask":
        mask = literal(_number(node), _NUMBER)
        return [objects.c.usage_mask.bitwise_and(mask) == mask]
    if node.tag in _COLUMNS:
        return [_COLUMNS[node.tag] == _number(node)]
    if node.tag == "UsageLimits":
        limits = [
            _LIMITS[each.tag] >= _number(each) for each in children_of(node) if each.tag in _LIMITS
        ]
        others = leaves_of(plain(node))
        return [*limits, _has(others)] if others else limits
    return [_has(leaves_of(plain(node)))]


def _has(leaves: Sequence[Leaf]) -> ColumnElement[bool]:
    """That one instance of the attribute has all these values."""
    first, *others = leaves
    values = object_values.alias()
    found = _looked_up(values, objects, values.c.object == objects.c.serial, *_is(values, first))
    for leaf in others:
        more = object_values.alias()
        same = (more.c.object == values.c.object, more.c.instance == values.c.instance)
        found = found.where(_looked_up(more, values, *same, *_is(more, leaf)).scalar_subquery() > 0)
    return found.scalar_subquery() > 0


def _looked_up(values: Any, outer: Any, *conditions: ColumnElement[bool]) -> Select[Any]:
    """How many rows of one object there are. A count and no EXISTS, of which PostgreSQL makes a join,
    as slow as the square of the number of objects as long as it knows nothing of their number."""
    return select(func.count()).select_from(values).where(*conditions).correlate(outer)


def _is(values: Any, leaf: Leaf) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _plainly(values.c.path) == leaf.path, _plainly(values.c.value) == leaf.value


def _plainly(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """An expression, so that rows are looked up by their object and never through the other index."""
    return column.concat("")


def _in_range(wanted: DateRange) -> ColumnElement[bool]:
    earliest = literal(wanted.earliest, _NUMBER)
    latest = literal(wanted.latest, _NUMBER)
    if wanted.tag in _COLUMNS:
        return _COLUMNS[wanted.tag].between(earliest, latest)
    values = object_values.alias()
    found = _looked_up(
        values,
        objects,
        values.c.object == objects.c.serial,
        _plainly(values.c.path) == wanted.tag,
        values.c.number.between(earliest, latest),
    )
    return found.scalar_subquery() > 0


def _number(node: Node) -> int:
    assert isinstance(node.value, int), ItemType(node.type)
    return int(node.value)
