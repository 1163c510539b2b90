"""Auditor: makes the records of operations and refusals, called from where they are carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ...audit.entry import AuditEntry
from ...audit.record import FAILED, UNDONE, Origin, make_draft
from ...errors import KMIPError, KMSError, Unavailable
from ...redaction import mask_jwts
from .trail import AuditTrail

#: The operation name in the record of a request that never named an operation.
REQUEST = "Request"


class Auditor:
    """records_reads: whether successful operations that change nothing are recorded."""

    def __init__(self, trail: AuditTrail, *, records_reads: bool) -> None:
        self._trail = trail
        self._records_reads = records_reads

    def begin(self, origin: Origin, operation: str, item: str | None = None) -> AuditEntry:
        """The entry for an operation that is about to begin. Raises AuditUnavailable if no operation may begin."""
        if self._records_reads:
            self._trail.check()
        return AuditEntry(origin, operation, item)

    def succeed(
        self, entry: AuditEntry, uid: str | None = None, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Record that the operation succeeded, unless the record of its change already says so."""
        entry.origin.is_noted = True
        if self._records_reads and not entry.is_recorded:
            self._trail.add(entry.draft_outcome(uid, detail=detail))

    def fail(self, entry: AuditEntry, reason: str, uid: str | None = None) -> None:
        """Record that the operation was refused or failed.

        uid: as the client sent it. It might be a token by mistake, and tokens are kept out of records.
        """
        entry.origin.is_noted = True
        uid = None if uid is None else mask_jwts(uid)
        self._trail.add(entry.draft_outcome(uid, result=FAILED, reason=reason))

    def undo(self, entry: AuditEntry, uid: str | None = None) -> None:
        """Record that the operation was carried out, and then undone because another one of its message failed."""
        entry.origin.is_noted = True
        self._trail.add(entry.draft_outcome(uid, result=UNDONE))

    @contextmanager
    def recording(
        self,
        origin: Origin,
        operation: str,
        uid: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Iterator[AuditEntry]:
        """Record how the block ends. Raises AuditUnavailable if it may not begin."""
        entry = self.begin(origin, operation)
        try:
            yield entry
        except BaseException as exc:
            self.fail(entry, name_reason(exc), uid)
            raise
        self.succeed(entry, uid, detail)

    def note_exception(self, origin: Origin, exc: BaseException) -> None:
        """Record a request that ends with this exception, unless the request is on record already."""
        if isinstance(exc, Unavailable):
            self.note_refusal(origin, exc.reason)
        else:
            self.note_failure(origin, name_reason(exc))

    def note_failure(self, origin: Origin, reason: str) -> None:
        """Record a request of a known principal that named no operation, unless the request is on record already."""
        if not origin.is_noted:
            origin.is_noted = True
            self._trail.add(make_draft(origin, REQUEST, result=FAILED, reason=reason))

    def note_refusal(self, origin: Origin, reason: str) -> None:
        """Record a request that was refused before any operation began, unless the request is on record already."""
        if not origin.is_noted:
            origin.is_noted = True
            self._trail.add_refusal(origin, REQUEST, reason)


def name_reason(exc: BaseException) -> str:
    """The reason for an error, as a record states it in fixed words."""
    if isinstance(exc, KMIPError):
        return exc.reason_with_underscores
    if isinstance(exc, Unavailable):
        return exc.reason
    if isinstance(exc, asyncio.CancelledError):
        return "cancelled"
    return "refused" if isinstance(exc, KMSError) else "internal_error"
