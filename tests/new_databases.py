"""Databases that are found as a start would leave them, without what takes long about it.

Those of SQLite's are made by the statements that made one once in the process: to have SQLAlchemy write them takes
15 ms, and the tests make a thousand. The PostgreSQL database that tests share, emptied for each, has its tables since
the first start on it: to look at them again takes 20 ms, and two connections. The statement of a search, which takes
10 ms to write, is that of all stores on a kind of database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, create_engine, inspect

from kms_tornado.store import migrate
from kms_tornado.store.sqlite import database_file

from . import postgres


def make_at_once() -> None:
    """From now on, in this process and those that are forked from it. What is not empty is looked at as ever."""
    database_file.upgrade = _upgrade


def find_prepared() -> None:
    """From now on, in this process: the shared database of PostgreSQL is looked at by the first start alone."""
    from kms_tornado.store.postgres import backend, engine

    async def prepare(of_backend: Any, *, name: str, **how: bool) -> None:
        is_shared = all(how.values()) and name == postgres.name_of_shared()
        if not is_shared or name not in prepared:
            await engine.prepare(of_backend, name=name, **how)
            if is_shared:
                prepared.add(name)

    prepared: set[str] = set()
    backend.prepare = prepare


def share_searches() -> None:
    """From now on, in this process: the statement of a search is written for the first store that needs it."""
    from kms_tornado.store.sql.search import object_search

    class Shared(object_search.SearchStatements):
        def __init__(self, dialect: Dialect, *compute: Any) -> None:
            super().__init__(dialect, *compute)
            for kind, statements in vars(self).items():
                own = statements._prepare
                statements._prepare = prepare.setdefault((kind, dialect), cache(own))

    prepare: dict[Any, Any] = {}
    object_search.SearchStatements = Shared


def _upgrade(connection: Connection, *, may_make: bool = True, **how: Any) -> None:
    if not may_make or inspect(connection).get_table_names():
        migrate.upgrade(connection, may_make=may_make, **how)
        return
    for statement in find_statements():
        connection.exec_driver_sql(statement)


@cache
def find_statements() -> Sequence[str]:
    """What a start makes of an empty database."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        migrate.upgrade(connection, name="in memory")
    made = engine.raw_connection().driver_connection
    assert isinstance(made, sqlite3.Connection)
    _begin, *statements, _commit = made.iterdump()
    made.close()
    return statements
