"""What is kept beside an object's own row: attributes to search by, taken names, numbers of objects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import (
    BindParameter,
    Connection,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from ..domain.managed_object import MAX_OBJECTS_OF_AN_OWNER
from ..errors import NonUniqueName, ServerLimitExceeded
from .base import Conflict
from .filters import DESTROYED
from .schema import object_names, object_values, owners
from .values import Leaf, leaves, text_of

_insert_values = insert(object_values)
_delete_values = delete(object_values).where(object_values.c.object == bindparam("wanted_object"))
_insert_names = insert(object_names)
_delete_names = delete(object_names).where(object_names.c.object == bindparam("wanted_object"))

_number: BindParameter[int] = bindparam("number")
_count = (
    update(owners)
    .where(
        owners.c.owner == bindparam("wanted_owner"),
        or_(owners.c.objects + _number <= bindparam("most"), _number < 0),
    )
    .values(objects=owners.c.objects + _number)
)
_has_a_number = select(exists().where(owners.c.owner == bindparam("wanted_owner")))
_insert_number = insert(owners)


def index_new(connection: Connection, added: Sequence[tuple[int, str, str]]) -> None:
    """Write the values that new objects are found by. added: (serial, owner, attributes)."""
    _insert_leaves(connection, [(serial, owner, leaves(text)) for serial, owner, text in added])


def index_changed(
    connection: Connection, serial: int, owner: str, attributes: str, *, was: tuple[str, str]
) -> None:
    """The same for an object that had others. was: (owner, attributes) until now."""
    if was == (owner, attributes):
        return
    found = leaves(attributes)
    if was[0] == owner and leaves(was[1]) == found:
        return
    connection.execute(_delete_values, {"wanted_object": serial})
    _insert_leaves(connection, [(serial, owner, found)])


def _insert_leaves(connection: Connection, found: Sequence[tuple[int, str, list[Leaf]]]) -> None:
    rows = [
        {
            "object": serial,
            "position": position,
            "instance": instance,
            "owner": owner,
            "path": path,
            "value": value,
            "number": number,
        }
        for serial, owner, held in found
        for position, (instance, path, value, number) in enumerate(held)
    ]
    if rows:
        connection.execute(_insert_values, rows)


def names_of(state: int, attributes: str) -> frozenset[tuple[str, int]]:
    """{(name, type)} that the object keeps from others."""
    if state in DESTROYED or '"Name"' not in attributes:
        return frozenset()
    found = set()
    for tag, _, children in json.loads(attributes)["a"]:
        if tag == "Name":
            fields = {child: (item_type, value) for child, item_type, value in children}
            found.add((text_of(*fields["NameValue"]), fields["NameType"][1]))
    return frozenset(found)


def take_names(
    connection: Connection, names: Mapping[int, tuple[str, frozenset[tuple[str, int]]]]
) -> None:
    """names: serial → (owner, names), of those that change. Raises NonUniqueName."""
    if not names:
        return
    connection.execute(_delete_names, [{"wanted_object": serial} for serial in names])
    rows = [
        {"object": serial, "owner": owner, "name": name, "type": kind}
        for serial, (owner, taken) in names.items()
        for name, kind in taken
    ]
    if not rows:
        return
    # In one order everywhere, so that no two servers wait for each other.
    rows.sort(key=lambda row: (row["owner"], row["name"], row["type"]))
    try:
        connection.execute(_insert_names, rows)
    except IntegrityError:
        raise NonUniqueName("another object of yours has this Name") from None


def count_objects(connection: Connection, more: Mapping[str, int]) -> None:
    """more: owner → objects that came, or negative, went. Raises ServerLimitExceeded."""
    for owner, number in sorted(more.items()):
        if not number:
            continue
        wanted = {"wanted_owner": owner, "number": number, "most": MAX_OBJECTS_OF_AN_OWNER}
        if connection.execute(_count, wanted).rowcount:
            continue
        if connection.execute(_has_a_number, {"wanted_owner": owner}).scalar():
            raise ServerLimitExceeded(f"nobody owns more than {MAX_OBJECTS_OF_AN_OWNER} objects")
        try:
            connection.execute(_insert_number, {"owner": owner, "objects": number})
        except IntegrityError:  # another server's first object of theirs
            raise Conflict from None
