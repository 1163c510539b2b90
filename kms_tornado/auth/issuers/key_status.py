"""KeyStatus: what an operator needs to know about one issuer's keys, and how much of that strangers may read."""

from __future__ import annotations

from dataclasses import dataclass

#: {KeyStatus.state: KeyStatus.level}
_LEVELS = {
    "loading": "DOWN",
    "missing": "DOWN",
    "ok": "OK",
    "empty": "DEGRADED",
    "kept": "DEGRADED",
    "failing": "DEGRADED",
    "stale": "DOWN",
}


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """The state of one issuer's keys at one moment.

    issuer: its URI.
    state: "loading" (no answer yet), "ok", "empty" (the issuer has taken all keys out), "failing" (refreshes fail, and the last good keys serve), "kept" (the keys
    that a former run of the server kept serve), "stale" (they no longer serve), "missing" (there never were any).
    keys: the number of usable keys.
    age_s: seconds since the last good refresh; None before the first one.
    failing_for_s: seconds since the first of the failures in a row; None while refreshes succeed.
    problem: why the last refresh failed, with addresses, for the log; None while refreshes succeed.
    cause: the same in a few fixed words that anybody may read; also set before the first refresh has ended, and where
    the key set is empty.
    since: when the current level was reached, in seconds since the Unix epoch.
    generation: the number of changes of the key set.
    """

    issuer: str
    state: str
    keys: int
    age_s: float | None
    failing_for_s: float | None
    problem: str | None
    cause: str | None
    since: float
    generation: int

    @property
    def level(self) -> str:
        """ "OK", "DEGRADED" (tokens are checked, but not with fresh keys, or all are refused), or "DOWN" (answered 503)."""
        return compute_level(self.state)

    @property
    def is_served(self) -> bool:
        """Whether tokens of the issuer can be checked now."""
        return self.level != "DOWN"


def compute_level(state: str) -> str:
    """The level of a KeyStatus with this state."""
    return _LEVELS[state]
