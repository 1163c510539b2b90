"""What needs attention, and why."""

from __future__ import annotations

from typing import Any

import pytest

from kms_tornado.domain.attention import SOON_S, UNUSED_S, Reason, find_reasons
from kms_tornado.domain.managed_object import ManagedObject, UniqueIdentifier
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import ObjectType, State
from kms_tornado.kmip.structures import UsageLimits

NOW = 1_800_000_000


def reasons_of(
    state: State = State.ACTIVE,
    *,
    is_used: bool | None = True,
    created_at: int = 0,
    **attributes: Any,
) -> tuple[Reason, ...]:
    target = ManagedObject(
        UniqueIdentifier("key"), "alice", ObjectType.SYMMETRIC_KEY, state, Attributes(**attributes),
        frozenset(), None, created_at,
    )  # fmt: skip
    return find_reasons(target, is_used=is_used, now=NOW)


def test_key_in_use_without_an_end_needs_none() -> None:
    assert reasons_of() == ()
    assert reasons_of(usage_limits=UsageLimits(100), deactivation_date=NOW + 10 * SOON_S) == ()


@pytest.mark.parametrize("name", ["deactivation_date", "protect_stop_date"])
def test_end_is_told_a_month_before(name: str) -> None:
    reason = {"deactivation_date": "deactivates", "protect_stop_date": "protect_stops"}[name]
    assert reasons_of(**{name: NOW + SOON_S}) == ((reason, NOW + SOON_S),)
    assert reasons_of(**{name: NOW + SOON_S + 1}) == ()


def test_end_that_has_come_is_no_news() -> None:
    assert reasons_of(deactivation_date=NOW) == ()


def test_key_that_waits_is_told_with_its_date() -> None:
    assert reasons_of(State.PRE_ACTIVE) == (("pre_active", None),)
    assert reasons_of(State.PRE_ACTIVE, activation_date=NOW + 1) == (("pre_active", NOW + 1),)
    assert reasons_of(State.PRE_ACTIVE, activation_date=NOW) == ()


@pytest.mark.parametrize(("left", "is_near"), [(10, True), (11, False), (0, True), (None, False)])
def test_limit_is_near_when_a_tenth_is_left(left: int | None, is_near: bool) -> None:
    assert reasons_of(usage_limits=UsageLimits(100, left)) == ((("limit_near", None),) * is_near)


def test_compromised_key_is_told_until_it_is_destroyed() -> None:
    assert reasons_of(State.COMPROMISED, compromise_date=5) == (("compromised", 5),)
    for state in (State.DEACTIVATED, State.DESTROYED, State.DESTROYED_COMPROMISED):
        assert reasons_of(state, compromise_date=5) == ()


@pytest.mark.parametrize(
    ("is_used", "age", "is_told"),
    [(False, UNUSED_S, True), (False, UNUSED_S - 1, False), (True, UNUSED_S, False), (None, UNUSED_S, False)],
)  # fmt: skip
def test_key_that_nobody_has_used_for_a_month_is_told(
    is_used: bool | None, age: int, is_told: bool
) -> None:
    told = reasons_of(is_used=is_used, created_at=NOW - age)
    assert told == ((("never_used", None),) * is_told)
