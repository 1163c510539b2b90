"""FairQueue: a bounded queue in which principals take turns, and no principal's load keeps another's first item out.

Pure: it holds items and hands them out; nothing waits here, and no clock is read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class Full(Exception):
    """There is no place for the item. waiting: how many items of this principal wait."""

    def __init__(self, waiting: int) -> None:
        super().__init__(waiting)
        self.waiting = waiting


@dataclass(frozen=True, slots=True)
class QueueBounds:
    """How much may wait, in total and for one principal. An item that waits alone may have any size."""

    items: int
    items_per_principal: int
    size: int
    size_per_principal: int


@dataclass(slots=True)
class _Share(Generic[T]):
    """The waiting items of one principal, the oldest first, at least one. size: of all of them."""

    items: deque[tuple[T, int]]
    size: int


class FairQueue(Generic[T]):
    """Items by principal.

    Items come out of it by principals in turn, and those of one principal in their order. A principal with waiting
    items gets no more than a principal's share. One without any gets a place even in a full queue: that of the newest
    item of whoever has most waiting, as long as that leaves them one. So the share of one principal shrinks as others
    come, and nobody is kept out.
    """

    def __init__(self, bounds: QueueBounds) -> None:
        self._bounds = bounds
        #: The first principal is the next whose item comes out.
        self._shares: dict[str, _Share[T]] = {}
        self.size = self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, principal: str, item: T, size: int = 0) -> list[T]:
        """Let the item wait; the items that gave up their places for it. Raises Full, and then nothing is changed."""
        share = self._shares.get(principal)
        if share is None:
            displaced = self._make_room(size)
            self._shares[principal] = _Share(deque([(item, size)]), size)
        else:
            bounds = self._bounds
            if (
                self._is_full(size)
                or len(share.items) >= bounds.items_per_principal
                or share.size + size > bounds.size_per_principal
            ):
                raise Full(len(share.items))
            displaced = []
            share.items.append((item, size))
            share.size += size
        self._length += 1
        self.size += size
        return displaced

    def take(self, passing_over: Container[str] = ()) -> T | None:
        """The next item of a principal who is not passed over; None where there is none."""
        principal = next((name for name in self._shares if name not in passing_over), None)
        if principal is None:
            return None
        share = self._shares.pop(principal)
        item, size = share.items.popleft()
        if share.items:
            self._shares[principal] = share  # at the end, behind all other principals
        self._remove(share, size)
        return item

    def _is_full(self, size: int) -> bool:
        bounds = self._bounds
        return self._length >= bounds.items or (self._length > 0 and self.size + size > bounds.size)

    def _make_room(self, size: int) -> list[T]:
        """Remove newest items until an item of this size fits, or raise Full and remove none."""
        if not self._is_full(size):
            return []
        if not self._may_make_room(size):
            raise Full(0)
        displaced = []
        while self._is_full(size):
            rich = [share for share in self._shares.values() if len(share.items) > 1]
            # Of equals the last: their turn is the farthest away.
            share = max(reversed(rich), key=self._choose_measure())
            item, freed = share.items.pop()
            self._remove(share, freed)
            displaced.append(item)
        return displaced

    def _may_make_room(self, size: int) -> bool:
        """Whether an item of this size would fit if everybody kept only their first item."""
        firsts = [share.items[0][1] for share in self._shares.values()]
        bounds = self._bounds
        return len(firsts) < bounds.items and sum(firsts) + size <= bounds.size

    def _choose_measure(self) -> Callable[[_Share[T]], int]:
        """How to find who has "most": by items where their number is exceeded, else by size."""
        if self._length >= self._bounds.items:
            return lambda share: len(share.items)
        return lambda share: share.size

    def _remove(self, share: _Share[T], size: int) -> None:
        share.size -= size
        self.size -= size
        self._length -= 1
