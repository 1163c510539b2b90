"""How a store has something computed that would hold up the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Compute(Protocol):
    """Runs a function on a thread, where it does not hold up the event loop; its result, or what it raises.

    Principals take turns. May raise Unavailable before it has begun.
    """

    def __call__(self, function: Callable[[], T], *, principal: str) -> Awaitable[T]: ...


async def compute_on_any_thread(function: Callable[[], T], *, principal: str) -> T:
    """For a store that no server shares among principals."""
    return await asyncio.to_thread(function)
