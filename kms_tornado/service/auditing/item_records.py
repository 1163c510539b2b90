"""ItemRecorder: the audit's records of the items of one message."""

from __future__ import annotations

from collections.abc import Sequence

from ...audit.entry import AuditEntry
from ...audit.record import Origin
from ...kmip.messages.batch_items import RequestItem
from ...kmip.tables import OPERATION_TAGS
from .auditor import REQUEST, Auditor


class ItemRecorder:
    """Keeps the audit entry of each item, from the attempt that counts.

    Without auditor or origin, it records nothing.
    """

    def __init__(
        self, auditor: Auditor | None, origin: Origin | None, items: Sequence[RequestItem]
    ) -> None:
        self._auditor = auditor
        self._origin = origin
        self._items = items
        self._of_all = f"/{len(items)}" if len(items) > 1 else ""
        self._entries: dict[int, AuditEntry] = {}

    def begin(self, position: int) -> AuditEntry | None:
        """The entry of an item that is about to run, perhaps once more. Raises AuditUnavailable."""
        if self._auditor is None or self._origin is None:
            return None
        entry = self._auditor.begin(self._origin, *self._name(position))
        self._entries[position] = entry
        return entry

    def _name(self, position: int) -> tuple[str, str | None]:
        """(operation, the number of the item in a message with several)"""
        operation = self._items[position].operation
        name = REQUEST if operation is None else OPERATION_TAGS[operation]
        return name, f"{position + 1}{self._of_all}" if self._of_all else None

    def finish(
        self, position: int, result: str, uid: str | None, *, has_failed: bool, is_undone: bool
    ) -> None:
        """Record how the item ended. result: as in the answer."""
        if self._auditor is None or self._origin is None:
            return
        entry = self._entries.get(position)
        if entry is None:
            entry = AuditEntry(self._origin, *self._name(position))
        if is_undone:
            self._auditor.undo(entry, uid)
        elif has_failed:
            self._auditor.fail(entry, result, uid)
        else:
            self._auditor.succeed(entry, uid)
