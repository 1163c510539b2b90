"""An `ObjectFilter` as conditions in SQL. Values are bound parameters, never part of the text.

A filter is divided into its shape, for which a statement is written once, and its values; `searches`
tells what follows.
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
    or_,
    select,
)

from ....domain.computed_attributes import LEASE_TIME_S
from ....domain.lifecycle import DESTROYED_STATES
from ....domain.search import ObjectFilter
from ....kmip.enums import State
from ....kmip.payloads import DateRange
from ....kmip.ttlv import Node, children_of
from ..tables.attribute_rows import ATTRIBUTE_COLUMNS, Leaf, split_into_leaves, to_attribute_row
from ..tables.schema import object_values, objects

_COLUMNS = {**ATTRIBUTE_COLUMNS, "ObjectType": "object_type", "UniqueIdentifier": "uid"}
_LIMIT_COLUMNS = {
    "UsageLimitsTotal": "usage_limits_total",
    "UsageLimitsCount": "usage_limits_count",
}
_NUMBER = objects.c.usage_mask.type

Parameters = Sequence[BindParameter[Any]]


def write_constant(number: int) -> ColumnElement[int]:
    """The number as a literal in the text. A parameter would be bound again each time."""
    return literal_column(str(int(number)), _NUMBER)


# --- states -------------------------------------------------------------------------------------


def write_states(states: frozenset[State] | None, now: Any) -> list[ColumnElement[bool]]:
    """The condition that an object is in one of the states; None means in any state but a destroyed one.

    now: the parameter with the time at which dates are applied; None compares the stored state.
    """
    if states is None:  # no date destroys an object, so the stored state decides
        return [objects.c.state != write_constant(state) for state in sorted(DESTROYED_STATES)]
    state: ColumnElement[Any] = objects.c.state
    if now is not None and not states.isdisjoint(_CHANGED_BY_DATES):
        state = _state_at(now)
    if not states:
        return [false()]
    return [state.in_([write_constant(number) for number in sorted(states)])]


def write_storage(
    archived: bool | None, states: frozenset[State] | None
) -> list[ColumnElement[bool]]:
    """The condition that an object is archived, or is not; no condition where archived is None.

    states: the states that are searched. `domain.storage.is_archived` is never true of a destroyed object.
    """
    if archived is None:
        return []
    date = objects.c.archive_date
    condition = date.is_not(None) if archived else date.is_(None)
    if states is None or states.isdisjoint(DESTROYED_STATES):
        return [condition]
    return [or_(condition, objects.c.state.in_([*map(write_constant, sorted(DESTROYED_STATES))]))]


_CHANGED_BY_DATES = frozenset({State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED})


def _state_at(now: Any) -> ColumnElement[Any]:
    """`domain.dates.state_at` in SQL: dates that have passed activate and deactivate an object."""
    is_activated = objects.c.activation_date <= now
    is_over = objects.c.deactivation_date <= now
    pre_active, active = (
        objects.c.state == write_constant(state) for state in (State.PRE_ACTIVE, State.ACTIVE)
    )
    return case(
        (and_(pre_active, is_activated, is_over), write_constant(State.DEACTIVATED)),
        (and_(pre_active, is_activated), write_constant(State.ACTIVE)),
        (and_(active, is_over), write_constant(State.DEACTIVATED)),
        else_=objects.c.state,
    )


def bind_now(uses_dates: bool) -> BindParameter[Any] | None:
    """The parameter `now` of a statement whose shape has uses_dates; otherwise None."""
    return bindparam("now", type_=_NUMBER) if uses_dates else None


# --- shape --------------------------------------------------------------------------------------


class Condition(NamedTuple):
    """A condition on an object, without its values.

    write(subject, parameters): makes the condition in SQL, with one parameter for each value.
    subject: a column of `objects`, or "" for a condition on rows of `object_values`.
    """

    write: Callable[[str, Parameters], ColumnElement[bool]]
    subject: str
    value_count: int


class FilterShape(NamedTuple):
    """What determines the statement of a Locate.

    uses_dates, archived: as for `search.TagShape`.
    is_rare: few objects are likely to have the first value of the first condition, so the search among the principal's
    own objects begins with those.
    """

    tag_count: int
    states: frozenset[State] | None
    uses_dates: bool
    conditions: tuple[Condition, ...]
    is_rare: bool
    archived: bool | None

    @property
    def compares_attributes(self) -> bool:
        """Whether it compares more than identifiers and tags, apart from ignoring destroyed and archived objects."""
        return (
            self.states is not None
            or self.archived is not False
            or any(
                condition.subject != _COLUMNS["UniqueIdentifier"] for condition in self.conditions
            )
        )


class _Criterion(NamedTuple):
    """A condition and its values. rarity: see `_estimate_rarity`."""

    condition: Condition
    values: Sequence[Any]
    rarity: int = 0


def shape_filter(
    object_filter: ObjectFilter, now: int | None
) -> tuple[FilterShape, Mapping[str, Any]]:
    """(shape, {parameter: value}), without the values of the tags. now: seconds since the Unix epoch."""
    criteria = [
        criterion for node in object_filter.attributes for criterion in _make_criteria(node)
    ]
    criteria += map(_make_range_criterion, object_filter.ranges)
    # A fixed order, so that the order in the request makes no difference to the shape.
    criteria.sort(
        key=lambda criterion: (
            -criterion.rarity,
            criterion.condition.subject,
            criterion.condition.value_count,
        )
    )
    shape = FilterShape(
        len(object_filter.tags),
        object_filter.states,
        now is not None,
        tuple([criterion.condition for criterion in criteria]),
        bool(criteria) and criteria[0].rarity > 0,
        object_filter.archived,
    )
    values = {
        _name(index, number): value
        for index, criterion in enumerate(criteria)
        for number, value in enumerate(criterion.values)
    }
    return shape, values if now is None else {**values, "now": now}


def _name(condition: int, value: int) -> str:
    return f"value_{condition}_{value}"


def _make_criteria(node: Node) -> Iterator[_Criterion]:
    if node.tag == "CryptographicUsageMask":
        yield _Criterion(Condition(_has_bits, _COLUMNS[node.tag], 1), [_plain_value(node)])
    elif node.tag in _COLUMNS:
        yield _Criterion(Condition(_equals, _COLUMNS[node.tag], 1), [_plain_value(node)])
    elif node.tag == "UsageLimits":
        for field in children_of(node):
            if field.tag in _LIMIT_COLUMNS:
                condition = Condition(_is_at_least, _LIMIT_COLUMNS[field.tag], 1)
                yield _Criterion(condition, [_plain_value(field)])
        if leaves := split_into_leaves(to_attribute_row(node)):
            yield _make_leaf_criterion(leaves)
    elif node.tag == "LeaseTime" and node.value == LEASE_TIME_S:
        (leaf,) = split_into_leaves(to_attribute_row(node))
        yield _Criterion(Condition(_has_no_other_leaf, "", 2), [leaf.path, leaf.value])
    else:
        yield _make_leaf_criterion(split_into_leaves(to_attribute_row(node)))


def _plain_value(node: Node) -> Any:
    """The node's value, with enumerations and booleans as int, because drivers differ in how they bind these."""
    return int(node.value) if isinstance(node.value, int) else node.value


