"""The object store on SQLite.

reads by identifier, short ones   on the event loop: 20 µs, a thread would cost ten times that
Locate, long ones                 on a reader thread with its own connection
writes                            on the writer thread, one commit for all who wait
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Row
from sqlalchemy.sql import Executable

from ...domain.managed_object import ManagedObject, UniqueIdentifier
from ...domain.search import LocateSearch, TagSearch
from ...errors import Unavailable
from ...kmip.enums import Operation
from ..base import Change, Groups, Obtained, Remove, Replace
from ..bounds import check_tags, check_tags_of
from ..sql import changes as sql_changes
from ..sql import queries
from ..sql import search as searches
from ..sql.changes import apply_groups
from ..sql.rows import from_row, grants_from_rows, obtained_from_rows
from ..sql.search import Searches
from ..sql.statements import SQLITE, Prepared, Runner
from .database_file import BUSY_TIMEOUT_S, SQLiteFile
from .reader import Reader, TooLong
from .writer import Writer

T = TypeVar("T")

_BY_UID = Prepared(queries.by_uid, SQLITE)
_BY_UID_OF_OWNER = Prepared(queries.by_uid_of_owner, SQLITE)
_SEARCHES = Searches(SQLITE)

_TRIES = 3  # of a millisecond each, on the event loop


class SQLiteStore:
    """An `ObjectStore` in one file, which several processes may share on one machine.

    To be used from one event loop. clock: seconds since the Unix epoch.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        self._clock = clock
        self._file = SQLiteFile(path, busy_timeout_s=busy_timeout_s)
        self._reader = Reader(self._file, short_only=True)
        self._long_reader = Reader(self._file)
        # Both are None while the store is closed.
        self._thread: ThreadPoolExecutor | None = None
        self._writer: Writer | None = None

    async def start(self) -> None:
        await asyncio.to_thread(self._file.prepare)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kms-store-reader")
        self._writer = Writer(self._file)
        self._writer.start()

    async def stop(self) -> None:
        writer, self._writer = self._writer, None
        thread, self._thread = self._thread, None
        if writer is None or thread is None:
            return
        self._reader.close()
        await asyncio.to_thread(thread.shutdown)
        self._long_reader.close()
        await writer.stop()  # last, so that it empties the write-ahead log

    async def ping(self) -> None:
        self._read(queries.any_object)

    async def get(self, uid: UniqueIdentifier) -> ManagedObject | None:
        rows = self._read_at_once(_BY_UID, {"uid": uid})
        return from_row(rows[0]) if rows else None

    async def get_for(
        self, uid: UniqueIdentifier, *, principal: str, rights: Collection[Operation] = ()
    ) -> ManagedObject | None:
        rows: Sequence[Sequence[Any]]
        rows = self._read_at_once(_BY_UID_OF_OWNER, {"uid": uid, "principal": principal})
        if not rows:
            # A longer statement, which owners need not pay for. It decides alone, on the object and
            # the right as they are together; what is absent takes it, like what is not theirs.
            values = queries.asking(principal, rights)
            rows = self._read(queries.by_uid_for, {"uid": uid, **values})
        return from_row(rows[0]) if rows else None

    async def with_tags(self, search: TagSearch, after: Groups = ()) -> Sequence[ManagedObject]:
        if not search.tags:  # "all the tags of an empty list" would be every object there is
            return ()
        check_tags(search.tags)
        listed = searches.leading_first(search.tags)
        shape, values = searches.listing(search, listed)
        statement = await _SEARCHES.with_tags.of(shape)
        if any(after):
            return [from_row(row) for row in await self._read_after(after, statement, values)]
        # Which tag is the rare one, nobody knows: where a walk along the first takes long, a walk
        # along the next may not.
        for _ in range(min(len(listed), _TRIES)):
            try:
                return [from_row(row) for row in self._read_at_once(statement, values)]
            except TooLong:
                listed.append(listed.pop(0))
                _, values = searches.listing(search, listed)
        return [from_row(row) for row in await self._search(statement, values)]

    async def locate(
        self, search: LocateSearch, after: Groups = ()
    ) -> tuple[int, Sequence[UniqueIdentifier]]:
        check_tags(search.filter.tags)
        shape, values = searches.locating(search)
        statement = await _SEARCHES.locate.of(shape)
        if any(after):
            return searches.page_of(await self._read_after(after, statement, values))
        return searches.page_of(await self._search(statement, values))

    async def grants_on(
        self, uid: UniqueIdentifier, *, owner: str
    ) -> Mapping[str, frozenset[Operation]] | None:
        rows = await self._read_long(queries.grants_on, {"uid": uid, "owner": owner})
        return grants_from_rows(rows) if rows else None

    async def owned_by(self, principal: str) -> Sequence[ManagedObject]:
        values = {"principal": principal}
        return await self._on_thread(
            lambda: [from_row(row) for row in self._long_reader.rows(queries.owned, values)]
        )

    async def obtained_by(self, principal: str) -> Sequence[Obtained]:
        values = {"principal": principal}
        return await self._on_thread(
            lambda: obtained_from_rows(self._long_reader.rows(queries.obtained, values))
        )

    async def commit(self, changes: Sequence[Change]) -> None:
        check_tags_of(changes)
        now = int(self._clock())
        await self._open_writer().submit(
            sql_changes.Commit(changes, now),
            erases=any(_erases(change) for change in changes),
        )

    async def commit_groups(self, groups: Groups) -> None:
        for changes in groups:
            check_tags_of(changes)
        now = int(self._clock())
        await self._open_writer().submit(
            lambda runner: apply_groups(runner, groups, now=now),
            erases=any(_erases(change) for changes in groups for change in changes),
        )

    async def _read_after(
        self, groups: Groups, prepared: Prepared, parameters: Mapping[str, Any]
    ) -> Sequence[Row[Any]]:
        """Every row as they would be; the writer tries the changes, and takes them back."""
        now = int(self._clock())
        values = prepared.values(parameters)

        def job(runner: Runner) -> Sequence[Row[Any]]:
            apply_groups(runner, groups, now=now)
            return runner.connection.exec_driver_sql(prepared.text, values).all()

        rows: Sequence[Row[Any]] = await self._open_writer().submit(job, undoes=True)
        return rows

    async def holds_objects(self) -> bool:
        return bool(self._read(queries.any_object))

    async def master_key_check(self) -> bytes | None:
        rows = self._read(queries.check_value)
        return rows[0].value if rows else None

    async def set_master_key_check(self, value: bytes) -> bytes:
        kept: bytes = await self._open_writer().submit(
            lambda runner: sql_changes.keep_check_value(runner, value)
        )
        return kept

    def _read(
        self, statement: Executable, parameters: dict[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        if self._writer is None:
            raise _closed()
        return self._reader.rows(statement, parameters)

    def _read_at_once(
        self, prepared: Prepared, parameters: Mapping[str, Any]
    ) -> Sequence[tuple[Any, ...]]:
        if self._writer is None:
            raise _closed()
        return self._reader.rows_at_once(prepared, parameters)

    async def _read_long(
        self, statement: Executable, parameters: dict[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        return await self._on_thread(lambda: self._long_reader.rows(statement, parameters))

    async def _search(
        self, prepared: Prepared, parameters: Mapping[str, Any]
    ) -> Sequence[tuple[Any, ...]]:
        return await self._on_thread(lambda: self._long_reader.rows_at_once(prepared, parameters))

    async def _on_thread(self, read: Callable[[], T]) -> T:
        if self._thread is None:
            raise _closed()
        return await asyncio.get_running_loop().run_in_executor(self._thread, read)

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise _closed()
        return self._writer


def _erases(change: Change) -> bool:
    match change:
        case Remove():
            return True
        case Replace(new):
            return new.sealed is None
        case _:
            return False


def _closed() -> Unavailable:
    return Unavailable("the database is out of reach", detail="the store is not open")
