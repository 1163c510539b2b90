"""The DPoP proofs that were used (RFC 9449 §11.1), for all servers of a database."""

from __future__ import annotations

from typing import Protocol


class UsedProofs(Protocol):
    """The DPoP proofs that were used, for all servers of a database. Every method raises Unavailable."""

    async def use(self, digest: bytes, until: int) -> bool:
        """Remember a proof, durably on return; False where it is remembered already, or may have been forgotten.

        digest: 32 bytes. until: when the proof stops being good, in seconds since the Unix epoch.
        """

    async def forget(self, before: int) -> int:
        """Forget some of the proofs that stopped being good before this time; how many. 0 means that none are left."""

    async def count(self) -> int:
        """How many proofs are remembered, or one more."""
