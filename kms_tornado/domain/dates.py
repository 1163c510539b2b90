"""Dates of a managed object: those that move its state without an event, those that bound its use.

KMIP 2.1 §4.1 (Activation Date), §4.19 (Deactivation Date), §4.38 (Process Start Date), §4.40 (Protect
Stop Date), §4.57 (State). Dates and now are seconds since the Unix epoch; a date has come when now is
equal to it.
"""

from __future__ import annotations

import dataclasses

from ..errors import InvalidAttributeValue, WrongKeyLifecycleState
from ..kmip.attributes import Attributes
from ..kmip.enums import State
from .lifecycle import ACTIVE, DEACTIVATED, PRE_ACTIVE, Use
from .managed_object import ManagedObject


def state_at(target: ManagedObject, now: int) -> State:
    """The state that the dates have made of the stored one by now.

    Pre-Active becomes Active on its Activation Date, Active becomes Deactivated on its Deactivation
    Date, both where both have passed. Every other transition is an event.
    """
    state, attributes = target.state, target.attributes
    if state is PRE_ACTIVE and has_come(attributes.activation_date, now):
        state = ACTIVE
    if state is ACTIVE and has_come(attributes.deactivation_date, now):
        state = DEACTIVATED
    return state


def apply_dates(target: ManagedObject, now: int) -> ManagedObject:
    """The object in the state that it is in by now; what is changed next writes that state back."""
    state = state_at(target, now)
    return target if state is target.state else dataclasses.replace(target, state=state)


def has_come(date: int | None, now: int) -> bool:
    return date is not None and date <= now


def check_use_dates(attributes: Attributes, use: Use, *, now: int) -> None:
    """Raises WrongKeyLifecycleState before the Process Start Date, or from the Protect Stop Date on.

    Only cryptography is bound by them: reading and managing the object is not.
    """
    start, stop = attributes.process_start_date, attributes.protect_stop_date
    if start is not None and use is Use.PROCESS and now < start:
        raise WrongKeyLifecycleState("the object's Process Start Date has not come yet")
    if stop is not None and use is Use.PROTECT and has_come(stop, now):
        raise WrongKeyLifecycleState("the object's Protect Stop Date has passed")


#: The years 1 to 9999: what ISO 8601 can write, and every client read.
FIRST_DATE, LAST_DATE = -62_135_596_800, 253_402_300_799

#: What may not be later than what; equal is allowed.
_IN_ORDER = (
    ("activation_date", "process_start_date"),
    ("activation_date", "deactivation_date"),
    ("protect_stop_date", "deactivation_date"),
)


def check_date_order(attributes: Attributes, changed: str | None = None) -> None:
    """Raises InvalidAttributeValue where one date stands before another that it must follow, or is none.

    changed: the one field that is new; None: all are. Activate sets a date that may come after the
    Process Start Date, and that is no reason to refuse a new description.
    """
    for first, second in _IN_ORDER:
        if changed is not None and changed not in (first, second):
            continue
        earlier, later = getattr(attributes, first), getattr(attributes, second)
        for name, date in ((first, earlier), (second, later)):
            if date is not None:
                check_date_range(date, _words(name))
        if earlier is not None and later is not None and later < earlier:
            raise InvalidAttributeValue(f"{_words(second)} lies before {_words(first)}")


def check_date_range(date: int | None, words: str) -> None:
    """Raises InvalidAttributeValue for a date that no calendar has."""
    if date is not None and not FIRST_DATE <= date <= LAST_DATE:
        raise InvalidAttributeValue(f"{words} lies outside the years 1 to 9999")


def _words(field_name: str) -> str:
    return field_name.replace("_", " ").title()
