"""The life cycle (docs/dialects.md, "Life cycle"): state × event, and state × use."""

from __future__ import annotations

import itertools

import pytest

from kms_tornado.domain.lifecycle import (
    DESTROYED_STATES,
    Event,
    Use,
    check_state,
    choose_activation_date,
    next_state,
)
from kms_tornado.errors import ObjectDestroyed, WrongKeyLifecycleState
from kms_tornado.kmip.enums import State

from ..rows import each_row

S, E = State, Event

#: None: refused. A state that stays: the event has no effect and is answered as the first time.
NEXT = {
    (S.PRE_ACTIVE, E.ACTIVATE): S.ACTIVE,
    **{(state, E.ACTIVATE): None for state in set(S) - {S.PRE_ACTIVE}},
    (S.PRE_ACTIVE, E.REVOKE): None,
    (S.PRE_ACTIVE, E.COMPROMISE): S.COMPROMISED,
    (S.PRE_ACTIVE, E.DESTROY): S.DESTROYED,
    (S.ACTIVE, E.REVOKE): S.DEACTIVATED,
    (S.ACTIVE, E.COMPROMISE): S.COMPROMISED,
    (S.ACTIVE, E.DESTROY): None,
    (S.DEACTIVATED, E.REVOKE): S.DEACTIVATED,
    (S.DEACTIVATED, E.COMPROMISE): S.COMPROMISED,
    (S.DEACTIVATED, E.DESTROY): S.DESTROYED,
    (S.COMPROMISED, E.REVOKE): S.COMPROMISED,
    (S.COMPROMISED, E.COMPROMISE): S.COMPROMISED,
    (S.COMPROMISED, E.DESTROY): S.DESTROYED_COMPROMISED,
    (S.DESTROYED, E.REVOKE): S.DESTROYED,
    (S.DESTROYED, E.COMPROMISE): S.DESTROYED_COMPROMISED,
    (S.DESTROYED, E.DESTROY): S.DESTROYED,
    (S.DESTROYED_COMPROMISED, E.REVOKE): S.DESTROYED_COMPROMISED,
    (S.DESTROYED_COMPROMISED, E.COMPROMISE): S.DESTROYED_COMPROMISED,
    (S.DESTROYED_COMPROMISED, E.DESTROY): S.DESTROYED_COMPROMISED,
}

ROWS = [
    pytest.param(state, event, after, id=f"{state.name}-{event.name}")
    for (state, event), after in NEXT.items()
]


#: Activate is done once, and in one state; the others may be said again.
ENDING = [E.REVOKE, E.COMPROMISE, E.DESTROY]


def test_table_has_a_row_for_every_state_and_event():
    assert set(NEXT) == set(itertools.product(State, Event))


@each_row(("state", "event", "after"), ROWS)
def test_event_moves_the_object_or_is_refused(state, event, after):
    if after is None:
        with pytest.raises(WrongKeyLifecycleState):
            next_state(state, event)
    else:
        assert next_state(state, event) is after


@each_row("state", State)
@each_row("event", ENDING)
def test_an_event_that_happened_has_no_effect_the_second_time(state, event):
    try:
        once = next_state(state, event)
    except WrongKeyLifecycleState:
        return
    assert next_state(once, event) is once


@pytest.mark.parametrize("state", sorted(DESTROYED_STATES))
@pytest.mark.parametrize("event", ENDING)
def test_what_is_destroyed_never_comes_back(state, event):
    assert next_state(state, event) in DESTROYED_STATES


@each_row("events", [*itertools.product(ENDING, repeat=3)])
def test_a_compromise_is_never_forgotten(events):
    state = next_state(S.ACTIVE, E.COMPROMISE)
    for event in events:
        state = next_state(state, event)
        assert state in {S.COMPROMISED, S.DESTROYED_COMPROMISED}


def test_refusal_to_destroy_says_what_to_do_first():
    with pytest.raises(WrongKeyLifecycleState, match="revoke it first"):
        next_state(S.ACTIVE, E.DESTROY)


NOW = 1_800_000_000


@each_row(
    ("requested", "activates_at_once", "date"),
    [
        pytest.param(None, True, NOW, id="bare: who sends it never activates"),
        pytest.param(None, False, None, id="message: waits for Activate"),
        *(
            pytest.param(date, at_once, date, id=f"{date}, {'bare' if at_once else 'message'}")
            for at_once in (True, False)
            for date in (0, NOW, NOW + 1)
        ),
    ],
)
def test_new_object_is_activated_by_its_date_or_at_once_where_nobody_would_do_it(
    requested, activates_at_once, date
):
    assert choose_activation_date(requested, activates_at_once=activates_at_once, now=NOW) == date


#: Use → the states that suit it.
SUITS = {
    Use.PROTECT: {S.ACTIVE},
    Use.PROCESS: {S.ACTIVE, S.DEACTIVATED, S.COMPROMISED},
    Use.READ: set(State) - DESTROYED_STATES,
    Use.INSPECT: set(State),
}

USES = [
    pytest.param(use, state, id=f"{use.name}-{state.name}")
    for use, state in itertools.product(SUITS, State)
]


@each_row(("use", "state"), USES)
def test_use_is_allowed_in_the_states_that_suit_it(use, state):
    if state in SUITS[use]:
        check_state(state, use)
        return
    error = ObjectDestroyed if state in DESTROYED_STATES else WrongKeyLifecycleState
    with pytest.raises(error):
        check_state(state, use)


@each_row("use", [Use.REVOKE, Use.DESTROY], ids=lambda use: use.name)
@each_row("state", State)
def test_revoke_and_destroy_leave_the_answer_to_their_table(use, state):
    check_state(state, use)
