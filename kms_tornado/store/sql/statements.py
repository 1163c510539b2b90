"""Statements compiled for a database's driver, and the runners that run them within a transaction.

SQLAlchemy writes every statement, so that both databases share them and values are always bound
parameters. It takes five times as long to run a short statement as SQLite itself does. The most frequent
statements are therefore compiled once (`Prepared`) and handed to the driver.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import sqlalchemy.exc
from sqlalchemy import ClauseElement, Connection, Dialect, Insert, Select, Table, UpdateBase, insert
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as SQLiteDialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from ...audit.record import Draft
from .tables.schema import objects

#: The values of a statement's parameters, by name.
Values = Mapping[str, Any]
Rows = Sequence[Sequence[Any]]

NO_VALUES: Values = MappingProxyType({})

#: The codes of changed objects, identifier → (before, after); None: there was or is no row.
States = Mapping[str, tuple[bytes | None, bytes | None]]
#: What the jobs of a transaction had recorded: (drafts, codes of the objects that they changed).
Noted = Sequence[tuple[Sequence[Draft], States]]

T = TypeVar("T")

SQLITE: Dialect = SQLiteDialect()

#: Every error of a database, whether SQLAlchemy or the driver ran the statement.
DATABASE_ERRORS = (sqlalchemy.exc.SQLAlchemyError, sqlite3.Error)
#: A constraint was violated, for example because a row with the same key exists.
INTEGRITY_ERRORS = (sqlalchemy.exc.IntegrityError, sqlite3.IntegrityError)


class InsertIfAbsent(Insert):
    """Inserts the rows whose keys do not exist yet.

    SQLAlchemy's own construct belongs to a dialect, and loads all drivers of that dialect.
    """

    inherit_cache = True


@compiles(InsertIfAbsent)
def _insert_if_absent(element: InsertIfAbsent, compiler: Any, **options: Any) -> str:
    return f"{compiler.visit_insert(element, **options)} ON CONFLICT DO NOTHING"


class Prepared:
    """A statement compiled for one database, whose values and columns need no conversion.

    text: the SQL.
    values: turns {parameter: value} into the driver's tuple.
    is_frequent: whether rows that were read are worth remembering as long as nothing is written.
    """

    __slots__ = ("is_frequent", "text", "values")

    def __init__(
        self,
        statement: ClauseElement,
        dialect: Dialect,
        columns: Sequence[str] | None = None,
        *,
        is_frequent: bool = False,
    ) -> None:
        """columns: the columns that an INSERT or an UPDATE sets, unless the statement itself names them."""
        self.is_frequent = is_frequent
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        assert isinstance(compiled, SQLCompiler)
        parameters = compiled.binds.items()
        constants = {name: bound.value for name, bound in parameters if not bound.required}
        self.text = compiled.string
        self.values = _make_picker(tuple(compiled.positiontup or ()), constants)


@cache
def prepare(clause: ClauseElement, dialect: Dialect) -> Prepared:
    """Compile a statement that a module keeps, once a process, however many stores run it."""
    return Prepared(clause, dialect)


def _make_picker(names: tuple[str, ...], constants: Values) -> Callable[[Values], tuple[Any, ...]]:
    if len(names) < 2:  # itemgetter makes a tuple of several only
        return lambda values: tuple([{**constants, **values}[name] for name in names])
    pick: Callable[[Values], tuple[Any, ...]] = itemgetter(*names)
    return (lambda values: pick({**constants, **values})) if constants else pick


class Statement:
    """A statement within a transaction. clause: for SQLAlchemy."""

    def __init__(self, clause: Select[Any] | UpdateBase, columns: Sequence[str] | None = None):
        """columns: the columns that an INSERT or an UPDATE sets, unless the statement itself names them."""
        self.clause = clause
        self.columns = columns

    @cached_property
    def on_sqlite(self) -> Prepared:
        """The statement compiled for SQLite's driver, when it is first run: most processes run only a few of them."""
        return Prepared(self.clause, SQLITE, self.columns)


class Runner(Protocol):
    """Runs statements in the current transaction.

    Every method raises DATABASE_ERRORS, and what a driver raises for values that it cannot send. An error of a
    statement without a result may be raised by `settle` or a later method: with a distant database, such statements are
    sent together with the next one.
    """

    def command(self, text: str) -> None:
        """Run SQL that has neither values nor rows: SAVEPOINT and the like."""

    def select(self, statement: Statement, values: Values) -> Rows: ...

    def select_prepared(self, statement: Prepared, values: Values) -> Rows:
        """statement: compiled for this runner's database."""

    def change(self, statement: Statement, values: Values) -> None: ...

    def change_counted(self, statement: Statement, values: Values) -> int:
        """Run the statement, and return the number of rows that it changed."""

    def change_all(self, statement: Statement, values: Sequence[Values]) -> None:
        """Run the statement once for each set of values, of which there is at least one."""

    def add_rows(self, table: Table, rows: Sequence[Values], on_conflict: str = "") -> None:
        """Insert the rows, at least one, each with a value for every column of the table.

        on_conflict: SQL that both databases know, for rows whose key exists already, such as "ON CONFLICT DO NOTHING".
        """

    def settle(self) -> None:
        """Wait for the statements so far, so that an error is known to be theirs."""

    def compute(self, function: Callable[[], T]) -> T:
        """Run a long function that uses no statement; on a thread, if the runner is on the event loop."""

    def add_objects(self, rows: Sequence[Values]) -> Sequence[int]:
        """Insert the rows into `objects`, and return their serials in the same order."""

    def note(self, drafts: Sequence[Draft], states: States) -> None:
        """Have these recorded if the transaction is committed. This is the last act of a job that has succeeded."""


