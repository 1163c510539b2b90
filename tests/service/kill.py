"""A process that is killed (kill -9) at its n-th step, for tests of what is left on disk."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from unittest import mock

from ..new_databases import find_statements

#: (owner, name of its function): called at a step.
Step = tuple[Any, str]


def count_steps(work: Callable[[], object], steps: list[Step]) -> int:
    """How many steps the work takes, before and after each of those calls; it is done in a process of its own."""
    find_statements()  # or each process would, for as long as all the rest takes
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()

    def run() -> None:
        ticks = Ticks(None)
        with ticks.patching(steps):
            work()
        results.put(ticks.number)

    process = context.Process(target=run)
    process.start()
    process.join()
    assert process.exitcode == 0
    number: int = results.get()
    return number


def kill_at(moment: int, work: Callable[[], object], steps: list[Step]) -> None:
    """Do the work in a process of its own, which is killed at that step."""
    find_statements()

    def run() -> None:
        with Ticks(moment).patching(steps):
            work()

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL, process.exitcode


def spread(number: int, total: int) -> Iterator[int]:
    """So many different moments, from the first step to the last."""
    assert total >= number, f"only {total} steps"
    for place in range(number):
        yield 1 + place * (total - 1) // (number - 1)


class Ticks:
    def __init__(self, last: int | None) -> None:
        self.number = 0
        self._last = last

    def _tick(self) -> None:
        self.number += 1
        if self.number == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def patching(self, steps: list[Step]) -> Any:
        stack = ExitStack()
        for owner, name in steps:
            stack.enter_context(mock.patch.object(owner, name, self._wrap(getattr(owner, name))))
        return stack

    def _wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self._tick()
            result = function(*args, **kwargs)
            self._tick()
            return result

        return wrapped
