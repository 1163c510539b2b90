"""OwnerNaming: how the owners of a store's objects are named, and how they get other names."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from ...domain.user_naming import UserNaming


class OwnerNaming(Protocol):
    """Every method raises Unavailable where the database is out of reach."""

    async def settle(self, configured: UserNaming, issuers: Collection[str]) -> UserNaming:
        """How the owners of the objects are named. If there are no objects yet, the configured naming is stored.

        issuers: the configured ones, by which the naming of an older version's objects is recognised.
        Called after `authenticate_rows`. Raises GeneralFailure for a row that something else wrote.
        """

    async def change(self, seen: UserNaming, new: UserNaming) -> None:
        """Store how the owners are named from now on. Raises Conflict where the stored naming is not `seen`."""

    async def list_names(self) -> Collection[str]:
        """All names that own an object or the identifier of a removed one, or have a right, except EVERYONE."""

    async def rename_in_tombstones(self, rename: Callable[[str], str]) -> None:
        """Give the identifiers of removed objects to the new names of their owners, page by page."""
