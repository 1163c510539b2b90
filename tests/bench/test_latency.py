"""When requests are due, and which latency counts."""

from __future__ import annotations

import pytest

from tests.bench.latency import iter_due, p99_ms


def test_requests_are_due_at_even_times_until_the_end() -> None:
    assert list(iter_due(per_second=4, seconds=1.5)) == [0, 0.25, 0.5, 0.75, 1.0, 1.25]


def test_p99_is_the_latency_that_one_in_a_hundred_exceeds() -> None:
    assert p99_ms([0.001] * 985 + [0.5] * 15) == pytest.approx(500)
    assert p99_ms([0.001] * 995 + [0.5] * 5) == pytest.approx(1)
