"""All rows of a database: read from one snapshot of it, and written into an empty one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import Any

from sqlalchemy import Connection, Table, column, func, insert, inspect, select, table, text
from sqlalchemy.exc import DataError, ProgrammingError

from ....errors import ConfigurationError
from ...dump import Dumped, DumpHeader, DumpRow, DumpWriter, Report
from ...migrate import read_revision, upgrade
from ..queries import check_value
from ..stored_values import stored_text
from ..tables.bundles import parse_bundles, select_bundles
from ..tables.row_macs import AlteredRow, RowAuthenticator, log_altered
from ..tables.rows import ROW_TO_CHECK, check_whole_row
from ..tables.schema import metadata, objects
from .storage_classes import find_odd_values

#: Rows that are read or written at a time.
_PAGE = 500

_OBJECT_NAMES = tuple(each.name for each in objects.columns)
_TO_CHECK = [_OBJECT_NAMES.index(each.name) for each in ROW_TO_CHECK]
_SEALED = _OBJECT_NAMES.index("sealed")
_UID = _OBJECT_NAMES.index("uid")


def dump_rows(
    connection: Connection, writer: DumpWriter, authenticator: RowAuthenticator, report: Report
) -> Dumped:
    """Write the whole database, as the connection's transaction sees it.

    What something else wrote goes into the dump unchanged, and is reported.
    """
    counted = {
        stored_table: _count(connection, stored_table) for stored_table in metadata.sorted_tables
    }
    total = sum(counted.values())
    writer.begin(
        DumpHeader(
            made=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            revision=read_revision(connection),
            check=bytes(connection.execute(check_value).scalar_one()),
            bundles=parse_bundles(connection.execute(select_bundles).all()),
            tables={
                stored_table.name: [part.name for part in stored_table.columns]
                for stored_table in counted
            },
            rows=total,
        )
    )
    altered, done = [], 0
    for stored_table in counted:
        for row in _read(connection, stored_table):
            writer.add(stored_table.name, tuple(row))
            if stored_table is objects and not _is_authentic(row, authenticator):
                altered.append(stored_text(row[_UID]))
            done += 1
            if done % _PAGE == 0:
                report(done, total)
    writer.end()
    report(done, total)
    return Dumped(done, counted[objects], altered, find_odd_values(connection))


def _count(connection: Connection, source: Table) -> int:
    number: int = connection.execute(select(func.count()).select_from(source)).scalar_one()
    return number


def _read(connection: Connection, source: Table) -> Iterator[Sequence[Any]]:
    """All rows in the order of the primary key. Only a page of them is in memory."""
    statement = select(source).order_by(*source.primary_key.columns)
    options = {"stream_results": True, "yield_per": _PAGE}
    yield from connection.execute(statement, execution_options=options)


def _is_authentic(row: Sequence[Any], authenticator: RowAuthenticator) -> bool:
    try:
        check_whole_row([row[place] for place in _TO_CHECK], row[_SEALED], authenticator)
    except AlteredRow as exc:
        log_altered(exc)
        return False
    return True


def fill_rows(
    connection: Connection,
    header: DumpHeader,
    rows: Iterable[DumpRow],
    report: Report,
    *,
    name: str,
) -> None:
    """Fill an empty database with the rows of the dump, in the connection's transaction.

    name: of the database, for messages.
    Raises ConfigurationError where it is not empty or the dump is of a newer version, and the errors of reading the
    rows.
    """
    if inspect(connection).get_table_names():
        raise ConfigurationError(
            f"database {name}: is not empty; a restore needs a new one", "database_url"
        )
    upgrade(connection, name=name, revision=header.revision)
    done = 0
    for target, same in groupby(rows, key=lambda row: row[0]):
        columns = header.tables[target]
        statement = insert(table(target, *map(column, columns)))
        while page := list(islice(same, _PAGE)):
            values = [dict(zip(columns, row, strict=True)) for _, row in page]
            try:
                connection.execute(statement, values)
            except (DataError, ProgrammingError):
                raise ConfigurationError(
                    f"database {name}: does not take a value in the rows of {target}, which something else than a server "
                    "wrote before the backup was made; restore it into SQLite, and run kms-tornado audit verify there",
                    "database_url",
                ) from None
            done += len(page)
            report(done, header.rows)
    if connection.dialect.name == "postgresql":
        _set_sequences(connection)
    upgrade(connection, name=name)


def _set_sequences(connection: Connection) -> None:
    """Have new serials continue after the highest one: a sequence does not notice rows that bring their serials."""
    find = text("SELECT pg_get_serial_sequence(:source, :part)")
    for stored_table in metadata.sorted_tables:
        for part in stored_table.primary_key.columns:
            names = {"source": stored_table.name, "part": part.name}
            sequence = connection.execute(find, names).scalar_one()
            if sequence is None:
                continue
            highest = connection.execute(select(func.max(part))).scalar_one()
            if highest is not None:
                go_on = text("SELECT setval(CAST(:sequence AS regclass), :highest)")
                connection.execute(go_on, {"sequence": sequence, "highest": highest})
