"""A chain of records: each line names the hash of the one before it, so that none can be changed, moved or left out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from .record import Draft, State, render

#: The head of a chain before its first record.
NOTHING = "0" * 64

#: The largest size of one segment. The changes of one transaction, at most 256 with 4 KiB each, have room in it.
_MOST_BYTES = 256 * 1024
_MOST_LINES = 1000

#: The largest number of objects in one record. A change of more objects has further records with the rest.
MOST_OBJECTS = 32


class ChainHead(NamedTuple):
    """The last record of a chain. Before the first record, seq is 0 and hash is NOTHING."""

    chain: int
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Segment:
    """Records of one chain that are stored together.

    head: the chain's head after them.
    lines: joined by line feeds.
    since_ms, until_ms: the times of the oldest and of the newest record.
    """

    chain: int
    first: int
    head: ChainHead
    lines: bytes
    since_ms: int
    until_ms: int


#: A draft, and the codes of the objects that its transaction changed.
Recorded = tuple[Draft, Sequence[State]]


def hash_line(line: bytes) -> str:
    """The hash of a line, without its line end."""
    return hashlib.sha256(line).hexdigest()


def is_chained(lines: Sequence[bytes]) -> bool:
    """Whether each line contains the hash of the one before it.

    If so, and the last one is authentic, all of them are.
    """
    return all(f'"prev":"{hash_line(before)}"'.encode() in line for before, line in pairwise(lines))


def extend(head: ChainHead, recorded: Iterable[Recorded]) -> Iterator[Segment]:
    """The segments that continue the chain, at least one for at least one record."""
    chain, seq, prev = head
    sha256 = hashlib.sha256
    lines: list[bytes] = []
    times: list[int] = []
    size, first = 0, seq + 1
    for draft, objects in _split(recorded):
        seq += 1
        line = render(draft, chain, seq, prev, objects).encode()
        size += len(line) + 1
        if lines and (size > _MOST_BYTES or len(lines) == _MOST_LINES):
            head = ChainHead(chain, seq - 1, prev)
            yield Segment(chain, first, head, b"\n".join(lines), min(times), max(times))
            lines, times, size, first = [], [], len(line) + 1, seq
        prev = sha256(line).hexdigest()
        lines.append(line)
        times.append(draft.time_ms)
    if lines:
        head = ChainHead(chain, seq, prev)
        yield Segment(chain, first, head, b"\n".join(lines), min(times), max(times))


def _split(recorded: Iterable[Recorded]) -> Iterator[Recorded]:
    """The records in groups with at most MOST_OBJECTS objects each."""
    for one in recorded:
        draft, objects = one
        if len(objects) <= MOST_OBJECTS:
            yield one
            continue
        for start in range(0, len(objects), MOST_OBJECTS):
            yield draft, objects[start : start + MOST_OBJECTS]
