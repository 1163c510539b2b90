"""Whose the objects of some identifiers are, removed ones too, and since when they are anybody's, as the rows say:
nothing but reading the audit follows from it.

The codes of the rows are not checked. Who writes rows can read the records, which stand in the same database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Dialect, bindparam, exists, select

from .schema import audit_made, objects, tombstones
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
    """(statement, values) to read which of the identifiers are the owner's, and when each was an object's first.

    Without those of which the index of the audit does not know that yet.
    """
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
    uids = _bind_uids(number)
    statement = (
        select(objects.c.owner)
        .where(objects.c.uid.in_(uids))
        .union(select(tombstones.c.owner).where(tombstones.c.uid.in_(uids), ~_is_there_again))
    )
    return Prepared(statement, dialect)


@cache
def _prepare_owned(number: int, dialect: Dialect) -> Prepared:
    uids = _bind_uids(number)
    of_owner: BindParameter[str] = bindparam("of_owner")
    made = audit_made.c.made
    of_object = objects.c.uid.in_(uids), objects.c.owner == of_owner
    of_removed = tombstones.c.uid.in_(uids), tombstones.c.owner == of_owner, ~_is_there_again
    statement = (
        select(objects.c.uid, made)
        .join(audit_made, audit_made.c.uid == objects.c.uid)
        .where(*of_object)
        .union(
            select(tombstones.c.uid, made)
            .join(audit_made, audit_made.c.uid == tombstones.c.uid)
            .where(*of_removed)
        )
    )
    return Prepared(statement, dialect)


def _bind_uids(number: int) -> list[BindParameter[str]]:
    return [bindparam(f"uid_{place}") for place in range(number)]
