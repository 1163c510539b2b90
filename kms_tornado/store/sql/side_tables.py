"""What is kept beside an object's own row: attributes to search by, taken names, numbers of objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import BindParameter, bindparam, delete, insert, or_, select, update

from ...domain.managed_object import MAX_OBJECTS_OF_AN_OWNER, ManagedObject
from ...errors import InvalidField, NonceReused, NonUniqueName, ServerLimitExceeded
from ..base import Conflict
from .attribute_rows import AttributeRow, Leaf, collect_leaves, index_text, rows_with_leaves
from .schema import object_names, object_tags, object_values, owners, used_nonces
from .search_filter import DESTROYED
from .statements import INTEGRITY_ERRORS, Runner, Statement

_insert_values = Statement(insert(object_values), object_values.columns.keys())
_delete_values = Statement(
    delete(object_values).where(object_values.c.object == bindparam("wanted_object"))
)
_insert_names = Statement(insert(object_names), object_names.columns.keys())
_delete_names = Statement(
    delete(object_names).where(object_names.c.object == bindparam("wanted_object"))
)

_insert_tags = Statement(insert(object_tags), object_tags.columns.keys())
_delete_tags = Statement(
    delete(object_tags).where(object_tags.c.object == bindparam("wanted_object"))
)
_insert_nonce = Statement(insert(used_nonces), used_nonces.columns.keys())
_nonce_is_used = Statement(
    select(used_nonces.c.object).where(
        used_nonces.c.object == bindparam("wanted_object"),
        used_nonces.c.nonce == bindparam("wanted_nonce"),
    )
)

_number: BindParameter[int] = bindparam("number")
_count = Statement(
    update(owners)
    .where(
        owners.c.owner == bindparam("wanted_owner"),
        or_(owners.c.objects + _number <= bindparam("most"), _number < 0),
    )
    .values(objects=owners.c.objects + _number)
)
_has_a_number = Statement(select(owners.c.owner).where(owners.c.owner == bindparam("wanted_owner")))
_insert_number = Statement(insert(owners), owners.columns.keys())


MAX_NONCE_BYTES = 1024


def add_tags(runner: Runner, added: Iterable[tuple[int, ManagedObject]]) -> None:
    """added: serial and object."""
    rows = [
        {"object": serial, "tag": tag, "owner": new.owner, "created_at": new.created_at}
        for serial, new in added
        for tag in sorted(new.tags)
    ]
    if rows:
        runner.change_all(_insert_tags, rows)


def change_tags(runner: Runner, serial: int, new: ManagedObject) -> None:
    runner.change(_delete_tags, {"wanted_object": serial})
    add_tags(runner, [(serial, new)])


def use_nonce(runner: Runner, serial: int, nonce: bytes) -> None:
    """Raises InvalidField for its length, and NonceReused."""
    if not 1 <= len(nonce) <= MAX_NONCE_BYTES:
        raise InvalidField(f"a nonce has 1 to {MAX_NONCE_BYTES} bytes")
    if runner.select(_nonce_is_used, {"wanted_object": serial, "wanted_nonce": nonce}):
        raise NonceReused("the nonce was used with this key before")
    runner.change(_insert_nonce, {"object": serial, "nonce": nonce})


#: Those of an object and whose they are: (owner, `attribute_rows.AttributeText.rows`).
Held = tuple[str, Sequence[AttributeRow]]


def index_new(runner: Runner, added: Iterable[tuple[int, Held]]) -> None:
    """Write the values that new objects are found by. added: serial, and what is held."""
    _insert_leaves(
        runner, [(serial, owner, collect_leaves(rows)) for serial, (owner, rows) in added]
    )


def index_changed(runner: Runner, serial: int, held: Held, *, was: Held) -> None:
    """The same for an object that had others."""
    owner, rows = held
    if owner == was[0] and _have_the_same_leaves(rows, was[1]):
        return
    runner.change(_delete_values, {"wanted_object": serial})
    _insert_leaves(runner, [(serial, owner, collect_leaves(rows))])


def _have_the_same_leaves(rows: Sequence[AttributeRow], others: Sequence[AttributeRow]) -> bool:
    """Most changes are of columns alone, which is found out without making any leaf."""
    return rows_with_leaves(rows) == rows_with_leaves(others) or collect_leaves(
        rows
    ) == collect_leaves(others)


def _insert_leaves(runner: Runner, found: Iterable[tuple[int, str, list[Leaf]]]) -> None:
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
        runner.change_all(_insert_values, rows)


def names_of(state: int, attributes: Iterable[AttributeRow]) -> frozenset[tuple[str, int]]:
    """{(name, type)} that the object keeps from others."""
    if state in DESTROYED:
        return frozenset()
    found = set()
    for tag, _, children in attributes:
        if tag == "Name":
            fields = {child: (item_type, value) for child, item_type, value in children}
            found.add((index_text(*fields["NameValue"]), int(fields["NameType"][1])))
    return frozenset(found)


def take_names(runner: Runner, names: Mapping[int, tuple[str, frozenset[tuple[str, int]]]]) -> None:
    """names: serial → (owner, names), of those that change. Raises NonUniqueName."""
    if not names:
        return
    runner.change_all(_delete_names, [{"wanted_object": serial} for serial in names])
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
        runner.change_all(_insert_names, rows)
    except INTEGRITY_ERRORS:
        raise NonUniqueName("another object of yours has this Name") from None


def count_objects(runner: Runner, more: Mapping[str, int]) -> None:
    """more: owner → objects that came, or negative, went. Raises ServerLimitExceeded."""
    for owner, number in sorted(more.items()):
        if not number:
            continue
        wanted = {"wanted_owner": owner, "number": number, "most": MAX_OBJECTS_OF_AN_OWNER}
        if runner.change(_count, wanted):
            continue
        if runner.select(_has_a_number, {"wanted_owner": owner}):
            raise ServerLimitExceeded(f"nobody owns more than {MAX_OBJECTS_OF_AN_OWNER} objects")
        try:
            runner.change(_insert_number, {"owner": owner, "objects": number})
        except INTEGRITY_ERRORS:  # another server's first object of theirs
            raise Conflict from None
