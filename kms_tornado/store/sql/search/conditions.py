"""An `ObjectFilter` as conditions in SQL. Values are bound parameters, never part of the text.

A filter is divided into its shape, for which a statement is written once, and its values; `searches`
tells what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, select

from ....domain.computed_attributes import LEASE_TIME_S
from ....domain.search import ObjectFilter
from ....kmip.enums import State
from ....kmip.payloads import DateRange
from ....kmip.ttlv import Node, children_of
from ..tables.attribute_rows import ATTRIBUTE_COLUMNS, Leaf, split_into_leaves, to_attribute_row
from ..tables.schema import object_values
from .states import bind_now, write_states, write_storage
from .value_conditions import (
    Parameters,
    has_bits,
    has_leaf_between,
    has_leaves,
    has_no_other_leaf,
    is_at_least,
    is_between,
    is_equal,
)

_COLUMNS = {**ATTRIBUTE_COLUMNS, "ObjectType": "object_type", "UniqueIdentifier": "uid"}
_LIMIT_COLUMNS = {
    "UsageLimitsTotal": "usage_limits_total",
    "UsageLimitsCount": "usage_limits_count",
}


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
        yield _Criterion(Condition(has_bits, _COLUMNS[node.tag], 1), [_plain_value(node)])
    elif node.tag in _COLUMNS:
        yield _Criterion(Condition(is_equal, _COLUMNS[node.tag], 1), [_plain_value(node)])
    elif node.tag == "UsageLimits":
        for field in children_of(node):
            if field.tag in _LIMIT_COLUMNS:
                condition = Condition(is_at_least, _LIMIT_COLUMNS[field.tag], 1)
                yield _Criterion(condition, [_plain_value(field)])
        if leaves := split_into_leaves(to_attribute_row(node)):
            yield _make_leaf_criterion(leaves)
    elif node.tag == "LeaseTime" and node.value == LEASE_TIME_S:
        (leaf,) = split_into_leaves(to_attribute_row(node))
        yield _Criterion(Condition(has_no_other_leaf, "", 2), [leaf.path, leaf.value])
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
    return _Criterion(Condition(has_leaves, "", len(values)), values, _estimate_rarity(leaves[0]))


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
        return _Criterion(Condition(is_between, _COLUMNS[dates.tag], 2), ends)
    return _Criterion(Condition(has_leaf_between, "", 3), [dates.tag, *ends])


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
