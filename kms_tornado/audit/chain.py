"""A chain of records: each line names the hash of the one before it, so that none can be changed, moved or left out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .record import Draft, State, render

#: Before the first record of a chain.
NOTHING = "0" * 64

#: Of one segment. A change's transaction has up to 256 changes of 4 KiB at most.
_MOST_BYTES = 256 * 1024
_MOST_LINES = 1000

#: Objects of one record; the record of a change of more is followed by others with the rest.
MOST_OBJECTS = 32


class ChainHead(NamedTuple):
    """The last record of a chain. seq: 0 and hash NOTHING before the first one."""

    chain: int
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Segment:
    """Lines of one chain that are stored together. head: behind them. since_ms, until_ms: of the records."""

    chain: int
    first: int
    head: ChainHead
    lines: Sequence[str]
    since_ms: int
    until_ms: int


class Recorded(NamedTuple):
    """A draft, and the codes of the objects that its transaction changed."""

    draft: Draft
    objects: Sequence[State]


def hash_line(line: bytes) -> str:
    """line: without its end."""
    return hashlib.sha256(line).hexdigest()


def extend(head: ChainHead, recorded: Sequence[Recorded]) -> Iterator[Segment]:
    """The segments that continue the chain, at least one for at least one record."""
    chain, seq, prev = head
    lines: list[str] = []
    size, first, since, until = 0, seq + 1, 0, 0
    for draft, objects in recorded:
        for start in range(0, max(len(objects), 1), MOST_OBJECTS):
            line = render(draft, chain, seq + 1, prev, objects[start : start + MOST_OBJECTS])
            octets = line.encode()
            if lines and (size + len(octets) > _MOST_BYTES or len(lines) == _MOST_LINES):
                yield Segment(chain, first, ChainHead(chain, seq, prev), lines, since, until)
                lines, size, first = [], 0, seq + 1
            since = min(since, draft.time_ms) if lines else draft.time_ms
            until = max(until, draft.time_ms) if lines else draft.time_ms
            seq += 1
            prev = hashlib.sha256(octets).hexdigest()
            lines.append(line)
            size += len(octets)
    if lines:
        yield Segment(chain, first, ChainHead(chain, seq, prev), lines, since, until)
