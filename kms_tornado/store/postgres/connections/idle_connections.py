"""Idle connections to PostgreSQL, kept for the next use. If none is idle, a new one is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...interface.faults import NOT_OPEN, make_unavailable
from .connector import Connector

if TYPE_CHECKING:
    import psycopg


class IdleConnections:
    """Takes back connections that can be used again, and closes the others. For one event loop."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        #: A stack: the connection used last is used next, as it has prepared the most statements, and
        #: those that nobody needs stay below.
        self._stack: list[psycopg.AsyncConnection[Any]] = []
        self.is_open = True

    def __len__(self) -> int:
        return len(self._stack)

    async def take(self, *, within_s: float) -> psycopg.AsyncConnection[Any]:
        """A connection in no transaction; a new one where none is idle. Raises Unavailable, also once closed."""
        if not self.is_open:
            raise make_unavailable(NOT_OPEN)
        while self._stack:
            connection = self._stack.pop()
            if self._connector.is_current(connection):
                return connection
            await connection.close()
        return await self._connector.open(within_s=within_s)

    async def give_back(self, connection: psycopg.AsyncConnection[Any]) -> None:
        if self.is_open and self._connector.is_usable(connection):
            self._stack.append(connection)
        else:
            await connection.close()

    async def drop(self) -> None:
        """Close the idle connections."""
        while self._stack:
            await self._stack.pop().close()

    async def close(self) -> None:
        """Close the idle connections, and later those that are given back. Open no new ones."""
        self.is_open = False
        await self.drop()
