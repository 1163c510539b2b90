"""The DPoP proofs that were used (RFC 9449 §11.1), for all servers of a database."""

from __future__ import annotations

from typing import Protocol


class UsedProofs(Protocol):
    """The DPoP proofs that were used, for all servers of a database. Every method raises Unavailable."""

    async def use(self, digest: bytes, until: int) -> bool:
        """Remember one, durable on return; False where it is remembered already, or may have been forgotten.

        digest: 32 bytes. until: when it stops being good, seconds since the Unix epoch.
        """

    async def forget(self, before: int) -> int:
        """Forget some of those that are over before this time; how many: 0 where there are none."""

    async def count(self) -> int:
        """How many are remembered, or one more."""
