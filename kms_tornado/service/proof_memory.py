"""ProofMemory: which DPoP proofs were used, for all servers of a database (`auth.bound.replays`)."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable

from ..auth.bound.replays import UserShares
from ..errors import Unavailable
from ..store.interface.used_proofs import UsedProofs

_log = logging.getLogger(__name__)

#: Proofs that are remembered, of some 100 bytes each. Two minutes of 8,000 requests a second.
MOST_PROOFS = 1_000_000

#: Seconds between two looks at what can be forgotten.
SWEEP_S = 30.0

#: Other writes wait while a page is deleted. So after each page, this many times the time that it took is free for
#: them.
_RESTS = 3

#: Seconds for which a proof is remembered longer than it is good, as clocks of servers differ.
_KEPT_LONGER_S = 60


class ProofMemory:
    """A `ReplayMemory` for one event loop. Where it is full, every proof is refused with Unavailable.

    proofs: those of the database.
    most: how many proofs there may be. What this process knows about those of others is some seconds old.
    """

    def __init__(
        self,
        proofs: UsedProofs,
        *,
        most: int = MOST_PROOFS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._proofs = proofs
        self._most = most
        self._clock = clock
        self._shares = UserShares(most)
        #: As the database had last time, and those of this process since.
        self._held = 0
        self._is_idle = False
        self._keeper: asyncio.Task[None] | None = None

    async def use(self, digest: bytes, until: float, user: str) -> bool:
        if self._held >= self._most:
            raise Unavailable(
                "too many requests with DPoP proofs", detail="the table of used proofs is full"
            )
        self._shares.count(user, self._clock())
        was_added = await self._proofs.use(digest, math.ceil(until))
        if not was_added:
            self._shares.take_back(user)
        self._held += was_added
        self._is_idle = False
        return was_added

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep(), name="kms-used-proofs")

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
            self._keeper = None

    async def sweep(self) -> None:
        """Forget the proofs that are no longer good. Raises Unavailable."""
        before = int(self._clock()) - _KEPT_LONGER_S
        while True:
            started = time.monotonic()
            forgotten = await self._proofs.forget(before)
            if not forgotten:
                break
            self._held = max(0, self._held - forgotten)
            await asyncio.sleep((time.monotonic() - started) * _RESTS)
        self._held = await self._proofs.count()
        # One row says what was forgotten. What others add, they see to themselves.
        self._is_idle = self._held <= 1

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            if self._is_idle:
                continue
            try:
                await self.sweep()
            except Unavailable:
                pass  # the database's health tells
            except Exception:  # the edge of the task
                _log.exception("used DPoP proofs could not be forgotten because of a bug")
