"""Memories of the DPoP proofs that were used, so that none is good twice (RFC 9449 §11.1)."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ...argument_types import check_type
from ...errors import ConfigurationError, TooManyRequests, Unavailable
from .proof_nonces import LEAST_KEY_BYTES

#: Proofs that a process remembers for itself, of some 200 bytes each: those of two minutes, 1,600 a second.
MOST_PROOFS = 200_000

#: A user may have this part of a memory, so that none fills it for all others.
SHARE = 1 / 4
#: Seconds for which a proof is remembered at least.
PERIOD_S = 120.0


class ReplayMemory(Protocol):
    """Remembers each proof until it is no longer good anyway. Several processes may share one."""

    async def use(self, digest: bytes, until: float, user: str) -> bool:
        """Remember a proof; False where it is remembered already, or may have been forgotten.

        digest: 32 bytes, a digest of the proof's key and its ``jti``.
        until: when the proof stops being good, in seconds since the Unix epoch.
        user: the principal's name.
        Raises Unavailable where the proof cannot be remembered, and TooManyRequests where that user has used too
        many.
        """


@dataclass(frozen=True, slots=True)
class SharedProofs:
    """What several processes share, so that they accept each other's DPoP nonces and no proof is used at two of them.

    nonce_key: at least 16 secret bytes.
    """

    replays: ReplayMemory
    nonce_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        check_type(self.nonce_key, bytes, "nonce_key")
        if len(self.nonce_key) < LEAST_KEY_BYTES:
            raise ConfigurationError(f"{LEAST_KEY_BYTES} bytes or more are needed", "nonce_key")


class UserShares:
    """Counts how many proofs each user has used recently, so that no user fills the memory for all others.

    most: the capacity of the memory, of which each user has a share.
    Proofs are counted by periods: each one counts during the period in which it was used and the next.
    """

    def __init__(self, most: int) -> None:
        self._most = max(1, int(most * SHARE))
        self._counts: dict[str, int] = {}
        self._former: dict[str, int] = {}
        self._end = 0.0

    def count(self, user: str, now: float) -> None:
        """Count one more proof of the user.

        Raises TooManyRequests where the user's share is used up. now: seconds of any clock.
        """
        if not self._end - PERIOD_S <= now < self._end:
            is_next = self._end <= now < self._end + PERIOD_S
            self._former = self._counts if is_next else {}
            self._counts, self._end = {}, now + PERIOD_S
        count = self._counts.get(user, 0)
        if count + self._former.get(user, 0) >= self._most:
            raise TooManyRequests(
                "too many requests with DPoP proofs", limit="proofs", retry_after_s=60
            )
        self._counts[user] = count + 1

    def take_back(self, user: str) -> None:
        """Undo `count` for a proof that turned out to have been used before.

        Otherwise whoever has seen a proof could use up its user's share by sending it again.
        """
        if count := self._counts.get(user, 0):
            self._counts[user] = count - 1


class ProcessReplays:
    """A `ReplayMemory` of one process. Where it is full, every proof is refused with Unavailable.

    most: how many proofs it remembers.
    """

    def __init__(self, now: Callable[[], float], most: int = MOST_PROOFS) -> None:
        self._now = now
        self._most = most
        self._shares = UserShares(most)
        self._used: set[bytes] = set()
        self._ends: list[tuple[float, bytes]] = []  # a heap, the earliest end first
        #: Proofs whose end comes before this may have been forgotten, whatever the clock says by now.
        self._forgotten = float("-inf")

    def __len__(self) -> int:
        return len(self._used)

    async def use(self, digest: bytes, until: float, user: str) -> bool:
        now = self._now()
        while self._ends and self._ends[0][0] < now:
            end, forgotten = heapq.heappop(self._ends)
            self._used.discard(forgotten)
            self._forgotten = max(self._forgotten, end)
        if digest in self._used or until <= self._forgotten:
            return False
        if len(self._used) >= self._most:
            raise Unavailable(
                "too many requests with DPoP proofs", detail="the memory of used proofs is full"
            )
        self._shares.count(user, now)
        self._used.add(digest)
        heapq.heappush(self._ends, (until, digest))
        return True
