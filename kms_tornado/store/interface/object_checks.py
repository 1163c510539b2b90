"""The interface between a store and the code that checks its objects against the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ...audit.chain import ChainHead
from ...audit.record import Origin

#: Stands in place of an object's identifier for a fault in the audit itself.
AUDIT = ""


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """Records of one chain that were written together. is_ours: whether the row is as a server wrote it.

    Where the row has no numbers, chain, first and last are 0.
    """

    chain: int
    first: int
    last: int
    lines: Sequence[bytes]
    is_ours: bool

    @property
    def name(self) -> str:
        if not self.chain:
            return "records in a row that does not say which they are"
        return f"records {self.chain}/{self.first} to {self.chain}/{self.last}"

    @property
    def fault(self) -> str:
        """What to say of a row that is not as a server wrote it."""
        return f"{self.name} were not written by this server, or edited"


class StoredRow(NamedTuple):
    """The row of an object.

    code: the row's MAC, or the one that it had before it was refused.
    fault: why this server cannot have written the row, or None.
    """

    uid: str
    code: bytes
    fault: str | None
    is_refused: bool


@dataclass(frozen=True, slots=True)
class StoredMoment:
    """What a database contained at one moment.

    heads: of all chains.
    segments: those that were not read before.
    last: the serial of the last row; where there are no rows, the serial that was given.
    """

    heads: Mapping[int, ChainHead]
    segments: Sequence[StoredSegment]
    rows: Sequence[StoredRow]
    last: int


@dataclass(frozen=True, slots=True)
class ReadSoFar:
    """How far the chains were read. firsts: chain → first record of the last segment. ends: chain → last record."""

    firsts: Mapping[int, int]
    ends: Mapping[int, ChainHead]


class Fault(NamedTuple):
    """Something wrong with an object.

    uid: its identifier, or AUDIT.
    code: the MAC of its row, with which the row is refused from now on; None where there is no row, or its own MAC
    already refuses it.
    is_gone: whether there is no row.
    is_told_only: whether it is only reported, and nothing is refused.
    """

    uid: str
    text: str
    code: bytes | None = None
    is_gone: bool = False
    is_told_only: bool = False


class Finding(NamedTuple):
    """A fault that was found, for which an object is refused. since: seconds since the Unix epoch."""

    text: str
    since: int


class Acceptance(NamedTuple):
    """An object is accepted as it is.

    code: the MAC of its row; None where it is gone.
    missing: the changes for which records would have to exist, as (MAC before, MAC after), in hexadecimal.
    """

    uid: str
    code: bytes | None
    missing: Sequence[tuple[str | None, str | None]]


class ScrubState(NamedTuple):
    """How far the scrub of a database has come.

    after: the serial of the last object that was checked.
    began: when this walk began. ended: when the last complete walk ended. Both are seconds since the Unix epoch; 0
    means never.
    """

    after: int = 0
    began: int = 0
    ended: int = 0


class ObjectChecks(Protocol):
    """What the checks of stored objects need from a store. Every method raises Unavailable."""

    async def read_page(self, read: ReadSoFar, after: int) -> StoredMoment:
        """A page of the objects after a serial, and the records up to the same moment."""

    async def read_one(self, read: ReadSoFar, uid: str) -> StoredMoment:
        """One object, and the records up to the same moment."""

    async def read_present(self, read: ReadSoFar, uids: Sequence[str]) -> StoredMoment:
        """Which of a few objects exist, and the records up to the same moment.

        The contents of their rows are not checked.
        """

    async def find_unfit(self, after: int, last: int) -> Mapping[str, str]:
        """{identifier: what is wrong} of objects behind a serial, up to another, that have rows of rights they do not grant.

        Searches find objects by these rows.
        """

    async def find_odd_values(self) -> Sequence[str]:
        """A sentence for each column that has values of a type which no server writes there."""

    async def find_index_fault(self) -> str | None:
        """Where the index of the audit has something else than the records say; None where it fits them."""

    async def count(self) -> int:
        """How many objects there are."""

    async def list_findings(self) -> Mapping[str, Finding]:
        """The faults that were found and have not been mended, by identifier."""

    async def refuse(self, faults: Sequence[Fault], origin: Origin) -> Sequence[Fault]:
        """Refuse these objects from now on, and record it. Returns those that were not found before.

        A row that has changed since it was read is left for the next check. origin: of the records.
        """

    async def clear(self, rows: Sequence[StoredRow], origin: Origin) -> Sequence[str]:
        """Stop refusing these objects, since nothing is wrong with them any more.

        Returns the identifiers of those that were refused.
        rows: as they were read; those without a code are rightly gone.
        """

    async def accept(self, acceptance: Acceptance, origin: Origin) -> bool:
        """Accept an object as it is, and record it. False where it was changed meanwhile."""

    async def hold_scrub(self, state: ScrubState | None, *, within_s: int) -> ScrubState | None:
        """Let this process scrub, of all that have the database open.

        Returns the state; None where another process scrubs.
        state: the state to store; None leaves it unchanged.
        within_s: how long a process may be silent before another one takes its place.
        """

    async def leave_scrub(self, state: ScrubState) -> None:
        """Let another process continue the scrub immediately, from that state."""

    async def scrub_state(self) -> ScrubState:
        """How far the scrub has come, whichever process does it."""
