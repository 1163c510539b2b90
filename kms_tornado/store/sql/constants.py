"""Numbers that stand in the text of a statement."""

from __future__ import annotations

from sqlalchemy import ColumnElement, literal_column

from .tables.schema import objects

#: The type of every number in a column.
NUMBER = objects.c.usage_mask.type


def write_constant(number: int) -> ColumnElement[int]:
    """The number as a literal in the text. A parameter would be bound again each time."""
    return literal_column(str(int(number)), NUMBER)
