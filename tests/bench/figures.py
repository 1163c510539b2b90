"""What rounds say together: ratios of rounds that belong together, their spread, and whether a row has moved.

Pure. Whatever else the machine does hits the rounds of one turn alike, so their ratio is kept and not their
difference. Two processes of one program differ by some percent from start to end, so each start of the servers has its median,
and the spread is that between the starts.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

_RESAMPLES = 2_000


class Cost(NamedTuple):
    """Microseconds a request: what the server's processes computed, and what the clock said."""

    cpu: float
    wall: float


#: Of each start of the servers, {side: its rounds}. The rounds with one number were measured in one turn.
Starts = Sequence[Mapping[str, Sequence[Cost]]]


class Spread(NamedTuple):
    """The median over the starts of the servers, and the lowest and the highest of them."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.3f} ({self.low:.3f} to {self.high:.3f})"


def spread(starts: Sequence[Sequence[float]]) -> Spread:
    """starts: the values of each start, of which its median counts."""
    medians = [statistics.median(values) for values in starts]
    return Spread(statistics.median(medians), min(medians), max(medians))


class Interval(NamedTuple):
    """A median, and between which values that of many more such measurements lies, with 95 % confidence."""

    middle: float
    low: float
    high: float


def median_interval(values: Sequence[float]) -> Interval:
    """By bootstrap: the medians of as many values, drawn at random from these, with repeats. The same each time."""
    draw = random.Random(0)
    medians = sorted(
        statistics.median(draw.choices(values, k=len(values))) for _ in range(_RESAMPLES)
    )
    cut = _RESAMPLES // 40
    return Interval(statistics.median(values), medians[cut], medians[-1 - cut])


class Ratio(NamedTuple):
    """A row: how many times as fast as the side `to` the side `of` is. goal: at least this."""

    title: str
    of: str
    to: str
    goal: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A ratio as measured, by CPU and by wall. cpu_us, other_cpu_us: a request of each side."""

    title: str
    by_cpu: Spread
    by_wall: Spread
    cpu_us: float
    other_cpu_us: float
    goal: float | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached by CPU; None where there is none."""
        return None if self.goal is None else self.by_cpu.middle >= self.goal


def measure_row(ratio: Ratio, starts: Starts) -> Row:
    def faster(by: str) -> Spread:
        return spread(
            [
                [
                    getattr(to, by) / getattr(of, by)
                    for of, to in zip(sides[ratio.of], sides[ratio.to], strict=True)
                ]
                for sides in starts
            ]
        )

    def cpu_us(side: str) -> float:
        return spread([[cost.cpu for cost in sides[side]] for sides in starts]).middle

    return Row(
        ratio.title, faster("cpu"), faster("wall"), cpu_us(ratio.of), cpu_us(ratio.to), ratio.goal
    )


def has_moved(measured: Spread, null: Spread) -> bool:
    """Whether a ratio of two programs differs from 1 by more than noise.

    Each start says so, and the ratio is farther from 1 than the null test strays, which is the same ratio of one
    program to itself.
    """
    if measured.low <= 1 <= measured.high:
        return False
    noise = max(abs(math.log(null.low)), abs(math.log(null.high)))
    return abs(math.log(measured.middle)) > noise


def to_json(row: Row) -> dict[str, Any]:
    document = asdict(row)
    for name in ("by_cpu", "by_wall"):
        document[name] = getattr(row, name)._asdict()
    return {**document, "is_met": row.is_met}
