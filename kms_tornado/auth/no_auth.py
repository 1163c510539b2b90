"""InsecureNoAuth: for --insecure-no-auth, where every request counts as one configured user's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .credentials import Credentials
from .key_cache import KeyStatus
from .principal import Claims, Principal


class InsecureNoAuth:
    """A `RequestAuth` that checks nothing. The options allow it on loopback addresses only."""

    realm = "kms"
    issuers: Sequence[str] = ()

    def __init__(self, username: str) -> None:
        self._principal = Principal(
            name=username, subject=username, issuer="", claims=Claims(), expires_at=math.inf
        )

    def recall(self, credentials: Credentials) -> Principal:
        return self._principal

    def check_now(self, credentials: Credentials) -> Principal:
        return self._principal

    async def check_refreshing(self, credentials: Credentials) -> Principal:
        return self._principal

    async def start(self) -> None:
        """There is nothing to run."""

    async def stop(self) -> None:
        """There is nothing to end."""

    def check_files(self) -> None:
        """There is none."""

    def refresh_soon(self) -> None:
        """There is nothing to fetch."""

    def status(self) -> Sequence[KeyStatus]:
        return ()

    def statistics(self) -> None:
        return None

    def observe_verifications(self, observe: Callable[[float], None]) -> None:
        """There is nothing to observe."""
