"""Admission: how many requests one principal may have under way, and how many may begin in a second.

Pure except for the clock, which is an argument. A request enters before its body is processed and leaves when its
answer is sent; the transport calls both. Each process of `--workers` counts for itself: a client keeps its connection
to one process, so if each process allowed only a share of the number, a client with one connection would be refused
long before it reached the number.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import TooManyRequests

#: Seconds' worth of requests that may come at once after a rest.
BURST_S = 1.0

#: Requests at once of one principal. A program with a connection for each of its threads has fewer.
CONCURRENCY = 64


@dataclass(frozen=True, slots=True)
class AdmissionBounds:
    """The limits for each principal. rate: requests a second; concurrency: requests at once. 0 means unlimited."""

    rate: int = 0
    concurrency: int = CONCURRENCY


class Admission:
    """The requests under way, by principal, and the rate at which they came.

    refused: {"rate" or "concurrency": how often `enter` refused for that reason}.

    The rate is limited by a token bucket. Of each bucket only the time at which it will be full again is kept, as in
    the generic cell rate algorithm. A full bucket needs no entry at all, so only those of the last two seconds are
    kept, however many principals there are.
    """

    def __init__(
        self,
        bounds: AdmissionBounds = AdmissionBounds(),
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bounds = bounds
        self._interval_s = 1 / bounds.rate if bounds.rate else 0.0
        self._monotonic = monotonic
        self._names: dict[object, str] = {}  # of the requests under way
        self._counts: dict[str, int] = {}
        #: {principal: when its bucket is full again}: those asked for since _swapped_at, and those before.
        self._full_at: dict[str, float] = {}
        self._former_full_at: dict[str, float] = {}
        self._swapped_at = monotonic()
        self.refused = {"rate": 0, "concurrency": 0}

    @property
    def in_flight(self) -> int:
        return len(self._names)

    @property
    def remembered(self) -> int:
        """The number of principals for whom an entry is kept."""
        return len(self._counts.keys() | self._full_at.keys() | self._former_full_at.keys())

    def find_refusal(self, principal: str) -> TooManyRequests | None:
        """Why one more request of the principal may not enter now; None where it may."""
        bounds = self._bounds
        if bounds.concurrency and self._counts.get(principal, 0) >= bounds.concurrency:
            return TooManyRequests(
                f"{bounds.concurrency} requests of one user at once (--user-concurrency): "
                "wait for an answer before you send the next one",
                limit="concurrency",
            )
        if bounds.rate:
            now = self._monotonic()
            wait_s = self._find_full_at(principal, now) + self._interval_s - BURST_S - now
            if wait_s > 1e-9:  # what adding up fractions may leave
                return TooManyRequests(
                    f"more than {bounds.rate} requests of one user in a second (--user-rate): "
                    "send them more slowly, or several operations in one message",
                    limit="rate",
                    retry_after_s=max(1, math.ceil(wait_s)),
                )
        return None

    def check(self, principal: str) -> None:
        """Refuse one more request of the principal if it may not enter now.

        Raises TooManyRequests, which is counted.
        """
        refusal = self.find_refusal(principal)
        if refusal is not None:
            self.refused[refusal.limit] += 1
            raise refusal

    def enter(self, request: object, principal: str) -> None:
        """Count the request until it leaves. Raises TooManyRequests, and then counts the refusal alone."""
        self.check(principal)
        self.admit(request, principal)

    def admit(self, request: object, principal: str) -> None:
        """Count a request for which `find_refusal` has just returned None."""
        self._names[request] = principal
        self._counts[principal] = self._counts.get(principal, 0) + 1
        if self._bounds.rate:
            now = self._monotonic()
            self._forget_full_buckets(now)
            self._full_at[principal] = self._find_full_at(principal, now) + self._interval_s

    def leave(self, request: object) -> None:
        """Note that the request has ended. Nothing happens if it never entered, or has already left."""
        principal = self._names.pop(request, None)
        if principal is None:
            return
        count = self._counts[principal] - 1
        if count:
            self._counts[principal] = count
        else:
            del self._counts[principal]

    def _find_full_at(self, principal: str, now: float) -> float:
        full_at = self._full_at.get(principal) or self._former_full_at.get(principal, now)
        return max(full_at, now)

    def _forget_full_buckets(self, now: float) -> None:
        """Drop the buckets that were not used since the last call.

        After BURST_S without a request, a bucket is full.
        """
        elapsed_s = now - self._swapped_at
        if elapsed_s >= BURST_S:
            self._former_full_at = self._full_at if elapsed_s < 2 * BURST_S else {}
            self._full_at = {}
            self._swapped_at = now
