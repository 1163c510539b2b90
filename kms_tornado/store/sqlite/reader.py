"""SQLiteReader: reads from SQLite over a connection that it keeps open, for one thread at a time.

The rows of the most frequent statement are remembered until anybody, in this process or another, commits something. On
the event loop, SQLite is asked only once in each turn of the loop whether that has happened, because asking, and
checking that the file is in its place, takes longer than finding a remembered row.
"""

# Why once in a turn: the loop runs its callbacks in the order in which they were scheduled, and the end of the turn is
# scheduled when the file is looked at. A read that comes before it is in a callback that was scheduled before the look,
# for a request that had begun to arrive. So it sees whatever was acknowledged to anybody before that request was begun.

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ..sql.statements import Prepared, Rows, Values
from .database_file import SQLiteFile
from .errors import translate_error

# Steps of SQLite's virtual machine: a millisecond or less. A read by key takes about 30 of them.
_SHORT_STEPS = 20_000

# Differs from the last time if another connection, of whatever process, committed meanwhile. As any read it sees what
# was committed before it began.
_DATA_VERSION = "PRAGMA data_version"

# Results that are remembered, and characters and bytes of one: 10 MiB at most, which `RowParser` mostly has, too.
_MOST_REMEMBERED = 4096
_MOST_LENGTH = 1536


class TooLong(Exception):  # an expected outcome, not a fault
    """The statement would block the event loop; it has to run on another thread."""


#: Has the function called in the next turn of the event loop, behind what is scheduled already.
CallSoon = Callable[[Callable[[], None]], object]


class SQLiteReader:
    """Runs reads.

    only_short: raise TooLong for a statement that takes longer than about two milliseconds.
    call_soon: of the event loop on which all reads run; None for reads on threads, each of which checks the file.
    """

    def __init__(
        self, file: SQLiteFile, *, only_short: bool = False, call_soon: CallSoon | None = None
    ) -> None:
        self._file = file
        self._only_short = only_short
        self._call_soon = call_soon
        #: Whether the file was looked at in this turn of the loop.
        self._is_current = False
        self._connection: Connection | None = None
        #: The driver's own connection inside SQLAlchemy's.
        self._driver: Any = None
        self._ticks = 0
        #: (statement, its values) → its rows, as of the version.
        self._remembered: dict[tuple[Prepared, tuple[Any, ...]], Rows] = {}
        self._version: Any = None

    def fetch_rows(self, statement: Prepared, values: Values) -> Rows:
        """All rows; none for a value that no row can contain (half of a surrogate pair, a number of 70 bits).

        Raises Unavailable, and TooLong if only short statements may run.
        """
        bound = statement.values(values)
        try:
            if not self._is_current:
                self._look_at_file()
            known = self._remembered.get((statement, bound)) if statement.is_frequent else None
            if known is not None:
                return known
            self._ticks = 0
            rows: Rows = self._driver.execute(statement.text, bound).fetchall()
        except sqlite3.Error as exc:
            if getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise TooLong from None
            self.close()  # a new connection for the next read
            raise translate_error(exc) from exc
        except (UnicodeEncodeError, OverflowError):
            return ()
        if statement.is_frequent and _measure(rows) <= _MOST_LENGTH:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[statement, bound] = rows
        return rows

    def _look_at_file(self) -> None:
        """Open the file if it is not open, and forget remembered rows that may have changed. Raises Unavailable."""
        self._file.check_in_place()
        if self._driver is None:
            self._connect()
        self._ticks = 0
        version = self._driver.execute(_DATA_VERSION).fetchone()
        if version != self._version:
            self._remembered.clear()
            self._version = version
        if self._call_soon is not None:
            self._is_current = True
            self._call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._is_current = False

    def close(self) -> None:
        self._is_current = False
        self._remembered.clear()
        self._version = None
        if self._connection is not None:
            connection, self._connection, self._driver = self._connection, None, None
            _close_quietly(connection)

    def _connect(self) -> None:
        connection = self._file.open_reader()
        driver: Any = connection.connection.driver_connection
        if self._only_short:
            driver.set_progress_handler(self._tick, _SHORT_STEPS)
        self._connection, self._driver = connection, driver

    def _tick(self) -> bool:
        """Called by SQLite every _SHORT_STEPS steps; True interrupts the statement.

        The first tick after the start of a statement does not interrupt it: SQLite continues counting from one run of a
        prepared statement to the next, so even the shortest one may get a tick.
        """
        self._ticks += 1
        return self._ticks > 1


def _measure(rows: Rows) -> int:
    """The total length of the texts and bytes in the rows."""
    return sum([len(value) for row in rows for value in row if isinstance(value, (str, bytes))])


def _close_quietly(connection: Connection) -> None:
    try:
        connection.close()
    except SQLAlchemyError:  # the connection was broken already; its file is closed all the same
        pass
