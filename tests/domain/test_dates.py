"""Dates that move an object between states, and those that bound its use (KMIP 2.1 §4)."""

from __future__ import annotations

import itertools

import pytest

from kms_tornado.domain.dates import apply_dates, check_date_order, check_use_dates, state_at
from kms_tornado.domain.lifecycle import Use
from kms_tornado.domain.managed_object import ManagedObject, UniqueIdentifier
from kms_tornado.errors import InvalidAttributeValue, WrongKeyLifecycleState
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import ObjectType, State

from ..rows import each_row

S = State
NOW = 1_800_000_000
PAST, FUTURE = NOW - 1, NOW + 1


def an_object(state, **dates):
    return ManagedObject(
        UniqueIdentifier("one"), "alice", ObjectType.SYMMETRIC_KEY, state, Attributes(**dates),
        frozenset(), None, 0,
    )  # fmt: skip


#: (stored state, Activation Date, Deactivation Date) → the state now.
MOVES = {
    (S.PRE_ACTIVE, None, None): S.PRE_ACTIVE,
    (S.PRE_ACTIVE, PAST, None): S.ACTIVE,
    (S.PRE_ACTIVE, NOW, None): S.ACTIVE,
    (S.PRE_ACTIVE, FUTURE, None): S.PRE_ACTIVE,
    (S.PRE_ACTIVE, None, PAST): S.PRE_ACTIVE,  # was never active
    (S.PRE_ACTIVE, PAST, PAST): S.DEACTIVATED,
    (S.PRE_ACTIVE, NOW, NOW): S.DEACTIVATED,
    (S.PRE_ACTIVE, PAST, FUTURE): S.ACTIVE,
    (S.PRE_ACTIVE, FUTURE, FUTURE): S.PRE_ACTIVE,
    (S.ACTIVE, PAST, None): S.ACTIVE,
    (S.ACTIVE, PAST, FUTURE): S.ACTIVE,
    (S.ACTIVE, PAST, NOW): S.DEACTIVATED,
    (S.ACTIVE, PAST, PAST): S.DEACTIVATED,
    (S.ACTIVE, None, PAST): S.DEACTIVATED,
}


@each_row(
    ("stored", "activation", "deactivation", "now"),
    [(*given, after) for given, after in MOVES.items()],
)
def test_date_that_has_passed_moves_the_state(stored, activation, deactivation, now):
    target = an_object(stored, activation_date=activation, deactivation_date=deactivation)
    assert state_at(target, NOW) is now
    assert apply_dates(target, NOW).state is now


@pytest.mark.parametrize("state", sorted(set(State) - {S.PRE_ACTIVE, S.ACTIVE}))
def test_no_date_brings_back_what_an_event_ended(state):
    for activation, deactivation in itertools.product([None, PAST, FUTURE], repeat=2):
        target = an_object(state, activation_date=activation, deactivation_date=deactivation)
        assert state_at(target, NOW) is state, target


@pytest.mark.parametrize("state", State)
def test_state_that_was_written_back_is_the_state_that_was_computed(state):
    for activation, deactivation in itertools.product([None, PAST, NOW, FUTURE], repeat=2):
        target = an_object(state, activation_date=activation, deactivation_date=deactivation)
        for now in (PAST, NOW, FUTURE):
            for later in range(now, FUTURE + 1):
                assert state_at(apply_dates(target, now), later) is state_at(target, later), target


@each_row(
    ("use", "dates", "allowed"),
    [
        pytest.param(Use.PROTECT, {}, True, id="no dates"),
        pytest.param(Use.PROTECT, {"protect_stop_date": FUTURE}, True, id="before the stop"),
        pytest.param(Use.PROTECT, {"protect_stop_date": NOW}, False, id="at the stop"),
        pytest.param(Use.PROTECT, {"protect_stop_date": PAST}, False, id="after the stop"),
        pytest.param(Use.PROTECT, {"process_start_date": FUTURE}, True, id="start is not its date"),
        pytest.param(Use.PROCESS, {}, True, id="process, no dates"),
        pytest.param(Use.PROCESS, {"process_start_date": FUTURE}, False, id="before the start"),
        pytest.param(Use.PROCESS, {"process_start_date": NOW}, True, id="at the start"),
        pytest.param(Use.PROCESS, {"process_start_date": PAST}, True, id="after the start"),
        pytest.param(Use.PROCESS, {"protect_stop_date": PAST}, True, id="stop is not its date"),
        *(
            pytest.param(
                use, {"process_start_date": FUTURE, "protect_stop_date": PAST}, True, id=use.name
            )
            for use in (Use.READ, Use.INSPECT, Use.REVOKE, Use.DESTROY)
        ),
    ],
)
def test_dates_bound_cryptography_alone(use, dates, allowed):
    if allowed:
        check_use_dates(Attributes(**dates), use, now=NOW)
        return
    with pytest.raises(WrongKeyLifecycleState):
        check_use_dates(Attributes(**dates), use, now=NOW)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("activation_date", "process_start_date"),
        ("activation_date", "deactivation_date"),
        ("protect_stop_date", "deactivation_date"),
    ],
)
def test_dates_stand_in_their_order(first, second):
    check_date_order(Attributes(**{first: PAST, second: NOW}))
    check_date_order(Attributes(**{first: NOW, second: NOW}))
    check_date_order(Attributes(**{first: NOW}))
    check_date_order(Attributes(**{second: NOW}))
    with pytest.raises(InvalidAttributeValue):
        check_date_order(Attributes(**{first: FUTURE, second: NOW}))


def test_process_start_and_protect_stop_have_no_order():
    """CS-BC-M-14 registers a key that may no longer encrypt and not yet decrypt."""
    check_date_order(Attributes(process_start_date=FUTURE, protect_stop_date=PAST))


@each_row(
    "field", ["activation_date", "process_start_date", "protect_stop_date", "deactivation_date"]
)
@each_row(
    ("date", "is_one"),
    [(0, True), (-62_135_596_800, True), (253_402_300_799, True), (-62_135_596_801, False),
     (253_402_300_800, False), (2**63 - 1, False), (-(2**63), False)],
)  # fmt: skip
def test_date_has_a_year_that_clients_can_read(field, date, is_one):
    if is_one:
        check_date_order(Attributes(**{field: date}), field)
    else:
        with pytest.raises(InvalidAttributeValue):
            check_date_order(Attributes(**{field: date}), field)
