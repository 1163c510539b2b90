"""ObjectSearch: the objects that a search finds, if need be as if certain changes had been made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Dialect

from ....domain.managed_object import ManagedObject, UniqueIdentifier
from ....domain.search import LocatedPage, LocateSearch, TagSearch
from ....kmip.enums import Operation
from ...bounds import check_tags
from ...interface.changes import Groups
from ...interface.compute import Compute, compute_in_slices
from ..altered_rows import logging_altered_rows
from ..commits import GroupCommit, Job
from ..statements import Prepared, Rows, Runner, Values
from ..tables.grants import parse_grants, rights_of
from ..tables.index_check import IndexCheck
from ..tables.row_macs import RowAuthenticator, altered_object
from ..tables.rows import GRANTS, RowParser, is_long
from ..watched import WatchedBackend
from .searches import SearchStatements, shape_locate, shape_tag_search
from .statements import parse_page

# Comparing the rows of one object takes less than a tenth of a millisecond, if its attributes are few.
_MAX_CHECKED_ON_LOOP = 16

# SQLite only compiles a statement for more tags in a millisecond or more.
_MAX_TAGS_ON_LOOP = 32


class ObjectSearch:
    """Finds objects by rows in other tables, which are then compared with the objects' own rows."""

    def __init__(
        self,
        database: WatchedBackend,
        authenticator: RowAuthenticator,
        parser: RowParser,
        dialect: Dialect,
        *,
        compute: Compute,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._parser = parser
        self._compute = compute
        self._clock = clock
        self._searches = SearchStatements(dialect, compute)
        self._index_check = IndexCheck(dialect, authenticator)

    async def find_tagged(self, search: TagSearch, after: Groups = ()) -> Sequence[ManagedObject]:
        if not search.tags:  # every object has all the tags of an empty list
            return ()
        check_tags(search.tags)
        shape, values = shape_tag_search(search)
        statement = await self._searches.tagged.get(shape, principal=search.principal)
        if any(after):
            rows = await self._search_after(after, statement, next(values))
        elif len(search.tags) > _MAX_TAGS_ON_LOOP:
            rows = await self._search(statement, next(values), search.principal)
        else:
            rows = await self._database.search_tagged(statement, values, principal=search.principal)
        with logging_altered_rows:
            parse = partial(self._parse_tagged, search=search)
            if any(map(is_long, rows)):
                return await self._compute(lambda: [*map(parse, rows)], principal=search.principal)
            return [*map(parse, rows)]

    def _parse_tagged(self, row: Sequence[Any], search: TagSearch) -> ManagedObject:
        """The object of a row that was found through rows of other tables.

        Raises AlteredRow where these do not fit it.
        """
        target = self._parser.parse_row(row)
        if not search.tags <= target.tags:
            raise altered_object(target.uid, "rows of object_tags do not fit it")
        if target.owner != search.principal:
            rights = rights_of(parse_grants(row[GRANTS]), (search.principal, *search.groups))
            if not rights.intersection(search.rights):  # what everyone may do does not count
                raise altered_object(target.uid, "rows of grants do not fit it")
        return target

    async def locate(self, search: LocateSearch, after: Groups = ()) -> LocatedPage:
        check_tags(search.filter.tags)
        shape, values = shape_locate(search)
        statement = await self._searches.locate.get(shape, principal=search.principal)
        if any(after):
            page, rows = await self._locate_after(after, statement, values)
        else:
            page, rows = parse_page(await self._search(statement, values, search.principal)), []
            for check, uids in self._index_check.prepare(page.uids):
                rows += await self._search(check, uids, search.principal)
        await self._check_index(rows, search.principal)
        return page

    async def list_grants(
        self, uid: UniqueIdentifier, *, owner: str
    ) -> Mapping[str, frozenset[Operation]] | None:
        ((statement, values),) = self._index_check.prepare([uid])
        rows = await self._database.read(statement, values)
        for row in await self._check_index(rows, owner):
            if row["owner"] == owner:
                table = parse_grants(row["grants"])
                return {user: frozenset(map(Operation, table[user])) for user in sorted(table)}
        return None

    def _search(self, statement: Prepared, values: Values, principal: str) -> Awaitable[Rows]:
        return self._database.search(statement, values, principal=principal)

    async def _check_index(self, rows: Rows, principal: str) -> list[dict[str, Any]]:
        """Compare the rows as `IndexCheck.check_rows` does, on a thread if they are many or long."""
        with logging_altered_rows:
            if len(rows) > _MAX_CHECKED_ON_LOOP or any(map(is_long, rows)):
                check = self._index_check.check_rows
                return await compute_in_slices(self._compute, check, rows, principal=principal)
            return self._index_check.check_rows(rows)

    async def _locate_after(
        self, groups: Groups, statement: Prepared, values: Values
    ) -> tuple[LocatedPage, list[Sequence[Any]]]:
        """As `_search_after`; (the page, the rows that show whether it is authentic)."""
        index_check = self._index_check

        def search(runner: Runner) -> tuple[LocatedPage, list[Sequence[Any]]]:
            page = parse_page(runner.select_prepared(statement, values))
            rows: list[Sequence[Any]] = []
            for check, uids in index_check.prepare(page.uids):
                rows += runner.select_prepared(check, uids)
            return page, rows

        located: tuple[LocatedPage, list[Sequence[Any]]]
        located = await self._rehearse(groups, search)
        return located

    async def _search_after(self, groups: Groups, statement: Prepared, values: Values) -> Rows:
        """Search as if the changes had been made."""
        rows: Rows
        rows = await self._rehearse(
            groups, lambda runner: runner.select_prepared(statement, values)
        )
        return rows

    async def _rehearse(self, groups: Groups, search: Job) -> Any:
        """Run the search after the changes. The writer makes these, and then undoes them."""
        changes = GroupCommit(groups, self._authenticator, int(self._clock()))

        def job(runner: Runner) -> Any:
            changes(runner)
            return search(runner)

        with logging_altered_rows:
            return await self._database.rehearse(job)
