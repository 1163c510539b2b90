"""BytesInFlight: how many bytes of bodies and answers the server holds, in total and for one principal.

Pure. A request enters with the length of its body before that is read, and leaves when its answer is sent; the
transport calls both. Each process of `--workers` counts for itself, as it has memory of its own.

Short requests always enter, so whoever fills the memory keeps out long bodies, but nobody's Get. For all others there
are two rules: a principal has a share of fixed size, and never more than is still free. So a share shrinks as more
principals come, and the next one finds half of the memory that the others left.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from ...errors import Unavailable
from ...wording import format_size

_MIB = 1024 * 1024

#: Bytes of a body, or of an answer, that are never refused. Connections have a bound of their own.
SHORT = 64 * 1024

#: The least budget of a process and of one principal, in bytes, and how many of the longest bodies each must hold.
MOST, _LONGEST_BODIES = 128 * _MIB, 8
MOST_OF_PRINCIPAL, _LONGEST_BODIES_OF_PRINCIPAL = 64 * _MIB, 4

Rule = Literal["user", "all"]


class TooManyBytes(Unavailable):
    """There is no room for the body or the answer, and nothing was done. rule: the rule that says so."""

    reason: ClassVar[str] = "too_many_bytes"

    def __init__(self, description: str, *, rule: Rule, detail: str) -> None:
        self.rule = rule
        super().__init__(description, detail=detail)


class HeldBytes:
    """The bytes that one request holds: first its body, then its answer as well, and in the end its answer alone."""

    __slots__ = ("_body", "_budget", "_principal", "_size")

    def __init__(self, budget: BytesInFlight, principal: str, body: int) -> None:
        self._budget = budget
        self._principal = principal
        self._body = self._size = body

    def add_body(self, size: int) -> None:
        """Count more bytes of the body. Raises TooManyBytes."""
        self._budget.check(self._principal, size, self._body + size)
        self._body += size
        self._resize(self._size + size)

    def grow_answer(self, size: int) -> None:
        """Count the answer, which has this length so far. Raises TooManyBytes."""
        self._budget.check(self._principal, self._body + size - self._size, size)
        self._resize(self._body + size)

    def keep_answer(self, size: int) -> None:
        """Count the finished answer alone. This refuses nothing, because what was done must be answered."""
        self._body = 0
        self._resize(size)

    def release(self) -> None:
        self._resize(0)

    def _resize(self, size: int) -> None:
        self._budget.count(self._principal, size - self._size)
        self._size = size


class BytesInFlight:
    """All requests of one process. max_body_size: of one request, in bytes. refused: {rule: how often it refused}."""

    def __init__(self, max_body_size: int = 0) -> None:
        self.most = max(MOST, _LONGEST_BODIES * max_body_size)
        self.most_of_principal = max(
            MOST_OF_PRINCIPAL, _LONGEST_BODIES_OF_PRINCIPAL * max_body_size
        )
        self.size = 0
        self.refused: dict[Rule, int] = {"user": 0, "all": 0}
        self._held: dict[object, HeldBytes] = {}
        self._sizes: dict[str, int] = {}

    def enter(self, request: object, principal: str, body: int) -> HeldBytes:
        """Count the request until it leaves. body: the length of its body, if it is known.

        Raises TooManyBytes, and then counts the refusal alone.
        """
        if body > SHORT:
            self.check(principal, body, body)
        self.count(principal, body)
        self._held[request] = held = HeldBytes(self, principal, body)
        return held

    def leave(self, request: object) -> None:
        """Note that the request has ended. Nothing happens if it never entered, or has already left."""
        held = self._held.pop(request, None)
        if held is not None:
            held.release()

    def has_room(self, principal: str, size: int) -> bool:
        """Whether a body of this size may enter."""
        return size <= SHORT or self._find_rule(principal, size) is None

    def check(self, principal: str, more: int, length: int) -> None:
        """Refuse `more` bytes if the principal may not have them. length: of the body or answer to which they belong.

        Raises TooManyBytes.
        """
        if length <= SHORT or more <= 0 or (rule := self._find_rule(principal, more)) is None:
            return
        self.refused[rule] += 1
        if rule == "user":
            text = (
                f"one user has at most {format_size(self.most_of_principal)} of bodies and answers in "
                "flight: wait for answers, and read them, before you send more"
            )
        else:
            text = "the server has too many long bodies and answers in flight: try again"
        detail = (
            f"{format_size(more)} more; {format_size(self._sizes.get(principal, 0))} of this user, "
        )
        raise TooManyBytes(text, rule=rule, detail=detail + f"{format_size(self.size)} of all")

    def count(self, principal: str, more: int) -> None:
        """Add to the bytes of the principal, or subtract from them."""
        self.size += more
        sizes = self._sizes
        if size := sizes.get(principal, 0) + more:
            sizes[principal] = size
        else:
            sizes.pop(principal, None)

    def _find_rule(self, principal: str, more: int) -> Rule | None:
        """The rule that forbids `more` bytes; None where they are allowed."""
        size = self._sizes.get(principal, 0) + more
        if size > self.most_of_principal:
            return "user"
        return "all" if size > self.most - self.size else None
