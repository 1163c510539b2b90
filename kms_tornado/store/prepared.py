"""Statements as a database's driver takes them, written once by SQLAlchemy.

For what is asked most. To run them SQLAlchemy's way takes five times as long as SQLite does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import ClauseElement, Dialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg as PostgresDialect
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as SQLiteDialect
from sqlalchemy.sql.compiler import SQLCompiler

from . import queries
from .filters import Shape
from .queries import TagShape

SQLITE: Dialect = SQLiteDialect()
POSTGRESQL: Dialect = PostgresDialect(paramstyle="format")  # type: ignore[no-untyped-call]

#: Statements that are kept of one kind of search, those of 100 KB at most. Clients choose the shapes.
_SHAPES = 128


class Prepared:
    """One statement. Its values are text and numbers, and its columns need no conversion."""

    __slots__ = ("_constants", "_names", "text")

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        self.text = compiled.string
        self._names = tuple(compiled.positiontup or ())
        #: What the statement itself says.
        self._constants = {
            name: value for name, value in compiled.params.items() if value is not None
        }

    def values(self, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        given = {**self._constants, **parameters} if self._constants else parameters
        return tuple([given[name] for name in self._names])


class Searches:
    """The statements of searches, each written when its shape is met first, which takes milliseconds."""

    def __init__(self, dialect: Dialect) -> None:
        self.locate: Callable[[Shape], Prepared] = lru_cache(_SHAPES)(
            lambda shape: Prepared(queries.locate(shape), dialect)
        )
        self.with_tags: Callable[[TagShape], Prepared] = lru_cache(_SHAPES)(
            lambda shape: Prepared(queries.with_tags(shape), dialect)
        )
