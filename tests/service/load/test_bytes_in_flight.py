"""The budget of bytes: a share for each principal, less where others have theirs, and always some left."""

from __future__ import annotations

import itertools

import pytest

from kms_tornado.errors import Unavailable
from kms_tornado.service.load.bytes_in_flight import SHORT, BytesInFlight, TooManyBytes

from ...rows import each_row

MIB = 1024 * 1024
#: Of the defaults: the most of one principal, and of all.
OF_ONE, OF_ALL = 64 * MIB, 128 * MIB


def fill(budget: BytesInFlight, principal: str, size: int = MIB) -> int:
    """So many bodies of this size enter."""
    for number in itertools.count():
        try:
            budget.enter(object(), principal, size)
        except TooManyBytes:
            return number
    raise AssertionError


def test_one_principal_has_its_share_and_not_more():
    budget = BytesInFlight(16 * MIB)
    assert fill(budget, "alice", 16 * MIB) == 4
    assert budget.size == OF_ONE
    assert budget.refused == {"user": 1, "all": 0}


@each_row("others", [1, 2, 3, 4, 5])
def test_however_many_take_what_they_get_whoever_comes_next_finds_half_of_what_they_left(others):
    budget = BytesInFlight()
    for number in range(others):
        fill(budget, f"mallory {number}")
    left = OF_ALL - budget.size
    assert left >= OF_ALL >> others
    assert fill(budget, "alice") * MIB >= left // 2


def test_many_who_send_in_turn_get_the_same():
    budget = BytesInFlight()
    counts = dict.fromkeys(range(7), 0)
    for _ in range(100):
        for number in counts:
            if budget.has_room(str(number), MIB):
                budget.enter(object(), str(number), MIB)
                counts[number] += 1
    assert max(counts.values()) - min(counts.values()) <= 1
    assert OF_ALL - budget.size >= OF_ALL // 9


def test_short_bodies_enter_whatever_others_hold():
    budget = BytesInFlight()
    for number in range(200):
        fill(budget, f"mallory {number}", SHORT + 1)
    assert not budget.has_room("alice", SHORT + 1) or budget.size <= OF_ALL
    for principal in ("alice", "mallory 1"):
        assert budget.has_room(principal, SHORT)
        budget.enter(object(), principal, SHORT)


def test_longest_bodies_that_the_option_allows_find_room_for_at_least_four_of_one_principal():
    budget = BytesInFlight(1024 * MIB)
    assert fill(budget, "alice", 1024 * MIB) == 4
    assert fill(budget, "bob", 1024 * MIB) >= 2


def test_request_that_has_left_makes_room_and_nothing_is_remembered():
    budget = BytesInFlight()
    requests = [object() for _ in range(4)]
    for request in requests:
        budget.enter(request, "alice", 16 * MIB)
    with pytest.raises(TooManyBytes):
        budget.enter("one more", "alice", 16 * MIB)
    budget.leave("one more")  # refused, so it never entered
    assert budget.size == OF_ONE
    for request in requests * 2:
        budget.leave(request)
    assert budget.size == 0
    assert not budget._sizes
    assert not budget._held


def test_refusal_is_503_with_a_time_to_come_back_and_says_what_to_do():
    budget = BytesInFlight()
    fill(budget, "alice", 16 * MIB)
    with pytest.raises(Unavailable, match=r"64 MiB .* wait for answers, and read them") as caught:
        budget.enter(object(), "alice", 16 * MIB)
    assert caught.value.retry_after_s == 1
    assert caught.value.reason == "too_many_bytes"
    fill(budget, "bob", 16 * MIB)
    with pytest.raises(TooManyBytes, match="try again") as other:
        budget.enter(object(), "bob", 16 * MIB)
    assert other.value.rule == "all"
    assert "alice" not in str(other.value)


def test_body_without_a_length_counts_as_it_comes():
    budget = BytesInFlight()
    held = budget.enter(object(), "alice", 0)
    for _ in range(64):
        held.add_body(MIB)
    with pytest.raises(TooManyBytes):
        held.add_body(1)
    assert budget.size == OF_ONE


def test_answer_counts_while_it_is_made_with_its_body_and_then_alone():
    budget, request = BytesInFlight(), object()
    held = budget.enter(request, "alice", 10 * MIB)
    for size in (MIB, 5 * MIB, 2 * MIB):  # shorter again: its batch was run anew
        held.grow_answer(size)
        assert budget.size == 10 * MIB + size
    with pytest.raises(TooManyBytes):
        held.grow_answer(55 * MIB)
    assert budget.size == 12 * MIB
    held.keep_answer(3 * MIB)
    assert budget.size == 3 * MIB
    budget.leave(request)
    assert budget.size == 0


def test_short_answer_of_who_holds_too_much_is_made_all_the_same():
    budget = BytesInFlight()
    fill(budget, "alice", 16 * MIB)
    held = budget.enter(object(), "alice", 100)
    held.grow_answer(SHORT)
    with pytest.raises(TooManyBytes):
        held.grow_answer(SHORT + 1)


def test_answer_to_what_was_done_is_kept_whatever_there_is():
    budget = BytesInFlight()
    fill(budget, "alice", 16 * MIB)
    request = object()
    budget.enter(request, "alice", 100).keep_answer(16 * MIB)
    assert budget.size == OF_ONE + 16 * MIB
    budget.leave(request)
    assert budget.size == OF_ONE
