"""What is written behind is written in order, and an error is raised where the caller is."""

from __future__ import annotations

import io
import threading

import pytest

from kms_tornado.client.files.write_behind import WriteBehind


class Target:
    """Takes at most two bytes at once, and fails once it has `capacity`."""

    def __init__(self, capacity: int = 10_000) -> None:
        self.data = b""
        self.capacity = capacity
        self.threads: set[int] = set()

    def write(self, data: memoryview) -> int:
        self.threads.add(threading.get_ident())
        if len(self.data) >= self.capacity:
            raise OSError("full")
        self.data += data[:2]
        return len(data[:2])


def write_pairs(target: Target, count: int, error: type[BaseException] | None = None) -> None:
    with WriteBehind(target) as writing:
        for _ in range(count):
            writing.write(memoryview(b"ab"))
        if error is not None:
            raise error


def test_everything_is_written_in_order_by_another_thread() -> None:
    target = Target()
    with WriteBehind(target) as writing:
        for number in range(100):
            assert writing.write(memoryview(bytes([number] * 7))) == 7
    assert target.data == b"".join(bytes([number] * 7) for number in range(100))
    assert target.threads
    assert threading.get_ident() not in target.threads


def test_caller_of_a_target_that_fails_neither_waits_nor_goes_on() -> None:
    target = Target(capacity=4)
    with pytest.raises(OSError, match="full"):
        write_pairs(target, 1000)
    assert target.data == b"abab"


def test_error_of_the_last_write_is_raised_at_the_end() -> None:
    with pytest.raises(OSError, match="full"):
        write_pairs(Target(capacity=0), 1)


def test_error_of_the_caller_comes_before_one_of_the_target() -> None:
    with pytest.raises(KeyboardInterrupt):
        write_pairs(Target(capacity=0), 1, KeyboardInterrupt)


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    with WriteBehind(io.BytesIO()) as writing:
        writing.write(memoryview(b"ab"))
    assert threading.active_count() == before
