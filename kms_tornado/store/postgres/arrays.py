"""The rows of an INSERT as one array for each column, so that one statement adds any number of rows.

The arrays are bound as text in PostgreSQL's own form, because in binary a list of NULLs has no type. psycopg takes
several times as long to write that form, and always does so on the event loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table

from .dialect import POSTGRESQL


def unnest(table: Table, names: Sequence[str]) -> str:
    """SQL for a table of the arrays that are bound, one for each of the columns."""
    types = (table.c[name].type.compile(dialect=POSTGRESQL) for name in names)
    return f"unnest({', '.join(f'%t::{type_}[]' for type_ in types)})"


def collect_columns(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[list[Any]]:
    """The values of each column."""
    return [[row[name] for row in rows] for name in names]


def write_array(values: Sequence[Any]) -> str:
    """An array as text, in the form in which psycopg would send it."""
    return f"{{{','.join(map(_write_element, values))}}}"


def _write_element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
