"""What the checker of the soak takes for a contradiction, and what not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from .ledger import Ledger
from .model import (
    ABSENT,
    ACTIVE,
    DEACTIVATED,
    DESTROYED,
    GONE,
    GRACE_S,
    WRONG_STATE,
    Contradiction,
    Question,
    Record,
    Register,
    Write,
    expect_protecting,
    expect_reading,
)


def see(value: object, register: Register, asked_at: float = 0.0) -> None:
    with Question(asked_at, register) as question:
        question.check(value, lambda shown: shown)


def is_possible(value: object, register: Register, asked_at: float = 0.0) -> bool:
    try:
        see(value, register, asked_at)
    except Contradiction:
        return False
    return True


def test_an_acknowledged_write_that_a_later_answer_lacks_is_a_contradiction() -> None:
    register = Register("old")
    Write((register, "new")).acknowledge()
    see("new", register)
    with pytest.raises(Contradiction, match="'old', but 'new'"):
        see("old", register)


def test_a_refused_write_that_an_answer_has_is_a_contradiction() -> None:
    register = Register("old")
    Write((register, "new")).refuse()
    assert is_possible("old", register)
    assert not is_possible("new", register)


def test_a_write_that_was_seen_cannot_be_refused() -> None:
    register = Register("old")
    write = Write((register, "new"))
    see("new", register)
    with pytest.raises(Contradiction, match="somebody has seen"):
        write.refuse()


def test_an_answer_that_was_asked_for_before_a_write_may_show_either() -> None:
    register = Register("old")
    for value in ("old", "new"):
        with Question(0.0, register) as question:
            Write((register, "new")).acknowledge()
            question.check(value, lambda shown: shown)
        Write((register, "old")).acknowledge()


def test_an_unanswered_write_may_be_done_or_not() -> None:
    for value in ("old", "new"):
        register = Register("old")
        Write((register, "new")).leave_open(now=100.0)
        assert is_possible(value, register, asked_at=101.0)


def test_an_unanswered_write_that_was_seen_once_stays() -> None:
    register = Register("old")
    Write((register, "new")).leave_open(now=100.0)
    see("new", register, asked_at=101.0)
    assert register.is_settled
    assert not is_possible("old", register, asked_at=102.0)


def test_an_unanswered_write_that_is_not_there_after_the_grace_never_comes() -> None:
    register = Register("old")
    Write((register, "new")).leave_open(now=100.0)
    see("old", register, asked_at=101.0)
    assert not register.is_settled
    assert register.is_due(100.1 + GRACE_S)
    see("old", register, asked_at=100.1 + GRACE_S)
    assert register.is_settled
    assert not is_possible("new", register)


@pytest.mark.parametrize(("first", "second"), [("old", "new 2"), ("new 1", "old 2")])
def test_half_of_a_transaction_is_a_contradiction(first: str, second: str) -> None:
    one, two = Register("old"), Register("old 2")
    Write((one, "new 1"), (two, "new 2")).leave_open(now=100.0)
    late = 101.0 + GRACE_S
    see(first, one, late)
    assert not is_possible(second, two, late)


@pytest.mark.parametrize(
    ("expected", "state", "may", "outcome"),
    [
        (expect_reading, ACTIVE, True, "Success"),
        (expect_reading, DEACTIVATED, True, "Success"),
        (expect_reading, DESTROYED, True, GONE),
        (expect_reading, ACTIVE, False, ABSENT),
        (expect_reading, DESTROYED, False, ABSENT),
        (expect_protecting, ACTIVE, True, "Success"),
        (expect_protecting, DEACTIVATED, True, WRONG_STATE),
        (expect_protecting, DEACTIVATED, False, ABSENT),
        (expect_protecting, DESTROYED, True, GONE),
    ],
)
def test_outcome_follows_state_and_right(
    expected: Callable[[str, bool], str], state: str, may: bool, outcome: str
) -> None:
    assert expected(state, may) == outcome


def test_a_refusal_shows_that_an_open_withdrawal_was_done() -> None:
    record = Record("uid", "alice", "tag")
    right = record.right_of("bob")
    Write((right, True)).acknowledge()
    Write((right, False)).leave_open(now=100.0)
    with Question(101.0, record.state, right) as question:
        question.check(ABSENT, expect_reading)
    with Question(102.0, record.state, right) as question, pytest.raises(Contradiction):
        question.check("Success", expect_reading)


def test_readings_end_with_their_question() -> None:
    register = Register("old")
    with ExitStack() as stack:
        questions = [stack.enter_context(Question(0.0, register)) for _ in range(3)]
        Write((register, "new")).acknowledge()
        for question in questions:
            question.check("old", lambda shown: shown)
    assert not is_possible("old", register)


def test_an_identifier_is_given_out_once() -> None:
    ledger = Ledger(["alice", "bob"])
    ledger.add(Record("uid", "alice", "tag"))
    with pytest.raises(Contradiction, match="given out twice"):
        ledger.add(Record("uid", "bob", "another tag"))


def test_an_object_with_an_open_write_is_left_alone() -> None:
    ledger = Ledger(["alice"])
    record = Record("uid", "alice", "tag")
    ledger.add(record)
    assert ledger.writable_record("alice") is record
    assert ledger.writable_record("alice") is None, "it is busy"
    record.is_busy = False
    Write((record.state, DEACTIVATED)).leave_open(now=0.0)
    ledger.leave_open(record)
    assert ledger.writable_record("alice") is None
    assert ledger.due_record() is record
