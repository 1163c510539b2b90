"""SQLOwnerNaming: how the owners of the objects are named, for both databases."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from ...domain.user_naming import UserNaming
from .altered_rows import logging_altered_rows
from .backend import Backend
from .queries import names
from .statements import NO_VALUES, prepare
from .tables.naming import change_naming, parse_naming, select_naming, settle_naming
from .tables.row_macs import RowAuthenticator
from .tables.tombstones import rename_page
from .watched import WatchedBackend


class SQLOwnerNaming:
    """An `OwnerNaming`."""

    def __init__(
        self, backend: Backend, database: WatchedBackend, authenticator: RowAuthenticator
    ) -> None:
        """backend: the one that database watches."""
        self._backend = backend
        self._database = database
        self._authenticator = authenticator
        self._naming = prepare(select_naming, backend.dialect)
        self._names = prepare(names, backend.dialect)

    async def settle(self, configured: UserNaming, issuers: Collection[str]) -> UserNaming:
        with logging_altered_rows:
            rows = await self._backend.read(self._naming)
            if rows and (stored := parse_naming(rows[0][0], self._authenticator)) == configured:
                return stored
            job = partial(
                settle_naming,
                authenticator=self._authenticator,
                configured=configured,
                issuers=issuers,
            )
            settled: UserNaming = await self._backend.run_exclusively(job)
            return settled

    async def change(self, seen: UserNaming, new: UserNaming) -> None:
        job = partial(change_naming, authenticator=self._authenticator, seen=seen, new=new)
        with logging_altered_rows:
            await self._database.submit(job)

    async def list_names(self) -> Collection[str]:
        rows = await self._database.search(self._names, NO_VALUES, principal="")
        return [name for (name,) in rows]

    async def rename_in_tombstones(self, rename: Callable[[str], str]) -> None:
        after: str | None = ""
        while after is not None:
            job = partial(
                rename_page, after=after, rename=rename, authenticator=self._authenticator
            )
            with logging_altered_rows:
                after = await self._database.submit(job)
