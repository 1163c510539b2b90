"""Readiness: whether requests can be served, in words that may be told to strangers."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..auth.key_status import KeyStatus
from ..errors import Unavailable

if TYPE_CHECKING:
    from ..auth.request_auth import RequestAuth
    from ..service.kms import KMS


class Readiness:
    """The checks of one process, and since when the database is as it is.

    A check has a state: "OK", "DEGRADED" (it serves, but not for ever) or "DOWN"; since when; and, where it is
    not OK, the cause in a few fixed words. Addresses and texts of other programs are for the log alone.
    """

    def __init__(self) -> None:
        self._database: tuple[str, float] = ("OK", time.time())

    async def check(
        self, kms: KMS, auth: RequestAuth | None, *, is_stopping: bool
    ) -> dict[str, Any]:
        """{"state": the whole, "checks": {name: check}}.

        The whole is DOWN where the database is, where no issuer is served although there are some, where an
        application that mounts the KMS has no `bearer_auth`, and while the server stops. It is DEGRADED where any check is not OK.
        """
        statuses = () if auth is None else auth.status()
        checks = {"database": await self._check_database(kms)}
        checks.update((f"issuer {status.issuer}", _describe(status)) for status in statuses)
        if is_stopping:
            checks["server"] = {"state": "DOWN", "cause": "stopping"}
        if auth is None:
            checks["tokens"] = {
                "state": "DOWN",
                "cause": "the application's settings have no bearer_auth",
            }
        is_any_served = not statuses or any(status.is_served for status in statuses)
        is_down = is_stopping or auth is None or checks["database"]["state"] == "DOWN"
        if is_down or not is_any_served:
            state = "DOWN"
        else:
            is_ok = all(check["state"] == "OK" for check in checks.values())
            state = "OK" if is_ok else "DEGRADED"
        return {"state": state, "checks": checks}

    async def _check_database(self, kms: KMS) -> dict[str, Any]:
        state, cause = "OK", None
        try:
            store = kms.store
        except Unavailable:
            state, cause = "DOWN", "not started"
        else:
            try:
                await store.ping()
            except Unavailable:
                state, cause = "DOWN", "out of reach"
        if state != self._database[0]:
            self._database = (state, time.time())
        check = {"state": state, "since": _format_time(self._database[1])}
        return check if cause is None else {**check, "cause": cause}


def _describe(status: KeyStatus) -> dict[str, Any]:
    check: dict[str, Any] = {"state": status.level, "since": _format_time(status.since)}
    if status.cause is not None:
        check["cause"] = status.cause
    check |= {"keys": status.keys, "key_state": status.state}
    if status.age_s is not None:
        check["age_seconds"] = round(status.age_s)
    return check


def _format_time(seconds: float) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
