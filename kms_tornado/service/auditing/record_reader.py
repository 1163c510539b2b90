"""RecordReader: shows the audit's records to those who may read them, a limited number for each request."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from ...audit.query import MAX_TERM_LENGTH, FoundRecord, RecordQuery
from ...audit.record import Origin
from ...errors import KMSError
from ...store.interface.object_store import ObjectStore
from .auditor import Auditor
from .indexer import AuditIndexer
from .record_counts import RecordCounts
from .record_walk import RecordWalk
from .request import AuditRequest, Cursor, StatisticsRequest

#: The most bytes of one answer, not counting its last record.
_MOST_BYTES = 1024 * 1024
#: The most records that one request looks at beyond those of one page: some 50 ms of work.
_MOST_LOOKED_AT = 8_000
#: Records that one request for numbers looks at: nobody asks for those again and again.
_MOST_COUNTED = 40_000


class AmbiguousName(KMSError):
    """The records of the user with this name cannot be told from those of another one, so neither may read any."""


class AuditAnswer(NamedTuple):
    """A page of records.

    lines: records, the newest first.
    next: where to continue; None where there are no more records. There may be more even if `lines` is empty.
    """

    lines: list[bytes]
    next: Cursor | None


class RecordReader:
    """Reads the audit for users. auditors: the users who may read every record."""

    def __init__(
        self,
        store: ObjectStore,
        indexer: AuditIndexer,
        auditor: Auditor,
        auditors: Collection[str],
    ) -> None:
        self._store = store
        self._indexer = indexer
        self._auditor = auditor
        self._auditors = auditors

    def may_read_all(self, principal: str) -> bool:
        return principal in self._auditors

    async def read(self, principal: str, request: AuditRequest, origin: Origin) -> AuditAnswer:
        """Record that the audit is read, and read it.

        Raises AmbiguousName, GeneralFailure where a record is not as a server wrote it, and Unavailable.
        """
        query, detail = request.query, _describe(request.query)
        with self._auditor.recording(origin, "AuditRead", detail=detail):
            if request.cursor is None:
                await self._indexer.catch_up()
            query = await self._limit(principal, query)
            lines = _Lines(request.limit)
            walk = RecordWalk(
                self._store.records, principal, query, request.cursor, _MOST_LOOKED_AT
            )
            return AuditAnswer(lines.lines, await walk.run(lines.take))

    async def count(
        self, principal: str, request: StatisticsRequest, origin: Origin
    ) -> dict[str, Any]:
        """Record that records are counted, and count those in each step of time, as `RecordCounts` renders them.

        Raises the errors of `read`.
        """
        query, detail = request.query, _describe(request.query)
        with self._auditor.recording(origin, "AuditStatistics", detail=detail):
            await self._indexer.catch_up()
            query = await self._limit(principal, query)
            counts = RecordCounts(request)
            walk = RecordWalk(self._store.records, principal, query, None, _MOST_COUNTED)
            rest = await walk.run(counts.take)
            return counts.render(is_whole=rest is None)

    async def _limit(self, principal: str, query: RecordQuery) -> RecordQuery:
        """The query, limited to what the principal may read. Raises AmbiguousName."""
        if self.may_read_all(principal):
            return query
        if query.uid is not None:
            owned = await self._store.records.find_owned([query.uid], owner=principal)
            if query.uid in owned:
                # Older ones are about what others looked for under this identifier, if there are any.
                since_ms = max(owned[query.uid], query.since_ms or 0)
                return dataclasses.replace(query, since_ms=since_ms)
        if len(principal) > MAX_TERM_LENGTH:
            raise AmbiguousName(
                f"a user whose name has more than {MAX_TERM_LENGTH} characters shares the name in "
                "records with others"
            )
        return dataclasses.replace(query, only_of=principal)


def _describe(query: RecordQuery) -> Mapping[str, Any]:
    """What a record says about the query.

    The object is named in this text, so that the record does not count as one about the object.
    """
    names = ("uid", "principal", "operation", "result")
    return {name: value for name in names if (value := getattr(query, name)) is not None}


class _Lines:
    """Collects the lines of one answer."""

    def __init__(self, limit: int) -> None:
        self.lines: list[bytes] = []
        self._limit = limit
        self._size = 0

    def take(self, record: FoundRecord) -> bool:
        """Add a record; False where there is no room for it."""
        if len(self.lines) >= self._limit or self._size > _MOST_BYTES:
            return False
        self.lines.append(record.line)
        self._size += len(record.line)
        return True
