"""Statements as a database's driver takes them, written once by SQLAlchemy.

For what is asked most. To run them SQLAlchemy's way takes five times as long as SQLite does.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Generic, TypeVar

from sqlalchemy import ClauseElement, Dialect
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as SQLiteDialect
from sqlalchemy.sql.compiler import SQLCompiler

from . import queries
from .queries import TagShape
from .search_filter import Shape

Values = Mapping[str, Any]
S = TypeVar("S", bound=Hashable)

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


class _Written(Generic[S]):
    """Statements by their shapes. One is written when its shape is met first, which takes milliseconds."""

    def __init__(self, write: Callable[[S], Prepared]) -> None:
        self._write = write
        self._kept: OrderedDict[S, Prepared] = OrderedDict()

    async def of(self, shape: S) -> Prepared:
        """At once if it is known; the event loop never waits for the writing."""
        prepared = self._kept.get(shape)
        return await asyncio.to_thread(self.written, shape) if prepared is None else prepared

    def written(self, shape: S) -> Prepared:
        """In any thread."""
        prepared = self._kept[shape] = self._write(shape)
        if len(self._kept) > _SHAPES:
            self._kept.popitem(last=False)
        return prepared


class Searches:
    """The statements of searches, as one database takes them."""

    def __init__(self, dialect: Dialect) -> None:
        merges = dialect is SQLITE
        self.locate = _Written[Shape](
            lambda shape: Prepared(queries.locate(shape, merges=merges), dialect)
        )
        self.with_tags = _Written[TagShape](
            lambda shape: Prepared(queries.with_tags(shape, merges=merges), dialect)
        )
