"""AuditEntry: what an operation leaves for its record while it runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from .record import SUCCESS, Draft, Origin, UseDraft, make_draft

#: The operation name in records of reserved nonces. The operation that needed them has a record of its own.
RESERVE_NONCES = "ReserveNonces"


class AuditEntry:
    """One operation while it runs, and what its record will say.

    touched: the identifiers of the objects that the operation was given, in order.
    is_recorded: whether a commit contained its record.
    """

    __slots__ = ("is_recorded", "item", "operation", "origin", "time_ms", "touched")

    def __init__(self, origin: Origin, operation: str, item: str | None = None) -> None:
        self.origin = origin
        self.operation = operation
        self.item = item
        self.time_ms = time.time_ns() // 1_000_000
        self.touched: list[str] = []
        self.is_recorded = False

    def begin_again(self) -> None:
        """The operation runs once more, from its start."""
        self.touched.clear()
        self.is_recorded = False

    def draft_change(self, uids: Sequence[str], detail: Mapping[str, Any] | None = None) -> Draft:
        """The record of a change to these objects. The first of them is the object that the record is about."""
        also = list(dict.fromkeys((*uids[1:], *(uid for uid in self.touched if uid not in uids))))
        return make_draft(
            self.origin, self.operation, uid=uids[0] if uids else None, time_ms=self.time_ms,
            item=self.item, also=also, detail=detail, changes=uids,
        )  # fmt: skip

    def draft_reservation(self, uid: str, count: int) -> Draft:
        """The record of reserved nonces, which this operation and later ones will use.

        It has an operation name of its own, since what is done with the nonces are uses, each with a record of its own.
        """
        return make_draft(
            self.origin, RESERVE_NONCES, uid=uid, time_ms=self.time_ms, item=self.item,
            detail={"reserved": count}, changes=[uid],
        )  # fmt: skip

    def draft_outcome(
        self,
        uid: str | None,
        *,
        result: str = SUCCESS,
        reason: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Draft:
        """The record of an operation that changed nothing. uid: as the answer or the request names it."""
        touched = self.touched
        if uid is None and touched:
            uid = touched[0]
        if (
            uid is not None
            and result is SUCCESS
            and detail is None
            and (not touched or touched == [uid])
        ):
            return UseDraft(self.origin, self.operation, self.item, uid, self.time_ms)
        also: Sequence[str] = ()
        if touched and (len(touched) > 1 or touched[0] != uid):
            also = [other for other in dict.fromkeys(touched) if other != uid]
        return make_draft(
            self.origin, self.operation, result=result, reason=reason, uid=uid,
            time_ms=self.time_ms, item=self.item, also=also, detail=detail,
        )  # fmt: skip
