"""Timing for benchmarks: CPU time, rounds interleaved, best of many, so that noise hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


def best_of(
    candidates: Mapping[str, Callable[[], object]], *, number: int = 200, rounds: int = 40
) -> dict[str, float]:
    """{name: microseconds of CPU a call}: the best round of each, all candidates taking turns."""
    best = dict.fromkeys(candidates, float("inf"))
    for _ in range(rounds):
        for name, call in candidates.items():
            start = time.process_time()
            for _ in range(number):
                call()
            best[name] = min(best[name], (time.process_time() - start) / number * 1e6)
    return best


def print_table(title: str, times: Mapping[str, float], *, floor: str) -> None:
    print(f"\n{title}")
    for name, microseconds in times.items():
        print(f"  {name:<44} {microseconds:8.1f} µs   {microseconds / times[floor]:5.2f} x")
