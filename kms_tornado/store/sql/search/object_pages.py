"""SQLObjectPages: lists of an owner's or a grantee's objects, page by page, and the numbers of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Dialect, Select, bindparam, case, func, select, tuple_

from ....domain.lifecycle import ACTIVE, DEACTIVATED, PRE_ACTIVE
from ....kmip.enums import ObjectType, Operation, State
from ...interface.compute import Compute
from ...interface.lists import GrantedObject, ListPosition, OwnedObject, StateCount
from ..constants import write_constant
from ..queries import (
    all_owned,
    bind_groups,
    prepare_for_groups,
    principal_parameter,
    select_granted,
    select_newest_granted,
)
from ..statements import prepare
from ..tables.grants import count_grantees, find_grants
from ..tables.rows import UID, RowParser
from ..tables.schema import objects
from ..watched import WatchedBackend

_C = objects.c


def _number(name: str) -> Any:
    return bindparam(name, type_=_C.created_at.type)


#: Whether the object stands behind a position.
_is_behind = tuple_(_C.created_at, _C.serial) < tuple_(
    _number("after_created"), _number("after_serial")
)
#: The rows of `all_owned`, with the grants and the serial at the end.
_owned = all_owned.add_columns(_C.grants, _C.serial).where(_is_behind).limit(_number("limit"))


def _write_granted(group_count: int) -> Select[Any]:
    """Selects the rows of `queries.write_granted`, with the serial at the end. The limit counts objects, not rows."""
    page = select_newest_granted(group_count).where(_is_behind).limit(_number("limit"))
    return select_granted(group_count, page).add_columns(_C.serial)


# Whether a date has come is asked for each object, before they are grouped. _ENDED, _ENDS_SOON: by Deactivation Date.
_ENDED, _ENDS_SOON = 2, 1
_ending = case(
    (_C.deactivation_date <= _number("now"), write_constant(_ENDED)),
    (_C.deactivation_date <= _number("soon"), write_constant(_ENDS_SOON)),
    else_=write_constant(0),
)
_is_activated = case(
    (_C.activation_date <= _number("now"), write_constant(1)), else_=write_constant(0)
)
_each = (
    select(_C.object_type, _C.state, _is_activated.label("activated"), _ending.label("ending"))
    .where(_C.owner == principal_parameter)
    .subquery()
)
#: (object type, stored state, whether its Activation Date has come, ending, number), from the index alone.
_count = select(*_each.c, func.count()).group_by(*_each.c)


class SQLObjectPages:
    """An `ObjectPages`, used from one event loop."""

    def __init__(
        self, database: WatchedBackend, parser: RowParser, dialect: Dialect, compute: Compute
    ) -> None:
        self._database = database
        self._parser = parser
        self._compute = compute
        self._owned = prepare(_owned, dialect)
        self._granted = prepare_for_groups(_write_granted, dialect)
        self._count = prepare(_count, dialect)

    async def list_owned(
        self, principal: str, *, after: ListPosition, limit: int, grantees: Collection[str] = ()
    ) -> Sequence[tuple[ListPosition, OwnedObject]]:
        values = _bind(principal, after, limit)
        rows = await self._database.search(self._owned, values, principal=principal)

        def parse() -> list[tuple[ListPosition, OwnedObject]]:
            parsed = self._parser.parse_owned(row[:-2] for row in rows)
            return [
                (
                    ListPosition(item.target.created_at, serial),
                    _add_grants(item, grants, grantees) if grants else item,
                )
                for (*_, grants, serial), item in zip(rows, parsed, strict=True)
            ]

        return await self._compute(parse, principal=principal)

    async def list_granted(
        self, principal: str, groups: Collection[str], *, after: ListPosition, limit: int
    ) -> Sequence[tuple[ListPosition, GrantedObject]]:
        statement = self._granted.choose(groups)
        values = {**_bind(principal, after, limit), **bind_groups(groups)}
        rows = await self._database.search(statement, values, principal=principal)

        def parse() -> list[tuple[ListPosition, GrantedObject]]:
            serials = {row[UID]: row[-1] for row in rows}
            return [
                (ListPosition(item.target.created_at, serials[item.target.uid]), item)
                for item in self._parser.parse_granted(row[:-1] for row in rows)
            ]

        return await self._compute(parse, principal=principal)

    async def count_owned(self, principal: str, *, now: int, soon: int) -> Sequence[StateCount]:
        values = {"principal": principal, "now": now, "soon": soon}
        rows = await self._database.search(self._count, values, principal=principal)
        return [
            StateCount(
                ObjectType(object_type),
                state := _advance(State(stored), bool(activated), ending == _ENDED),
                state is ACTIVE and ending == _ENDS_SOON,
                number,
            )
            for object_type, stored, activated, ending, number in rows
        ]


def _add_grants(item: OwnedObject, text: str, grantees: Collection[str]) -> OwnedObject:
    table = find_grants(text, grantees) if grantees else {}
    grants = {name: frozenset(map(Operation, operations)) for name, operations in table.items()}
    return replace(item, shared_with=count_grantees(text), grants=grants)


def _advance(stored: State, is_activated: bool, is_ended: bool) -> State:
    """The state after dates that were compared already, as `domain.dates.state_at` determines it."""
    state = ACTIVE if stored is PRE_ACTIVE and is_activated else stored
    return DEACTIVATED if state is ACTIVE and is_ended else state


def _bind(principal: str, after: ListPosition, limit: int) -> dict[str, Any]:
    return {
        "principal": principal,
        "after_created": after.created_at,
        "after_serial": after.serial,
        "limit": limit,
    }
