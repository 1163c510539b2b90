"""New databases of SQLite's, whose tables are made by the statements that made them once in the process.

To have SQLAlchemy write them takes 15 ms, and the tests make a thousand databases.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, create_engine, inspect

from kms_tornado.store import migrate
from kms_tornado.store.sqlite import database_file


def make_at_once() -> None:
    """From now on, in this process and those that are forked from it. What is not empty is looked at as ever."""
    database_file.upgrade = _upgrade


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
