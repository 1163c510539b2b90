"""Whose the objects of some identifiers are, removed ones too, as the rows say: nothing but reading the audit follows from it.

The codes of the rows are not checked. Who writes rows can read the records, which stand in the same database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Dialect,
    bindparam,
    exists,
    select,
)

from .schema import objects, tombstones
from .statements import Prepared, Values

_MAX_UIDS = 128  # in one statement, a power of two

_is_there_again = exists().where(objects.c.uid == tombstones.c.uid)


def prepare_owners(uids: Collection[str], dialect: Dialect) -> Iterator[tuple[Prepared, Values]]:
    """(statement, values) to read the owners, each once for a statement."""
    for number, values in _bind(uids):
        yield _prepare_owners(number, dialect), values


def prepare_owned(
    uids: Collection[str], owner: str, dialect: Dialect
) -> Iterator[tuple[Prepared, Values]]:
    """(statement, values) to read which of the identifiers are the owner's."""
    for number, values in _bind(uids):
        yield _prepare_owned(number, dialect), {**values, "of_owner": owner}


def _bind(uids: Collection[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    ordered = sorted(uids)
    for start in range(0, len(ordered), _MAX_UIDS):
        part = ordered[start : start + _MAX_UIDS]
        number = 1 << (len(part) - 1).bit_length()
        part += part[-1:] * (number - len(part))
        yield number, {f"uid_{place}": uid for place, uid in enumerate(part)}


@cache
def _prepare_owners(number: int, dialect: Dialect) -> Prepared:
    """number: of identifiers, a power of two."""
    return Prepared(_select(number, objects.c.owner, tombstones.c.owner), dialect)


@cache
def _prepare_owned(number: int, dialect: Dialect) -> Prepared:
    of_owner: BindParameter[str] = bindparam("of_owner")
    statement = _select(
        number, objects.c.uid, tombstones.c.uid,
        objects.c.owner == of_owner, tombstones.c.owner == of_owner,
    )  # fmt: skip
    return Prepared(statement, dialect)


def _select(
    number: int,
    column: ColumnElement[str],
    column_of_removed: ColumnElement[str],
    *conditions: ColumnElement[bool],
) -> CompoundSelect[Any]:
    """conditions: on the object, and on the removed one."""
    uids: list[BindParameter[str]] = [bindparam(f"uid_{place}") for place in range(number)]
    return (
        select(column)
        .where(objects.c.uid.in_(uids), *conditions[:1])
        .union(
            select(column_of_removed).where(
                tombstones.c.uid.in_(uids), ~_is_there_again, *conditions[1:]
            )
        )
    )
