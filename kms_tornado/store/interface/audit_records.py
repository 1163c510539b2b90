"""The index of the audit, by which records are found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ...audit.query import FoundRecord, RecordQuery


class IndexStep(NamedTuple):
    """What was done for the index of the audit.

    entries: of objects, principals and uses that were written. behind: how many records are not in it yet.
    is_anothers: whether it is another process that indexes them.
    """

    records: int = 0
    entries: int = 0
    behind: int = 0
    is_anothers: bool = False


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some thousand records. number: from 1, the oldest first. ranges: chain → (first record, last one).

    since_ms, until_ms: of its records, since the Unix epoch. ceiling_ms: the highest until_ms up to this page.
    """

    number: int
    ranges: Mapping[int, tuple[int, int]]
    records: int
    since_ms: int
    until_ms: int
    ceiling_ms: int


class AuditRecords(Protocol):
    """Finds records by an index, which is some seconds behind. Every method raises Unavailable."""

    async def take_step(self, now: int, *, is_urgent: bool = False) -> IndexStep:
        """Index some records, if there are any, and no other process does that; is_urgent: in any case.

        now: seconds since the Unix epoch.
        """

    async def forget_index(self) -> int:
        """Have it made anew by steps. Returns how many records there are."""

    async def find_pages(
        self, keys: Sequence[int], *, up_to: int | None, limit: int, principal: str
    ) -> Sequence[AuditPage]:
        """The pages with records under any of the keys, two at most, or all of them, the newest first.

        up_to: the highest number. principal: whose turn it is.
        """

    async def read_page(
        self, page: AuditPage, query: RecordQuery, *, principal: str
    ) -> Sequence[FoundRecord]:
        """The records of the page that the query finds, the newest first, whoever may read them.

        Raises GeneralFailure where records are not as a server wrote them.
        """

    async def find_owned(self, uids: Collection[str], *, owner: str) -> Mapping[str, int]:
        """Those of the identifiers that are of objects of the owner's, removed ones too, as far as indexed.

        Each with the time when it became an object's for the first time, in milliseconds since the Unix epoch:
        what others did with it before is not the owner's to read.
        """
