"""Reading from PostgreSQL: prepared statements, run by psycopg itself on connections held here.

SQLAlchemy only opens the connections. Through its greenlets and its pool, a read by key takes four times
as long as with the driver alone, and every operation begins with such a read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ...errors import Unavailable
from ..base import NOT_OPEN, make_unavailable
from ..sql.statements import Prepared, Rows, Values
from .engine import POOL_TIMEOUT_S, describe_error, is_bad_value, load_driver_error, translate_error

if TYPE_CHECKING:
    import psycopg


class PostgresReader:
    """Runs reads on at most `size` connections, opened when they are needed. For one event loop."""

    def __init__(self, engine: AsyncEngine, *, size: int) -> None:
        self._engine = engine
        self._turns = asyncio.Semaphore(size)
        #: A stack: the connection used last is used next, as it has prepared the most statements.
        self._idle: list[_ReadConnection] = []
        self._is_open = True
        self._driver_error = load_driver_error()

    async def fetch_rows(self, statement: Prepared, values: Values) -> Rows:
        """All rows; none for a value that no row can hold. Raises Unavailable."""
        await self._take_turn()
        try:
            return await self._run(statement, statement.values(values))
        finally:
            self._turns.release()

    async def close(self) -> None:
        self._is_open = False
        await self._close_idle()
        await self._engine.dispose()

    async def _take_turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        try:
            await asyncio.wait_for(self._turns.acquire(), POOL_TIMEOUT_S)
        except TimeoutError as exc:
            raise translate_error(exc) from None

    async def _run(self, statement: Prepared, values: tuple[Any, ...]) -> Rows:
        connection = self._idle.pop() if self._idle else await self._open()
        try:
            return await self._run_on(connection, statement, values)
        except (
            _ConnectionLost
        ):  # probably the database was restarted, so the idle ones are lost, too
            await self._close_idle()
        return await self._run_on(await self._open(), statement, values)

    async def _run_on(
        self, connection: _ReadConnection, statement: Prepared, values: tuple[Any, ...]
    ) -> Rows:
        try:
            rows = await connection.fetch_rows(statement, values)
        except BaseException as exc:  # a cancelled read must give its connection back, too
            was_lost = connection.driver.closed
            await self._give_back(connection)
            if is_bad_value(exc):
                return ()
            if isinstance(exc, (self._driver_error, OSError)):
                error_type = _ConnectionLost if was_lost else Unavailable
                detail = describe_error(exc)
                raise error_type("the database is out of reach", detail=detail) from None
            raise
        if self._is_open:
            self._idle.append(connection)
        else:
            await connection.close()
        return rows

    async def _open(self) -> _ReadConnection:
        if not self._is_open:
            raise make_unavailable(NOT_OPEN)
        try:
            connection = await self._engine.connect()
            raw = await connection.get_raw_connection()
        except (SQLAlchemyError, OSError) as exc:
            raise translate_error(exc) from None
        driver: Any = raw.driver_connection
        return _ReadConnection(connection, driver)

    async def _give_back(self, connection: _ReadConnection) -> None:
        if connection.is_usable() and self._is_open:
            self._idle.append(connection)
        else:
            await connection.close()

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()


class _ReadConnection:
    """A connection for reading. driver: psycopg's own connection inside SQLAlchemy's."""

    def __init__(self, connection: AsyncConnection, driver: psycopg.AsyncConnection[Any]) -> None:
        self.driver = driver
        self._connection = connection

    async def fetch_rows(self, statement: Prepared, values: tuple[Any, ...]) -> Rows:
        cursor = await self.driver.execute(statement.text, values)
        return await cursor.fetchall()

    def is_usable(self) -> bool:
        """Whether the connection is open and in no transaction."""
        return not self.driver.closed and self.driver.info.transaction_status.name == "IDLE"

    async def close(self) -> None:
        try:
            await self._connection.invalidate()
            await self._connection.close()
        except SQLAlchemyError:  # the connection was broken already
            pass


class _ConnectionLost(Unavailable):
    """The connection broke while it was used."""
