"""PerProcess: what a process that was forked must not share with the one before, such as connections and threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """A value that each process makes for itself, when it first asks for it.

    A connection that two processes read gives the answer to whichever reads first: one would get what the other
    decrypts. Threads are not there at all after a fork.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._held = os.getpid(), make()

    def get(self) -> T:
        # No lock: another thread might hold it at the fork. Two threads may each make one, and the later one stays.
        process, value = self._held
        if process != os.getpid():
            value = self._make()
            self._held = os.getpid(), value
        return value
