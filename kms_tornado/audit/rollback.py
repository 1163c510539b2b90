"""Whether a database is older than the checkpoint that its server last saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .chain import ChainHead
from .checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class AuditPosition:
    """What a database contains of the things that an anchor names.

    database: the database's identifier; None where it has no audit.
    newest: its last checkpoint; None where it has none, or where that one cannot be read.
    line: its line of the anchor's checkpoint, or None.
    hashes: of the records in the anchor's places, if they exist.
    """

    database: str | None
    newest: Checkpoint | None
    line: str | None
    hashes: Mapping[int, str]


def find_rollback(anchor: Checkpoint, line: str, position: AuditPosition) -> str | None:
    """Why the database is not the anchor's, or is older; None where it is the same or newer. line: of the anchor."""
    newest = position.newest
    told = "none that can be read" if newest is None else f"{newest.number} ({newest.time})"
    knows = f"the anchor knows generation {anchor.number} ({anchor.time}), the database ends with {told}"
    if position.database is None:
        return f"the database is empty, or has no audit: {knows}"
    if position.database != anchor.database:
        return "the database is another one than the anchor's"
    if newest is None or newest.number < anchor.number:
        return f"the database is older than this server's anchor: {knows}"
    if position.line != line:
        return f"the database has another history than this server's anchor: {knows}"
    for head in anchor.heads.values():
        if not _has(position, head):
            return f"the database lacks records that the anchor names, up to {head.chain}/{head.seq}: {knows}"
    return None


def _has(position: AuditPosition, head: ChainHead) -> bool:
    return head.seq == 0 or position.hashes.get(head.chain) == head.hash
