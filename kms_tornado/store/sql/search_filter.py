"""What Locate looks for, as conditions of SQL. Values are bound parameters, never part of the text.

A search is taken apart into its shape, which a statement is written for once, and its values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    select,
)

from ...domain.search import ObjectFilter
from ...kmip.enums import State
from ...kmip.payloads import DateRange
from ...kmip.ttlv import Node, children_of
from .attribute_rows import ATTRIBUTE_COLUMNS, Leaf, split_into_leaves, to_attribute_row
from .schema import object_values, objects

#: The states that Locate passes over unless it is asked for them, and tag lists always.
DESTROYED = frozenset({State.DESTROYED, State.DESTROYED_COMPROMISED})

_COLUMNS = {**ATTRIBUTE_COLUMNS, "ObjectType": "object_type", "UniqueIdentifier": "uid"}
_LIMITS = {"UsageLimitsTotal": "usage_limits_total", "UsageLimitsCount": "usage_limits_count"}
_NUMBER = objects.c.usage_mask.type


def constant(number: int) -> ColumnElement[int]:
    """As part of the text: as a parameter it would be bound anew each time."""
    return literal_column(str(int(number)), _NUMBER)


def in_states(states: frozenset[State] | None, now: Any) -> list[ColumnElement[bool]]:
    """now: what to make of the dates, a bound parameter, too; None: the state is as stored."""
    if states is None:  # dates destroy nothing
        return [objects.c.state != constant(state) for state in sorted(DESTROYED)]
    state: ColumnElement[Any] = objects.c.state
    if now is not None and not states.isdisjoint(_BY_DATE):
        state = _state_at(now)
    if not states:
        return [false()]
    return [state.in_([constant(each) for each in sorted(states)])]


_BY_DATE = frozenset({State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED})


def _state_at(now: Any) -> ColumnElement[Any]:
    """As `domain.dates.state_at`: the activation date makes an object Active, the other ends that."""
    is_activated = objects.c.activation_date <= now
    is_over = objects.c.deactivation_date <= now
    pre_active, active = (objects.c.state == constant(s) for s in (State.PRE_ACTIVE, State.ACTIVE))
    return case(
        (and_(pre_active, is_activated, is_over), constant(State.DEACTIVATED)),
        (and_(pre_active, is_activated), constant(State.ACTIVE)),
        (and_(active, is_over), constant(State.DEACTIVATED)),
        else_=objects.c.state,
    )


# --- a search, taken apart --------------------------------------------------------------------------


class Condition(NamedTuple):
    """What must hold of an object, without the values: write(of, parameters), one for each value."""

    write: Callable[[str, Sequence[BindParameter[Any]]], ColumnElement[bool]]
    of: str  # a column of `objects`; "" for rows of `object_values`
    values: int


class Shape(NamedTuple):
    """Searches of one shape are one statement. tags: how many.

    is_rare: the first value of the first condition is likely to be on few objects, so that the search
    among the principal's own begins there.
    """

    tags: int
    states: frozenset[State] | None
    is_by_date: bool
    conditions: tuple[Condition, ...]
    is_rare: bool


class _Sought(NamedTuple):
    condition: Condition
    values: Sequence[Any]
    rarity: int = 0


def taken_apart(
    wanted: ObjectFilter, tags: Sequence[str], now: int | None
) -> tuple[Shape, Mapping[str, Any]]:
    """(shape, values by the names of their parameters). tags: those of wanted, in their order."""
    found = [each for node in wanted.attributes for each in _of_node(node)]
    found += map(_of_range, wanted.ranges)
    # In an order of ours, so that the client's makes no difference.
    found.sort(key=lambda each: (-each.rarity, each.condition.of, each.condition.values))
    shape = Shape(
        len(tags),
        wanted.states,
        now is not None,
        tuple([each.condition for each in found]),
        bool(found) and found[0].rarity > 0,
    )
    values = {f"tag_{index}": tag for index, tag in enumerate(tags)}
    for index, each in enumerate(found):
        values |= {_name(index, number): value for number, value in enumerate(each.values)}
    return shape, values if now is None else {**values, "now": now}


def _name(condition: int, value: int) -> str:
    return f"value_{condition}_{value}"


def _of_node(node: Node) -> Iterator[_Sought]:
    if node.tag == "CryptographicUsageMask":
        yield _Sought(Condition(_has_bits, _COLUMNS[node.tag], 1), [_plain(node)])
    elif node.tag in _COLUMNS:
        yield _Sought(Condition(_equals, _COLUMNS[node.tag], 1), [_plain(node)])
    elif node.tag == "UsageLimits":
        for each in children_of(node):
            if each.tag in _LIMITS:
                yield _Sought(Condition(_is_at_least, _LIMITS[each.tag], 1), [_plain(each)])
        if others := split_into_leaves(to_attribute_row(node)):
            yield _of_leaves(others)
    else:
        yield _of_leaves(split_into_leaves(to_attribute_row(node)))


def _plain(node: Node) -> Any:
    """Drivers make something else of enumerations and booleans."""
    return int(node.value) if isinstance(node.value, int) else node.value


def _of_leaves(leaves: Sequence[Leaf]) -> _Sought:
    """Of one instance of an attribute; the rarest in front."""
    leaves = sorted(leaves, key=_rarity, reverse=True)
    values = [text for leaf in leaves for text in (leaf.path, leaf.value)]
    return _Sought(Condition(_has, "", len(values)), values, _rarity(leaves[0]))


def _rarity(leaf: Leaf) -> int:
    """0: on many objects, likely. A Name is on one of each owner; texts are often rare, the longer
    the more; numbers are not."""
    if leaf.number is not None:
        return 0
    return len(leaf.value) + (_MORE_THAN_ANY_LENGTH if leaf.path == "Name.NameValue" else 0)


_MORE_THAN_ANY_LENGTH = 1000


def _of_range(wanted: DateRange) -> _Sought:
    ends = [wanted.earliest, wanted.latest]
    if wanted.tag in _COLUMNS:
        return _Sought(Condition(_is_between, _COLUMNS[wanted.tag], 2), ends)
    return _Sought(Condition(_has_between, "", 3), [wanted.tag, *ends])


# --- a shape, written as SQL ------------------------------------------------------------------------


class Conditions(NamedTuple):
    """begin: the owner's objects with the rare value, of which `rest` is left to ask; else None, and
    `rest` is `whole`. Neither has the tags."""

    begin: Select[Any] | None
    rest: Sequence[ColumnElement[bool]]
    whole: Sequence[ColumnElement[bool]]


def written(shape: Shape, owner: ColumnElement[Any]) -> Conditions:
    states = in_states(shape.states, parameter_of_now(shape.is_by_date))
    parameters: list[list[BindParameter[Any]]] = [
        [bindparam(_name(index, number)) for number in range(condition.values)]
        for index, condition in enumerate(shape.conditions)
    ]
    sought = [
        condition.write(condition.of, given)
        for condition, given in zip(shape.conditions, parameters, strict=True)
    ]
    whole = [*states, *sought]
    if not shape.is_rare:
        return Conditions(None, whole, whole)
    path, value, *others = parameters[0]
    begin = select(object_values.c.object).where(
        object_values.c.path == path,
        object_values.c.value == value,
        object_values.c.owner == owner,
    )
    # Without others, this value is all of the first condition.
    return Conditions(begin.distinct(), whole if others else [*states, *sought[1:]], whole)


def parameter_of_now(is_by_date: bool) -> BindParameter[Any] | None:
    return bindparam("now", type_=_NUMBER) if is_by_date else None


def _equals(column: str, given: Sequence[BindParameter[Any]]) -> ColumnElement[bool]:
    return objects.c[column] == given[0]


def _is_at_least(column: str, given: Sequence[BindParameter[Any]]) -> ColumnElement[bool]:
    return objects.c[column] >= given[0]


def _has_bits(column: str, given: Sequence[BindParameter[Any]]) -> ColumnElement[bool]:
    mask = bindparam(given[0].key, type_=_NUMBER)
    return objects.c[column].bitwise_and(mask) == mask


def _is_between(column: str, given: Sequence[BindParameter[Any]]) -> ColumnElement[bool]:
    earliest, latest = given
    return objects.c[column].between(earliest, latest)


def _has(_: str, given: Sequence[BindParameter[Any]]) -> ColumnElement[bool]:
    """That one instance of an attribute has all the values. given: path and value in turn."""
    (path, value), *others = zip(given[::2], given[1::2], strict=True)
    values = object_values.alias()
    found = _looked_up(
        values, objects, values.c.object == objects.c.serial, *_is(values, path, value)
    )
    for path, value in others:
        more = object_values.alias()
        same = (more.c.object == values.c.object, more.c.instance == values.c.instance)
        also = _looked_up(more, values, *same, *_is(more, path, value))
        found = found.where(also.scalar_subquery() > constant(0))
    return found.scalar_subquery() > constant(0)


def _has_between(_: str, given: Sequence[BindParameter[Any]]) -> ColumnElement[bool]:
    path, earliest, latest = given
    values = object_values.alias()
    found = _looked_up(
        values,
        objects,
        values.c.object == objects.c.serial,
        _plainly(values.c.path) == path,
        values.c.number.between(earliest, latest),
    )
    return found.scalar_subquery() > constant(0)


def _looked_up(values: Any, outer: Any, *conditions: ColumnElement[bool]) -> Select[Any]:
    """How many rows of one object there are. A count and no EXISTS, of which PostgreSQL makes a join,
    as slow as the square of the number of objects as long as it knows nothing of their number."""
    return select(func.count()).select_from(values).where(*conditions).correlate(outer)


def _is(
    values: Any, path: BindParameter[Any], value: BindParameter[Any]
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _plainly(values.c.path) == path, _plainly(values.c.value) == value


def _plainly(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """An expression, so that rows are looked up by their object and never through the other index."""
    return column.concat(literal_column("''"))
