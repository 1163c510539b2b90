"""KeyCache: one issuer's keys over time: refresh, cooldown, single flight, last good keys on failure.

The time between refreshes counts on a monotonic clock; the clock, the source of keys and the jitter
are passed in, so that a test needs no network and no sleep.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..errors import KeySetError, KeysUnavailable
from .issuer import RefreshPolicy, TrustedIssuer
from .key_source import Loaded
from .keyset import KeySet

log = logging.getLogger("kms_tornado.keys")

Load = Callable[[], Awaitable[Loaded]]

#: A failing issuer is asked again at most this often, however short the cooldown.
_LEAST_BACKOFF_S = 1.0


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """What an operator wants to know of one issuer's keys.

    state: "loading" (no answer yet), "ok", "failing" (last good keys serve), "stale" (they no
    longer do), "missing" (there never were any).
    age_s: seconds since the last good refresh; failing_for_s: since the first failure after it.
    """

    issuer: str
    state: str
    keys: int
    age_s: float | None
    failing_for_s: float | None
    problem: str | None
    generation: int


class KeyCache:
    """Owns one issuer's current KeySet. To be used from one event loop."""

    def __init__(
        self,
        issuer: TrustedIssuer,
        load: Load,
        policy: RefreshPolicy,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.issuer = issuer
        self.fetches: Counter[str] = Counter()  # {"ok" or "failed": number}
        self._load = load
        self._policy = policy
        self._clock = clock
        self._jitter = jitter
        #: What usable_key_set answers while refreshes succeed; while they fail, None.
        self.fresh: KeySet | None = None
        self._key_set: KeySet | None = None
        self._generation = 0
        self._started_at = -math.inf  # of the last refresh, whatever came of it
        self._succeeded_at: float | None = None
        self._next_at = -math.inf
        self._failures = 0  # in a row
        self._failing_since: float | None = None
        self._problem: str | None = None
        self._stale_logged = False
        self._oddities: tuple[object, object] = ((), ())
        self._task: asyncio.Task[None] | None = None

    # --- what requests ask ----------------------------------------------------------------------

    def key_set(self) -> KeySet:
        """The keys to verify with. Raises KeysUnavailable where there are none or only stale ones."""
        key_set = self.usable_key_set()
        if key_set is None:
            raise KeysUnavailable(
                "the issuer's keys are not available",
                retry_after_s=self._retry_after_s(),
                detail=self._problem or "the first refresh has not ended",
            )
        return key_set

    def usable_key_set(self) -> KeySet | None:
        """As key_set, None where that raises."""
        if self._failing_since is not None and self._is_stale():
            return None
        return self._key_set

    async def refresh(self) -> None:
        """Join the refresh in flight, or start one if the cooldown is over; then wait for its end.

        Never raises for what the issuer does: look at key_set() afterwards. A caller that goes away
        does not take the refresh from the others.
        """
        if self._task is not None or self.start_refresh():
            await self.join()

    async def join(self) -> None:
        """Wait for the refresh in flight, if there is one; start none."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=self._policy.timeout_s)

    # --- what the periodic callback and the server ask --------------------------------------------

    def tick(self) -> None:
        """Start a refresh if one is due. Called every second or so."""
        if self._clock() >= self._next_at:
            self.start_refresh()
        if self._key_set is not None and self._is_stale() and not self._stale_logged:
            self._stale_logged = True
            log.error(
                "issuer %s: its keys are older than the maximum staleness of %g s; its tokens are "
                "now answered 503",
                self.issuer.uri,
                self._policy.max_stale_s,
            )

    def start_refresh(self) -> bool:
        """Start one in the background unless one runs or the cooldown does; whether it was started."""
        now = self._clock()
        if self._task is not None or now < self._started_at + self._policy.cooldown_s:
            return False
        # Stamped before the fetch: an issuer that hangs or fails is not asked more often for it.
        self._started_at = now
        self._task = asyncio.get_running_loop().create_task(self._refresh())
        self._task.add_done_callback(self._ended)
        return True

    async def stop(self) -> None:
        """Cancel the refresh in flight and wait until it is gone."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def status(self) -> KeyStatus:
        now = self._clock()
        if self._key_set is None:
            state = "loading" if self._failing_since is None else "missing"
        elif self._failing_since is None:
            state = "ok"
        else:
            state = "stale" if self._is_stale() else "failing"
        return KeyStatus(
            issuer=self.issuer.uri,
            state=state,
            keys=0 if self._key_set is None else self._key_set.size,
            age_s=None if self._succeeded_at is None else now - self._succeeded_at,
            failing_for_s=None if self._failing_since is None else now - self._failing_since,
            problem=self._problem,
            generation=self._generation,
        )

    # --- one refresh ----------------------------------------------------------------------------

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("issuer %s: a refresh ended in a bug", self.issuer.uri, exc_info=error)

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(self._policy.timeout_s):
                loaded = await self._load()
        except TimeoutError:
            self._failed(f"no whole answer within {self._policy.timeout_s:g} s")
        except KeySetError as exc:
            self._failed(str(exc))
        except Exception as exc:
            # The schedule must outlive whatever a document can trigger in us; the cause is a bug.
            log.exception("issuer %s: a refresh ended in a bug", self.issuer.uri)
            self._failed(f"internal error ({type(exc).__name__})")
        else:
            self._succeeded(loaded)

    def _succeeded(self, loaded: Loaded) -> None:
        now = self._clock()
        known = self._key_set
        if known is None or known.fingerprint != loaded.key_set.fingerprint:
            # A new object only where the keys differ: remembered tokens are bound to it.
            self._key_set = loaded.key_set
            self._generation += 1
            log.info(
                "issuer %s: %s %d signing keys", self.issuer.uri,
                "loaded" if known is None else "now has", loaded.key_set.size,
            )  # fmt: skip
        self._log_oddities(loaded.key_set)
        if self._failing_since is not None:
            log.warning(
                "issuer %s: keys are fetched again after %.0f s of failures",
                self.issuer.uri,
                now - self._failing_since,
            )
        self.fresh = self._key_set
        self.fetches["ok"] += 1
        self._succeeded_at = now
        self._failures = 0
        self._failing_since = self._problem = None
        self._stale_logged = False
        interval_s = self._policy.interval_s
        if loaded.max_age_s is not None:  # may shorten the interval, never lengthen it
            interval_s = min(interval_s, loaded.max_age_s)
        # Spread downwards, so that many servers do not ask in the same second.
        self._schedule(interval_s * self._jitter(0.9, 1.0))

    def _failed(self, problem: str) -> None:
        self.fresh = None
        self.fetches["failed"] += 1
        self._failures += 1
        self._problem = problem
        if self._failing_since is None:
            self._failing_since = self._clock()
            if self._key_set is None:
                consequence = "there are no keys yet, its tokens are answered 503"
            else:
                consequence = f"the last good keys serve for up to {self._policy.max_stale_s:g} s"
            log.warning(
                "issuer %s: fetching keys failed: %s; %s", self.issuer.uri, problem, consequence
            )
        else:
            log.debug("issuer %s: fetching keys failed again: %s", self.issuer.uri, problem)
        least_s = max(self._policy.cooldown_s, _LEAST_BACKOFF_S)
        backoff_s = least_s * 2 ** min(self._failures - 1, 16) * self._jitter(1.0, 1.25)
        # Spread below the cap, too, or all servers ask at once where a long outage ends.
        cap_s = max(self._policy.interval_s, least_s) * self._jitter(0.9, 1.0)
        self._schedule(min(backoff_s, cap_s))

    def _schedule(self, delay_s: float) -> None:
        self._next_at = max(self._clock() + delay_s, self._started_at + self._policy.cooldown_s)

    def _log_oddities(self, key_set: KeySet) -> None:
        """Once a change: the usable keys may stay the same while an unusable one comes."""
        oddities = (key_set.skipped, key_set.warnings)
        if oddities == self._oddities:
            return
        self._oddities = oddities
        for skipped in key_set.skipped:
            log.warning("issuer %s: %s is not used: %s", self.issuer.uri, skipped.name, skipped.why)
        for warning in key_set.warnings:
            log.error("issuer %s: %s; only the public part is used", self.issuer.uri, warning)

    # --- time -----------------------------------------------------------------------------------

    def _is_stale(self) -> bool:
        """Too old counts only while refreshes fail: a long interval alone makes no key stale."""
        return (
            self._failing_since is not None
            and self._succeeded_at is not None
            and self._clock() - self._succeeded_at > self._policy.max_stale_s
        )

    def _retry_after_s(self) -> int:
        """Whole seconds until another try is due; a request after the cooldown makes one at once."""
        if self._task is not None:
            return 1
        due_at = min(self._next_at, self._started_at + self._policy.cooldown_s)
        return max(1, math.ceil(due_at - self._clock())) if math.isfinite(due_at) else 1
