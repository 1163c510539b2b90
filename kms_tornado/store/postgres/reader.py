"""Reading from PostgreSQL: prepared statements, run by psycopg itself on connections that are kept here.

With SQLAlchemy's greenlets and pool, a read by key would take four times as long, and every operation begins with such
a read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import Unavailable
from ..health import PoolLoad
from ..interface.faults import make_unavailable
from ..sql.statements import NO_VALUES, Prepared, Rows, Values
from . import engine as connections
from .connections.connector import Connector
from .connections.idle_connections import IdleConnections
from .engine import reply_within
from .errors import Meaning, judge_error, load_driver_error, translate_error

if TYPE_CHECKING:
    import psycopg

# How long each of a probe's two statements waits for the database: who asks gives up after a few seconds.
_PING_TIMEOUT_S = 0.9
# What the driver lets through from Python for a value that cannot be sent.
_VALUE_ERRORS = (UnicodeEncodeError, OverflowError)
# How often a read is tried while other transactions get in its way.
_ATTEMPTS = 5
# How often it is tried while connections are lost: the second one is new.
_CONNECTIONS_TRIED = 2


class PostgresReader:
    """Runs reads on at most `size` connections, which are opened when they are needed. For one event loop."""

    def __init__(self, connector: Connector, *, size: int) -> None:
        self._connector = connector
        self._size = size
        self._turns = asyncio.Semaphore(size)
        self._in_use = self._waiting = 0
        self._idle = IdleConnections(connector)
        #: A cursor knows how to load the columns that it has seen: a new one for each read would take a fifth longer.
        self._cursors: dict[psycopg.AsyncConnection[Any], psycopg.AsyncCursor[Any]] = {}
        self._driver_error = load_driver_error()

    async def fetch_rows(self, statement: Prepared, values: Values) -> Rows:
        """All rows; no rows for a value that no row can contain. Raises Unavailable."""
        return await self._fetch_within(connections.REPLY_TIMEOUT_S, statement, values)

    async def ping(self, statement: Prepared, read_only: Prepared) -> None:
        """Run the statement. Raises Unavailable within two seconds, and where nothing can be written.

        read_only: a statement that asks whether transactions are read-only, "on" or "off".
        """
        await self._fetch_within(_PING_TIMEOUT_S, statement, NO_VALUES)
        ((state,),) = await self._fetch_within(_PING_TIMEOUT_S, read_only, NO_VALUES)
        if state != "off":
            self._connector.drop_all()
            raise make_unavailable(
                "the database has become read-only: demoted, or a standby", "read-only"
            )

    def load(self) -> PoolLoad:
        return PoolLoad(self._size, self._in_use, len(self._idle), self._waiting)

    async def close(self) -> None:
        await self._idle.close()

    async def _fetch_within(self, seconds: float, statement: Prepared, values: Values) -> Rows:
        end = asyncio.get_running_loop().time() + seconds
        await self._take_turn(seconds)
        self._in_use += 1
        try:
            return await self._run(statement, statement.values(values), end)
        finally:
            self._in_use -= 1
            self._turns.release()

    async def _take_turn(self, seconds: float) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        self._waiting += 1
        try:
            async with asyncio.timeout(min(seconds, connections.POOL_TIMEOUT_S)):
                await self._turns.acquire()
        except TimeoutError as exc:
            raise translate_error(exc) from None
        finally:
            self._waiting -= 1

    async def _run(self, statement: Prepared, values: tuple[Any, ...], end: float) -> Rows:
        """Run the statement, a second time if that may help. end: when it must have ended, in the loop's time."""
        lost = 0
        for attempt in range(1, _ATTEMPTS + 1):
            time_left = _measure_from(end)
            connection = await self._idle.take(within_s=time_left())
            try:
                return await self._run_on(connection, statement, values, time_left())
            except _Failure as exc:
                lost += exc.meaning is Meaning.RECONNECT
                is_repeated = exc.meaning in (Meaning.RECONNECT, Meaning.TRY_AGAIN)
                if not is_repeated or lost == _CONNECTIONS_TRIED or attempt == _ATTEMPTS:
                    raise exc.error from None
        raise AssertionError("the last attempt returns or raises")

    async def _run_on(
        self,
        connection: psycopg.AsyncConnection[Any],
        statement: Prepared,
        values: tuple[Any, ...],
        seconds: float,
    ) -> Rows:
        """Run the statement on this connection. Raises _Failure, and Unavailable where the database does not answer."""
        with reply_within(connection, seconds) as reply:
            try:
                cursor = self._take_cursor(connection)
                await cursor.execute(statement.text, values)
                rows: Rows = await cursor.fetchall()
            except (self._driver_error, OSError, *_VALUE_ERRORS) as exc:
                meaning = judge_error(exc)
                if meaning is Meaning.RECONNECT:  # probably the others are of no use either
                    self._connector.drop_all(because_of=connection)
                await self._idle.give_back(connection)
                if meaning is Meaning.BAD_VALUE:
                    return ()
                if reply.was_late:  # the idle ones are not heard from either
                    await self._idle.drop()
                    raise make_unavailable(f"no answer within {seconds:.3g} s", "timeout") from None
                raise _Failure(meaning, translate_error(exc)) from None
            except BaseException:  # a cancelled read must give its connection back, too
                await self._idle.give_back(connection)
                raise
        if len(rows) <= 1:  # it holds them until the next read
            self._cursors[connection] = cursor
        await self._idle.give_back(connection)
        return rows

    def _take_cursor(self, connection: psycopg.AsyncConnection[Any]) -> psycopg.AsyncCursor[Any]:
        """The connection's cursor, for one read. After a read that failed or had many rows, it is a new one."""
        cursor = self._cursors.pop(connection, None)
        if cursor is None:
            self._cursors = {
                open_: kept for open_, kept in self._cursors.items() if not open_.closed
            }
            cursor = connection.cursor()
        return cursor


def _measure_from(end: float) -> Callable[[], float]:
    loop = asyncio.get_running_loop()
    return lambda: end - loop.time()


class _Failure(Exception):
    """A statement failed. error: what the caller gets, unless the statement is tried again."""

    def __init__(self, meaning: Meaning, error: Unavailable) -> None:
        super().__init__()
        self.meaning = meaning
        self.error = error
