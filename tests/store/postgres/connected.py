"""A connection to PostgreSQL, as the server makes it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import psycopg

from kms_tornado.store.postgres.connections.address import parse_address
from kms_tornado.store.postgres.connections.connector import Connector


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    connection = await Connector(parse_address(url)).open(within_s=5)
    try:
        yield connection
    finally:
        await connection.close()
