"""The queue of a lane: turns by principal, bounds in items and in size, and who gives up a place to whom."""

from __future__ import annotations

import pytest

from kms_tornado.service.load.fair_queue import FairQueue, Full, QueueBounds

from ...rows import each_row

BOUNDS = QueueBounds(items=6, items_per_principal=4, size=100, size_per_principal=60)


def queue_of(*items: str, bounds: QueueBounds = BOUNDS) -> FairQueue[str]:
    """A queue with these items, each named <principal><number> or <principal><number>:<size>."""
    queue: FairQueue[str] = FairQueue(bounds)
    for item in items:
        name, _, size = item.partition(":")
        assert queue.add(name[0], name, int(size or 0)) == []
    return queue


def drain(queue: FairQueue[str]) -> list[str]:
    items = []
    while (item := queue.take()) is not None:
        items.append(item)
    return items


def test_items_of_one_principal_come_out_in_order():
    assert drain(queue_of("a1", "a2", "a3")) == ["a1", "a2", "a3"]


def test_principals_take_turns_whenever_their_items_came():
    assert drain(queue_of("a1", "a2", "a3", "b1", "b2", "c1")) == [
        "a1", "b1", "c1", "a2", "b2", "a3"
    ]  # fmt: skip


def test_principal_who_was_just_served_stands_behind_all_others():
    queue = queue_of("a1", "a2", "b1")
    assert queue.take() == "a1"
    queue.add("c", "c1")
    assert drain(queue) == ["b1", "a2", "c1"]


@each_row(
    ("waiting", "newcomer", "displaced"),
    [
        pytest.param(["a1", "a2", "b1"], "c1", [], id="a place is free: nobody gives theirs up"),
        pytest.param(
            ["a1", "a2", "a3", "b1", "b2", "b3"], "c1", ["b3"], id="of equals the farthest from its turn"
        ),
        pytest.param(
            ["a1", "a2", "b1", "b2", "b3", "b4"], "c1", ["b4"], id="the newest of who has most"
        ),
        pytest.param(
            ["a1", "a2", "a3", "a4", "b1", "b2"], "c1", ["a4"], id="whoever came first has most"
        ),
        pytest.param(
            ["a1:10", "a2:40", "b1:40"], "c1:20", ["a2"], id="full in size: of who has most bytes"
        ),
        pytest.param(
            ["a1:10", "a2:10", "a3:10", "a4:10", "b1:5", "b2:50"], "c1:30", ["a4", "b2"],
            id="full in both: as many as it takes",
        ),
    ],
)  # fmt: skip
def test_principal_without_an_item_gets_a_place_of_who_has_most(waiting, newcomer, displaced):
    queue = queue_of(*waiting)
    name, _, size = newcomer.partition(":")
    assert queue.add(name[0], name, int(size or 0)) == displaced
    left = {item.partition(":")[0] for item in waiting} - set(displaced)
    assert set(drain(queue)) == left | {name}


@each_row(
    ("waiting", "refused"),
    [
        pytest.param(["a1", "a2", "a3", "a4"], "a5", id="the share of one principal"),
        pytest.param(["a1:30", "a2:30"], "a3:1", id="the share of one principal in size"),
        pytest.param(
            ["a1", "a2", "a3", "a4", "b1", "b2"], "b3", id="full, and an item waits already"
        ),
        pytest.param(
            ["a1:60", "b1:40"], "b2:1", id="full in size, and an item waits already"
        ),
        pytest.param(
            ["a1", "b1", "c1", "d1", "e1", "f1"], "g1", id="everybody has one: nobody is left with none"
        ),
        pytest.param(
            ["a1:60", "a2:0", "b1:40"], "c1:1", id="everybody's first items fill it in size"
        ),
        pytest.param(["a1"], "b1:101", id="larger than the whole queue, and somebody waits"),
    ],
)  # fmt: skip
def test_item_without_a_place_is_refused_and_changes_nothing(waiting, refused):
    queue = queue_of(*waiting)
    length, size = len(queue), queue.size
    name, _, of_size = refused.partition(":")
    with pytest.raises(Full):
        queue.add(name[0], name, int(of_size or 0))
    assert (len(queue), queue.size) == (length, size)
    assert sorted(drain(queue)) == sorted(item.partition(":")[0] for item in waiting)


def test_item_larger_than_the_queue_waits_where_it_is_alone():
    """A larger --max-body-size must not make it impossible to serve such a body."""
    queue = queue_of("a1:1000")
    with pytest.raises(Full):
        queue.add("b", "b1", 1)
    assert drain(queue) == ["a1"]
    assert queue.add("b", "b1", 1) == []


def test_two_principals_who_fill_the_queue_leave_room_for_as_many_as_come():
    queue = queue_of("a1", "a2", "a3", "b1", "b2", "b3")
    displaced = [item for name in "cdef" for item in queue.add(name, f"{name}1")]
    assert sorted(displaced) == ["a2", "a3", "b2", "b3"]
    with pytest.raises(Full):
        queue.add("g", "g1")
    assert drain(queue) == ["a1", "b1", "c1", "d1", "e1", "f1"]


def test_length_and_size_count_what_waits():
    queue = queue_of("a1:10", "a2:20", "b1:5")
    assert (len(queue), queue.size) == (3, 35)
    drain(queue)
    assert (len(queue), queue.size) == (0, 0)


def test_principals_that_are_passed_over_keep_their_items_and_their_order():
    queue = queue_of("a1", "a2", "b1")
    assert queue.take(passing_over={"a"}) == "b1"
    assert queue.take(passing_over={"a"}) is None
    assert [queue.take(), queue.take(), queue.take()] == ["a1", "a2", None]
