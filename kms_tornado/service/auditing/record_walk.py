"""RecordWalk: goes from the newest record to older ones, as far as one request may go."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...audit.query import FoundRecord, RecordQuery
from ...store.interface.audit_records import AuditPage, AuditRecords
from .request import Cursor

#: How many rows of the index one request reads, and how many together.
_MOST_ROWS = 5_000
_ROWS = 100
_NEVER = 1 << 63


class RecordWalk:
    """Walks over the records that match a query and that the caller may read.

    cursor: where the walk begins; None means at the newest record.
    most_looked_at: how many records are looked at, beyond those of one page.
    """

    def __init__(
        self,
        records: AuditRecords,
        principal: str,
        query: RecordQuery,
        cursor: Cursor | None,
        most_looked_at: int,
    ) -> None:
        self._records = records
        self._principal = principal
        self._query = query
        self._cursor = cursor
        self._most_looked_at = most_looked_at
        self._looked_at = self._rows = 0

    async def run(self, take: Callable[[FoundRecord], bool]) -> Cursor | None:
        """Call `take` for each record until it returns False; the walk then ends before that record.

        Returns the cursor from which to continue; None where there are no more records.
        """
        while True:
            up_to = None if self._cursor is None else self._cursor.page
            pages = await self._records.find_pages(
                self._query.keys, up_to=up_to, limit=_ROWS, principal=self._principal
            )
            for page in pages:
                if self._is_before(page):
                    return None
                if self._is_enough() or not await self._walk_page(page, take):
                    return self._cursor
            if len(pages) < _ROWS:
                return None

    def _is_before(self, page: AuditPage) -> bool:
        """Whether this page and all older ones lie before the time that is asked for."""
        since_ms = self._query.since_ms
        return since_ms is not None and page.ceiling_ms < since_ms

    def _is_enough(self) -> bool:
        return self._looked_at >= self._most_looked_at or self._rows >= _MOST_ROWS

    async def _read(self, page: AuditPage) -> Sequence[FoundRecord]:
        """The records of the page that match the query and may be read."""
        me = self._query.only_of
        records = await self._records.read_page(page, self._query, principal=self._principal)
        if me is None:
            return records
        uids = {uid for record in records if record.principal != me for uid in record.uids}
        owned = await self._records.find_owned(uids, owner=me) if uids else {}
        return [
            record
            for record in records
            if record.principal == me
            or any(owned.get(uid, _NEVER) <= record.place.time_ms for uid in record.uids)
        ]

    async def _walk_page(self, page: AuditPage, take: Callable[[FoundRecord], bool]) -> bool:
        """Move the cursor past the records that were taken; False where not all of the page was taken."""
        self._rows += 1
        if self._cursor is None or self._cursor.page != page.number:
            self._cursor = Cursor(page.number)
        if self._query.matches_times(page.since_ms, page.until_ms):
            self._looked_at += page.records
            records = await self._read(page)
            behind = self._cursor.place
            for record in records:
                if behind is not None and record.place >= behind:
                    continue
                if not take(record):
                    return False
                self._cursor = Cursor(page.number, record.place)
        self._cursor = Cursor(page.number - 1)
        return True
