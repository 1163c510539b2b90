"""Rows in the tables beside `objects`: tags, values to search by, and names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete

from ....domain.lifecycle import DESTROYED_STATES
from ....domain.managed_object import ManagedObject
from ....errors import NonUniqueName
from ..statements import INTEGRITY_ERRORS, Runner, Statement, Values
from .attribute_rows import (
    AttributeRow,
    Leaf,
    collect_leaves,
    format_attributes,
    format_index_value,
    select_leaf_rows,
)
from .schema import object_names, object_tags, object_values

#: What stands for the object in a row: its serial, or its identifier where it has no serial yet.
Key = int | str

# --- tags ---------------------------------------------------------------------------------------

_delete_tags = Statement(delete(object_tags).where(object_tags.c.object == bindparam("of_object")))


def make_tag_rows(added: Iterable[tuple[Key, ManagedObject]]) -> list[dict[str, Any]]:
    return [
        {"object": key, "tag": tag, "owner": new.owner, "created_at": new.created_at}
        for key, new in added
        for tag in sorted(new.tags)
    ]


def change_tags(runner: Runner, serial: int, new: ManagedObject) -> None:
    """Replace the rows of an object's tags."""
    runner.change(_delete_tags, {"of_object": serial})
    if rows := make_tag_rows([(serial, new)]):
        runner.add_rows(object_tags, rows)


# --- values to search by ------------------------------------------------------------------------

_delete_values = Statement(
    delete(object_values).where(object_values.c.object == bindparam("of_object"))
)


class IndexedAttributes(NamedTuple):
    """An object's attributes, and its owner, who is part of the index."""

    owner: str
    rows: Sequence[AttributeRow]


def add_tags_and_values(
    runner: Runner, added: Sequence[tuple[int, ManagedObject]], *, are_many: bool
) -> None:
    """Add the rows of new objects. added: (serial, object). are_many: whether making the rows takes milliseconds."""

    def make() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        return make_tag_rows(added), make_value_rows_of_new(added)

    tags, values = runner.compute(make) if are_many else make()
    if tags:
        runner.add_rows(object_tags, tags)
    if values:
        runner.add_rows(object_values, values)


def index_attributes(new: ManagedObject) -> IndexedAttributes:
    return IndexedAttributes(new.owner, format_attributes(new.attributes).rows)


def change_values(
    runner: Runner, serial: int, before: IndexedAttributes, after: IndexedAttributes
) -> None:
    """Replace the rows of an object's values, if they differ."""
    rows = find_changed_values(serial, before, after)
    if rows is not None:
        replace_values(runner, serial, rows)


def find_changed_values(
    serial: int, before: IndexedAttributes, after: IndexedAttributes
) -> list[dict[str, Any]] | None:
    """The new rows of an object's values; None where they do not change."""
    if before.owner == after.owner and _have_same_leaves(before.rows, after.rows):
        return None
    return _make_value_rows(serial, after.owner, collect_leaves(after.rows))


def replace_values(runner: Runner, serial: int, rows: Sequence[Values]) -> None:
    """Replace the rows of an object's values."""
    runner.change(_delete_values, {"of_object": serial})
    if rows:
        runner.add_rows(object_values, rows)


def _have_same_leaves(rows: Sequence[AttributeRow], others: Sequence[AttributeRow]) -> bool:
    # Most changes affect columns alone; comparing the rows shows that without splitting them.
    return select_leaf_rows(rows) == select_leaf_rows(others) or collect_leaves(
        rows
    ) == collect_leaves(others)


def make_value_rows_of_new(added: Iterable[tuple[Key, ManagedObject]]) -> list[dict[str, Any]]:
    return [
        row
        for key, new in added
        for row in _make_value_rows(key, new.owner, format_attributes(new.attributes).leaves)
    ]


def _make_value_rows(key: Key, owner: str, leaves: Iterable[Leaf]) -> list[dict[str, Any]]:
    return [
        {
            "object": key,
            "position": position,
            "instance": instance,
            "owner": owner,
            "path": path,
            "value": value,
            "number": number,
        }
        for position, (instance, path, value, number) in enumerate(leaves)
    ]


# --- names --------------------------------------------------------------------------------------

_delete_names = Statement(
    delete(object_names).where(object_names.c.object == bindparam("of_object"))
)


class OwnedNames(NamedTuple):
    """The names that an object has, and that no other object of its owner may have. names: {(name, type)}."""

    owner: str
    names: frozenset[tuple[str, int]]


def collect_names(owner: str, state: int, attributes: Iterable[AttributeRow]) -> OwnedNames:
    """The names that an object has: none once it is destroyed, although it keeps the attribute Name."""
    if state in DESTROYED_STATES:
        return OwnedNames(owner, frozenset())
    names = set()
    for tag, _, children in attributes:
        if tag == "Name":
            fields = {child: (item_type, value) for child, item_type, value in children}
            names.add((format_index_value(*fields["NameValue"]), int(fields["NameType"][1])))
    return OwnedNames(owner, frozenset(names))


def names_of(new: ManagedObject) -> OwnedNames:
    return collect_names(new.owner, new.state, format_attributes(new.attributes).rows)


def claim_names(runner: Runner, names: Mapping[int, OwnedNames]) -> None:
    """Write the names of the objects whose names change. names: {serial: names}.

    Raises NonUniqueName where another object of the owner has one of them.
    """
    if not names:
        return
    runner.change_all(_delete_names, [{"of_object": serial} for serial in names])
    rows = make_name_rows(names)
    if not rows:
        return
    runner.settle()
    try:
        runner.add_rows(object_names, rows)
        runner.settle()
    except INTEGRITY_ERRORS:
        raise name_taken() from None


def make_name_rows(names: Mapping[Any, OwnedNames]) -> list[dict[str, Any]]:
    """The rows for the names. names: {key: names}."""
    rows = [
        {"object": key, "owner": owner, "name": name, "type": name_type}
        for key, (owner, owned) in names.items()
        for name, name_type in owned
    ]
    # All servers insert in the same order, so that two of them do not deadlock here.
    rows.sort(key=lambda row: (row["owner"], row["name"], row["type"]))
    return rows


def name_taken() -> NonUniqueName:
    return NonUniqueName("another object of yours has this Name: choose another one")
