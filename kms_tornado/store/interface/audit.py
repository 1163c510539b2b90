"""The audit of one database: chains, checkpoints, and what is read back of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from ...audit.chain import ChainHead, Segment
from ...audit.checkpoint import Checkpoint
from ...audit.record import Draft
from ...audit.rollback import AuditPosition
from .object_checks import StoredSegment


class Span(NamedTuple):
    """A time in milliseconds since the Unix epoch. until_ms: the first that is not within it."""

    since_ms: int
    until_ms: int


EVER = Span(-(1 << 62), 1 << 62)


class AuditStore(Protocol):
    """The audit of one database, but for the records that commits append. Every method raises Unavailable.

    changes: transactions with records of changes that this process had committed.
    """

    changes: int

    def on_altered(self, told: Callable[[ChainHead, ChainHead], None]) -> None:
        """Have `told` called, on any thread, where a chain of this process was changed by something else.

        With the head that the process left, and the one that it found.
        """

    def on_recorded(self, told: Callable[[Sequence[Segment], bool], None]) -> None:
        """Have `told` called, on any thread, with what each transaction of this process added to a chain.

        And whether that is known: False where it may or may not have been committed. Not called by `open`.
        """

    async def open(self) -> int:
        """Begin, once the rows are authentic. Returns how many objects of an older version were recorded."""

    async def append(self, drafts: Sequence[Draft]) -> None:
        """Record what changed no object; durable on return."""

    async def make_checkpoint(
        self, sign: Callable[[Checkpoint], str], time: str, *, rollback: int | None = None
    ) -> str:
        """The line of the newest checkpoint, which is made where records were added since the one before.

        time: RFC 3339. rollback: the number of an anchor that this database is accepted in spite of.
        """

    async def retire_chains(self, named: int) -> None:
        """Leave all chains as they are, and begin beyond them. named: the highest chain that an anchor names."""

    async def newest_checkpoint(self) -> str | None:
        """Its line."""

    async def has_checkpoint(self, number: int, line: str) -> bool:
        """Whether the checkpoint of that number is this one."""

    async def read_rollbacks(self, after: int) -> Sequence[str]:
        """The lines of checkpoints behind that number which say that an older database was accepted, the newest ones."""

    async def position(self, anchor: Checkpoint) -> AuditPosition:
        """What the database has of what the anchor names. Called before anything is recorded."""

    async def heads(self) -> Mapping[int, ChainHead]:
        """Of every chain that has a record."""

    async def read_checkpoints(self, after: int) -> Sequence[tuple[int, str]]:
        """(number, line) of those behind that number, a page of them."""

    async def read_segments(
        self, chain: int, after: int, span: Span = EVER
    ) -> Sequence[StoredSegment]:
        """The segments behind record `after` of the chain, in the order of chains and records, a page of them.

        span: of which they have a record at least.
        """

    async def read_newest_segments(
        self, before: int | None = None
    ) -> tuple[int, Sequence[StoredSegment]]:
        """(where the next page begins, the segments that were written last, the last one first, a page of them)."""
