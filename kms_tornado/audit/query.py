"""The records that somebody asks for, and which of them they may read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import NamedTuple

from .indexing import RecordFields, object_key, owner_key, principal_key, read_fields
from .record import MOST_CHARACTERS

#: The longest identifier or principal to search for, in characters. Of a longer one, records contain the first 255,
#: which others may share.
MAX_TERM_LENGTH = MOST_CHARACTERS - 1


class Place(NamedTuple):
    """The position of a record in a page; the newest come first."""

    time_ms: int
    chain: int
    seq: int


class FoundRecord(NamedTuple):
    """A record that was found. line: as it is stored.

    The other fields are from the record; uids lacks identifiers that it contains only in part.
    """

    place: Place
    line: bytes
    principal: str | None
    uids: frozenset[str]
    operation: str
    result: str


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """The records that are asked for; None stands for any.

    since_ms, until_ms: milliseconds since the Unix epoch.
    only_of: the principal who may read only records of their own actions and of their own objects; None for a user who
    may read all that is asked for.
    """

    uid: str | None = None
    principal: str | None = None
    operation: str | None = None
    result: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    only_of: str | None = None

    @property
    def keys(self) -> Sequence[int]:
        """Keys under any of which the index finds the pages; none for all pages.

        For a user who may not read what others did, even the time that a query takes must not show how much that is.
        """
        if self.only_of is not None:
            return principal_key(self.only_of), owner_key(self.only_of)
        if self.uid is not None:
            return (object_key(self.uid),)
        return () if self.principal is None else (principal_key(self.principal),)

    def matches_times(self, since_ms: int, until_ms: int) -> bool:
        """Whether a record in this period may match."""
        return (self.since_ms is None or until_ms >= self.since_ms) and (
            self.until_ms is None or since_ms <= self.until_ms
        )

    def find(self, chain: int, first: int, lines: Sequence[bytes]) -> Iterator[FoundRecord]:
        """Those of some records in a row in a chain that match, whether or not the caller may read them.

        A line that is not a record is ignored.
        """
        needed = [*self._write_members()]
        for seq, line in enumerate(lines, first):
            if all(member in line for member in needed):
                fields = read_fields(line)
                if fields is not None and self._matches(fields):
                    place = Place(fields.time_ms, chain, seq)
                    yield FoundRecord(
                        place, line, fields.principal, fields.uids, fields.operation, fields.result
                    )

    def _write_members(self) -> Iterator[bytes]:
        """Texts that each matching line contains, so that most other lines need not be parsed."""
        for name, value in (
            ("principal", self.principal), ("operation", self.operation), ("result", self.result),
        ):  # fmt: skip
            if value is not None:
                yield f'"{name}":{encode_basestring(value)}'.encode()
        if self.uid is not None:
            yield encode_basestring(self.uid).encode()

    def _matches(self, fields: RecordFields) -> bool:
        return (
            (self.uid is None or self.uid in fields.uids)
            and self.principal in (None, fields.principal)
            and self.operation in (None, fields.operation)
            and self.result in (None, fields.result)
            and self.matches_times(fields.time_ms, fields.time_ms)
        )
