"""The changes as SQL, inside a transaction that somebody else begins and commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ..domain.managed_object import ManagedObject
from ..errors import ObjectAlreadyExists
from . import queries
from .base import Change, Conflict, Grant, Insert, Remove, Replace, Withdraw
from .rows import to_row
from .schema import grants, object_tags, objects, server_state

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
_of_owner = select(objects.c.serial).where(
    objects.c.uid == bindparam("wanted_uid"), objects.c.owner == bindparam("wanted_owner")
)
_granted = (
    grants.c.object == bindparam("wanted_object"),
    grants.c.grantee == bindparam("wanted_grantee"),
)
_operations_of = select(grants.c.operation).where(*_granted)
_insert_grant = insert(grants)
_delete_grant = delete(grants).where(*_granted, grants.c.operation == bindparam("wanted_operation"))
_delete_grants = delete(grants).where(grants.c.object == bindparam("wanted_object"))
_count_up = (
    update(objects)
    .where(objects.c.serial == bindparam("wanted_serial"))
    .values(generation=objects.c.generation + 1)
)
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
            case Grant():
                _grant(connection, change)
            case Withdraw():
                _withdraw(connection, change)


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
    if was.owner != new.owner:  # what the old owner granted is not the new one's word
        connection.execute(_delete_grants, {"wanted_object": was.serial})


def _grant(connection: Connection, change: Grant) -> None:
    serial, known = _known_grants(connection, change)
    new = sorted(change.operations - known)
    if new:
        connection.execute(
            _insert_grant,
            [{"object": serial, "grantee": change.grantee, "operation": int(each)} for each in new],
        )


def _withdraw(connection: Connection, change: Withdraw) -> None:
    serial, known = _known_grants(connection, change)
    gone = sorted(change.operations & known)
    if gone:
        parameters = {"wanted_object": serial, "wanted_grantee": change.grantee}
        connection.execute(
            _delete_grant, [{**parameters, "wanted_operation": int(each)} for each in gone]
        )
        # Whoever read the object under this right and is about to change it saw another generation.
        connection.execute(_count_up, {"wanted_serial": serial})


def _known_grants(connection: Connection, change: Grant | Withdraw) -> tuple[int, set[int]]:
    """(the object's serial, the operations that the grantee has already)."""
    wanted = {"wanted_uid": change.uid, "wanted_owner": change.owner}
    serial: int | None = connection.execute(_of_owner, wanted).scalar()
    if serial is None:
        raise Conflict
    parameters = {"wanted_object": serial, "wanted_grantee": change.grantee}
    return serial, set(connection.execute(_operations_of, parameters).scalars())


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
