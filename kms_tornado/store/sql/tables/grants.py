"""Access rights that an owner gave others on an object: the text that decides, and its index.

The column `objects.grants` decides. It is under the MAC of the object's row: '' where nobody else has a
right, else compact JSON, ``{"grantee":[operation, …], …}``, sorted. The rows of the table `grants` repeat it, one
for each grantee and operation, so that the objects granted to a principal are found quickly. A row that
does not fit the text was written by something else than this server.

`changes` has checked the owner before it calls these functions. serial: of the object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, func, select

from ....errors import ServerLimitExceeded
from ....kmip.enums import Operation
from ....user_names import EVERYONE
from ...bounds import MAX_GRANTED_TO_EVERYONE, MAX_GRANTEES
from ..statements import Runner, Statement
from .row_macs import altered_object
from .schema import grants, objects

#: {grantee: operations}, none of them empty.
GrantTable = Mapping[str, frozenset[int]]

# --- the text -----------------------------------------------------------------------------------

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def parse_grants(text: str) -> GrantTable:
    if not text:
        return {}
    return {grantee: frozenset(operations) for grantee, operations in json.loads(text).items()}


# A text of a thousand grantees takes ten times as long to parse as to look through.
_KEY = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+":\[')
_MEMBER = re.compile(rf"({_KEY.pattern})([\d,]+)")


def count_grantees(text: str) -> int:
    return len(_KEY.findall(text))


def find_grants(text: str, grantees: Iterable[str]) -> GrantTable:
    """The grants to these grantees alone; otherwise as `parse_grants`."""
    members = dict(_MEMBER.findall(text))
    keys = {name: f"{_to_json(name)}:[" for name in grantees}
    return {
        name: frozenset(map(int, members[key].split(",")))
        for name, key in keys.items()
        if key in members
    }


def format_grants(table: GrantTable) -> str:
    if not table:
        return ""
    return _to_json({grantee: sorted(operations) for grantee, operations in table.items()})


_NOTHING: frozenset[int] = frozenset()


def rights_of(table: GrantTable, grantees: Iterable[str]) -> frozenset[int]:
    """The operations that any of the grantees may perform."""
    rights = _NOTHING
    for grantee in grantees:
        if grantee in table:
            rights |= table[grantee]
    return rights


# --- its index ----------------------------------------------------------------------------------


class IndexedObject(NamedTuple):
    """An object whose grants are changed. owner, text: from its verified row."""

    uid: str
    owner: str
    serial: int
    text: str


_of_object = grants.c.object == bindparam("of_object")
_of_grantee = (_of_object, grants.c.grantee == bindparam("of_grantee"))
_operations = Statement(select(grants.c.operation).where(*_of_grantee))
_delete = Statement(
    delete(grants).where(*_of_grantee, grants.c.operation == bindparam("of_operation"))
)
# It starts with the grants to everyone, which are fewer than the objects of an owner may be.
_count_for_everyone = Statement(
    select(func.count(grants.c.object.distinct()))
    .join_from(grants, objects, objects.c.serial == grants.c.object)
    .where(grants.c.grantee == bindparam("everyone"), objects.c.owner == bindparam("of_owner"))
)
_delete_all = Statement(delete(grants).where(_of_object))


def grant(
    runner: Runner, target: IndexedObject, grantee: str, operations: Collection[Operation]
) -> str:
    """Add the rights that the grantee does not have yet; the new text.

    Raises ServerLimitExceeded for a grantee beyond MAX_GRANTEES, and for EVERYONE beyond MAX_GRANTED_TO_EVERYONE
    objects of the owner; also AlteredRow.
    """
    table = parse_grants(target.text)
    granted = table.get(grantee, frozenset())
    _check_index(runner, target, grantee, granted)
    new = frozenset(map(int, operations)) - granted
    if not new:
        return target.text
    if not granted and len(table) >= MAX_GRANTEES:
        raise ServerLimitExceeded(
            f"at most {MAX_GRANTEES} users have rights on one object: * stands for everyone"
        )
    if grantee == EVERYONE and not granted:
        _check_granted_to_everyone(runner, target.owner)
    runner.add_rows(
        grants,
        [
            {"object": target.serial, "grantee": grantee, "operation": operation}
            for operation in sorted(new)
        ],
    )
    return format_grants({**table, grantee: granted | new})


def _check_granted_to_everyone(runner: Runner, owner: str) -> None:
    """Raises ServerLimitExceeded where the owner has already granted the largest number of objects to everyone."""
    values = {"everyone": EVERYONE, "of_owner": owner}
    ((number,),) = runner.select(_count_for_everyone, values)
    if number >= MAX_GRANTED_TO_EVERYONE:
        raise ServerLimitExceeded(
            f"at most {MAX_GRANTED_TO_EVERYONE} of one owner's objects are granted to *: "
            "withdraw * from another one, or grant this one to users by name"
        )


def withdraw(
    runner: Runner, target: IndexedObject, grantee: str, operations: Collection[Operation]
) -> str:
    """Withdraw the rights; the new text, which equals the old one if none of them was granted."""
    table = dict(parse_grants(target.text))
    granted = table.pop(grantee, frozenset())
    _check_index(runner, target, grantee, granted)
    withdrawn = granted.intersection(operations)
    if not withdrawn:
        return target.text
    row = {"of_object": target.serial, "of_grantee": grantee}
    runner.change_all(_delete, [{**row, "of_operation": number} for number in sorted(withdrawn)])
    if withdrawn != granted:
        table[grantee] = granted - withdrawn
    return format_grants(table)


def withdraw_all(runner: Runner, serial: int) -> None:
    """Delete the index rows of all grantees."""
    runner.change(_delete_all, {"of_object": serial})


def _check_index(
    runner: Runner, target: IndexedObject, grantee: str, granted: frozenset[int]
) -> None:
    rows = runner.select(_operations, {"of_object": target.serial, "of_grantee": grantee})
    if {operation for (operation,) in rows} != granted:
        raise altered_object(target.uid, "rows of grants do not fit its rights")


def check_index_rows(
    uid: str, table: GrantTable, grantees: Iterable[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Compare the index rows (grantee, operation) of these grantees with the text, which `table` was parsed from.

    Raises AlteredRow.
    """
    expected = {
        (grantee, operation) for grantee in grantees for operation in table.get(grantee, ())
    }
    if {tuple(row) for row in rows if row[0] is not None} != expected:
        raise altered_object(uid, "rows of grants do not fit its rights")
