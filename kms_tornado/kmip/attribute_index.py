"""The Attribute Index of KMIP 1: the number of each value of an attribute that may have several (KMIP 1.4 §2.1.1).

"Attribute Indices SHALL start with 0. The Attribute Index of an attribute SHALL NOT change when other instances
are added or deleted." So the values are numbered in their order, and the numbers of deleted values are left out:
of all that, an object keeps only the latter. They go to no other value as long as the attribute has any, or a
client that remembers a number would change somebody else's value. Once the last value is gone, numbers start
with 0 again, as a client that leaves the index out means 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple


class RetiredIndices(NamedTuple):
    """A range of the numbers of deleted values of an attribute, from the first to the last.

    tag: ``Name``; for a custom attribute, its name in KMIP 1 (``x-Barcode``).
    """

    tag: str
    first: int
    last: int


#: The retired ranges of all attributes of an object. Those of one attribute ascend, and between any two is a number
#: in use.
Retired = tuple[RetiredIndices, ...]


def iterate_indices(retired: Iterable[RetiredIndices], tag: str) -> Iterator[int]:
    """The numbers of the attribute's values, in their order, followed by those that further values will get."""
    index = 0
    for one, first, last in retired:
        if one == tag:
            yield from range(index, first)
            index = last + 1
    yield from itertools.count(index)


def index_at(retired: Iterable[RetiredIndices], tag: str, position: int) -> int:
    """The number of the value that stands at this position, counted from 0."""
    return next(itertools.islice(iterate_indices(retired, tag), position, None))


def position_of(retired: Iterable[RetiredIndices], tag: str, index: int) -> int | None:
    """The inverse of `index_at`; None for the number of a deleted value."""
    position = index
    for one, first, last in retired:
        if one == tag and first <= index:
            if index <= last:
                return None
            position -= last - first + 1
    return position


def retire_missing(
    retired: Retired, tag: str, before: Sequence[object], after: Sequence[object]
) -> Retired:
    """The retired numbers of an object after one of its attributes has lost values.

    before, after: all values of the attribute; the latter are some of the former, in the same order.
    """
    others = tuple(each for each in retired if each.tag != tag)
    if not after:
        return others
    ranges = [(first, last) for one, first, last in retired if one == tag]
    left = iter(after)
    next_left = next(left, None)
    for index, value in zip(iterate_indices(retired, tag), before, strict=False):
        if value == next_left:
            next_left = next(left, None)
        else:
            ranges.append((index, index))
    return (*others, *(RetiredIndices(tag, *each) for each in _join(ranges)))


def _join(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same numbers in as few ranges as possible, ascending."""
    joined: tuple[int, int] | None = None
    for first, last in sorted(ranges):
        if joined is None:
            joined = first, last
        elif first == joined[1] + 1:
            joined = joined[0], last
        else:
            yield joined
            joined = first, last
    if joined is not None:
        yield joined
