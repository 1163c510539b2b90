"""How many requests of one principal are let in, at once and in a second, on a clock of the test's."""

from __future__ import annotations

import pytest

from kms_tornado.errors import TooManyRequests
from kms_tornado.service.load.admission import Admission, AdmissionBounds

from ...rows import each_row


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def admission_of(**bounds: int) -> tuple[Admission, Clock]:
    clock = Clock()
    return Admission(AdmissionBounds(**{"concurrency": 0, **bounds}), monotonic=clock), clock


def try_to_enter(admission: Admission, number: int, principal: str = "alice") -> int:
    """How many of so many requests are let in."""
    entered = 0
    for _ in range(number):
        try:
            admission.enter(object(), principal)
        except TooManyRequests:
            continue
        entered += 1
    return entered


# --- at once --------------------------------------------------------------------------------------


def test_as_many_requests_as_the_bound_are_let_in_at_once_and_no_more():
    admission, _ = admission_of(concurrency=3)
    assert try_to_enter(admission, 5) == 3
    assert admission.refused == {"rate": 0, "concurrency": 2}


def test_request_that_has_left_makes_room_for_another_one():
    admission, _ = admission_of(concurrency=1)
    request = object()
    admission.enter(request, "alice")
    assert try_to_enter(admission, 1) == 0
    admission.leave(request)
    assert try_to_enter(admission, 2) == 1


def test_request_that_leaves_twice_makes_room_once():
    admission, _ = admission_of(concurrency=2)
    requests = [object(), object()]
    for request in requests:
        admission.enter(request, "alice")
    admission.leave(requests[0])
    admission.leave(requests[0])
    assert try_to_enter(admission, 2) == 1


def test_request_that_was_refused_takes_no_place_and_frees_none():
    admission, _ = admission_of(concurrency=1)
    first, second = object(), object()
    admission.enter(first, "alice")
    with pytest.raises(TooManyRequests):
        admission.enter(second, "alice")
    admission.leave(second)
    assert admission.in_flight == 1
    assert try_to_enter(admission, 1) == 0


def test_requests_of_one_principal_take_nothing_from_another():
    admission, _ = admission_of(concurrency=2, rate=2)
    assert try_to_enter(admission, 9, "alice") == 2
    assert try_to_enter(admission, 9, "bob") == 2


@pytest.mark.parametrize("bound", ["rate", "concurrency"])
def test_zero_is_no_bound(bound):
    admission, _ = admission_of(**{"rate": 0, "concurrency": 0, bound: 0})
    assert try_to_enter(admission, 500) == 500


# --- in a second ----------------------------------------------------------------------------------


def test_one_second_of_rate_may_come_at_once_and_then_one_request_after_the_other():
    admission, clock = admission_of(rate=10)
    assert try_to_enter(admission, 50) == 10
    for _ in range(30):
        clock.now += 0.1
        assert try_to_enter(admission, 5) == 1
    assert admission.refused["rate"] == 40 + 30 * 4


@each_row(
    ("rate", "rest_s", "allowed"),
    [
        (10, 0.05, 0),
        (10, 0.25, 2),
        (10, 0.999, 9),
        (10, 1.0, 10),
        (10, 3600.0, 10),  # no more than a second's worth is saved up
        (1, 0.999, 0),
        (1, 1.0, 1),
        (1000, 0.5, 500),
    ],
)
def test_rest_earns_the_rate_up_to_one_second_of_it(rate, rest_s, allowed):
    admission, clock = admission_of(rate=rate)
    assert try_to_enter(admission, rate) == rate
    clock.now += rest_s
    assert try_to_enter(admission, 2 * rate) == allowed


def test_refused_requests_cost_nothing_of_the_rate():
    admission, clock = admission_of(rate=1)
    assert try_to_enter(admission, 1) == 1
    for _ in range(9):
        clock.now += 0.1
        assert try_to_enter(admission, 100) == 0
    clock.now += 0.1
    assert try_to_enter(admission, 1) == 1


@each_row("steps", [3, 7, 10, 100])
def test_rate_holds_over_many_seconds_whatever_the_rhythm(steps):
    admission, clock = admission_of(rate=20)
    entered = 0
    for _ in range(10 * steps):
        entered += try_to_enter(admission, 1 + 20 // steps * 2)
        clock.now += 1 / steps
    assert 10 * 20 - 1 <= entered <= 10 * 20 + 20


@each_row("rate", [1, 3, 500])
def test_refusal_says_in_whole_seconds_when_to_come_back_and_then_it_is_true(rate):
    admission, clock = admission_of(rate=rate)
    try_to_enter(admission, rate)
    refusal = admission.find_refusal("alice")
    assert refusal is not None
    assert refusal.retry_after_s == 1
    clock.now += refusal.retry_after_s
    assert admission.find_refusal("alice") is None


@pytest.mark.parametrize(("bounds", "option"), [
    ({"rate": 1}, "--user-rate"), ({"concurrency": 1}, "--user-concurrency"),
])  # fmt: skip
def test_refusal_names_the_option_and_the_number(bounds, option):
    admission, _ = admission_of(**bounds)
    try_to_enter(admission, 1)
    refusal = admission.find_refusal("alice")
    assert option in str(refusal)
    assert "1 request" in str(refusal)


def test_asking_whether_one_more_may_enter_counts_nothing():
    admission, _ = admission_of(rate=1, concurrency=1)
    for _ in range(5):
        assert admission.find_refusal("alice") is None
    assert try_to_enter(admission, 1) == 1


# --- memory ---------------------------------------------------------------------------------------


def test_nothing_is_remembered_of_a_principal_whose_bucket_is_full():
    """A million of users must not fill the memory: only those of the last seconds are in it."""
    admission, clock = admission_of(rate=5, concurrency=5)
    for number in range(10_000):
        request = object()
        admission.enter(request, f"user-{number}")
        admission.leave(request)
        clock.now += 0.01
    assert admission.remembered <= 210
    clock.now += 10
    admission.enter(object(), "alice")
    assert admission.remembered == 1


def test_forgetting_full_buckets_lets_nobody_exceed_the_rate():
    admission, clock = admission_of(rate=10)
    entered = 0
    for _ in range(500):
        entered += try_to_enter(admission, 3, "alice")
        try_to_enter(admission, 1, f"user-{clock.now}")
        clock.now += 0.02
    assert entered <= 10 * 10 + 10


def test_without_a_bound_on_the_rate_nothing_is_remembered_once_requests_have_left():
    admission, _ = admission_of(concurrency=5)
    for number in range(1000):
        request = object()
        admission.enter(request, f"user-{number}")
        admission.leave(request)
    assert admission.remembered == admission.in_flight == 0
