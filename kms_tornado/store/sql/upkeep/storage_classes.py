"""Values of a type that the column does not have, which SQLite keeps where something else than a server wrote them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, Connection, LargeBinary, Table, Text

from ..tables.schema import metadata

#: What SQLite calls them, and what a person does.
_CLASSES = {
    "integer": "a number",
    "text": "text",
    "blob": "bytes",
    "real": "a fraction",
    "null": "nothing",
}


def find_odd_values(connection: Connection) -> Sequence[str]:
    """A sentence for each column that has values of a type which no server writes there, in whole words.

    There are none in PostgreSQL, which keeps the types of columns.
    """
    if connection.dialect.name != "sqlite":
        return ()
    return [
        _describe(table, column, kind, number)
        for table in metadata.sorted_tables
        for column in table.columns
        for kind, number in _count_odd(connection, table, column)
    ]


def _count_odd(
    connection: Connection, table: Table, column: Column[object]
) -> Sequence[tuple[str, int]]:
    """Both names are the schema's, plain words. SQLAlchemy would write seventy of these for longer than they take."""
    counting = "SELECT typeof({0}), count(*) FROM {1} WHERE typeof({0}) NOT IN (?, ?) GROUP BY 1"
    expected = _storage_class(column)
    values = (expected, "null" if column.nullable else expected)
    counted = connection.exec_driver_sql(counting.format(column.name, table.name), values)
    return [(name, number) for name, number in counted]


def _storage_class(column: Column[object]) -> str:
    if isinstance(column.type, LargeBinary):
        return "blob"
    return "text" if isinstance(column.type, Text) else "integer"


def _describe(table: Table, column: Column[object], kind: str, number: int) -> str:
    return (
        f"the column {column.name} of {table.name} has {_CLASSES[kind]} in {number} of its rows, where servers "
        f"write {_CLASSES[_storage_class(column)]}: something else than a server wrote it"
    )
