"""KeyLog: what the log says about one issuer's keys.

Each state is logged once, for whoever has to find out why users are refused.
"""

from __future__ import annotations

import logging

from ...errors import KeySetError
from ...wording import format_count, mask_queries
from .keyset import KeySet

log = logging.getLogger("kms_tornado.keys")


class KeyLog:
    """Logs the changes of one issuer's keys.

    issuer: its URI.
    max_stale_s: for how long the last good keys serve.
    is_asked, as an argument of its methods: whether an operator asked for the refresh, and so wants to read how it
    ended.
    """

    def __init__(self, issuer: str, max_stale_s: float) -> None:
        self._issuer = issuer
        self._max_stale_s = max_stale_s
        self._is_staleness_logged = False
        self._logged_problems: tuple[object, object] = ((), ())

    def log_kept(self, key_set: KeySet, age_s: float) -> None:
        log.info(
            "issuer %s: %s until a fetch succeeds",
            self._issuer,
            format_count(
                key_set.size,
                f"signing key that was fetched {age_s:.0f} s ago by a former run serves",
                f"signing keys that were fetched {age_s:.0f} s ago by a former run serve",
            ),
        )  # fmt: skip

    def log_staleness(self) -> None:
        """Log that the keys are stale. It may be called any number of times; only the first one is logged."""
        if not self._is_staleness_logged:
            self._is_staleness_logged = True
            log.error(
                "issuer %s: the last good keys are older than the maximum staleness of %g s; its "
                "tokens are answered 503 from now on",
                self._issuer,
                self._max_stale_s,
            )

    def log_asked_refresh(self, wait_s: float | None, *, is_running: bool) -> None:
        """Log when the refresh that an operator asked for will start.

        wait_s: seconds until then; None where it started at once.
        is_running: whether another refresh is in flight, so that the wait may be shorter.
        """
        if wait_s is None:
            log.info("issuer %s: its keys are fetched again now, as asked", self._issuer)
            return
        log.info(
            "issuer %s: its keys will be fetched again, as asked, when the cooldown ends, %s%.1f s from now",
            self._issuer,
            "at most " if is_running else "",
            wait_s,
        )

    def log_success(
        self,
        key_set: KeySet,
        previous: KeySet | None,
        *,
        is_asked: bool,
        is_from_former_run: bool,
        failing_for_s: float | None,
    ) -> None:
        """Log the keys of a good refresh, as far as they are news.

        previous: the keys until now. is_from_former_run: whether those had been kept by a former run of the server.
        """
        is_same = previous is not None and previous.fingerprint == key_set.fingerprint
        if is_asked:
            log.info(
                "issuer %s: its keys were fetched again, as asked: %s, %s",
                self._issuer, format_count(key_set.size, "key"), "the same as before" if is_same else "changed",
            )  # fmt: skip
        if is_same:
            if is_from_former_run:
                log.info("issuer %s: a fetch brought the same keys", self._issuer)
        elif key_set.size == 0:
            log.warning(
                "issuer %s: its key set is empty: it has taken all keys out, and its tokens are refused",
                self._issuer,
            )
        else:
            log.info(
                "issuer %s: %s %s",
                self._issuer,
                "loaded" if previous is None else "now has",
                format_count(key_set.size, "signing key"),
            )
        self._log_problems(key_set)
        if failing_for_s is not None:
            log.warning(
                "issuer %s: fetching keys works again after %.0f s of failures",
                self._issuer,
                failing_for_s,
            )
        self._is_staleness_logged = False

    def log_failure(
        self, problem: KeySetError, *, is_first: bool, has_keys: bool, is_asked: bool
    ) -> None:
        """Log a failed refresh.

        is_first: whether it is the first failure in a row. has_keys: whether there ever were any keys.
        """
        text = mask_queries(str(problem))
        if not is_first:
            level = logging.WARNING if is_asked else logging.DEBUG
            log.log(level, "issuer %s: fetching keys failed again: %s", self._issuer, text)
            return
        if has_keys:
            consequence = f"the last good keys serve for at most {self._max_stale_s:g} s"
        else:
            consequence = "there are no keys yet, so its tokens are answered 503"
        log.warning("issuer %s: fetching keys failed: %s; %s", self._issuer, text, consequence)

    def log_bug(self, error: BaseException) -> None:
        log.error("issuer %s: a refresh failed because of a bug", self._issuer, exc_info=error)

    def _log_problems(self, key_set: KeySet) -> None:
        """Log unusable and private keys, once per change of them.

        They may change while the usable keys, and so the fingerprint, stay the same.
        """
        problems = (key_set.skipped, key_set.warnings)
        if problems == self._logged_problems:
            return
        self._logged_problems = problems
        for skipped in key_set.skipped:
            log.warning("issuer %s: %s is not used: %s", self._issuer, skipped.name, skipped.why)
        for warning in key_set.warnings:
            log.error("issuer %s: %s; only the public part is used", self._issuer, warning)
