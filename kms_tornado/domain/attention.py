"""Which objects need somebody's attention, and why: they end soon, are not in use yet, or must not be used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .dates import state_at
from .lifecycle import ACTIVE, COMPROMISED, PRE_ACTIVE
from .managed_object import ManagedObject

#: What ends within this time ends soon: a month is enough to replace a key in most places.
SOON_S = 30 * 86400
#: An object that nobody has used for this long after it was made may not be needed.
UNUSED_S = 30 * 86400
#: The part of its Usage Limits that is left when an object's limit is near.
_LITTLE = 0.1


class Reason(NamedTuple):
    """Why an object needs attention.

    name: pre_active, deactivates, protect_stops, limit_near, compromised or never_used.
    at: when it will happen or has happened, in seconds since the Unix epoch; None for a reason without a time.
    """

    name: str
    at: int | None


def find_reasons(target: ManagedObject, *, is_used: bool | None, now: int) -> tuple[Reason, ...]:
    """The reasons why the object needs attention; empty where there is none.

    is_used: whether it was ever used; None where nobody knows. now: in seconds since the Unix epoch.
    """
    return tuple(_find_reasons(target, is_used, now))


def _find_reasons(target: ManagedObject, is_used: bool | None, now: int) -> Iterator[Reason]:
    attributes, state = target.attributes, state_at(target, now)
    if state is COMPROMISED:
        yield Reason("compromised", attributes.compromise_date)
    if state is PRE_ACTIVE:
        yield Reason("pre_active", attributes.activation_date)
    if state is not ACTIVE:
        return
    for name, date in (
        ("deactivates", attributes.deactivation_date),
        ("protect_stops", attributes.protect_stop_date),
    ):
        if date is not None and date <= now + SOON_S:
            yield Reason(name, date)
    limits = attributes.usage_limits
    left = None if limits is None else limits.usage_limits_count
    if limits is not None and left is not None and left <= _LITTLE * limits.usage_limits_total:
        yield Reason("limit_near", None)
    if is_used is False and target.created_at <= now - UNUSED_S:
        yield Reason("never_used", None)
