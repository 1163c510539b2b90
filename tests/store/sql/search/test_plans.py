"""No request reads a table from end to end: each statement finds its rows by an index, on both databases.

A database without rows tells: SQLite takes an index wherever one fits, and so does PostgreSQL where scans are discouraged.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kms_tornado.domain.search import LocateSearch, ObjectFilter, TagSearch
from kms_tornado.kmip.enums import CryptographicAlgorithm, ObjectType, Operation, State
from kms_tornado.kmip.structures import Name
from kms_tornado.store.postgres.dialect import POSTGRESQL
from kms_tornado.store.postgres.gathered_reads import SHORT_BY_UIDS
from kms_tornado.store.sql.queries import prepare_queries
from kms_tornado.store.sql.search.searches import SearchStatements, shape_locate, shape_tag_search
from kms_tornado.store.sql.statements import SQLITE, Prepared
from kms_tornado.store.sql.tables.index_check import IndexCheck

from ...helpers import ALICE, AUTHENTICATOR, seeking, with_store

_RIGHTS = (Operation.ENCRYPT, Operation.GET)
_GROUPS = frozenset({"group:staff"})

SEARCHES = {
    "a page of all": ObjectFilter(),
    "by Name": seeking(names=(Name("invoices"),)),
    "by tag": ObjectFilter(frozenset({"red"})),
    "by two tags and a state": ObjectFilter(frozenset({"red", "_kk"}), frozenset({State.ACTIVE})),
    "by identifier": seeking(unique_identifier="7"),
    "by what a key is": seeking(
        object_type=ObjectType.SYMMETRIC_KEY, cryptographic_algorithm=CryptographicAlgorithm.AES
    ),
    "by a text": seeking(contact_information="ann@example.com"),
}


def statements(dialect: Any) -> Iterator[tuple[str, Prepared, Mapping[str, Any]]]:
    """(name, statement, values) of what requests run."""
    queries, searches = prepare_queries(dialect), SearchStatements(dialect)
    values = {"uid": "7", "principal": ALICE, "after": 0, "limit": 10}
    yield "get", queries.by_uid, values
    yield "get what is granted", queries.by_uid_with_grants.choose(()), values
    yield "owned", queries.owned, values
    yield "granted", queries.granted.choose(()), values
    yield "an identifier that is to be free", queries.identifier, values
    yield "an owner's identifiers", queries.uids_of_owner, values
    for name, wanted in SEARCHES.items():
        shape, own = shape_locate(
            LocateSearch(wanted, ALICE, 0, 10, now=1, readers=_RIGHTS, groups=_GROUPS)
        )
        yield f"locate {name}", searches.locate.write(shape), own
    for rights in ((), _RIGHTS):
        tag_shape, values_of_tags = shape_tag_search(
            TagSearch(frozenset({"red", "_kk"}), principal=ALICE, rights=rights, groups=_GROUPS)
        )
        yield (
            f"a list of tags, {len(rights)} rights",
            searches.tagged.write(tag_shape),
            next(values_of_tags),
        )
    ((check, uids),) = IndexCheck(dialect, AUTHENTICATOR).prepare(["7", "8"])  # type: ignore[list-item]
    yield "the rows beside what is found", check, uids
    if dialect is POSTGRESQL:
        yield "gets of one turn", SHORT_BY_UIDS, {"uids": "{7,8}"}


async def nothing(store: Any) -> None:
    pass


def find_scans_on_sqlite(path: Path) -> list[str]:
    """A scan of what a part of the statement has found is none of a table."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
        scan = re.compile(rf"SCAN ({'|'.join(map(re.escape, tables))})(_\d+)?( |$)")
        return [
            f"{name}: {detail}"
            for name, statement, values in statements(SQLITE)
            for *_, detail in connection.execute(
                f"EXPLAIN QUERY PLAN {statement.text}", statement.values(values)
            )
            if scan.match(detail)
        ]


def find_scans_on_postgresql(url: str) -> list[str]:
    import psycopg

    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("SET enable_seqscan = off")
        return [
            f"{name}: {line.strip()}"
            for name, statement, values in statements(POSTGRESQL)
            for (line,) in connection.execute(
                f"EXPLAIN (COSTS off) {statement.text}".encode(), statement.values(values)
            )
            if "Seq Scan" in line
        ]


def test_no_statement_of_a_request_reads_a_whole_table(place: Path | str) -> None:
    with_store(place, nothing)  # makes the tables
    find = find_scans_on_sqlite if isinstance(place, Path) else find_scans_on_postgresql
    assert find(place) == []  # type: ignore[arg-type]


def test_a_missing_index_would_be_noticed(empty_file: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(empty_file, tmp_path))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP INDEX ix_objects_newest")
    assert "locate a page of all: SCAN objects" in find_scans_on_sqlite(path)
