"""DatabaseWriter: who may write to the database, but has neither the master key nor a token.

Its moves know every column of every table from the schema, so that a new column is edited without a word
here. It never puts an older copy of a row back: that is left to the audit chain (docs/security.md).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    Integer,
    LargeBinary,
    Table,
    and_,
    create_engine,
    delete,
    event,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError

from kms_tornado.store.sql.tables.schema import metadata

Row = dict[str, Any]

#: Read at a start only, and by that start's own tests.
_NOT_EDITED = frozenset({"server_state"})
#: To remove such a row is to put the time before it back.
_NOT_REMOVED = frozenset({"tombstones"})


class Impossible(Exception):
    """The database does not take this move, or there is nothing to make it with."""


@dataclass(frozen=True)
class Edit:
    """One move, done. before, after: (table, the rows of the table that differ) in both directions.

    hides: a row may have been taken away from what a search looks through, which it cannot notice.
    removes: a whole object is gone.
    """

    what: str
    before: Sequence[tuple[Table, Row]]
    after: Sequence[tuple[Table, Row]]
    hides: bool = False
    removes: bool = False


class DatabaseWriter:
    """url: of SQLAlchemy's. Each move draws what it does by a number of any size."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, pool_size=1, max_overflow=0)
        if url.startswith("sqlite"):
            event.listen(self._engine, "connect", _wait_for_locks)
        self._first_rows: list[tuple[Table, list[Row]]] = []
        self.objects = metadata.tables["objects"]
        self.tables = [table for table in metadata.sorted_tables if table.name not in _NOT_EDITED]

    def close(self) -> None:
        self._engine.dispose()

    def remember(self) -> None:
        """The rows of a new database, for `empty`."""
        self._first_rows = [(table, self.rows(table)) for table in self.tables]

    def empty(self) -> None:
        """As it was when it was new."""
        names = ", ".join(table.name for table in self.tables)
        with self._engine.begin() as connection:
            if self._engine.dialect.name == "postgresql":
                connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
            else:
                for table in reversed(self.tables):
                    connection.execute(delete(table))
            for table, rows in self._first_rows:
                if rows:
                    connection.execute(insert(table), rows)

    def rows(self, table: Table) -> list[Row]:
        """In the order of their keys."""
        with self._engine.connect() as connection:
            found = connection.execute(select(table).order_by(*table.primary_key.columns))
            return [dict(row._mapping) for row in found]

    # --- moves ----------------------------------------------------------------------------------

    def values_of(self, table: Table, column: Column[Any]) -> int:
        """How many values `edit` might give this column of the newest row."""
        rows = self.rows(table)
        return sum(each != rows[-1][column.name] for each in _values(column, rows[-1], rows))

    def edit(self, which: int, column: int, value: int) -> Edit:
        """One column of one row, to another value of its type or of another row."""
        table, rows = self._table_with_rows(which)
        row = rows[_take(which, len(rows))]
        chosen = _pick(list(table.columns), column)
        values = [each for each in _values(chosen, row, rows) if each != row[chosen.name]]
        if not values:
            raise Impossible
        after = {**row, chosen.name: _pick(values, value)}
        self._update(table, row, after)
        what = f"{table.name}.{chosen.name} of {_key(table, row)}: {row[chosen.name]!r} → {after[chosen.name]!r}"  # fmt: skip
        removes = table is self.objects and row["uid"] != after["uid"]
        return Edit(what, [(table, row)], [(table, after)], hides=True, removes=removes)

    def copy(self, which: int, other: int, column: int) -> Edit:
        """Columns of one row over those of another: one, or all but the key and the identifier."""
        table, rows = self._table_with_rows(which)
        row, source = rows[_take(which, len(rows))], _pick(rows, other)
        names = [each.name for each in table.columns if each.name not in _identity(table)]
        chosen = names if column % 2 else [_pick(names, column // 2)] if names else []
        after = {**row, **{name: source[name] for name in chosen}}
        if after == row:
            raise Impossible
        self._update(table, row, after)
        what = f"{table.name} {_key(table, row)}: {', '.join(chosen)} of {_key(table, source)}"
        return Edit(what, [(table, row)], [(table, after)], hides=True)

    def swap(self, which: int, other: int, column: int) -> Edit:
        """One column of two rows, the one for the other."""
        table, rows = self._table_with_rows(which)
        first, second = rows[_take(which, len(rows))], _pick(rows, other)
        names = [each.name for each in table.columns if not each.primary_key and not each.unique]
        if first == second or not names:
            raise Impossible
        name = _pick(names, column)
        if first[name] == second[name]:
            raise Impossible
        swapped = {**first, name: second[name]}, {**second, name: first[name]}
        self._update(table, first, swapped[0])
        self._update(table, second, swapped[1])
        what = f"{table.name}.{name} of {_key(table, first)} and of {_key(table, second)}, swapped"
        return Edit(
            what,
            [(table, first), (table, second)],
            [(table, each) for each in swapped],
            hides=True,
        )

    def remove(self, which: int) -> Edit:
        table, rows = self._table_with_rows(which)
        row = rows[_take(which, len(rows))]
        if table.name in _NOT_REMOVED:
            raise Impossible
        with self._writing() as connection:
            connection.execute(delete(table).where(_is(table, row)))
        return Edit(
            f"{table.name} {_key(table, row)}: removed",
            [(table, row)],
            [],
            hides=True,
            removes=table.name == "objects",
        )

    def add(self, which: int, column: int, value: int) -> Edit:
        """A copy of a row under another key."""
        table, rows = self._table_with_rows(which)
        row = rows[_take(which, len(rows))]
        chosen = _pick(list(table.primary_key.columns), column)
        serials = self.rows(self.objects) if chosen.name == "object" else []
        values = [each["serial"] for each in serials] or _values(chosen, row, rows)
        new = {**row, chosen.name: _pick(values, value)}
        if table.name == "objects":
            new["uid"] = f"copy of {row['uid']} {value % 97}"
        if any(_key(table, each) == _key(table, new) for each in rows):
            raise Impossible
        with self._writing() as connection:
            connection.execute(insert(table).values(new))
        return Edit(f"{table.name} {_key(table, new)}: added", [], [(table, new)])

    def grant(self, which: int, grantee: str, operation: int) -> Edit:
        """A right that nobody gave: of Get, say."""
        table, serials = metadata.tables["grants"], self.rows(self.objects)
        if not serials:
            raise Impossible
        new = {"object": _pick(serials, which)["serial"], "grantee": grantee}
        new |= {"operation": operation}
        if any(_key(table, each) == _key(table, new) for each in self.rows(table)):
            raise Impossible
        for each in table.columns:
            if not each.nullable and each.name not in new:
                new[each.name] = b"" if isinstance(each.type, LargeBinary) else 0
        with self._writing() as connection:
            connection.execute(insert(table).values(new))
        return Edit(f"grants {_key(table, new)}: added", [], [(table, new)])

    def undo(self, edit: Edit) -> bool:
        """Put back what was there, if nobody has written these rows since."""
        if edit.removes and not edit.after:  # what hung on the row is gone, too
            return False
        now = {table.name: self.rows(table) for table, _ in (*edit.before, *edit.after)}
        if not all(row in now[table.name] for table, row in edit.after):
            return False
        with self._writing() as connection:
            if len(edit.before) == len(edit.after):
                for (table, row), (_, old) in zip(edit.after, edit.before, strict=True):
                    connection.execute(update(table).where(_is(table, row)).values(old))
                return True
            for table, row in edit.after:
                connection.execute(delete(table).where(_is(table, row)))
            for table, row in edit.before:
                connection.execute(insert(table).values(row))
        return True

    def put_back(self, table: Table, now: Row, old: Row) -> None:
        """A whole old row in the place of the present one; no move of the model test does this."""
        self._update(table, now, old)

    # --- means ----------------------------------------------------------------------------------

    def _table_with_rows(self, which: int) -> tuple[Table, list[Row]]:
        """objects half of the time, as most columns are there."""
        tables = self.tables if which % 2 else [self.objects]
        held = [(table, rows) for table in tables if (rows := self.rows(table))]
        if not held:
            raise Impossible
        return held[which // 2 % len(held)]

    def _update(self, table: Table, row: Row, after: Row) -> None:
        changes = {name: value for name, value in after.items() if value != row[name]}
        with self._writing() as connection:
            connection.execute(update(table).where(_is(table, row)).values(changes))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Any]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except DBAPIError as exc:  # a constraint, or a value that the type does not have
            raise Impossible from exc


def _wait_for_locks(connection: Any, _: object) -> None:
    connection.execute("PRAGMA busy_timeout = 10000")


def _identity(table: Table) -> set[str]:
    return {each.name for each in table.columns if each.primary_key or each.name == "uid"}


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row[each.name] for each in table.primary_key.columns)


def _is(table: Table, row: Row) -> Any:
    return and_(*(each == row[each.name] for each in table.primary_key.columns))


def _pick(values: Sequence[Any], number: int) -> Any:
    if not values:
        raise Impossible
    return values[number % len(values)]


def _take(number: int, length: int) -> int:
    """The newest rows first: those of the operations just before."""
    return length - 1 - number // 16 % length


def _values(column: Column[Any], row: Row, rows: Sequence[Row]) -> list[Any]:
    """What the column might be set to: values of other rows, and what is near to its own."""
    old = row[column.name]
    others = list({each[column.name]: None for each in rows})
    nothing = [None] if column.nullable else []
    return list(dict.fromkeys(nothing + _NEAR[_kind(column)](old) + others))


def _kind(column: Column[Any]) -> type:
    if isinstance(column.type, LargeBinary):
        return bytes
    return int if isinstance(column.type, Integer) else str


def _near_number(old: int | None) -> list[Any]:
    number = old or 0
    bits = [number ^ 1 << bit for bit in range(12)]
    return [0, 1, 2, number + 1, number - 1, number + 100, number - 100, *bits]


def _near_text(old: str | None) -> list[Any]:
    own = old or ""
    return ["", "*", "bob", "alice", "{}", "[]", own + " ", own[:-1], *_rewritten(own)]


def _rewritten(own: str) -> Iterator[str]:
    """The text with one of its numbers, words or hexadecimal digits changed: JSON stays JSON."""
    changes: Sequence[tuple[str, Callable[[re.Match[str]], str]]] = [
        (r"\btrue\b", lambda _: "false"),
        (r"\bfalse\b", lambda _: "true"),
        (r"\d+", lambda found: str(int(found[0]) + 1)),
        (r"\d+", lambda found: "2097152"),
        (r"[a-zA-Z]\b", lambda found: found[0].swapcase()),
    ]
    for pattern, change in changes:
        for found in list(re.finditer(pattern, own))[:12]:
            yield own[: found.start()] + change(found) + own[found.end() :]


def _near_octets(old: bytes | None) -> list[Any]:
    octets = old or b"?"
    flipped = [octets[:-1] + bytes([octets[-1] ^ 1]), bytes([octets[0] ^ 1]) + octets[1:]]
    return [b"", bytes(12), bytes(32), bytes(len(octets)), *flipped]


_NEAR: dict[type, Callable[[Any], list[Any]]] = {
    int: _near_number,
    str: _near_text,
    bytes: _near_octets,
}
