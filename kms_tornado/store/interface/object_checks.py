"""The interface between whoever checks the stored objects by the audit, and a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ...audit.chain import ChainHead
from ...audit.record import Origin

#: In place of an object's identifier: what is wrong with the audit itself.
AUDIT = ""


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """Records of one chain that were written together. is_ours: whether its code is this server's."""

    chain: int
    first: int
    last: int
    lines: Sequence[bytes]
    is_ours: bool


class StoredRow(NamedTuple):
    """An object's row. code: that it has, or had before it was refused. fault: why it is none of ours, or None."""

    uid: str
    code: bytes
    fault: str | None
    is_refused: bool


@dataclass(frozen=True, slots=True)
class StoredMoment:
    """What a database had at one moment. heads: of all chains. segments: that were not read before.

    last: the serial of the last row; where there are no rows, the one that was given.
    """

    heads: Mapping[int, ChainHead]
    segments: Sequence[StoredSegment]
    rows: Sequence[StoredRow]
    last: int


@dataclass(frozen=True, slots=True)
class ReadSoFar:
    """What was read of the chains. firsts: chain → first record of the last segment. ends: chain → last record."""

    firsts: Mapping[int, int]
    ends: Mapping[int, ChainHead]


class Fault(NamedTuple):
    """What is wrong with an object. uid: or AUDIT.

    code: of its row, by which the row is refused from now on; None where there is no row, or its own code refuses it
    already. is_gone: whether there is no row. is_told_only: whether nothing is refused.
    """

    uid: str
    text: str
    code: bytes | None = None
    is_gone: bool = False
    is_told_only: bool = False


class Finding(NamedTuple):
    """What was found wrong, and is refused. since: seconds since the Unix epoch."""

    text: str
    since: int


class Acceptance(NamedTuple):
    """An object is taken as it is. code: of its row; None: it is gone.

    missing: the changes that make its records fit, (code before, code after), in hexadecimal.
    """

    uid: str
    code: bytes | None
    missing: Sequence[tuple[str | None, str | None]]


class ScrubState(NamedTuple):
    """How far the scrub of a database is. after: the serial of the last object that was checked.

    began: when this walk began; ended: when the last whole one ended; seconds since the Unix epoch, 0: never.
    """

    after: int = 0
    began: int = 0
    ended: int = 0


class ObjectChecks(Protocol):
    """Every method raises Unavailable."""

    async def read_page(self, read: ReadSoFar, after: int) -> StoredMoment:
        """The objects behind a serial, a page of them, and the records up to the same moment."""

    async def read_one(self, read: ReadSoFar, uid: str) -> StoredMoment:
        """As `read_page`, of one object."""

    async def read_present(self, read: ReadSoFar, uids: Sequence[str]) -> StoredMoment:
        """As `read_page`, of a few objects, whose rows are not looked at."""

    async def count(self) -> int:
        """How many objects there are."""

    async def list_findings(self) -> Mapping[str, Finding]:
        """What was found and is not as it should be again, by identifier."""

    async def refuse(self, faults: Sequence[Fault], origin: Origin) -> Sequence[Fault]:
        """Refuse these objects from now on, and record it; those of them that were not found before.

        A row that was changed since it was read is left for the next look. origin: of the records.
        """

    async def clear(self, rows: Sequence[StoredRow], origin: Origin) -> Sequence[str]:
        """Refuse these objects no longer, as they are as they should be; the identifiers of those that were refused.

        rows: as they were found; those without a code are gone, and rightly.
        """

    async def accept(self, acceptance: Acceptance, origin: Origin) -> bool:
        """Take an object as it is, and record it. False where it was changed meanwhile."""

    async def hold_scrub(self, state: ScrubState | None, *, within_s: int) -> ScrubState | None:
        """Have this process scrub, of all that have the database open; None where another one does.

        state: to store; None leaves it. Returns how it is. within_s: how long a process may be silent before
        another one takes its place.
        """

    async def leave_scrub(self, state: ScrubState) -> None:
        """Let another process scrub at once, from there."""

    async def scrub_state(self) -> ScrubState:
        """How far the scrub is, whoever does it."""
