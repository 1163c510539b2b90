"""PostgreSQL as a backend of the store, for any number of servers.

Each read is one statement in a transaction of its own, on a connection for reading. Jobs that write share
transactions (`writer`), which lock the rows that they change (`sql.commits`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Dialect, func, select

from ..health import PoolLoad
from ..interface.faults import NOT_OPEN, make_unavailable
from ..sql.audit.chains import AuditChains
from ..sql.backend import ConnectionJob
from ..sql.commits import Job
from ..sql.statements import NO_VALUES, Prepared, Rows, SQLAlchemyRunner, Values
from .connections.address import parse_address
from .connections.connector import Connector
from .connections.probe import probe_writes
from .dialect import POSTGRESQL
from .engine import (
    OPEN_TIMEOUT_S,
    open_engine,
    prepare,
    refuse_served,
    run_exclusively,
    run_on_snapshot,
)
from .gathered_reads import GatheredReads
from .reader import PostgresReader
from .writing.writer import PostgresWriter

#: Connections for reading: a process with one event loop cannot keep more of them busy.
READERS = 8

_READ_ONLY = Prepared(select(func.current_setting("transaction_read_only")), POSTGRESQL)


class PostgresBackend:
    """A `Backend`.

    may_make: whether its start makes the tables in an empty database.
    may_upgrade: whether its start changes the tables of an older version.
    """

    dialect: Dialect = POSTGRESQL

    def __init__(self, url: str, *, may_make: bool = True, may_upgrade: bool = True) -> None:
        """Raises ImportError where the driver is not installed, ConfigurationError for a wrong URL."""
        self._may_make, self._may_upgrade = may_make, may_upgrade
        self._connector = Connector(parse_address(url))
        # Both are None while the backend is stopped.
        self._reader: PostgresReader | None = None
        self._writer: PostgresWriter | None = None
        self._engine = open_engine(
            lambda: self._connector.open(within_s=OPEN_TIMEOUT_S, autocommit=False)
        )

    async def start(self, chains: AuditChains) -> None:
        await prepare(
            self._engine,
            name=self._connector.name,
            may_make=self._may_make,
            may_upgrade=self._may_upgrade,
        )
        self._reader = PostgresReader(self._connector, size=READERS)
        self._gathered = GatheredReads(self._reader.fetch_rows)
        self._writer = PostgresWriter(self._connector, chains)
        self._writer.start()

    async def stop(self, *, within_s: float) -> None:
        writer, self._writer = self._writer, None
        reader, self._reader = self._reader, None
        if writer is None or reader is None:
            return
        await writer.stop(within_s=within_s)
        await reader.close()

    async def read(self, statement: Prepared, values: Values = NO_VALUES) -> Rows:
        if self._reader is None:
            raise make_unavailable(NOT_OPEN)
        if statement.is_frequent:
            return await self._gathered.fetch_rows(statement, values)
        return await self._reader.fetch_rows(statement, values)

    async def ping(self, statement: Prepared) -> None:
        if self._reader is None:
            raise make_unavailable(NOT_OPEN)
        await self._reader.ping(statement, _READ_ONLY)

    async def search(self, statement: Prepared, values: Values, *, principal: str) -> Rows:
        return await self.read(statement, values)

    async def search_tagged(
        self, statement: Prepared, values: Iterator[Values], *, principal: str
    ) -> Rows:
        return await self.read(statement, next(values))

    def pool_load(self) -> PoolLoad | None:
        return None if self._reader is None else self._reader.load()

    async def probe_writes(self) -> None:
        if self._writer is None:
            raise make_unavailable(NOT_OPEN)
        await probe_writes(self._connector)

    def submit(self, job: Job, *, erases: bool = False) -> asyncio.Future[Any]:
        """As `Backend.submit`. erases: ignored, because PostgreSQL clears deleted rows by its own schedule (VACUUM)."""
        if self._writer is None:
            raise make_unavailable(NOT_OPEN)
        return self._writer.submit(job)

    async def rehearse(self, job: Job) -> Any:
        if self._writer is None:
            raise make_unavailable(NOT_OPEN)
        return await self._writer.rehearse(job)

    async def run_exclusively(self, job: Job) -> Any:
        if self._writer is None:
            raise make_unavailable(NOT_OPEN)
        return await run_exclusively(
            self._engine,
            lambda connection: job(SQLAlchemyRunner(connection)),
            self._connector.name,
        )

    async def run_on_snapshot(self, job: ConnectionJob) -> Any:
        if self._writer is None:
            raise make_unavailable(NOT_OPEN)
        return await run_on_snapshot(self._engine, job)

    async def fill(self, job: ConnectionJob) -> Any:
        def fill(connection: Connection) -> Any:
            refuse_served(connection, self.name)
            return job(connection)

        return await run_exclusively(self._engine, fill, self.name)

    @property
    def name(self) -> str:
        return self._connector.name
