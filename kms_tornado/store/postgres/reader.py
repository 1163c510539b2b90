"""Reading from PostgreSQL: statements written once by SQLAlchemy, run by psycopg itself.

SQLAlchemy opens the connections; they are then held here. Its way through greenlets and its own pool
takes four times as long as the driver for a read by key, which every operation begins with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ...errors import Unavailable
from ..sql.statements import Prepared, Values
from .engine import POOL_TIMEOUT_S, driver_error, is_of_a_value, unavailable, words

if TYPE_CHECKING:
    import psycopg

Rows = Sequence[tuple[Any, ...]]


class _Held:
    """A connection, and the same without SQLAlchemy."""

    def __init__(self, connection: AsyncConnection, driver: psycopg.AsyncConnection[Any]) -> None:
        self.driver = driver
        self._connection = connection

    async def rows(self, prepared: Prepared, values: tuple[Any, ...]) -> Rows:
        cursor = await self.driver.execute(prepared.text, values)
        return await cursor.fetchall()

    def is_good(self) -> bool:
        """It may be used again: it is open, and nothing is going on."""
        return not self.driver.closed and self.driver.info.transaction_status.name == "IDLE"

    async def close(self) -> None:
        try:
            await self._connection.invalidate()
            await self._connection.close()
        except SQLAlchemyError:  # it was broken before
            pass


class _CutOff(Unavailable):
    """The connection is gone."""


class PostgresReader:
    """At most `size` connections, opened when they are needed. For one event loop."""

    def __init__(self, engine: AsyncEngine, *, size: int) -> None:
        self._engine = engine
        self._may_ask = asyncio.Semaphore(size)
        #: The one used last stands last, and is used next: its statements are prepared.
        self._idle: list[_Held] = []
        self._is_open = True
        self._driver_error = driver_error()

    async def rows(self, prepared: Prepared, parameters: Values) -> Rows:
        """Every row; none for a value that no row can hold. Raises Unavailable."""
        await self._take_turn()
        try:
            return await self._rows(prepared, prepared.values(parameters))
        finally:
            self._may_ask.release()

    async def close(self) -> None:
        self._is_open = False
        await self._drop_idle()
        await self._engine.dispose()

    async def _take_turn(self) -> None:
        if not self._may_ask.locked():
            await self._may_ask.acquire()
            return
        try:
            await asyncio.wait_for(self._may_ask.acquire(), POOL_TIMEOUT_S)
        except TimeoutError as exc:
            raise unavailable(exc) from None

    async def _rows(self, prepared: Prepared, values: tuple[Any, ...]) -> Rows:
        held = self._idle.pop() if self._idle else await self._opened()
        try:
            return await self._ask(held, prepared, values)
        except _CutOff:  # the database was restarted, say
            await self._drop_idle()
        return await self._ask(await self._opened(), prepared, values)

    async def _ask(self, held: _Held, prepared: Prepared, values: tuple[Any, ...]) -> Rows:
        try:
            rows = await held.rows(prepared, values)
        except BaseException as exc:  # cancelled, too
            was_cut_off = held.driver.closed
            await self._give_back(held)
            if is_of_a_value(exc):
                return ()
            if isinstance(exc, (self._driver_error, OSError)):
                kind = _CutOff if was_cut_off else Unavailable
                raise kind("the database is out of reach", detail=words(exc)) from None
            raise
        if self._is_open:
            self._idle.append(held)
        else:
            await held.close()
        return rows

    async def _opened(self) -> _Held:
        if not self._is_open:
            raise Unavailable("the database is out of reach", detail="the store is not open")
        try:
            connection = await self._engine.connect()
            raw = await connection.get_raw_connection()
        except (SQLAlchemyError, OSError) as exc:
            raise unavailable(exc) from None
        driver: Any = raw.driver_connection
        return _Held(connection, driver)

    async def _give_back(self, held: _Held) -> None:
        if held.is_good() and self._is_open:
            self._idle.append(held)
        else:
            await held.close()

    async def _drop_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()
