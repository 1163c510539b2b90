"""The connections that write to PostgreSQL: psycopg's own; each is used by one transaction at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from .. import engine as connections
from ..engine import cut_off, reply_within
from ..errors import load_driver_error, translate_error
from ..transaction import ConnectionLost
from .connector import Connector
from .idle_connections import IdleConnections

if TYPE_CHECKING:
    import psycopg


class WriteConnections:
    """At most `size` connections, opened when they are needed. For one event loop."""

    def __init__(self, connector: Connector, *, size: int) -> None:
        self._connector = connector
        self._turns = asyncio.Semaphore(size)
        self._idle = IdleConnections(connector)
        self._in_use: set[psycopg.AsyncConnection[Any]] = set()
        self._driver_error = load_driver_error()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A connection in no transaction. A transaction that the block leaves open is rolled back.

        Raises Unavailable, also at the end of a block that committed a transaction which a standby may lack.
        """
        try:
            async with asyncio.timeout(connections.POOL_TIMEOUT_S):
                await self._turns.acquire()
        except TimeoutError as exc:
            raise translate_error(exc) from None
        try:
            connection = await self._idle.take(within_s=connections.OPEN_TIMEOUT_S)
            self._in_use.add(connection)
            try:
                yield connection
                self._connector.check_replicated(connection)
            except ConnectionLost:  # probably the others are of no use either
                self._connector.drop_all(because_of=connection)
                raise
            finally:
                self._in_use.discard(connection)
                await self._give_back(connection)
        finally:
            self._turns.release()

    def cut_all(self) -> None:
        """End the transactions that are running, and let none begin."""
        self._idle.is_open = False
        for connection in self._in_use:
            cut_off(connection)

    async def close(self) -> None:
        await self._idle.close()

    async def _give_back(self, connection: psycopg.AsyncConnection[Any]) -> None:
        # Lost, or cut as it was silent: the idle ones are not heard from either.
        if connection.closed:
            await self._idle.drop()
            return
        if self._idle.is_open and connection.info.transaction_status.name in {"INTRANS", "INERROR"}:
            try:
                with reply_within(connection, connections.REPLY_TIMEOUT_S):
                    await connection.rollback()  # psycopg forgets what it took for prepared, too
            except (self._driver_error, OSError):  # lost, which rolls back as well
                pass
        await self._idle.give_back(connection)
