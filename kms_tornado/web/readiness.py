"""Readiness: whether requests can be served, in words that may be told to strangers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..auth.issuers.key_status import KeyStatus
from ..errors import Unavailable
from ..store.health import DOWN, READ_ONLY, UP

if TYPE_CHECKING:
    from ..auth.request_auth import RequestAuth
    from ..service.auditing.audit import Audit
    from ..service.kms import KMS

#: {DatabaseStatus.state: what is told}
_LEVELS = {UP: "OK", READ_ONLY: "DEGRADED", DOWN: "DOWN"}

#: Checks without which nothing can be served. A single issuer is none of them.
_ESSENTIAL = ("database", "audit", "server", "tokens")
#: A week is what it takes where certificates are still renewed by hand.
_SOON_S = 7 * 86400


class Readiness:
    """The checks of one process, and since when each has its state.

    A check has a state: "OK", "DEGRADED" (it works, but not for ever) or "DOWN"; since when; and, if it is not OK, the
    cause in a few fixed words. Addresses and texts of other programs are for the log alone.
    certificate_end: of the TLS certificate in use, in seconds since the Unix epoch; None without TLS.
    """

    def __init__(self) -> None:
        self._started = time.time()
        self.certificate_end: float | None = None
        #: {name of a check: (its state, since when)}; the issuers and the database know theirs themselves.
        self._history: dict[str, tuple[str, float]] = {}

    async def check(
        self, kms: KMS, auth: RequestAuth | None, *, is_stopping: bool
    ) -> dict[str, Any]:
        """{"state": the whole, "checks": {name: check}}.

        The whole is DOWN where the database is, or the audit, where no issuer is served although there are some, where an
        application that mounts the KMS has no `bearer_auth`, and while the server stops. It is DEGRADED where any check is not OK.
        """
        statuses = () if auth is None else auth.status()
        checks = {"database": await self._check_database(kms)}
        if (audit := kms.audit) is not None:
            if checks["database"]["state"] == "OK":
                await audit.try_again()
            checks["audit"] = self._check_audit(audit, checks["database"])
        if (scrubber := kms.scrubber) is not None:
            cause = "refused" if scrubber.status().findings else None
            checks["objects"] = self._note("objects", cause, worst="DEGRADED")
        if (end := self.certificate_end) is not None:
            checks["certificate"] = self._check_certificate(end)
        checks.update((f"issuer {status.issuer}", _describe(status)) for status in statuses)
        if is_stopping:
            checks["server"] = self._note("server", "stopping")
        if auth is None:
            cause = "the application's settings have no bearer_auth"
            checks["tokens"] = self._note("tokens", cause)
        is_any_served = not statuses or any(status.is_served for status in statuses)
        return {"state": _sum_up(checks, is_any_served=is_any_served), "checks": checks}

    async def _check_database(self, kms: KMS) -> dict[str, Any]:
        try:
            store = kms.store
        except Unavailable:
            return self._note("database", "not started")
        status = await store.check()
        check = {"state": _LEVELS[status.state], "since": _format_time(status.since)}
        return check if status.cause is None else {**check, "cause": status.cause}

    def _check_audit(self, audit: Audit, database: dict[str, Any]) -> dict[str, Any]:
        """The state of the audit.

        DOWN where a record could not be written, even if only the database takes no changes.
        """
        health = audit.health()
        cause = health.status.cause
        if cause is None and audit.records_reads and database["state"] != "OK":
            cause = database.get("cause", "database")
        if cause is not None:
            return self._note("audit", cause)
        return self._note("audit", health.degraded, worst="DEGRADED")

    def _check_certificate(self, end: float) -> dict[str, Any]:
        """The state of the certificate. Never DOWN: clients decide for themselves, and some look only at its key."""
        left_s = end - time.time()
        cause = "ended" if left_s <= 0 else "ends soon" if left_s <= _SOON_S else None
        return {**self._note("certificate", cause, worst="DEGRADED"), "ends": _format_time(end)}

    def _note(self, name: str, cause: str | None, worst: str = "DOWN") -> dict[str, Any]:
        """The check as it is shown: OK without a cause, and otherwise in the state `worst`."""
        state = "OK" if cause is None else worst
        known, since = self._history.get(name, ("OK", self._started))
        if state != known:
            since = time.time()
        self._history[name] = (state, since)
        check = {"state": state, "since": _format_time(since)}
        return check if cause is None else {**check, "cause": cause}


def _sum_up(checks: Mapping[str, Mapping[str, Any]], *, is_any_served: bool) -> str:
    """The state of the whole."""
    states = {name: check["state"] for name, check in checks.items()}
    if not is_any_served or "DOWN" in {states.get(name) for name in _ESSENTIAL}:
        return "DOWN"
    return "OK" if set(states.values()) == {"OK"} else "DEGRADED"


def _describe(status: KeyStatus) -> dict[str, Any]:
    check: dict[str, Any] = {"state": status.level, "since": _format_time(status.since)}
    if status.cause is not None:
        check["cause"] = status.cause
    check |= {"keys": status.keys, "key_state": status.state}
    if status.age_s is not None:
        check["age_seconds"] = round(status.age_s)
    return check


def _format_time(seconds: float) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
