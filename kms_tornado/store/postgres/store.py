"""The object store on PostgreSQL, for any number of servers.

Each read is one statement in a transaction of its own; each write locks the rows of the objects that
it changes and looks at their generation then (`changes`), so that of two servers the second sees what
the first did.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import URL, Dialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg as PostgresDialect
from sqlalchemy.ext.asyncio import AsyncEngine

from ...domain.managed_object import ManagedObject, UniqueIdentifier
from ...domain.search import LocateSearch, TagSearch
from ...errors import Unavailable
from ...kmip.enums import Operation
from ..base import Change, Groups, Obtained
from ..bounds import check_tags, check_tags_of
from ..sql import changes as sql_changes
from ..sql import queries
from ..sql import search as searches
from ..sql.changes import apply_groups
from ..sql.rows import from_row, grants_from_rows, obtained_from_rows
from ..sql.search import Searches
from ..sql.statements import Prepared, Runner, Values
from .engine import open_engine, prepare
from .reader import PostgresReader, Rows
from .writer import CONNECTIONS, PostgresWriter

#: Connections for reading: a process with one event loop keeps no more statements busy.
READERS = 8

#: As psycopg takes statements. Here, so that who has no such database does not load what writes for it.
POSTGRESQL: Dialect = PostgresDialect(paramstyle="format")  # type: ignore[no-untyped-call]

_ANY_OBJECT = Prepared(queries.any_object, POSTGRESQL)
_BY_UID = Prepared(queries.by_uid, POSTGRESQL)
_BY_UID_FOR = Prepared(queries.by_uid_for, POSTGRESQL)
_CHECK_VALUE = Prepared(queries.check_value, POSTGRESQL)
_GRANTS_ON = Prepared(queries.grants_on, POSTGRESQL)
_OBTAINED = Prepared(queries.obtained, POSTGRESQL)
_OWNED = Prepared(queries.owned, POSTGRESQL)
_SEARCHES = Searches(POSTGRESQL)


class PostgresStore:
    """An `ObjectStore`. To be used from one event loop. clock: seconds since the Unix epoch."""

    def __init__(self, url: URL, *, clock: Callable[[], float] = time.time) -> None:
        """Raises ConfigurationError where the driver is not installed."""
        self._url = url.set(drivername="postgresql+psycopg")
        self._clock = clock
        # All are None while the store is closed.
        self._reader: PostgresReader | None = None
        self._writers: AsyncEngine | None = None
        self._writer: PostgresWriter | None = None
        open_engine(self._url, size=1, is_for_reading=True)

    async def start(self) -> None:
        writers = open_engine(self._url, size=CONNECTIONS, is_for_reading=False)
        try:
            await prepare(writers, name=_shown(self._url))
        except BaseException:
            await writers.dispose()
            raise
        self._writers = writers
        readers = open_engine(self._url, size=READERS, is_for_reading=True)
        self._reader = PostgresReader(readers, size=READERS)
        self._writer = PostgresWriter(writers)
        self._writer.start()

    async def stop(self) -> None:
        writer, self._writer = self._writer, None
        reader, self._reader = self._reader, None
        writers, self._writers = self._writers, None
        if writer is None or reader is None or writers is None:
            return
        await writer.stop()
        await reader.close()
        await writers.dispose()

    async def ping(self) -> None:
        await self._read(_ANY_OBJECT)

    async def get(self, uid: UniqueIdentifier) -> ManagedObject | None:
        rows = await self._read(_BY_UID, {"uid": uid})
        return from_row(rows[0]) if rows else None

    async def get_for(
        self, uid: UniqueIdentifier, *, principal: str, rights: Collection[Operation] = ()
    ) -> ManagedObject | None:
        values = {"uid": uid, **queries.asking(principal, rights)}
        rows = await self._read(_BY_UID_FOR, values)
        return from_row(rows[0]) if rows else None

    async def with_tags(self, search: TagSearch, after: Groups = ()) -> Sequence[ManagedObject]:
        if not search.tags:  # "all the tags of an empty list" would be every object there is
            return ()
        check_tags(search.tags)
        listed = searches.leading_first(search.tags)
        shape, values = searches.listing(search, listed)
        statement = await _SEARCHES.with_tags.of(shape)
        found = await self._read_after(after, statement, values)
        return [from_row(row) for row in found]

    async def locate(
        self, search: LocateSearch, after: Groups = ()
    ) -> tuple[int, Sequence[UniqueIdentifier]]:
        check_tags(search.filter.tags)
        shape, values = searches.locating(search)
        statement = await _SEARCHES.locate.of(shape)
        return searches.page_of(await self._read_after(after, statement, values))

    async def grants_on(
        self, uid: UniqueIdentifier, *, owner: str
    ) -> Mapping[str, frozenset[Operation]] | None:
        rows = await self._read(_GRANTS_ON, {"uid": uid, "owner": owner})
        return grants_from_rows(rows) if rows else None

    async def owned_by(self, principal: str) -> Sequence[ManagedObject]:
        rows = await self._read(_OWNED, {"principal": principal})
        # A thousand objects may have 64 KiB of attributes each: not on the loop.
        return await asyncio.to_thread(lambda: [from_row(row) for row in rows])

    async def obtained_by(self, principal: str) -> Sequence[Obtained]:
        rows = await self._read(_OBTAINED, {"principal": principal})
        return await asyncio.to_thread(obtained_from_rows, rows)

    async def commit(self, changes: Sequence[Change]) -> None:
        check_tags_of(changes)
        now = int(self._clock())
        await self._open_writer().submit(sql_changes.Commit(changes, now))

    async def commit_groups(self, groups: Groups) -> None:
        for changes in groups:
            check_tags_of(changes)
        now = int(self._clock())
        await self._open_writer().submit(lambda runner: apply_groups(runner, groups, now=now))

    async def _read_after(self, groups: Groups, prepared: Prepared, parameters: Values) -> Rows:
        """Every row as they would be; the changes are tried, and taken back."""
        if not any(groups):
            return await self._read(prepared, parameters)
        now = int(self._clock())
        values = prepared.values(parameters)

        def job(runner: Runner) -> Rows:
            apply_groups(runner, groups, now=now)
            return [tuple(row) for row in runner.connection.exec_driver_sql(prepared.text, values)]

        rows: Rows = await self._open_writer().rehearse(job)
        return rows

    async def holds_objects(self) -> bool:
        return bool(await self._read(_ANY_OBJECT))

    async def master_key_check(self) -> bytes | None:
        rows = await self._read(_CHECK_VALUE)
        return rows[0][0] if rows else None

    async def set_master_key_check(self, value: bytes) -> bytes:
        kept: bytes = await self._open_writer().submit(
            lambda runner: sql_changes.keep_check_value(runner, value)
        )
        return kept

    async def _read(self, prepared: Prepared, parameters: Values = MappingProxyType({})) -> Rows:
        return await self._open_reader().rows(prepared, parameters)

    def _open_reader(self) -> PostgresReader:
        if self._reader is None:
            raise _closed()
        return self._reader

    def _open_writer(self) -> PostgresWriter:
        if self._writer is None:
            raise _closed()
        return self._writer


def _shown(url: URL) -> str:
    return url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)


def _closed() -> Unavailable:
    return Unavailable("the database is out of reach", detail="the store is not open")
