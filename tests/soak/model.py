"""What the servers may answer: every value that one writer at a time changes, and who is reading it.

A `Register` is one value on the servers: an object's state, an attribute, what a user was granted. A
`Write` changes one register, or several in one transaction. It is acknowledged, refused, or left open,
where nobody said what became of it; then both values are possible until a reading shows which it is. A
`Reading` notes all values that were possible at some moment between its request and its answer.

Two readings never contradict each other: once a new value was seen, no later request may see the old one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

#: How long after it was given up an unanswered write may still be done. A statement ends after 15 s.
GRACE_S = 20.0


class Contradiction(Exception):
    """An answer that cannot be, after what was answered before."""


class Write:
    """Changes of one transaction: all are done, or none. changes: (register, its new value)."""

    def __init__(self, *changes: tuple[Register, Hashable]) -> None:
        self._registers = [register for register, _ in changes]
        self._was_seen = False
        self.given_up_at: float | None = None
        for register, value in changes:
            register.begin(self, value)

    def acknowledge(self) -> None:
        """The server said that it was done."""
        for register in self._registers:
            register.end(self, is_done=True)

    def refuse(self) -> None:
        """The server said that it was not done. Raises Contradiction if somebody saw it."""
        if self._was_seen:
            raise Contradiction("a write was refused, but somebody has seen what it wrote")
        for register in self._registers:
            register.end(self, is_done=False)

    def leave_open(self, now: float) -> None:
        """Nobody said what became of it. From GRACE_S later on, what is read is what became of it."""
        self.given_up_at = now

    def saw_new(self) -> None:
        self._was_seen = True
        self.acknowledge()

    def saw_old(self, asked_at: float) -> None:
        if self.given_up_at is not None and asked_at > self.given_up_at + GRACE_S:
            self.refuse()


class Register:
    """One value. confirmed: the last acknowledged one. was_written: whether anybody ever tried to change it."""

    __slots__ = ("_pending", "_readings", "_write", "confirmed", "was_written")

    def __init__(self, value: Hashable) -> None:
        self.confirmed = value
        self.was_written = False
        self._write: Write | None = None
        self._pending: Hashable = None
        self._readings: list[Reading] = []

    @property
    def is_settled(self) -> bool:
        """Whether no write is under way or left open."""
        return self._write is None

    def is_due(self, now: float) -> bool:
        """Whether a reading now would settle a write that was left open."""
        given_up_at = self._write.given_up_at if self._write else None
        return given_up_at is not None and now > given_up_at + GRACE_S

    def begin(self, write: Write, value: Hashable) -> None:
        assert self._write is None, "one writer at a time"
        assert value != self.confirmed, "a write that changes nothing shows nothing"
        self._write, self._pending, self.was_written = write, value, True
        for reading in self._readings:
            reading.possible.append(value)

    def end(self, write: Write, *, is_done: bool) -> None:
        if self._write is write:
            if is_done:
                self.confirmed = self._pending
            self._write = self._pending = None

    def read(self, asked_at: float) -> Reading:
        reading = Reading(self, asked_at)
        self._readings.append(reading)
        return reading

    def possible(self) -> list[Hashable]:
        return [self.confirmed] if self._write is None else [self.confirmed, self._pending]

    def forget(self, reading: Reading) -> None:
        self._readings.remove(reading)

    def saw(self, value: Hashable, reading: Reading) -> None:
        if self._write is None:
            return
        if value == self._pending:
            self._write.saw_new()
        elif value == self.confirmed:
            self._write.saw_old(reading.asked_at)


class Reading:
    """One request that shows the register's value, from its sending to its answer."""

    __slots__ = ("asked_at", "possible", "register")

    def __init__(self, register: Register, asked_at: float) -> None:
        self.register = register
        self.asked_at = asked_at
        self.possible = register.possible()


class Question:
    """One request whose outcome depends on registers. `with` ends its readings, whatever happens."""

    def __init__(self, asked_at: float, *registers: Register) -> None:
        self._readings = [register.read(asked_at) for register in registers]

    def __enter__(self) -> Question:
        return self

    def __exit__(self, *exc: object) -> None:
        for reading in self._readings:
            reading.register.forget(reading)

    def check(self, outcome: Any, expected: Callable[..., Any]) -> None:
        """Raises Contradiction unless values that were possible meanwhile explain the outcome.

        expected: values of the registers → outcome.
        """
        explained = [
            values
            for values in itertools.product(*(reading.possible for reading in self._readings))
            if expected(*values) == outcome
        ]
        if not explained:
            raise Contradiction(f"{_shorten(outcome)}, but {self._describe(expected)}")
        for reading, values in zip(self._readings, zip(*explained, strict=True), strict=True):
            if len(set(values)) == 1:
                reading.register.saw(values[0], reading)

    def _describe(self, expected: Callable[..., Any]) -> str:
        rows = itertools.product(*(reading.possible for reading in self._readings))
        return " or ".join(f"{_shorten(expected(*row))} where it is {row}" for row in rows)


def _shorten(value: Any) -> str:
    return repr(value)[:120]


ACTIVE, DEACTIVATED, DESTROYED = "Active", "Deactivated", "Destroyed"
ABSENT, GONE, WRONG_STATE = "Item_Not_Found", "Object_Destroyed", "Wrong_Key_Lifecycle_State"


class Record:
    """One object that was acknowledged. material: None until it was got for the first time.

    replacement: Register of whether a ReKey made another; successor: that one's identifier, where known.
    grants: {user: Register of whether the user may get}. sealed: what was encrypted with it, with its
    plaintext. is_busy: somebody is writing it.
    """

    __slots__ = ("comment", "events", "grants", "is_busy", "material", "owner", "replacement", "sealed",
                 "state", "successor", "tag", "uid")  # fmt: skip

    def __init__(self, uid: str, owner: str, tag: str, material: bytes | None = None) -> None:
        self.uid, self.owner, self.tag, self.material = uid, owner, tag, material
        self.state = Register(ACTIVE)
        self.comment = Register(None)
        self.replacement = Register(False)
        self.successor: str | None = None
        self.grants: dict[str, Register] = {}
        self.sealed: list[tuple[bytes, tuple[bytes, bytes, bytes]]] = []
        self.events: list[str] = []
        self.is_busy = False

    def registers(self) -> Sequence[Register]:
        return (self.state, self.comment, self.replacement, *self.grants.values())

    @property
    def is_settled(self) -> bool:
        return all(register.is_settled for register in self.registers())

    def note(self, event: str) -> None:
        """For who has to explain a contradiction; the last few count."""
        self.events = [*self.events[-7:], event]

    def right_of(self, user: str) -> Register:
        """Whether the user may get it; the owner always may."""
        if user == self.owner:
            return Register(True)
        return self.grants.setdefault(user, Register(False))


def expect_reading(state: Hashable, may: Hashable) -> str:
    """The outcome of Get and Decrypt."""
    return ABSENT if not may else GONE if state == DESTROYED else "Success"


def expect_protecting(state: Hashable, may: Hashable) -> str:
    """The outcome of Encrypt."""
    if may and state == DEACTIVATED:
        return WRONG_STATE
    return expect_reading(state, may)


def expect_attributes(
    state: Hashable, comment: Hashable, is_replaced: Hashable, may: Hashable
) -> Any:
    """What GetAttributes shows."""
    return (state, comment, is_replaced) if may else ABSENT
