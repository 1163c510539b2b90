"""How much each owner's objects take, in a row of `owners` under a MAC.

An object takes one *unit* for each UNIT_BYTES begun of its row, so that one number bounds how many objects
an owner has as well as their bytes. Most objects take one, and most changes leave it at that: these touch no
row of `owners`, which is locked until the transaction ends. To add the rows up for every new object would
take longer than to insert it.

Older versions counted objects. Their rows have another code, and the first change of the number counts the
units of such an owner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FunctionElement,
    Integer,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from ....domain.managed_object import MAX_OBJECTS_OF_AN_OWNER
from ....errors import ServerLimitExceeded
from ..statements import InsertIfAbsent, Runner, Statement
from .row_macs import AlteredRow, RowAuthenticator
from .schema import objects, owners

#: The size of a unit: of an object's row, sealed material and texts.
UNIT_BYTES = 4096


class _UTF8Length(FunctionElement[int]):
    """The number of bytes of a text."""

    type = Integer()
    inherit_cache = True


@compiles(_UTF8Length)
def _count_bytes(element: _UTF8Length, compiler: SQLCompiler, **options: Any) -> str:
    return f"octet_length({compiler.process(element.clauses, **options)})"


@compiles(_UTF8Length, "sqlite")  # SQLite has octet_length only since version 3.43
def _count_bytes_on_sqlite(element: _UTF8Length, compiler: SQLCompiler, **options: Any) -> str:
    return f"length(CAST({compiler.process(element.clauses, **options)} AS BLOB))"


#: The number of bytes of an object's sealed material, which a database tells without reading them; or NULL.
SEALED_BYTES = func.length(objects.c.sealed, type_=Integer)
_bytes: ColumnElement[int] = (
    func.coalesce(SEALED_BYTES, 0, type_=Integer)
    + _UTF8Length(objects.c.attributes)
    + _UTF8Length(objects.c.tags)
    + _UTF8Length(objects.c.grants)
)
#: The units of all objects that a statement selects, as `units_of` counts them.
SUM_OF_UNITS = func.coalesce(func.sum((_bytes + (UNIT_BYTES - 1)) // UNIT_BYTES), 0, type_=Integer)

_is_owner = owners.c.owner == bindparam("of_owner")
_update = Statement(update(owners).where(_is_owner), ("objects", "mac"))
_insert = Statement(InsertIfAbsent(owners), owners.columns.keys())
_MAX_OWNERS = 512  # in one statement, a power of two
_count = Statement(select(SUM_OF_UNITS).where(objects.c.owner == bindparam("of_owner")))


def units_of(row: Mapping[str, Any], sealed_bytes: int) -> int:
    """The number of units that an object takes, at least one. row: {column: value}; its tags are never empty."""
    size = sealed_bytes
    for name in ("attributes", "tags", "grants"):
        text = row[name]
        size += len(text) if text.isascii() else len(text.encode())
    return -(-size // UNIT_BYTES)


class _Count(NamedTuple):
    """A stored count. is_of_units: whether it counts units, or objects, as older versions did."""

    number: int
    is_of_units: bool


@cache  # ten statements at most, as `number` is a power of two
def _select(number: int) -> Statement:
    """Selects and locks rows in the order of the owners, so that two writers do not deadlock."""
    names: list[BindParameter[str]] = [bindparam(f"owner_{place}") for place in range(number)]
    return Statement(
        select(owners.c.owner, owners.c.objects, owners.c.mac)
        .where(owners.c.owner.in_(names))
        .order_by(owners.c.owner)
        .with_for_update()
    )


def update_counts(
    runner: Runner, differences: Mapping[str, int], authenticator: RowAuthenticator
) -> None:
    """Update the units of each owner. differences: {owner: change of the number}.

    Called after the objects were added, changed and removed. Raises ServerLimitExceeded for more than
    MAX_OBJECTS_OF_AN_OWNER, and AlteredRow.
    """
    differences = {owner: number for owner, number in differences.items() if number}
    present = _read_counts(runner, sorted(differences), authenticator)
    rows = []
    for owner, difference in sorted(differences.items()):
        if owner not in present:
            if _begin_count(runner, owner, difference, authenticator):
                continue
            # Another transaction added the owner's first object, and this one has waited for it.
            present |= _read_counts(runner, [owner], authenticator)
        before = present.get(owner, _Count(0, is_of_units=True))
        number = add_up(before.number, difference)
        if not before.is_of_units:
            # An object takes a unit at least, so what is refused by their number is refused rightly. The
            # sum refuses nothing this once: the transaction would be undone, and each further one add up
            # all of the owner's objects again.
            number = _add_up_objects(runner, owner)
        mac = count_mac(authenticator, owner, number)
        rows.append({"of_owner": owner, "objects": number, "mac": mac})
    if rows:
        runner.change_all(_update, rows)


def _begin_count(runner: Runner, owner: str, number: int, authenticator: RowAuthenticator) -> bool:
    """Add the row of an owner who never had an object; False where it exists by now."""
    mac = count_mac(authenticator, owner, add_up(0, number))
    if not runner.change_counted(_insert, {"owner": owner, "objects": number, "mac": mac}):
        return False
    if _add_up_objects(runner, owner) != number:
        raise AlteredRow(f"the count of {owner}'s objects", "it was deleted")
    return True


def _add_up_objects(runner: Runner, owner: str) -> int:
    ((number,),) = runner.select(_count, {"of_owner": owner})
    units: int = number
    return units


def add_up(present: int, difference: int) -> int:
    """The new number. Raises ServerLimitExceeded."""
    number = present + difference
    if difference > 0 and number > MAX_OBJECTS_OF_AN_OWNER:
        raise ServerLimitExceeded(
            f"nobody owns more than {MAX_OBJECTS_OF_AN_OWNER} objects, or"
            f" {MAX_OBJECTS_OF_AN_OWNER * UNIT_BYTES} bytes of them, each rounded up to a multiple of"
            f" {UNIT_BYTES}: remove objects, or make them smaller"
        )
    return number


def count_mac(authenticator: RowAuthenticator, owner: str, number: int) -> bytes:
    """The MAC of a count of units."""
    return authenticator.row_mac("owners", owner, number, UNIT_BYTES)


def former_count_mac(authenticator: RowAuthenticator, owner: str, number: int) -> bytes:
    """The MAC of a count of objects."""
    return authenticator.row_mac("owners", owner, number)


def is_of_units(authenticator: RowAuthenticator, owner: str, number: Any, mac: Any) -> bool:
    """Whether a count is of units, or else of objects. Raises AlteredRow."""
    subject = f"the count of {owner}'s objects"
    try:
        authenticator.check_row(subject, mac, "owners", owner, number, UNIT_BYTES)
    except AlteredRow:
        authenticator.check_row(subject, mac, "owners", owner, number)
        return False
    return True


def _read_counts(
    runner: Runner, names: Sequence[str], authenticator: RowAuthenticator
) -> dict[str, _Count]:
    """{owner: count} with the rows locked, without those owners who never had an object."""
    counts: dict[str, _Count] = {}
    for start in range(0, len(names), _MAX_OWNERS):
        part = list(names[start : start + _MAX_OWNERS])
        number_of_values = 1 << (len(part) - 1).bit_length()
        part += part[-1:] * (number_of_values - len(part))
        values = {f"owner_{place}": owner for place, owner in enumerate(part)}
        for owner, number, mac in runner.select(_select(number_of_values), values):
            counts[owner] = _Count(number, is_of_units(authenticator, owner, number, mac))
    return counts
