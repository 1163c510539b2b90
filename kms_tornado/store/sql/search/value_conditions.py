"""Conditions in SQL on the values of an object, which stand in its columns or in rows of `object_values`.

Each function makes one, of a column (or "" for rows of `object_values`) and a parameter for each value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, func, literal_column, select

from ..constants import NUMBER, write_constant
from ..tables.schema import object_values, objects

Parameters = Sequence[BindParameter[Any]]


def is_equal(column: str, parameters: Parameters) -> ColumnElement[bool]:
    return objects.c[column] == parameters[0]


def is_at_least(column: str, parameters: Parameters) -> ColumnElement[bool]:
    return objects.c[column] >= parameters[0]


def has_bits(column: str, parameters: Parameters) -> ColumnElement[bool]:
    mask = bindparam(parameters[0].key, type_=NUMBER)
    return objects.c[column].bitwise_and(mask) == mask


def is_between(column: str, parameters: Parameters) -> ColumnElement[bool]:
    earliest, latest = parameters
    return objects.c[column].between(earliest, latest)


def has_leaves(_: str, parameters: Parameters) -> ColumnElement[bool]:
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


def has_no_other_leaf(_: str, parameters: Parameters) -> ColumnElement[bool]:
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


def has_leaf_between(_: str, parameters: Parameters) -> ColumnElement[bool]:
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
