"""SQLStore: every method of `ObjectStore`, written once for both databases."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection

from ...audit.chain import Segment
from ...audit.record import Draft
from ...domain.managed_object import ManagedObject, UniqueIdentifier
from ...domain.search import LocatedPage, LocateSearch, TagSearch
from ...kmip.enums import Operation
from ...user_names import EVERYONE
from ..bounds import check_tags_of_changes
from ..dump import Dumped, DumpHeader, DumpRow, DumpWriter, Report
from ..health import DatabaseHealth, DatabaseLoad, DatabaseStatus
from ..interface.audit import Restored
from ..interface.changes import Change, Groups, ReserveNonces
from ..interface.compute import Compute, compute_in_slices, compute_on_any_thread
from ..interface.lists import GrantedObject, OwnedObject
from ..interface.master_keys import CheckValues, RowMAC
from .altered_rows import logging_altered_rows
from .audit.chains import AuditChains
from .audit.log import AuditLog
from .audit.object_checks import SQLObjectChecks
from .audit.pages import AuditPages
from .backend import Backend
from .commits import Commit, GroupCommit
from .master_key_records import SQLMasterKeyRecords
from .owner_naming import SQLOwnerNaming
from .queries import bind_groups, prepare_queries
from .search.object_pages import SQLObjectPages
from .search.object_search import ObjectSearch
from .statements import Prepared, Rows, SQLAlchemyRunner, Values
from .stored_values import stored_text
from .tables.grants import check_index_rows, parse_grants, rights_of
from .tables.row_macs import RowAuthenticator
from .tables.rows import GRANTS, RowParser, is_long
from .tables.tombstones import is_taken
from .tables.used_proofs import SQLUsedProofs
from .upkeep.dump import dump_rows, fill_rows
from .upkeep.sealing import bring_under_macs, log_sealed
from .watched import WatchedBackend

# How long a stop waits for writes: whoever waited for their answers has waited the shutdown timeout already.
_STOP_S = 3.0


class SQLStore:
    """An `ObjectStore`, used from one event loop.

    clock: gives the time in seconds since the Unix epoch.
    compute: runs functions that take more than a millisecond.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        clock: Callable[[], float] = time.time,
        compute: Compute = compute_on_any_thread,
    ) -> None:
        self.backend = backend
        self._compute = compute
        self._clock = clock
        self._health = DatabaseHealth(self.ping, backend.probe_writes)
        self._database = WatchedBackend(backend, self._health)
        self._authenticator = RowAuthenticator()
        self._parser = RowParser(self._authenticator)
        self._queries = prepare_queries(backend.dialect)
        self._objects = ObjectSearch(
            self._database,
            self._authenticator,
            self._parser,
            backend.dialect,
            compute=compute,
            clock=clock,
        )
        self._chains = AuditChains(self._authenticator, clock)
        self.audit = AuditLog(backend, self._database, self._authenticator, self._chains)
        self.checks = SQLObjectChecks(backend, self._authenticator, clock)
        self.pages = SQLObjectPages(self._database, self._parser, backend.dialect, compute)
        self.proofs = SQLUsedProofs(backend, self._database)
        self.naming = SQLOwnerNaming(backend, self._database, self._authenticator)
        self.master_keys = SQLMasterKeyRecords(backend, self._database, self._authenticator)
        self.records = AuditPages(backend, self._database, self._authenticator, compute)

    async def start(self) -> None:
        await self.backend.start(self._chains)
        self._health.start()

    async def authenticate_rows(self, row_mac: RowMAC, check: CheckValues) -> None:
        if await self.master_key_check() != check.current:
            authenticator = RowAuthenticator(row_mac)
            sealed = await self.backend.run_exclusively(
                lambda runner: bring_under_macs(runner, authenticator, check)
            )
            if sealed is not None:
                log_sealed(sealed)
        self._authenticator.use(row_mac)

    async def stop(self) -> None:
        await self._health.stop()
        await self.backend.stop(within_s=_STOP_S)

    async def ping(self) -> None:
        await self.backend.ping(self._queries.any_object)

    async def check(self) -> DatabaseStatus:
        return await self._health.check()

    def status(self) -> DatabaseStatus:
        return self._health.status()

    def load(self) -> DatabaseLoad:
        return self._database.load()

    # --- objects --------------------------------------------------------------------------------

    async def get(self, uid: UniqueIdentifier) -> ManagedObject | None:
        rows = await self._database.read(self._queries.by_uid, {"uid": uid})
        with logging_altered_rows:
            return await self._parse_row(rows[0]) if rows else None

    async def _parse_row(self, row: Sequence[Any], principal: str = "") -> ManagedObject:
        """The object of the row. Raises AlteredRow."""
        if is_long(row):
            return await self._compute(partial(self._parser.parse_row, row), principal=principal)
        return self._parser.parse_row(row)

    async def is_taken(self, uid: UniqueIdentifier, *, owner: str) -> bool:
        rows = await self._database.read(self._queries.identifier, {"uid": uid})
        with logging_altered_rows:
            return is_taken(rows, uid, owner, self._authenticator)

    async def get_for(
        self,
        uid: UniqueIdentifier,
        *,
        principal: str,
        groups: Collection[str] = (),
        rights: Collection[Operation] = (),
    ) -> ManagedObject | None:
        rows = await self._database.read(self._queries.by_uid, {"uid": uid})
        if not rows:
            return None
        with logging_altered_rows:
            target = await self._parse_row(rows[0], principal)
        if target.owner == principal:
            return target
        return await self._get_granted(uid, principal, groups, rights) if rights else None

    async def _get_granted(
        self,
        uid: UniqueIdentifier,
        principal: str,
        groups: Collection[str],
        rights: Collection[Operation],
    ) -> ManagedObject | None:
        """The object, if one of the rights is granted.

        This is decided from a row that is read together with its grants.
        """
        values = {"uid": uid, "principal": principal, **bind_groups(groups)}
        statement = self._queries.by_uid_with_grants.choose(groups)
        rows = await self._database.read(statement, values)
        if not rows:
            return None

        def decide() -> ManagedObject | None:
            row, grantees = rows[0][:-2], (principal, *groups, EVERYONE)
            target = self._parser.parse_row(row)
            table = parse_grants(row[GRANTS])
            check_index_rows(uid, table, grantees, [row[-2:] for row in rows])
            return target if rights_of(table, grantees).intersection(rights) else None

        with logging_altered_rows:
            if is_long(rows[0]):
                return await self._compute(decide, principal=principal)
            return decide()

    async def find_tagged(self, search: TagSearch, after: Groups = ()) -> Sequence[ManagedObject]:
        return await self._objects.find_tagged(search, after)

    async def locate(self, search: LocateSearch, after: Groups = ()) -> LocatedPage:
        return await self._objects.locate(search, after)

    def _search(self, statement: Prepared, values: Values, principal: str) -> Awaitable[Rows]:
        return self._database.search(statement, values, principal=principal)

    # --- listings -------------------------------------------------------------------------------

    async def list_grants(
        self, uid: UniqueIdentifier, *, owner: str
    ) -> Mapping[str, frozenset[Operation]] | None:
        return await self._objects.list_grants(uid, owner=owner)

    async def list_owned(self, principal: str) -> Sequence[OwnedObject]:
        rows = await self._search(self._queries.owned, {"principal": principal}, principal)
        # A thousand objects may have 64 KiB of attributes each: they are not parsed on the loop.
        return await compute_in_slices(
            self._compute, self._parser.parse_owned, rows, principal=principal
        )

    async def list_granted(
        self, principal: str, groups: Collection[str] = ()
    ) -> Sequence[GrantedObject]:
        statement = self._queries.granted.choose(groups)
        values = {"principal": principal, **bind_groups(groups)}
        rows = await self._search(statement, values, principal)
        return await self._compute(partial(self._parser.parse_granted, rows), principal=principal)

    async def list_uids(
        self, owner: str, *, after: int, limit: int
    ) -> Sequence[tuple[int, UniqueIdentifier]]:
        values = {"principal": owner, "after": after, "limit": limit}
        rows = await self._search(self._queries.uids_of_owner, values, owner)
        return [(serial, UniqueIdentifier(uid)) for serial, uid in rows]

    async def count_owned(self) -> Mapping[str, int]:
        rows = await self._search(self._queries.counts_of_owners, {}, "")
        return {stored_text(owner): number for owner, number in rows}

    # --- changes --------------------------------------------------------------------------------

    async def commit(self, changes: Sequence[Change], drafts: Sequence[Draft] = ()) -> None:
        check_tags_of_changes(changes)
        await self._commit(Commit(changes, self._authenticator, int(self._clock()), drafts))

    async def commit_groups(self, groups: Groups, drafts: Sequence[Draft] = ()) -> None:
        for changes in groups:
            check_tags_of_changes(changes)
        await self._commit(GroupCommit(groups, self._authenticator, int(self._clock()), drafts))

    async def _commit(self, commit: Commit | GroupCommit) -> None:
        with logging_altered_rows:
            await self._database.submit(commit, erases=commit.erases)
        if commit.drafts:
            self.audit.changes += 1

    async def commit_now(self) -> None:
        """Do nothing: what `commit` has returned from is durable."""

    async def reserve_nonces(
        self, reservation: ReserveNonces, drafts: Sequence[Draft] = ()
    ) -> None:
        await self.commit([reservation], drafts)

    def holds_back(self, uid: UniqueIdentifier) -> bool:
        """False: nothing is held back here."""
        return False

    # --- the database as a whole ----------------------------------------------------------------

    async def holds_objects(self) -> bool:
        return bool(await self._database.read(self._queries.any_object))

    async def master_key_check(self) -> bytes | None:
        rows = await self._database.read(self._queries.check_value)
        return rows[0][0] if rows else None

    async def dump(self, writer: DumpWriter, report: Report) -> Dumped:
        dumped: Dumped = await self.backend.run_on_snapshot(
            lambda connection: dump_rows(connection, writer, self._authenticator, report)
        )
        return dumped

    async def fill(
        self,
        header: DumpHeader,
        rows: Iterable[DumpRow],
        report: Report,
        restored: Restored | None = None,
    ) -> Sequence[Segment]:
        name = self.backend.name

        def fill(connection: Connection) -> Sequence[Segment]:
            fill_rows(connection, header, rows, report, name=name)
            if restored is None:
                return ()
            self._authenticator.use(restored.row_mac)
            return self.audit.record_restore(SQLAlchemyRunner(connection), restored)

        segments: Sequence[Segment] = await self.backend.fill(fill)
        return segments
