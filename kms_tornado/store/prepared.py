"""Statements as a database's driver takes them, written once by SQLAlchemy.

For what is asked most. To run them SQLAlchemy's way takes five times as long as SQLite does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import ClauseElement, Dialect
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as SQLiteDialect
from sqlalchemy.sql.compiler import SQLCompiler

from . import queries
from .filters import Shape
from .queries import TagShape

Values = Mapping[str, Any]

SQLITE: Dialect = SQLiteDialect()

#: Statements that are kept of one kind of search, those of 100 KB at most. Clients choose the shapes.
_SHAPES = 128


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


class Searches:
    """The statements of searches, each written when its shape is met first, which takes milliseconds."""

    def __init__(self, dialect: Dialect) -> None:
        merges = dialect is SQLITE
        self.locate: Callable[[Shape], Prepared] = lru_cache(_SHAPES)(
            lambda shape: Prepared(queries.locate(shape, merges=merges), dialect)
        )
        self.with_tags: Callable[[TagShape], Prepared] = lru_cache(_SHAPES)(
            lambda shape: Prepared(queries.with_tags(shape, merges=merges), dialect)
        )
