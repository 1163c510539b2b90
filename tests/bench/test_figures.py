"""Medians, spreads, and what counts as noise."""

from __future__ import annotations

import json

import pytest

from tests.bench.compare import find_moved
from tests.bench.figures import (
    Cost,
    Interval,
    Ratio,
    Row,
    Spread,
    has_moved,
    measure_row,
    median_interval,
    spread,
    to_json,
)


def test_the_median_of_each_start_counts_and_their_range_is_the_spread() -> None:
    assert spread([[1, 2, 9], [4, 4, 4], [3, 3, 300]]) == Spread(middle=3, low=2, high=4)


def test_values_that_agree_have_a_narrow_interval_although_one_is_far_away() -> None:
    middle, low, high = median_interval([*(1 + number / 1000 for number in range(30)), 40.0])
    assert middle == 1.015
    assert 1.0 <= low < middle < high < 1.03
    assert median_interval([2.0]) == Interval(2.0, 2.0, 2.0)


def test_rounds_of_one_turn_are_compared() -> None:
    """The second turn came while the machine was three times as slow, for both sides."""
    start = {
        "a": [Cost(cpu=50, wall=60), Cost(cpu=150, wall=180)],
        "b": [Cost(cpu=100, wall=60), Cost(cpu=300, wall=180)],
    }
    row = measure_row(Ratio("a ÷ b", "a", "b", goal=1.5), [start])
    assert row.by_cpu == Spread(2, 2, 2)
    assert row.by_wall == Spread(1, 1, 1)
    assert (row.cpu_us, row.other_cpu_us) == (100, 200)
    assert row.is_met


def test_sides_that_had_not_the_same_turns_are_refused() -> None:
    start = {"a": [Cost(1, 1)], "b": [Cost(1, 1), Cost(1, 1)]}
    with pytest.raises(ValueError, match="zip"):
        measure_row(Ratio("a ÷ b", "a", "b"), [start])


@pytest.mark.parametrize(
    ("measured", "null", "moved"),
    [
        pytest.param(Spread(1.10, 1.06, 1.12), Spread(1.00, 0.97, 1.03), True, id="faster"),
        pytest.param(Spread(0.90, 0.88, 0.94), Spread(1.00, 0.97, 1.03), True, id="slower"),
        pytest.param(Spread(1.10, 0.99, 1.30), Spread(1.00, 0.97, 1.03), False, id="not each time"),
        pytest.param(Spread(1.05, 1.04, 1.06), Spread(0.99, 0.94, 1.00), False, id="the null strays"),
        pytest.param(Spread(0.95, 0.94, 0.96), Spread(1.05, 1.02, 1.07), False, id="the other way"),
        pytest.param(Spread(1.00, 1.00, 1.00), Spread(1.00, 1.00, 1.00), False, id="the same"),
    ],
)  # fmt: skip
def test_a_row_moves_where_each_start_says_so_and_the_null_test_does_not(
    measured: Spread, null: Spread, moved: bool
) -> None:
    assert has_moved(measured, null) is moved


def row(title: str, middle: float, goal: float | None = None) -> Row:
    by = Spread(middle, middle, middle)
    return Row(title, by, by, 100.0, 100.0, goal)


def test_what_moved_is_named_with_its_direction() -> None:
    rows = [row("get", 0.9), row("get again", 1.01), row("create", 1.2), row("create again", 0.7)]
    assert find_moved(rows) == ["get: 10.0 % SLOWER by CPU"]


@pytest.mark.parametrize(
    ("goal", "is_met"), [(0.9, True), (0.95, True), (0.96, False), (None, None)]
)
def test_a_goal_is_met_by_cpu(goal: float | None, is_met: bool | None) -> None:
    assert row("get", 0.95, goal).is_met is is_met


def test_rows_are_written_with_the_names_of_their_numbers() -> None:
    document = json.loads(json.dumps(to_json(row("get", 0.95, 0.9))))
    assert document["by_cpu"] == {"middle": 0.95, "low": 0.95, "high": 0.95}
    assert document["is_met"] is True
