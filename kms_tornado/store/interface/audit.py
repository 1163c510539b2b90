"""The audit of one database: chains, checkpoints, and what is read back of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from ...audit.chain import ChainHead, Segment
from ...audit.checkpoint import Checkpoint
from ...audit.record import Draft
from ...audit.rollback import AuditPosition
from .master_keys import RowMAC
from .object_checks import StoredSegment

#: Why a database is not opened whose identifier has no code of this server's, or is gone.
ALTERED_IDENTIFIER = "the identifier of the database was changed by something else than this server; restore a backup"


class Restored(NamedTuple):
    """What is recorded of a restore.

    draft: of the record.
    named: the highest chain that an anchor names, so that no two records share a place.
    row_mac: of the database.
    """

    draft: Draft
    named: int
    row_mac: RowMAC


class AuditStore(Protocol):
    """The audit of one database, except for the records that commits append. Every method raises Unavailable.

    changes: how many transactions with records of changes this process has committed.
    """

    changes: int

    def on_altered(self, observe: Callable[[ChainHead, ChainHead], None]) -> None:
        """Have `observe` called, on any thread, if something else has changed a chain of this process.

        Its arguments are the head that the process left and the one that it found.
        """

    def on_recorded(self, observe: Callable[[Sequence[Segment], bool], None]) -> None:
        """Have `observe` called, on any thread, with what each transaction of this process added to a chain.

        The second argument is False where it is not known whether the transaction was committed. `open` does not cause
        a call.
        """

    def announce(self, segments: Sequence[Segment]) -> None:
        """Have the observer of `on_recorded` called with what another store added to this database."""

    async def open(self) -> int:
        """Begin, once the store can check its rows. Returns how many objects of an older version were recorded."""

    async def append(self, drafts: Sequence[Draft]) -> None:
        """Write records that belong to no change; they are durable on return."""

    async def make_checkpoint(
        self, sign: Callable[[Checkpoint], str], time: str, *, rollback: int | None = None
    ) -> str:
        """The line of the newest checkpoint. A new one is made if records were added since the one before.

        time: RFC 3339.
        rollback: the number of an anchor, if the database is accepted although it is older.
        """

    async def retire_chains(self, named: int) -> None:
        """End all chains as they are, and begin new ones with higher numbers.

        named: the highest chain that an anchor names.
        """

    async def newest_checkpoint(self) -> str | None:
        """The line of the newest checkpoint."""

    async def has_checkpoint(self, number: int, line: str) -> bool:
        """Whether the checkpoint of that number is this one."""

    async def read_rollbacks(self, after: int) -> Sequence[str]:
        """The lines of checkpoints behind that number which say that an older database was accepted, the newest ones."""

    async def position(self, anchor: Checkpoint) -> AuditPosition:
        """What the database has of the records and the checkpoint that the anchor names.

        Called before anything is recorded.
        """

    async def heads(self) -> Mapping[int, ChainHead]:
        """The heads of all chains that have a record."""

    async def read_checkpoints(self, after: int) -> Sequence[tuple[int, str]]:
        """(number, line) of a page of checkpoints after that number."""

    async def read_segments(self, chain: int, after: int) -> Sequence[StoredSegment]:
        """A page of the segments after record `after` of the chain, in the order of chains and records."""

    async def read_newest_segments(
        self, before: int | None = None
    ) -> tuple[int, Sequence[StoredSegment]]:
        """(where the next page begins, a page of the segments that were written last, the last one first)."""
