"""SQLite as a backend of the store: one file, which several processes may share on one machine.

reads by identifier, short searches   on the event loop: 20 µs, a thread would cost ten times that
Locate, listings, long searches       on a thread for computing, with a connection of their own, one at a time
writes                                on the writer thread, where waiting jobs share a commit
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Dialect

from ..interface.compute import Compute, compute_on_any_thread
from ..interface.faults import NOT_OPEN, make_unavailable
from ..sql.audit.chains import AuditChains
from ..sql.backend import ConnectionJob
from ..sql.commits import Job
from ..sql.statements import NO_VALUES, SQLITE, Prepared, Rows, Values
from .database_file import BUSY_TIMEOUT_S, SQLiteFile
from .reader import SQLiteReader, TooLong
from .serving_mark import ServingMark
from .writer import SQLiteWriter

# How often a tag search is tried on the event loop, for a millisecond or two each.
_SHORT_ATTEMPTS = 3


class SQLiteBackend:
    """A `Backend`.

    path: the absolute path of the file.
    busy_timeout_s: how long a write waits for a lock.
    may_make, may_upgrade: as for `SQLiteFile`.
    compute: runs searches on a thread.
    """

    dialect: Dialect = SQLITE

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        may_make: bool = True,
        may_upgrade: bool = True,
        compute: Compute = compute_on_any_thread,
    ) -> None:
        self.file = SQLiteFile(
            path, busy_timeout_s=busy_timeout_s, may_make=may_make, may_upgrade=may_upgrade
        )
        self._reader = SQLiteReader(self.file, only_short=True, call_soon=_call_soon)
        self._search_reader = SQLiteReader(self.file)
        self._one_search = threading.Lock()
        self._compute = compute
        #: Reads that are under way, each on a connection of its own.
        self._snapshots: set[asyncio.Task[Any]] = set()
        #: None while the backend is stopped.
        self.writer: SQLiteWriter | None = None
        self._mark: ServingMark | None = None

    async def start(self, chains: AuditChains) -> None:
        await asyncio.to_thread(self.file.prepare)
        self._mark = ServingMark(self.file.path)
        self.writer = SQLiteWriter(self.file, chains)
        self.writer.start()

    async def stop(self, *, within_s: float) -> None:
        writer, self.writer = self.writer, None
        if writer is None:
            return
        self._reader.close()
        await asyncio.to_thread(self._end_searches)
        if self._snapshots:
            await asyncio.wait(self._snapshots, timeout=within_s)
        await writer.stop(within_s=within_s)  # last, so that it empties the write-ahead log
        if self._mark is not None:
            self._mark.close()

    async def read(self, statement: Prepared, values: Values = NO_VALUES) -> Rows:
        if self.writer is None:
            raise make_unavailable(NOT_OPEN)
        return self._reader.fetch_rows(statement, values)

    async def ping(self, statement: Prepared) -> None:
        self.file.check_writable()
        await self.read(statement)

    async def search(self, statement: Prepared, values: Values, *, principal: str) -> Rows:
        if self.writer is None:
            raise make_unavailable(NOT_OPEN)

        def search() -> Rows:
            with self._one_search:
                if self.writer is None:  # stopped meanwhile
                    raise make_unavailable(NOT_OPEN)
                return self._search_reader.fetch_rows(statement, values)

        return await self._compute(search, principal=principal)

    def _end_searches(self) -> None:
        with self._one_search:
            self._search_reader.close()

    async def search_tagged(
        self, statement: Prepared, values: Iterator[Values], *, principal: str
    ) -> Rows:
        if self.writer is None:
            raise make_unavailable(NOT_OPEN)
        # It is not known which tag is rare: if scanning the first one takes long, the next one may be faster.
        for attempt in islice(values, _SHORT_ATTEMPTS):
            try:
                return self._reader.fetch_rows(statement, attempt)
            except TooLong:
                continue
        return await self.search(statement, attempt, principal=principal)

    def pool_load(self) -> None:
        """None: a file has no connection pool."""

    async def probe_writes(self) -> None:
        await self.submit(self.file.probe_write)

    def submit(self, job: Job, *, erases: bool = False) -> asyncio.Future[Any]:
        if self.writer is None:
            raise make_unavailable(NOT_OPEN)
        return self.writer.submit(job, erases=erases)

    async def rehearse(self, job: Job) -> Any:
        if self.writer is None:
            raise make_unavailable(NOT_OPEN)
        return await self.writer.submit(job, undoes=True)

    async def run_exclusively(self, job: Job) -> Any:
        if self.writer is None:
            raise make_unavailable(NOT_OPEN)
        return await asyncio.to_thread(self.file.run_exclusively, job)

    async def run_on_snapshot(self, job: ConnectionJob) -> Any:
        if self.writer is None:
            raise make_unavailable(NOT_OPEN)
        # A thread cannot be cancelled with its caller.
        reading = asyncio.create_task(asyncio.to_thread(self.file.run_on_snapshot, job))
        self._snapshots.add(reading)
        reading.add_done_callback(self._forget_snapshot)
        return await asyncio.shield(reading)

    def _forget_snapshot(self, reading: asyncio.Task[Any]) -> None:
        self._snapshots.discard(reading)
        if not reading.cancelled():
            reading.exception()  # its caller may be gone

    async def fill(self, job: ConnectionJob) -> Any:
        return await asyncio.to_thread(self.file.fill, job)

    @property
    def name(self) -> str:
        return str(self.file.path)


def _call_soon(function: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(function)
