"""Many rows are worked on in jobs between which others' run."""

from __future__ import annotations

import asyncio

import pytest

from kms_tornado.errors import Unavailable
from kms_tornado.store.interface.compute import compute_in_slices


def run_in_slices(rows, *, places=1000):
    """What becomes of the rows, each doubled, and the sizes of the jobs. places: how many jobs find one."""
    sizes = []

    def double(some):
        sizes.append(len(some))
        return [2 * row for row in some]

    async def compute(function, *, principal):
        assert principal == "alice"
        if len(sizes) == places:
            raise Unavailable("busy")
        return function()

    return asyncio.run(compute_in_slices(compute, double, rows, principal="alice")), sizes


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000])
def test_all_rows_are_worked_on_in_order_and_few_in_each_job(count):
    results, sizes = run_in_slices(range(count))
    assert results == [2 * row for row in range(count)]
    assert max(sizes, default=0) <= 64
    assert len(sizes) == -(-count // 64)


def test_job_that_finds_no_place_refuses_all_of_it():
    with pytest.raises(Unavailable):
        run_in_slices(range(1000), places=3)
