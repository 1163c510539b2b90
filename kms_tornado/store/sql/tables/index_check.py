"""The rows by which objects are found, compared with the objects' own rows.

Searches find objects by the tables of tags, values, names and grants. Their rows have no MACs, because all of them
repeat something in the object's row, which has one. Before anything leaves the server that was found through them, one
statement reads an object together with all its rows in those tables, from one snapshot, and they must be the ones that
follow from its own row.

No search can notice a row that was deleted so that the search finds less. But reading an object by its identifier does
not depend on these tables, and every Locate that finds the object in some other way shows the edit.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    Dialect,
    Select,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
)

from ....domain.managed_object import UniqueIdentifier
from ..statements import SQLITE, Prepared, Runner, Statement, Values
from .attribute_rows import collect_leaves, parse_rows
from .grants import parse_grants
from .row_macs import AlteredRow, RowAuthenticator, altered_object
from .rows import ROW_TO_CHECK, check_row
from .schema import grants, object_names, object_tags, object_values, objects
from .side_tables import collect_names

#: The most objects in one statement: each may have attributes of 64 KiB.
_MAX_UIDS = 128

#: Table → the columns of its rows, as `_expect` gives their values.
_INDEXES: Mapping[Table, Sequence[Column[Any]]] = {
    object_tags: (object_tags.c.tag, object_tags.c.owner, object_tags.c.created_at),
    object_values: (
        object_values.c.position,
        object_values.c.instance,
        object_values.c.owner,
        object_values.c.path,
        object_values.c.value,
        object_values.c.number,
    ),
    object_names: (object_names.c.owner, object_names.c.name, object_names.c.type),
    grants: (grants.c.grantee, grants.c.operation),
}


_select_own = Statement(
    select(*ROW_TO_CHECK, objects.c.serial).where(objects.c.uid == bindparam("of_uid"))
)
_deletes = {
    table: Statement(delete(table).where(table.c.object == bindparam("of_object")))
    for table in _INDEXES
}


class IndexCheck:
    """The statements for one database, and the comparison of their rows."""

    def __init__(self, dialect: Dialect, authenticator: RowAuthenticator) -> None:
        self._dialect = dialect
        self._authenticator = authenticator

    def prepare(self, uids: Sequence[UniqueIdentifier]) -> Iterator[tuple[Prepared, Values]]:
        """(statement, values) to read the objects with their rows in the index tables."""
        for start in range(0, len(uids), _MAX_UIDS):
            part = list(uids[start : start + _MAX_UIDS])
            number = 1 << (len(part) - 1).bit_length()
            part += part[-1:] * (number - len(part))
            yield (
                _prepare(number, self._dialect),
                {f"uid_{place}": uid for place, uid in enumerate(part)},
            )

    def check_rows(self, rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
        """The values of AUTHENTIC_COLUMNS for each object in the rows. Raises AlteredRow."""
        return [self._check_row(row) for row in rows]

    def find_unfit(self, rows: Iterable[Sequence[Any]]) -> dict[str, str]:
        """{identifier: which rows do not fit it}: rights that objects whose own row is authentic do not have.

        Other rows decide nothing, and a search that finds less tells nothing that it should not.
        """
        unfit = {}
        for row in rows:
            try:
                values = check_row(row[: len(ROW_TO_CHECK)], self._authenticator)
            except (AlteredRow, ValueError, TypeError, LookupError):
                continue  # whoever checks the rows of objects themselves tells
            *_, present = _parse_lists(row)
            *_, expected = _expect(values)
            if not present <= expected:
                unfit[values["uid"]] = f"rows of {grants.name} do not fit it"
        return unfit

    def _check_row(self, row: Sequence[Any]) -> dict[str, Any]:
        values = check_row(row[: len(ROW_TO_CHECK)], self._authenticator)
        if fault := _find_unfit(values, row):
            raise altered_object(values["uid"], fault)
        return values


def rebuild_index(runner: Runner, authenticator: RowAuthenticator, uid: str) -> None:
    """Write the rows by which an object is found as they follow from its own row, if there is one.

    After a row was put back, they may be those of another one, and each search that finds the object is refused. Raises
    AlteredRow.
    """
    for *row, serial in runner.select(_select_own, {"of_uid": uid}):
        values = check_row(row, authenticator)
        for (table, columns), expected in zip(_INDEXES.items(), _expect(values), strict=True):
            runner.change(_deletes[table], {"of_object": serial})
            names = [column.name for column in columns]
            if expected:
                entries = (zip(names, entry, strict=True) for entry in expected)
                added = [{"object": serial, **dict(entry)} for entry in entries]
                # Another object may have its Name by now.
                runner.add_rows(table, added, "ON CONFLICT DO NOTHING")


def _find_unfit(values: Mapping[str, Any], row: Sequence[Any]) -> str | None:
    """Which rows of the index tables do not fit an object. values: of its own row."""
    for table, present, expected in zip(_INDEXES, _parse_lists(row), _expect(values), strict=True):
        if present != expected:
            return f"rows of {table.name} do not fit it"
    return None


def _parse_lists(row: Sequence[Any]) -> Iterator[set[tuple[Any, ...]]]:
    """The object's rows in each table of _INDEXES."""
    for text in row[len(ROW_TO_CHECK) :]:
        yield {tuple(entry) for entry in json.loads(text or "[]")}


def _expect(values: Mapping[str, Any]) -> Iterator[set[tuple[Any, ...]]]:
    """The rows in each table of _INDEXES that belong to an object with these values."""
    owner, attributes = values["owner"], parse_rows(values["attributes"])
    yield {(tag, owner, values["created_at"]) for tag in json.loads(values["tags"])}
    yield {
        (position, instance, owner, path, value, number)
        for position, (instance, path, value, number) in enumerate(collect_leaves(attributes))
    }
    names = collect_names(owner, values["state"], attributes).names
    yield {(owner, name, name_type) for name, name_type in names}
    yield {
        (grantee, operation)
        for grantee, operations in parse_grants(values["grants"]).items()
        for operation in operations
    }


@functools.cache
def _prepare(number: int, dialect: Dialect) -> Prepared:
    """Compile the statement. number: of identifiers, a power of two."""
    return Prepared(_write_statement(number, dialect), dialect)


def _write_statement(number: int, dialect: Dialect) -> Select[Any]:
    """Selects one row for each object: ROW_TO_CHECK, and for each index table a JSON list of its rows."""
    uids: list[BindParameter[str]] = [bindparam(f"uid_{place}") for place in range(number)]
    as_list, of_all = (
        (func.json_array, func.json_group_array)
        if dialect is SQLITE
        else (func.json_build_array, func.json_agg)
    )
    lists = [
        select(of_all(as_list(*columns)).cast(Text))
        .where(table.c.object == objects.c.serial)
        .scalar_subquery()
        for table, columns in _INDEXES.items()
    ]
    return select(*ROW_TO_CHECK, *lists).where(objects.c.uid.in_(uids))
