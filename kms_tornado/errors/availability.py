"""Refusals of a request that may be sent again: something is out of reach, or its user sends too many."""

from __future__ import annotations

from typing import ClassVar

from .base import KMSError


class Unavailable(KMSError):
    """503: something that this request needs is out of reach.

    retry_after_s: whole seconds after which another try makes sense.
    cause: for an error of the database, the detail in a few fixed words that anybody may read; otherwise None.
    """

    status: ClassVar[int] = 503
    reason: ClassVar[str] = "unavailable"

    def __init__(
        self,
        description: str,
        *,
        retry_after_s: int = 1,
        detail: str = "",
        cause: str | None = None,
    ) -> None:
        self.retry_after_s = retry_after_s
        self.detail = detail
        self.cause = cause
        super().__init__(description)

    @property
    def is_told_once(self) -> bool:
        """Whether the log has a line about the outage, so that it needs none for each request."""
        return self.cause is not None


class AuditUnavailable(Unavailable):
    """503: the audit cannot be written, and nothing may be done that would not be recorded."""

    reason = "audit"


class KeysUnavailable(Unavailable):
    """503: the issuer's keys were never loaded, or are too stale. issuer, key_id: as in AuthenticationError."""

    reason = "keys_unavailable"
    issuer: str = ""
    key_id: str = ""

    @property
    def is_told_once(self) -> bool:
        return True


class TooManyRequests(KMSError):
    """429, and nothing was done. limit: what is exceeded, "rate" or "concurrency"; retry_after_s: whole seconds."""

    reason: ClassVar[str] = "too_many_requests"

    def __init__(self, description: str, *, limit: str, retry_after_s: int = 1) -> None:
        self.limit = limit
        self.retry_after_s = retry_after_s
        super().__init__(description)
