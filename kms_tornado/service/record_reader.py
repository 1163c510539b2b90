"""RecordReader: tells the records of the audit to those who may read them, a bounded number for each request."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from ..audit.query import MAX_TERM_LENGTH, FoundRecord, RecordQuery
from ..audit.record import Origin
from ..errors import KMSError
from ..store.base import AuditPage, ObjectStore
from .audit_indexer import AuditIndexer
from .audit_request import AuditRequest, Cursor
from .auditing import Auditor

#: Bytes of one answer, beside its last record.
_MOST_BYTES = 1024 * 1024
#: Records that one request looks at, beside those of one page, and rows of the index: some 50 ms of work.
_MOST_LOOKED_AT = 8_000
_MOST_ROWS = 5_000
#: Rows of the index that are read together.
_ROWS = 100
_NEVER = 1 << 63


class AmbiguousName(KMSError):
    """The own records of somebody with this name cannot be told from those of others, and none may be read."""


class AuditAnswer(NamedTuple):
    """lines: records, the newest first. next: where further ones may be; None where there are none.

    There may be further ones where `lines` is empty.
    """

    lines: list[bytes]
    next: Cursor | None


class RecordReader:
    """auditors: who may read every record."""

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

        Raises AmbiguousName, GeneralFailure where records are not as a server wrote them, and Unavailable.
        """
        query, detail = request.query, _describe(request.query)
        with self._auditor.recording(origin, "AuditRead", detail=detail):
            if request.cursor is None:
                await self._indexer.catch_up()
            query = await self._limit(principal, query)
            return await _Walk(self._store, principal, query, request).run()

    async def _limit(self, principal: str, query: RecordQuery) -> RecordQuery:
        """The query for what the principal may read of it. Raises AmbiguousName."""
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
    """What a record says of a query. It names the object here, so that it is no record about that."""
    names = ("uid", "principal", "operation", "result")
    return {name: value for name in names if (value := getattr(query, name)) is not None}


class _Walk:
    """From the newest record to older ones, as far as one request goes."""

    def __init__(
        self, store: ObjectStore, principal: str, query: RecordQuery, request: AuditRequest
    ) -> None:
        self._records = store.records
        self._principal = principal
        self._query = query
        self._limit = request.limit
        self._cursor = request.cursor
        self._lines: list[bytes] = []
        self._size = self._looked_at = self._rows = 0

    async def run(self) -> AuditAnswer:
        while True:
            up_to = None if self._cursor is None else self._cursor.page
            pages = await self._records.find_pages(
                self._query.keys, up_to=up_to, limit=_ROWS, principal=self._principal
            )
            for page in pages:
                if self._is_before(page):
                    return AuditAnswer(self._lines, None)
                if self._is_enough() or not await self._take(page):
                    return AuditAnswer(self._lines, self._cursor)
            if len(pages) < _ROWS:
                return AuditAnswer(self._lines, None)

    def _is_before(self, page: AuditPage) -> bool:
        """Whether no page from there on has a record of the time that is asked for."""
        since_ms = self._query.since_ms
        return since_ms is not None and page.ceiling_ms < since_ms

    def _is_enough(self) -> bool:
        return self._looked_at >= _MOST_LOOKED_AT or self._rows >= _MOST_ROWS

    async def _read(self, page: AuditPage) -> Sequence[FoundRecord]:
        """The page's records that are asked for and may be read."""
        me = self._query.only_of
        found = await self._records.read_page(page, self._query, principal=self._principal)
        if me is None:
            return found
        uids = {uid for record in found if record.principal != me for uid in record.uids}
        owned = await self._records.find_owned(uids, owner=me) if uids else {}
        return [
            record
            for record in found
            if record.principal == me
            or any(owned.get(uid, _NEVER) <= record.place.time_ms for uid in record.uids)
        ]

    async def _take(self, page: AuditPage) -> bool:
        """Take the page's records, and move the cursor behind what was taken: False where that was not all."""
        self._rows += 1
        if self._cursor is None or self._cursor.page != page.number:
            self._cursor = Cursor(page.number)
        if self._query.matches_times(page.since_ms, page.until_ms):
            self._looked_at += page.records
            found = await self._read(page)
            behind = self._cursor.place
            for place, line, *_ in found:
                if behind is not None and place >= behind:
                    continue
                if len(self._lines) >= self._limit or self._size > _MOST_BYTES:
                    return False
                self._lines.append(line)
                self._size += len(line)
                self._cursor = Cursor(page.number, place)
        self._cursor = Cursor(page.number - 1)
        return True
