"""Numbers of an attribute's values, while values are added and deleted (KMIP 1.4 §2.1.1)."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.kmip.attribute_index import (
    RetiredIndices,
    index_at,
    iterate_indices,
    position_of,
    retire_missing,
)

from ..rows import each_row


def retired(*ranges, tag="Name"):
    return tuple(RetiredIndices(tag, first, last) for first, last in ranges)


@each_row(
    ("before", "after", "already", "expected"),
    [
        pytest.param("abc", "bc", (), ((0, 0),), id="first"),
        pytest.param("abc", "ac", (), ((1, 1),), id="middle"),
        pytest.param("abc", "ab", (), ((2, 2),), id="last"),
        pytest.param("abc", "b", (), ((0, 0), (2, 2)), id="several"),
        pytest.param("abc", "abc", ((1, 1),), ((1, 1),), id="none"),
        pytest.param("ac", "c", ((1, 1),), ((0, 1),), id="next to a retired one"),
        pytest.param("ac", "a", ((1, 1), (3, 4)), ((1, 4),), id="between retired ones"),
        pytest.param("ac", "", ((1, 1),), (), id="the last value"),
    ],
)
def test_numbers_of_deleted_values_are_kept_in_as_few_ranges_as_possible(
    before, after, already, expected
):
    other = retired((0, 7), tag="Link")
    found = retire_missing((*other, *retired(*already)), "Name", before, after)
    assert found == (*other, *retired(*expected))


#: Positions at which a value is deleted; None adds one.
_STEPS = st.lists(st.none() | st.integers(0, 7), max_size=40)


@given(_STEPS)
def test_value_keeps_its_number_and_a_number_means_one_value(steps):
    numbers: list[int] = []  # as values have them: each value is its number
    kept = retired((3, 3), tag="Link")
    for step in steps:
        if step is None:
            numbers.append(index_at(kept, "Name", len(numbers)))
        elif step < len(numbers):
            left = numbers[:step] + numbers[step + 1 :]
            kept = retire_missing(kept, "Name", numbers, left)
            numbers = left
        assert len({*numbers}) == len(numbers)
        assert list(islice(iterate_indices(kept, "Name"), len(numbers))) == numbers
        in_use = {number: position for position, number in enumerate(numbers)}
        for number in range(max(numbers, default=-1) + 1):
            assert position_of(kept, "Name", number) == in_use.get(number)
        assert len(kept) <= len(numbers) + 2
