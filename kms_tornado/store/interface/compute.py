"""How a store runs a computation that would hold up the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

#: Rows that are parsed and checked in one job: one to four milliseconds. Half as many cost a tenth of the whole.
_ROWS_OF_SLICE = 64


class Compute(Protocol):
    """Runs a function on a thread, where it does not hold up the event loop. Returns or raises what the function does.

    Principals take turns. May raise Unavailable before the function has begun.
    """

    def __call__(self, function: Callable[[], T], *, principal: str) -> Awaitable[T]: ...


async def compute_in_slices(
    compute: Compute,
    function: Callable[[Sequence[Any]], list[T]],
    rows: Sequence[Any],
    *,
    principal: str,
) -> list[T]:
    """The function's results for all rows, computed for a few rows in each job, so that others' jobs run in between.

    A thousand rows take 80 ms. In one job, the thread would have half of the interpreter's lock for that time, and each
    request on the event loop would take twice as long.
    """
    results: list[T] = []
    for start in range(0, len(rows), _ROWS_OF_SLICE):
        some = rows[start : start + _ROWS_OF_SLICE]
        results += await compute(partial(function, some), principal=principal)
    return results


async def compute_on_any_thread(function: Callable[[], T], *, principal: str) -> T:
    """Run the function on some thread, for a store that no server shares among principals."""
    return await asyncio.to_thread(function)
