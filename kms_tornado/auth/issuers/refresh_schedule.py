"""RefreshSchedule: when one issuer's keys are fetched, by the monotonic clock."""

from __future__ import annotations

import math
from collections.abc import Callable

from .issuer import RefreshPolicy

#: A failing issuer is asked again after this pause at the earliest, however short the cooldown.
_LEAST_BACKOFF_S = 1.0
#: While no keys can be used, all its tokens are answered 503, and it is asked at least this often.
_WITHOUT_KEYS_S = 5.0

# A refresh is due interval_s after the last good one, or sooner where the answer's Cache-Control says so; up
# to a tenth of that time is taken off at random, so that many servers do not ask in the same second. After
# a failure the next try is due after a pause that doubles with every failure in a row, from the cooldown
# up to the interval; while there are no keys to verify with, after 5 s at most. All times count from
# the start of a refresh.
#
# Cooldown. Whatever asks, two refreshes never start within cooldown_s of each other. The time is
# stamped when a refresh starts, not when it ends well: an issuer that hangs or fails is not asked more
# often either. Anybody can send made-up `kid`s, and one refresh per cooldown is all that they cause. While
# there are no keys to verify with, the cooldown is 5 s at most.


class RefreshSchedule:
    """Knows times alone; has_keys, as an argument, says whether there are keys to verify with.

    clock: a monotonic clock, in seconds.
    jitter: (low, high) → a number between the two.
    is_asked: whether somebody asked for a refresh that starts from now on, once the cooldown is over.
    """

    def __init__(
        self,
        policy: RefreshPolicy,
        clock: Callable[[], float],
        jitter: Callable[[float, float], float],
    ) -> None:
        self.is_asked = False
        self._policy = policy
        self._clock = clock
        self._jitter = jitter
        self._started_at = -math.inf  # when the last refresh started, good or not
        self._next_at = -math.inf
        self._failures = 0  # in a row

    def note_start(self) -> bool:
        """Note that a refresh starts now; whether it is one that somebody asked for."""
        self._started_at = self._clock()
        was_asked, self.is_asked = self.is_asked, False
        return was_asked

    def note_success(self, max_age_s: float | None) -> None:
        """Note that the refresh succeeded.

        max_age_s: how long its answer may be cached; it can only shorten the interval.
        """
        self._failures = 0
        interval_s = self._policy.interval_s
        if max_age_s is not None:
            interval_s = min(interval_s, max_age_s)
        # Spread downwards, so that many servers do not ask in the same second.
        self._next_at = self._started_at + interval_s * self._jitter(0.9, 1.0)

    def note_failure(self, *, has_keys: bool) -> None:
        self._failures += 1
        least_s = max(self._compute_cooldown_s(has_keys), _LEAST_BACKOFF_S)
        backoff_s = least_s * 2 ** min(self._failures - 1, 16) * self._jitter(1.0, 1.25)
        # Spread below the cap as well, or all servers would ask at once when a long outage ends.
        cap_s = max(self._policy.interval_s, least_s) * self._jitter(0.9, 1.0)
        self._next_at = self._started_at + min(backoff_s, cap_s)

    def is_due(self, *, has_keys: bool) -> bool:
        return self.compute_pause_s(has_keys=has_keys) <= 0

    def is_cooling_down(self, *, has_keys: bool) -> bool:
        return self._compute_cooldown_end(has_keys) > self._clock()

    def compute_pause_s(self, *, has_keys: bool) -> float:
        """Seconds until the next refresh is due; zero or less where it is due now."""
        end = self._compute_cooldown_end(has_keys)
        due_at = self._next_at
        if self.is_asked:
            due_at = end
        elif not has_keys:  # perhaps they have become stale in the middle of a long pause
            due_at = min(due_at, self._started_at + _WITHOUT_KEYS_S)
        return max(due_at, end) - self._clock()

    def compute_cooldown_left_s(self, *, has_keys: bool) -> float:
        """Seconds until a refresh may start."""
        return max(0.0, self._compute_cooldown_end(has_keys) - self._clock())

    def _compute_cooldown_end(self, has_keys: bool) -> float:
        return self._started_at + self._compute_cooldown_s(has_keys)

    def _compute_cooldown_s(self, has_keys: bool) -> float:
        """The cooldown.

        Without keys to verify with it is 5 s at most, so that an issuer that is back is noticed soon.
        """
        cooldown_s = self._policy.cooldown_s
        return cooldown_s if has_keys else min(cooldown_s, _WITHOUT_KEYS_S)
