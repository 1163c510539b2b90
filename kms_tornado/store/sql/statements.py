"""Statements as SQLAlchemy writes them, and two ways to run them in a transaction that is under way.

SQLAlchemy runs them on any database, in several times the time that SQLite itself takes for a short
one. So on SQLite they are run on its driver, from texts that SQLAlchemy has written once. What the
changes are and what they mean (`changes`, `belongings`) is the same for both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol

import sqlalchemy.exc
from sqlalchemy import ClauseElement, Connection, Dialect, Select, UpdateBase, insert
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as SQLiteDialect
from sqlalchemy.sql.compiler import SQLCompiler

from .schema import objects

Values = Mapping[str, Any]

SQLITE: Dialect = SQLiteDialect()


class Prepared:
    """One statement. Its values are text, numbers and octets, and its columns need no conversion."""

    __slots__ = ("text", "values")

    def __init__(
        self, statement: ClauseElement, dialect: Dialect, columns: Sequence[str] | None = None
    ) -> None:
        """columns: what an INSERT or an UPDATE sets, where it does not say so itself."""
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        assert isinstance(compiled, SQLCompiler)
        binds = compiled.binds.items()
        #: What the statement itself says.
        constants = {name: bind.value for name, bind in binds if not bind.required}
        self.text = compiled.string
        #: The values by name → in the order of their places.
        self.values = _in_order(tuple(compiled.positiontup or ()), constants)


def _in_order(names: tuple[str, ...], constants: Values) -> Callable[[Values], tuple[Any, ...]]:
    if len(names) < 2:  # itemgetter makes a tuple of several only
        return lambda values: tuple([{**constants, **values}[name] for name in names])
    ordered: Callable[[Values], tuple[Any, ...]] = itemgetter(*names)
    return (lambda values: ordered({**constants, **values})) if constants else ordered


#: Every fault of a database, whichever way the statement was run.
DATABASE_ERRORS = (sqlalchemy.exc.SQLAlchemyError, sqlite3.Error)
#: A constraint is broken: what is new has the key of another row, say.
INTEGRITY_ERRORS = (sqlalchemy.exc.IntegrityError, sqlite3.IntegrityError)


class Statement:
    """clause: for SQLAlchemy. on_sqlite: the same for its driver."""

    __slots__ = ("clause", "on_sqlite")

    def __init__(self, clause: Select[Any] | UpdateBase, columns: Sequence[str] | None = None):
        """columns: what an INSERT or an UPDATE sets, where it does not say so itself."""
        self.clause = clause
        self.on_sqlite = Prepared(clause, SQLITE, columns)


class Runner(Protocol):
    """Every method raises DATABASE_ERRORS, and what a driver raises for values that it cannot send."""

    @property
    def connection(self) -> Connection:
        """For any other statement."""

    def command(self, text: str) -> None:
        """What has neither values nor rows: SAVEPOINT and the like."""

    def select(self, statement: Statement, values: Values) -> Sequence[Sequence[Any]]: ...

    def change(self, statement: Statement, values: Values) -> int:
        """The number of rows that it changed."""

    def change_all(self, statement: Statement, values: Sequence[Values]) -> None:
        """Once for each; there is at least one."""

    def add_objects(self, rows: Sequence[Values]) -> Sequence[int]:
        """The serials of these new rows of `objects`."""


class SQLAlchemyRunner:
    """On any database. New rows are sent together, in one round trip."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def command(self, text: str) -> None:
        self.connection.exec_driver_sql(text)

    def select(self, statement: Statement, values: Values) -> Sequence[Sequence[Any]]:
        return self.connection.execute(statement.clause, values).all()

    def change(self, statement: Statement, values: Values) -> int:
        return self.connection.execute(statement.clause, values).rowcount

    def change_all(self, statement: Statement, values: Sequence[Values]) -> None:
        self.connection.execute(statement.clause, values)

    def add_objects(self, rows: Sequence[Values]) -> Sequence[int]:
        told = self.connection.execute(_insert_and_tell, rows)
        serials: dict[str, int] = dict(told.all())
        return [serials[row["uid"]] for row in rows]


class DriverRunner:
    """On SQLite, to which nothing is a round trip."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        driver: Any = connection.connection.driver_connection
        self._driver: sqlite3.Connection = driver

    def command(self, text: str) -> None:
        self._driver.execute(text)

    def select(self, statement: Statement, values: Values) -> Sequence[Sequence[Any]]:
        prepared = statement.on_sqlite
        return self._driver.execute(prepared.text, prepared.values(values)).fetchall()

    def change(self, statement: Statement, values: Values) -> int:
        prepared = statement.on_sqlite
        return self._driver.execute(prepared.text, prepared.values(values)).rowcount

    def change_all(self, statement: Statement, values: Sequence[Values]) -> None:
        prepared = statement.on_sqlite
        self._driver.executemany(prepared.text, map(prepared.values, values))

    def add_objects(self, rows: Sequence[Values]) -> Sequence[int]:
        return [self._add(row) for row in rows]

    def _add(self, row: Values) -> int:
        serial = self._driver.execute(_insert.text, _insert.values(row)).lastrowid
        assert serial is not None
        return serial


#: The columns of an object that its writer knows.
OBJECT_COLUMNS = tuple(column.name for column in objects.c if column is not objects.c.serial)

_insert = Prepared(insert(objects), SQLITE, OBJECT_COLUMNS)
_insert_and_tell = insert(objects).returning(objects.c.uid, objects.c.serial)
