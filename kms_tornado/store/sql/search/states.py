"""Conditions in SQL on the state of an object, and on whether it is archived."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, case, false, or_

from ....domain.lifecycle import DESTROYED_STATES
from ....kmip.enums import State
from ..constants import NUMBER, write_constant
from ..tables.schema import objects


def write_states(states: frozenset[State] | None, now: Any) -> list[ColumnElement[bool]]:
    """The condition that an object is in one of the states; None means in any state but a destroyed one.

    now: the parameter with the time at which dates are applied; None compares the stored state.
    """
    if states is None:  # no date destroys an object, so the stored state decides
        return [objects.c.state != write_constant(state) for state in sorted(DESTROYED_STATES)]
    state: ColumnElement[Any] = objects.c.state
    if now is not None and not states.isdisjoint(_CHANGED_BY_DATES):
        state = _state_at(now)
    if not states:
        return [false()]
    return [state.in_([write_constant(number) for number in sorted(states)])]


def write_storage(
    archived: bool | None, states: frozenset[State] | None
) -> list[ColumnElement[bool]]:
    """The condition that an object is archived, or is not; no condition where archived is None.

    states: the states that are searched. `domain.storage.is_archived` is never true of a destroyed object.
    """
    if archived is None:
        return []
    date = objects.c.archive_date
    condition = date.is_not(None) if archived else date.is_(None)
    if states is None or states.isdisjoint(DESTROYED_STATES):
        return [condition]
    return [or_(condition, objects.c.state.in_([*map(write_constant, sorted(DESTROYED_STATES))]))]


_CHANGED_BY_DATES = frozenset({State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED})


def _state_at(now: Any) -> ColumnElement[Any]:
    """`domain.dates.state_at` in SQL: dates that have passed activate and deactivate an object."""
    is_activated = objects.c.activation_date <= now
    is_over = objects.c.deactivation_date <= now
    pre_active, active = (
        objects.c.state == write_constant(state) for state in (State.PRE_ACTIVE, State.ACTIVE)
    )
    return case(
        (and_(pre_active, is_activated, is_over), write_constant(State.DEACTIVATED)),
        (and_(pre_active, is_activated), write_constant(State.ACTIVE)),
        (and_(active, is_over), write_constant(State.DEACTIVATED)),
        else_=objects.c.state,
    )


def bind_now(uses_dates: bool) -> BindParameter[Any] | None:
    """The parameter `now` of a statement whose shape has uses_dates; otherwise None."""
    return bindparam("now", type_=NUMBER) if uses_dates else None
