"""SQLMasterKeyRecords: what the database knows of master keys, for both databases."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from ..interface.master_keys import Reseal, ResealedPage
from .backend import Backend
from .statements import prepare
from .tables.bundles import add_bundles, parse_bundles, remove_bundle, select_bundles
from .tables.row_macs import RowAuthenticator
from .upkeep.rewrap import EnvelopeRewriter
from .watched import WatchedBackend


class SQLMasterKeyRecords:
    """`MasterKeyRecords`."""

    def __init__(
        self, backend: Backend, database: WatchedBackend, authenticator: RowAuthenticator
    ) -> None:
        """backend: the one that database watches."""
        self._backend = backend
        self._database = database
        self._authenticator = authenticator
        self._bundles = prepare(select_bundles, backend.dialect)

    async def list_bundles(self) -> Mapping[bytes, bytes]:
        return parse_bundles(await self._database.read(self._bundles))

    async def add_bundles(self, bundles: Mapping[bytes, bytes]) -> None:
        await self._backend.run_exclusively(lambda runner: add_bundles(runner, bundles))

    async def remove_bundle(self, key_id: bytes) -> None:
        await self._backend.run_exclusively(lambda runner: remove_bundle(runner, key_id))

    @cached_property  # commands alone need its statements
    def _envelopes(self) -> EnvelopeRewriter:
        return EnvelopeRewriter(self._backend, self._authenticator)

    async def count_envelopes(self) -> Mapping[bytes, int]:
        return await self._envelopes.count_by_key()

    async def reseal_page(self, after: int, key_id: bytes, reseal: Reseal) -> ResealedPage | None:
        return await self._envelopes.rewrite_page(after, key_id, reseal)
