"""The memory of used proofs that a process has for itself, on a clock of our own."""

from __future__ import annotations

import asyncio

import pytest

from kms_tornado.auth.bound.replays import PERIOD_S, ProcessReplays, UserShares
from kms_tornado.errors import TooManyRequests, Unavailable


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


def use(memory: ProcessReplays, number: int, until: float, user: str = "alice") -> bool:
    return asyncio.run(memory.use(digest(number), until, user))


def test_a_proof_is_good_once() -> None:
    memory = ProcessReplays(Clock())
    assert use(memory, 1, 1100)
    assert not use(memory, 1, 1100)
    assert not use(memory, 1, 9999)
    assert use(memory, 2, 1100)


def test_proofs_are_forgotten_when_they_are_no_longer_good() -> None:
    clock = Clock()
    memory = ProcessReplays(clock)
    use(memory, 1, 1100)
    use(memory, 2, 1300)
    clock.now = 1101
    use(memory, 3, 1200)
    assert len(memory) == 2
    assert not use(memory, 2, 1300)


def test_a_clock_that_is_set_back_makes_no_forgotten_proof_good_again() -> None:
    clock = Clock()
    memory = ProcessReplays(clock)
    use(memory, 1, 1100)
    clock.now = 2000
    use(memory, 2, 2100)
    assert len(memory) == 1
    clock.now = 1050
    assert not use(memory, 1, 1100)
    assert not use(memory, 3, 1100)  # nobody knows any more
    assert use(memory, 4, 1101)


def test_a_full_memory_refuses_instead_of_forgetting() -> None:
    clock = Clock()
    memory = ProcessReplays(clock, most=8)
    for number in range(8):
        assert use(memory, number, 1100, f"user {number}")
    with pytest.raises(Unavailable):
        use(memory, 8, 1100, "bob")
    assert not use(memory, 0, 1100)  # it is remembered all the same
    clock.now = 1101
    assert use(memory, 8, 1200, "bob")


def test_no_user_fills_it_for_the_others() -> None:
    memory = ProcessReplays(Clock(), most=8)
    assert use(memory, 1, 1100)
    assert use(memory, 2, 1100)
    with pytest.raises(TooManyRequests):
        use(memory, 3, 1100)
    assert use(memory, 3, 1100, "bob")


def test_a_share_counts_for_one_or_two_periods() -> None:
    shares = UserShares(8)
    shares.count("alice", 0.0)
    shares.count("alice", PERIOD_S)
    with pytest.raises(TooManyRequests):
        shares.count("alice", 1.5 * PERIOD_S)
    shares.count("alice", 2 * PERIOD_S)
    with pytest.raises(TooManyRequests):
        shares.count("alice", 2 * PERIOD_S)
    shares.count("alice", 4 * PERIOD_S)
    shares.count("alice", 4 * PERIOD_S)


def test_shares_begin_anew_where_the_clock_is_set_back() -> None:
    shares = UserShares(4)
    shares.count("alice", 5000.0)
    with pytest.raises(TooManyRequests):
        shares.count("alice", 5000.0)
    shares.count("alice", 10.0)