def _make_leaf_criterion(leaves: Sequence[Leaf]) -> _Criterion:
    """The criterion for one instance of an attribute. Its rarest value becomes the first one.

    leaves: all of that instance.
    """
    leaves = sorted(leaves, key=_estimate_rarity, reverse=True)
    values = [text for leaf in leaves for text in (leaf.path, leaf.value)]
    return _Criterion(Condition(_has_leaves, "", len(values)), values, _estimate_rarity(leaves[0]))


def _estimate_rarity(leaf: Leaf) -> int:
    """A guess how rare a value is; 0 means that many objects are likely to have it.

    At most one object of each owner has a given Name. Texts are often rare, longer ones more so; numbers
    are not.
    """
    if leaf.number is not None:
        return 0
    return len(leaf.value) + (_MORE_THAN_ANY_LENGTH if leaf.path == "Name.NameValue" else 0)


_MORE_THAN_ANY_LENGTH = 1000


def _make_range_criterion(dates: DateRange) -> _Criterion:
    ends = [dates.earliest, dates.latest]
    if dates.tag in _COLUMNS:
        return _Criterion(Condition(_is_between, _COLUMNS[dates.tag], 2), ends)
    return _Criterion(Condition(_has_leaf_between, "", 3), [dates.tag, *ends])


# --- a shape, written as SQL --------------------------------------------------------------------


