"""The table of data in parts: who gets what back, when, and how much of it there may be."""

from __future__ import annotations

import pytest

from kms_tornado.errors import InvalidCorrelationValue, ServerLimitExceeded
from kms_tornado.kmip.enums import Operation
from kms_tornado.operations.common import streams as module
from kms_tornado.operations.common.streams import (
    LIFETIME_S,
    MAX_STREAMS_OF_A_PRINCIPAL,
    Stream,
    Streams,
)

MAC, HASH = Operation.MAC, Operation.HASH
MIB = 1024 * 1024


def stream(principal="alice", held_bytes=0, operation=HASH):
    return Stream(principal, operation, None, 0, object(), held_bytes)


def take(streams, value, principal="alice", operation=HASH, now=0):
    return streams.take(value, principal, operation, None, now=now)


def test_stream_comes_back_as_it_was_under_one_value():
    streams = Streams()
    one = stream()
    value = streams.keep(one, now=0)
    assert take(streams, value) is one
    assert streams.keep(one, now=1) == value
    assert take(streams, value, now=2) is one
    assert len(streams) == 0


def test_values_cannot_be_guessed():
    streams = Streams()
    values = {streams.keep(stream(), now=0) for _ in range(20)}
    assert len(values) == 20
    assert {len(value) for value in values} == {16}


def test_part_that_is_worked_on_is_not_there_for_another():
    streams = Streams()
    value = streams.keep(stream(), now=0)
    take(streams, value)
    with pytest.raises(InvalidCorrelationValue):
        take(streams, value)


@pytest.mark.parametrize("who", [{"principal": "bob"}, {"operation": MAC}])
def test_stream_of_another_is_unknown_and_stays(who):
    streams = Streams()
    value = streams.keep(stream(), now=0)
    with pytest.raises(InvalidCorrelationValue) as foreign:
        take(streams, value, **who)
    with pytest.raises(InvalidCorrelationValue) as absent:
        take(streams, b"x" * 16)
    assert str(foreign.value) == str(absent.value)
    assert take(streams, value)


def test_stream_is_forgotten_some_time_after_its_last_part():
    streams = Streams()
    value = streams.keep(stream(), now=0)
    one = take(streams, value, now=LIFETIME_S - 1)
    streams.keep(one, now=LIFETIME_S - 1)
    one = take(streams, value, now=2 * LIFETIME_S - 2)
    streams.keep(one, now=2 * LIFETIME_S - 2)
    with pytest.raises(InvalidCorrelationValue):
        take(streams, value, now=3 * LIFETIME_S - 2)
    assert len(streams) == 0


def test_streams_that_nobody_finishes_do_not_pile_up():
    streams = Streams()
    for number in range(10_000):
        streams.keep(stream(), now=number // 100)
    assert len(streams) == MAX_STREAMS_OF_A_PRINCIPAL


def test_one_principal_takes_no_room_from_others():
    streams = Streams()
    value = streams.keep(stream("bob"), now=0)
    for _ in range(1000):
        streams.keep(stream("alice"), now=0)
    assert take(streams, value, "bob")


def test_newest_of_ones_own_are_those_that_stay():
    streams = Streams()
    values = [streams.keep(stream(), now=0) for _ in range(MAX_STREAMS_OF_A_PRINCIPAL + 3)]
    for value in values[:3]:
        with pytest.raises(InvalidCorrelationValue):
            take(streams, value)
    assert all(take(streams, value) for value in values[3:])


def test_number_of_all_streams_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_STREAMS", 100)
    streams = Streams()
    for number in range(100):
        streams.keep(stream(f"user {number}"), now=0)
    with pytest.raises(ServerLimitExceeded):
        streams.keep(stream("one more"), now=0)
    assert streams.keep(stream("one more"), now=LIFETIME_S), "the others are forgotten by then"


def test_bytes_that_are_kept_for_one_principal_are_bounded():
    streams = Streams()
    lost = streams.keep(stream(held_bytes=20 * MIB), now=0)
    value = streams.keep(stream(held_bytes=20 * MIB), now=0)
    with pytest.raises(InvalidCorrelationValue):
        take(streams, lost)
    assert take(streams, value)
    with pytest.raises(ServerLimitExceeded):
        streams.keep(stream(held_bytes=33 * MIB), now=0)


def test_bytes_that_are_kept_for_all_are_bounded():
    streams = Streams()
    for number in range(8):
        streams.keep(stream(f"user {number}", held_bytes=32 * MIB), now=0)
    with pytest.raises(ServerLimitExceeded):
        streams.keep(stream("one more", held_bytes=1), now=0)
    assert streams.keep(stream("one more"), now=0)
    assert streams.keep(stream("yet one", held_bytes=1), now=LIFETIME_S)
