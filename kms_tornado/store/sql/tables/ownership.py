"""Whose the objects with certain identifiers are, also removed ones, and since when the identifiers were in use.

The MACs of the rows are not checked, since this decides only about reading the audit. Whoever can write these rows can
also read the records, which are in the same database.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    BindParameter,
    ColumnElement,
    Dialect,
    bindparam,
    cast,
    exists,
    func,
    select,
)

from ..statements import SQLITE, Prepared, Values
from .schema import audit_made, objects, tombstones

_is_there_again = exists().where(objects.c.uid == tombstones.c.uid)


def prepare_owners(uids: Collection[str], dialect: Dialect) -> tuple[Prepared, Values]:
    """(statement, values) to read the owners, each once."""
    return _prepare_owners(dialect), _bind(uids)


def prepare_owned(uids: Collection[str], owner: str, dialect: Dialect) -> tuple[Prepared, Values]:
    """(statement, values) to read which of the identifiers are the owner's, and since when each belongs to an object.

    Identifiers for which the index of the audit does not know that yet are left out.
    """
    return _prepare_owned(dialect), {**_bind(uids), "of_owner": owner}


def _bind(uids: Collection[str]) -> dict[str, Any]:
    return {"of_uids": json.dumps(sorted(uids))}


@cache
def _prepare_owners(dialect: Dialect) -> Prepared:
    statement = (
        select(objects.c.owner)
        .where(_is_asked_for(objects.c.uid, dialect))
        .union(
            select(tombstones.c.owner).where(
                _is_asked_for(tombstones.c.uid, dialect), ~_is_there_again
            )
        )
    )
    return Prepared(statement, dialect)


@cache
def _prepare_owned(dialect: Dialect) -> Prepared:
    of_owner: BindParameter[str] = bindparam("of_owner")
    of_removed = (
        _is_asked_for(tombstones.c.uid, dialect),
        tombstones.c.owner == of_owner,
        ~_is_there_again,
    )
    statement = (
        select(objects.c.uid, audit_made.c.made)
        .join(audit_made, audit_made.c.uid == objects.c.uid)
        .where(_is_asked_for(objects.c.uid, dialect), objects.c.owner == of_owner)
        .union(
            select(tombstones.c.uid, audit_made.c.made)
            .join(audit_made, audit_made.c.uid == tombstones.c.uid)
            .where(*of_removed)
        )
    )
    return Prepared(statement, dialect)


def _is_asked_for(uid: ColumnElement[str], dialect: Dialect) -> ColumnElement[bool]:
    """The condition on identifiers, with one parameter, a JSON list.

    psycopg would parse a statement with many parameters each time, and an array is slow.
    """
    uids: BindParameter[str] = bindparam("of_uids")
    if dialect.name == SQLITE.name:
        return uid.in_(select(func.json_each(uids).table_valued("value").c.value))
    read = func.json_array_elements_text(cast(uids, JSON))
    return uid.in_(select(read.table_valued("value").c.value))