#: Without it SQLAlchemy forgets the number of an INSERT and says -1, which is as true as 1.
_COUNTED = {"preserve_rowcount": True}


class SQLAlchemyRunner:
    """A `Runner` for any database. New rows are sent together, in one round trip."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.noted: list[tuple[Sequence[Draft], States]] = []

    def note(self, drafts: Sequence[Draft], states: States) -> None:
        self.noted.append((drafts, states))

    def command(self, text: str) -> None:
        self._connection.exec_driver_sql(text)

    def select(self, statement: Statement, values: Values) -> Rows:
        return self._connection.execute(statement.clause, values).all()

    def select_prepared(self, statement: Prepared, values: Values) -> Rows:
        return self._connection.exec_driver_sql(statement.text, statement.values(values)).all()

    def change(self, statement: Statement, values: Values) -> None:
        self._connection.execute(statement.clause, values)

    def change_counted(self, statement: Statement, values: Values) -> int:
        changed = self._connection.execute(
            statement.clause, values, execution_options=_COUNTED
        ).rowcount
        assert changed >= 0, "the driver did not count the rows"
        return changed

    def change_all(self, statement: Statement, values: Sequence[Values]) -> None:
        self._connection.execute(statement.clause, values)

    def add_rows(self, table: Table, rows: Sequence[Values], on_conflict: str = "") -> None:
        assert not on_conflict, "the rows of a job without others are new"
        self._connection.execute(insert(table), rows)

    def settle(self) -> None:
        """Do nothing: every statement was waited for."""

    def compute(self, function: Callable[[], T]) -> T:
        return function()

    def add_objects(self, rows: Sequence[Values]) -> Sequence[int]:
        inserted = self._connection.execute(_insert_returning_serials, rows)
        serials: dict[str, int] = dict(inserted.all())
        return [serials[row["uid"]] for row in rows]


class DriverRunner:
    """A `Runner` for SQLite, which has no round trips to save: its driver runs the compiled texts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        driver: Any = connection.connection.driver_connection
        self._driver: sqlite3.Connection = driver
        self.noted: list[tuple[Sequence[Draft], States]] = []

    def note(self, drafts: Sequence[Draft], states: States) -> None:
        self.noted.append((drafts, states))

    def close(self) -> None:
        """Close the connection, which rolls back an open transaction."""
        self._connection.close()

    def command(self, text: str) -> None:
        self._driver.execute(text)

    def select(self, statement: Statement, values: Values) -> Rows:
        prepared = statement.on_sqlite
        return self._driver.execute(prepared.text, prepared.values(values)).fetchall()

    def select_prepared(self, statement: Prepared, values: Values) -> Rows:
        return self._driver.execute(statement.text, statement.values(values)).fetchall()

    def change(self, statement: Statement, values: Values) -> None:
        prepared = statement.on_sqlite
        self._driver.execute(prepared.text, prepared.values(values))

    def change_counted(self, statement: Statement, values: Values) -> int:
        prepared = statement.on_sqlite
        return self._driver.execute(prepared.text, prepared.values(values)).rowcount

    def change_all(self, statement: Statement, values: Sequence[Values]) -> None:
        prepared = statement.on_sqlite
        self._driver.executemany(prepared.text, map(prepared.values, values))

    def add_rows(self, table: Table, rows: Sequence[Values], on_conflict: str = "") -> None:
        prepared = _prepare_insert(table)
        text = f"{prepared.text} {on_conflict}" if on_conflict else prepared.text
        self._driver.executemany(text, map(prepared.values, rows))

    def settle(self) -> None:
        """Do nothing: every statement was waited for."""

    def compute(self, function: Callable[[], T]) -> T:
        return function()

    def add_objects(self, rows: Sequence[Values]) -> Sequence[int]:
        return [self._add(row) for row in rows]

    def _add(self, row: Values) -> int:
        serial = self._driver.execute(_insert.text, _insert.values(row)).lastrowid
        assert serial is not None
        return serial


#: The columns of `objects` that an INSERT or an UPDATE sets.
OBJECT_COLUMNS = tuple(column.name for column in objects.c if column is not objects.c.serial)


@cache
def _prepare_insert(table: Table) -> Prepared:
    return Prepared(insert(table), SQLITE, table.columns.keys())


_insert = Prepared(insert(objects), SQLITE, OBJECT_COLUMNS)
_insert_returning_serials = insert(objects).returning(objects.c.uid, objects.c.serial)
