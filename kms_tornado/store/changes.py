"""The changes as SQL, inside a transaction that somebody else begins and commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ..domain.managed_object import ManagedObject
from ..errors import ObjectAlreadyExists
from . import queries
from .base import Change, Conflict, Insert, Remove, Replace
from .rows import to_row
from .schema import object_tags, objects, server_state

_insert = insert(objects)
_insert_tags = insert(object_tags)
_insert_state = insert(server_state)

# What decides whether the rows of object_tags must be written again.
_as_it_was = select(
    objects.c.serial, objects.c.generation, objects.c.tags, objects.c.owner, objects.c.created_at
).where(objects.c.uid == bindparam("wanted_uid"))

# The generation stands in the WHERE although it was just compared: on a database that lets two
# writers in at once, this is what makes the second one fail.
_same_object = (
    objects.c.serial == bindparam("wanted_serial"),
    objects.c.generation == bindparam("seen"),
)
_update = update(objects).where(*_same_object)
_delete = delete(objects).where(*_same_object)
_delete_tags = delete(object_tags).where(object_tags.c.object == bindparam("wanted_object"))


def apply(connection: Connection, changes: Sequence[Change], *, now: int) -> None:
    """Raises Conflict or ObjectAlreadyExists, with what went before left for the caller to undo.

    now: seconds since the Unix epoch.
    """
    for change in changes:
        match change:
            case Insert(new):
                _add(connection, new, now=now)
            case Replace(new, seen):
                _replace(connection, new, seen, now=now)
            case Remove(uid, seen):
                serial = _find(connection, uid, seen).serial
                _one(connection.execute(_delete, {"wanted_serial": serial, "seen": seen}).rowcount)


def keep_check_value(connection: Connection, value: bytes) -> bytes:
    """The value that is kept from now on: the one that was there, else this one."""
    kept: bytes | None = connection.execute(queries.check_value).scalar()
    if kept is None:
        connection.execute(_insert_state, {"name": "master_key_check", "value": value})
        kept = value
    return kept


def _add(connection: Connection, new: ManagedObject, *, now: int) -> None:
    row = to_row(new, generation=new.generation, now=now)
    try:
        key: Any = connection.execute(_insert, row).inserted_primary_key
    except IntegrityError as exc:  # a row of ours can break no other constraint
        raise ObjectAlreadyExists("the unique identifier is taken") from exc
    _add_tags(connection, key[0], new)


def _replace(connection: Connection, new: ManagedObject, seen: int, *, now: int) -> None:
    row = to_row(new, generation=seen + 1, now=now)
    was = _find(connection, new.uid, seen)
    parameters = {**row, "wanted_serial": was.serial, "seen": seen}
    _one(connection.execute(_update, parameters).rowcount)
    if (was.tags, was.owner, was.created_at) != (row["tags"], new.owner, new.created_at):
        connection.execute(_delete_tags, {"wanted_object": was.serial})
        _add_tags(connection, was.serial, new)


def _find(connection: Connection, uid: str, seen: int) -> Any:
    was = connection.execute(_as_it_was, {"wanted_uid": uid}).first()
    if was is None or was.generation != seen:
        raise Conflict
    return was


def _add_tags(connection: Connection, serial: int, new: ManagedObject) -> None:
    if new.tags:
        connection.execute(
            _insert_tags,
            [
                {"object": serial, "tag": tag, "owner": new.owner, "created_at": new.created_at}
                for tag in sorted(new.tags)
            ],
        )


def _one(count: int) -> None:
    if count != 1:
        raise Conflict