class Conditions(NamedTuple):
    """The conditions of a filter, without its tags.

    start: a query for the owner's objects with the rare value; None without one.
    rest: the other conditions that these objects must meet.
    whole: all conditions.
    """

    start: Select[Any] | None
    rest: Sequence[ColumnElement[bool]]
    whole: Sequence[ColumnElement[bool]]


def write_filter(shape: FilterShape, owner: ColumnElement[Any]) -> Conditions:
    """The shape's conditions in SQL. owner: the parameter with the principal."""
    states = [
        *write_states(shape.states, bind_now(shape.uses_dates)),
        *write_storage(shape.archived, shape.states),
    ]
    parameters: list[Parameters] = [
        [bindparam(_name(index, number)) for number in range(condition.value_count)]
        for index, condition in enumerate(shape.conditions)
    ]
    on_attributes = [
        condition.write(condition.subject, own_parameters)
        for condition, own_parameters in zip(shape.conditions, parameters, strict=True)
    ]
    whole = [*states, *on_attributes]
    if not shape.is_rare:
        return Conditions(None, whole, whole)
    path, value, *others = parameters[0]
    start = select(object_values.c.object).where(
        object_values.c.path == path,
        object_values.c.value == value,
        object_values.c.owner == owner,
    )
    # Without further values, `start` already covers the whole first condition.
    rest = whole if others else [*states, *on_attributes[1:]]
    return Conditions(start.distinct(), rest, whole)


def _equals(column: str, parameters: Parameters) -> ColumnElement[bool]:
    return objects.c[column] == parameters[0]


def _is_at_least(column: str, parameters: Parameters) -> ColumnElement[bool]:
    return objects.c[column] >= parameters[0]


def _has_bits(column: str, parameters: Parameters) -> ColumnElement[bool]:
    mask = bindparam(parameters[0].key, type_=_NUMBER)
    return objects.c[column].bitwise_and(mask) == mask


def _is_between(column: str, parameters: Parameters) -> ColumnElement[bool]:
    earliest, latest = parameters
    return objects.c[column].between(earliest, latest)


def _has_leaves(_: str, parameters: Parameters) -> ColumnElement[bool]:
    """The condition that one instance of an attribute has all the values. parameters: path, value, path, value, …"""
    (path, value), *others = zip(parameters[::2], parameters[1::2], strict=True)
    leaf = object_values.alias()
    matching = _count_rows(
        leaf, objects, leaf.c.object == objects.c.serial, *_is_leaf(leaf, path, value)
    )
    for path, value in others:
        other = object_values.alias()
        is_same = (other.c.object == leaf.c.object, other.c.instance == leaf.c.instance)
        also = _count_rows(other, leaf, *is_same, *_is_leaf(other, path, value))
        matching = matching.where(also.scalar_subquery() > write_constant(0))
    return matching.scalar_subquery() > write_constant(0)


def _has_no_other_leaf(_: str, parameters: Parameters) -> ColumnElement[bool]:
    """The condition that the attribute has the value, or is not stored, which means the same."""
    path, value = parameters
    leaf = object_values.alias()
    others = _count_rows(
        leaf,
        objects,
        leaf.c.object == objects.c.serial,
        _without_index(leaf.c.path) == path,
        leaf.c.value != value,
    )
    return others.scalar_subquery() == write_constant(0)


def _has_leaf_between(_: str, parameters: Parameters) -> ColumnElement[bool]:
    path, earliest, latest = parameters
    leaf = object_values.alias()
    matching = _count_rows(
        leaf,
        objects,
        leaf.c.object == objects.c.serial,
        _without_index(leaf.c.path) == path,
        leaf.c.number.between(earliest, latest),
    )
    return matching.scalar_subquery() > write_constant(0)


def _count_rows(leaf: Any, outer: Any, *conditions: ColumnElement[bool]) -> Select[Any]:
    """A subquery for the number of rows of one object that match.

    It counts instead of using EXISTS, which PostgreSQL would turn into a join. As long as there are no statistics on
    the tables, the cost of that join is quadratic in the number of objects.
    """
    return select(func.count()).select_from(leaf).where(*conditions).correlate(outer)


def _is_leaf(
    leaf: Any, path: BindParameter[Any], value: BindParameter[Any]
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _without_index(leaf.c.path) == path, _without_index(leaf.c.value) == value


def _without_index(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column in an expression that prevents the use of an index: rows are to be looked up by object."""
    return column.concat(literal_column("''"))
