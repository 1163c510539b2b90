"""The dates of a managed object: those that change its state, and those that limit its use.

KMIP 2.1 §4.1 (Activation Date), §4.19 (Deactivation Date), §4.38 (Process Start Date), §4.40 (Protect
Stop Date), §4.57 (State). Dates and now are seconds since the Unix epoch; a date has come as soon as now
equals it.
"""

from __future__ import annotations

import dataclasses

from ..errors import InvalidAttributeValue, WrongKeyLifecycleState
from ..kmip.attributes import Attributes
from ..kmip.enums import State
from .lifecycle import ACTIVE, DEACTIVATED, PRE_ACTIVE, Use
from .managed_object import ManagedObject


def state_at(target: ManagedObject, now: int) -> State:
    """The state at now: the stored one, advanced by the dates that have come since.

    Pre-Active becomes Active on its Activation Date, Active becomes Deactivated on its Deactivation
    Date; where both dates have passed, both happen. Every other transition needs an event.
    """
    state, attributes = target.state, target.attributes
    if state is PRE_ACTIVE and has_come(attributes.activation_date, now):
        state = ACTIVE
    if state is ACTIVE and has_come(attributes.deactivation_date, now):
        state = DEACTIVATED
    return state


def apply_dates(target: ManagedObject, now: int) -> ManagedObject:
    """The object in its state at now; the next change to the object stores that state."""
    state = state_at(target, now)
    return target if state is target.state else dataclasses.replace(target, state=state)


def has_come(date: int | None, now: int) -> bool:
    return date is not None and date <= now


def check_use_dates(attributes: Attributes, use: Use, *, now: int) -> None:
    """Raises WrongKeyLifecycleState before the Process Start Date, or from the Protect Stop Date on.

    The two dates limit cryptographic operations only, not reading or managing the object.
    """
    start, stop = attributes.process_start_date, attributes.protect_stop_date
    if start is not None and use is Use.PROCESS and now < start:
        raise WrongKeyLifecycleState("the object's Process Start Date has not come yet")
    if stop is not None and use is Use.PROTECT and has_come(stop, now):
        raise WrongKeyLifecycleState("the object's Protect Stop Date has passed")


def limit_lease(lease_time_s: int, attributes: Attributes, *, now: int) -> int:
    """The lease in seconds, ending at the latest when a use of the object is known to end.

    lease_time_s: its usual length; 0 means that the object may be used without any limit (KMIP 2.1 §6.1.35),
    and so is never returned for an object with an end ahead.
    """
    ends = [attributes.protect_stop_date, attributes.deactivation_date]
    ahead = [end - now for end in ends if end is not None and not has_come(end, now)]
    lengths = [length for length in (lease_time_s, *ahead) if length]
    return min(_LONGEST_INTERVAL, *lengths) if lengths else 0


#: An Interval has 32 bits.
_LONGEST_INTERVAL = 2**32 - 1

#: The years 1 to 9999, which ISO 8601 can write and every client can read.
FIRST_DATE, LAST_DATE = -62_135_596_800, 253_402_300_799

#: (the date that comes first, the one that may not be before it); they may be equal.
_IN_ORDER = (
    ("activation_date", "process_start_date"),
    ("activation_date", "deactivation_date"),
    ("protect_stop_date", "deactivation_date"),
)


def check_date_order(attributes: Attributes, changed: str | None = None) -> None:
    """Raises InvalidAttributeValue where a date lies before one that it must follow, or is out of range.

    changed: the only field that is new; None where all are. Activate may set an Activation Date after the Process Start
    Date, and a later change of the description must not fail because of that.
    """
    for first, second in _IN_ORDER:
        if changed is not None and changed not in (first, second):
            continue
        earlier, later = getattr(attributes, first), getattr(attributes, second)
        for name, date in ((first, earlier), (second, later)):
            if date is not None:
                check_date_range(date, _format_field(name))
        if earlier is not None and later is not None and later < earlier:
            raise InvalidAttributeValue(
                f"{_format_field(second)} lies before {_format_field(first)}"
            )


def check_date_range(date: int | None, name: str) -> None:
    """Raises InvalidAttributeValue outside the years 1 to 9999. name: what the error text calls the date."""
    if date is not None and not FIRST_DATE <= date <= LAST_DATE:
        raise InvalidAttributeValue(f"{name} lies outside the years 1 to 9999")


def _format_field(field_name: str) -> str:
    """``Activation Date``."""
    return field_name.replace("_", " ").title()
