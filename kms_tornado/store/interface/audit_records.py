"""The index of the audit, by which records are found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ...audit.query import FoundRecord, RecordQuery


class IndexStep(NamedTuple):
    """What one step of indexing the audit did.

    entries: how many entries for objects, principals and uses were written.
    behind: how many records are not in the index yet.
    is_anothers: whether another process does the indexing.
    """

    records: int = 0
    entries: int = 0
    behind: int = 0
    is_anothers: bool = False


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some thousand records.

    number: of the page, from 1; the oldest page is the first.
    ranges: chain → (first record, last record).
    since_ms, until_ms: the times of its oldest and newest record, in milliseconds since the Unix epoch.
    ceiling_ms: the highest until_ms of this page and all before it.
    """

    number: int
    ranges: Mapping[int, tuple[int, int]]
    records: int
    since_ms: int
    until_ms: int
    ceiling_ms: int


class AuditRecords(Protocol):
    """Finds records with an index that is some seconds behind. Every method raises Unavailable."""

    async def take_step(self, now: int, *, is_urgent: bool = False) -> IndexStep:
        """Index some records, if there are any and no other process does so.

        now: seconds since the Unix epoch.
        is_urgent: index them even if another process does.
        """

    async def forget_index(self) -> int:
        """Have the index made again from the beginning, in steps. Returns how many records there are."""

    async def find_pages(
        self, keys: Sequence[int], *, up_to: int | None, limit: int, principal: str
    ) -> Sequence[AuditPage]:
        """The pages with records under any of the keys (two at most), or all pages; the newest first.

        up_to: the highest number. principal: the user for whom this is done, since users take turns.
        """

    async def read_page(
        self, page: AuditPage, query: RecordQuery, *, principal: str
    ) -> Sequence[FoundRecord]:
        """The records of the page that match the query, the newest first, whether or not the caller may read them.

        Raises GeneralFailure where records are not as a server wrote them.
        """

    async def find_owned(self, uids: Collection[str], *, owner: str) -> Mapping[str, int]:
        """Those of the identifiers that belong to objects of the owner, also removed ones, as far as they are indexed.

        Each comes with the time when it first became an object's, in milliseconds since the Unix epoch. What others did
        with the identifier before that time is not for the owner to read.
        """
