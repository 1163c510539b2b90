"""AuditPages: reads the audit's records by their index, and checks that they are as a server wrote them."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Select, bindparam, select

from ....audit.chain import is_chained
from ....audit.query import FoundRecord, RecordQuery
from ....errors import GeneralFailure
from ...interface.audit_records import AuditPage
from ...interface.compute import Compute
from ...interface.object_checks import StoredSegment
from ..backend import Backend
from ..statements import Values, prepare
from ..stored_values import are_numbers
from ..tables.ownership import prepare_owned
from ..tables.row_macs import RowAuthenticator
from ..tables.schema import audit_index, audit_pages, audit_segments
from ..watched import WatchedBackend
from .index import AuditIndex
from .index_state import parse_ranges
from .segments import SEGMENT_ROW, parse_segment

_log = logging.getLogger(__name__)

_P, _S = audit_pages.c, audit_segments.c
_PAGE = (_P.page, _P.ranges, _P.records, _P.since, _P.until, _P.ceiling)
_up_to = bindparam("up_to", type_=_P.page.type)
_limit = bindparam("limit", type_=_P.page.type)
_select_pages = select(*_PAGE).where(_P.page <= _up_to).order_by(_P.page.desc()).limit(_limit)


def _select_numbers(key: str) -> Select[Any]:
    """Selects the highest numbers of pages under a key. key: the name of the parameter."""
    numbers = (
        select(audit_index.c.page)
        .where(
            audit_index.c.key == bindparam(key, type_=audit_index.c.key.type),
            audit_index.c.page <= _up_to,
        )
        .order_by(audit_index.c.page.desc())
        .limit(_limit)
        .subquery()
    )
    return select(numbers.c.page)


_of_either = _select_numbers("of_key").union(_select_numbers("of_other_key")).subquery()
_select_pages_of_keys = (
    select(*_PAGE)
    .join_from(_of_either, audit_pages, _P.page == _of_either.c.page)
    .order_by(_P.page.desc())
    .limit(_limit)
)
_select_segments = (
    select(*SEGMENT_ROW)
    .where(_S.chain == bindparam("of_chain"), _S.first.between(bindparam("low"), bindparam("high")))
    .order_by(_S.first)
)

_NEWEST = 2**63 - 1


class AuditPages(AuditIndex):
    """An `AuditRecords`. Used from one event loop, once the store has its key."""

    def __init__(
        self,
        backend: Backend,
        database: WatchedBackend,
        authenticator: RowAuthenticator,
        compute: Compute,
    ) -> None:
        super().__init__(backend, compute)
        self._database = database
        self._authenticator = authenticator
        self._pages = prepare(_select_pages, backend.dialect)
        self._pages_of_keys = prepare(_select_pages_of_keys, backend.dialect)
        self._segments_of_page = prepare(_select_segments, backend.dialect)

    async def find_pages(
        self, keys: Sequence[int], *, up_to: int | None, limit: int, principal: str
    ) -> Sequence[AuditPage]:
        values: dict[str, Any] = {"up_to": _NEWEST if up_to is None else up_to, "limit": limit}
        statement = self._pages
        if keys:
            values |= {"of_key": keys[0], "of_other_key": keys[-1]}
            statement = self._pages_of_keys
        rows = await self._database.search(statement, values, principal=principal)
        try:
            return [AuditPage(row[0], parse_ranges(json.loads(row[1])), *row[2:]) for row in rows]
        except (ValueError, TypeError, AttributeError):
            raise _altered("the index of the audit") from None

    async def read_page(
        self, page: AuditPage, query: RecordQuery, *, principal: str
    ) -> Sequence[FoundRecord]:
        records: list[FoundRecord] = []
        for chain, (first, last) in page.ranges.items():
            values: Values = {"of_chain": chain, "low": first, "high": last}
            rows = await self._database.search(self._segments_of_page, values, principal=principal)
            if not _follow_one_another(rows, first, last):
                raise _altered(
                    f"the index of the audit, or records {chain}/{first} to {chain}/{last}"
                )
            find = partial(self._find, query, rows)
            records += await self._compute(find, principal=principal)
        return sorted(records, key=lambda record: record.place, reverse=True)

    async def find_owned(self, uids: Collection[str], *, owner: str) -> Mapping[str, int]:
        if not uids:
            return {}
        statement, values = prepare_owned(uids, owner, self._backend.dialect)
        rows = await self._database.search(statement, values, principal=owner)
        if not are_numbers(*(made for _, made in rows)):
            raise _altered("the index of the audit")
        return {row[0]: row[1] for row in rows}

    def _find(self, query: RecordQuery, rows: Sequence[Sequence[Any]]) -> list[FoundRecord]:
        records: list[FoundRecord] = []
        for row in rows:
            segment = parse_segment(row, self._authenticator)
            # Whatever it holds by now: what was edited may be what the query looks for.
            if not _is_whole(segment):
                raise _altered(f"{segment.name} of the audit")
            records += query.find(segment.chain, segment.first, segment.lines)
        return records


def _follow_one_another(rows: Sequence[Sequence[Any]], first: int, last: int) -> bool:
    """Whether the segments have the records from first to last, and no others. rows: of SEGMENT_ROW."""
    for _, begin, end, *_ in rows:
        if begin != first or not isinstance(end, int):
            return False
        first = end + 1
    return first == last + 1


def _is_whole(segment: StoredSegment) -> bool:
    """Whether the segment has all the records with which it was stored."""
    number = segment.last - segment.first + 1
    return segment.is_ours and len(segment.lines) == number and is_chained(segment.lines)


def _altered(subject: str) -> GeneralFailure:
    _log.error(
        "%s: changed by something else than this server; run kms-tornado audit verify", subject
    )
    return GeneralFailure("records of the audit were changed; tell the operator of the server")
