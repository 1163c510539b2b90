"""Reading over one held connection, for one thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.sql import Executable

from .sqlite_file import SQLiteFile, unavailable

# Steps of SQLite's virtual machine: a millisecond or less. A read by key takes about 30 of them.
_SHORT_STEPS = 20_000


class TooLong(Exception):  # not a fault either
    """The statement would keep the event loop waiting; run it on another thread."""


class Reader:
    """short_only: no statement may take longer than about two milliseconds (TooLong)."""

    def __init__(self, file: SQLiteFile, *, short_only: bool = False) -> None:
        self._file = file
        self._short_only = short_only
        self._connection: Connection | None = None
        self._ticks = 0

    def rows(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        """Every row. Raises Unavailable, and TooLong where only short statements may run.

        A value that the database cannot hold (half a surrogate pair, a number of 70 bits) is in no
        row, so no row is the answer.
        """
        self._file.check_in_place()
        connection = self._connection
        if connection is None:
            connection = self._open()
        self._ticks = 0
        try:
            return connection.execute(statement, parameters).all()
        except DBAPIError as exc:
            if _was_interrupted(exc):
                raise TooLong from None
            self.close()  # a fresh connection for the next reader
            raise unavailable(exc) from exc
        except SQLAlchemyError as exc:
            self.close()
            raise unavailable(exc) from exc
        except (UnicodeEncodeError, OverflowError):
            return ()

    def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            _close_quietly(connection)

    def _open(self) -> Connection:
        connection = self._connection = self._file.open_reader()
        if self._short_only:
            driver: Any = connection.connection.driver_connection
            driver.set_progress_handler(self._tick, _SHORT_STEPS)
        return connection

    def _tick(self) -> bool:
        """Every so many steps; True stops the statement.

        Not at the first tick: SQLite counts on from one run of a prepared statement to the next, so
        the shortest may meet one.
        """
        self._ticks += 1
        return self._ticks > 1


def _was_interrupted(exc: DBAPIError) -> bool:
    return getattr(exc.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT


def _close_quietly(connection: Connection) -> None:
    try:
        connection.close()
    except SQLAlchemyError:  # it was broken before; its file is closed all the same
        pass
