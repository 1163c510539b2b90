"""The life cycle of managed objects as two tables (KMIP 2.1 §4.57; docs/dialects.md, "Life cycle").

One says which event leads from which state to which, the other which states allow which use.
"""

from __future__ import annotations

from enum import Enum

from ..errors import ObjectDestroyed, WrongKeyLifecycleState
from ..kmip.enums import State

PRE_ACTIVE, ACTIVE = State.PRE_ACTIVE, State.ACTIVE
DEACTIVATED, COMPROMISED = State.DEACTIVATED, State.COMPROMISED
DESTROYED, DESTROYED_COMPROMISED = State.DESTROYED, State.DESTROYED_COMPROMISED

DESTROYED_STATES = frozenset({DESTROYED, DESTROYED_COMPROMISED})


def choose_activation_date(
    requested: int | None, *, activates_at_once: bool, now: int
) -> int | None:
    """The Activation Date of a new object; None where the object waits for Activate.

    requested: the client's date; it and now are seconds since the Unix epoch. activates_at_once: the
    client never sends Activate, so its objects are Active from the start unless they have a date; those
    of other clients are then Pre-Active (KMIP 2.1 §4.57).
    """
    return now if requested is None and activates_at_once else requested


class Event(Enum):
    """An event that moves an object from state to state. REVOKE is for any reason other than a compromise."""

    ACTIVATE = "activate"
    REVOKE = "revoke"
    COMPROMISE = "revoke as compromised"
    DESTROY = "destroy"


#: (state, event) → the state after it. A pair that is not listed is refused.
_NEXT: dict[tuple[State, Event], State] = {
    (PRE_ACTIVE, Event.ACTIVATE): ACTIVE,
    # Activate in any other state is refused, in Active too (KMIP 2.1 §6.1.1).
    (PRE_ACTIVE, Event.COMPROMISE): COMPROMISED,
    (PRE_ACTIVE, Event.DESTROY): DESTROYED,
    (ACTIVE, Event.REVOKE): DEACTIVATED,
    (ACTIVE, Event.COMPROMISE): COMPROMISED,
    # Destroy of an Active object is refused, so that one call cannot lose a key that is in use.
    (DEACTIVATED, Event.REVOKE): DEACTIVATED,
    (DEACTIVATED, Event.COMPROMISE): COMPROMISED,
    (DEACTIVATED, Event.DESTROY): DESTROYED,
    (COMPROMISED, Event.REVOKE): COMPROMISED,
    (COMPROMISED, Event.COMPROMISE): COMPROMISED,
    (COMPROMISED, Event.DESTROY): DESTROYED_COMPROMISED,
    (DESTROYED, Event.REVOKE): DESTROYED,
    (DESTROYED, Event.COMPROMISE): DESTROYED_COMPROMISED,
    (DESTROYED, Event.DESTROY): DESTROYED,
    (DESTROYED_COMPROMISED, Event.REVOKE): DESTROYED_COMPROMISED,
    (DESTROYED_COMPROMISED, Event.COMPROMISE): DESTROYED_COMPROMISED,
    (DESTROYED_COMPROMISED, Event.DESTROY): DESTROYED_COMPROMISED,
}

_HINTS = {
    (PRE_ACTIVE, Event.REVOKE): "a Pre-Active object is revoked as compromised, or destroyed",
    (ACTIVE, Event.DESTROY): "the object is Active: revoke it first",
}


def next_state(state: State, event: Event) -> State:
    """The state after the event; the same state where the event has no effect.

    Raises WrongKeyLifecycleState, with a text that says what to do instead.
    """
    after = _NEXT.get((state, event))
    if after is None:
        raise WrongKeyLifecycleState(
            _HINTS.get((state, event)) or f"the object is {format_state(state)}"
        )
    return after


def format_state(state: State) -> str:
    """``Pre-Active``."""
    return state.name.replace("_", "-").title()


class Use(Enum):
    """What an operation does with an object.

    states: the states that allow it.
    is_of_archived: whether it is also allowed while the object is archived.
    """

    PROTECT = "encrypt, sign, MAC", frozenset({ACTIVE})
    PROCESS = "decrypt, verify", frozenset({ACTIVE, DEACTIVATED, COMPROMISED})
    READ = "its material", frozenset({PRE_ACTIVE, ACTIVE, DEACTIVATED, COMPROMISED})
    EXPORT = "all of it that is left, even once it is destroyed", frozenset(State)
    INSPECT = "its attributes, even once it is destroyed", frozenset(State), True
    CHANGE = "its attributes", frozenset({PRE_ACTIVE, ACTIVE, DEACTIVATED, COMPROMISED})
    ACTIVATE = "activate", frozenset({PRE_ACTIVE})
    REVOKE = "revoke", frozenset({PRE_ACTIVE, ACTIVE, DEACTIVATED, COMPROMISED})
    DESTROY = "destroy", frozenset({PRE_ACTIVE, DEACTIVATED, COMPROMISED})
    ARCHIVE = "archive", frozenset({PRE_ACTIVE, ACTIVE, DEACTIVATED, COMPROMISED})
    RECOVER = "recover", frozenset({PRE_ACTIVE, ACTIVE, DEACTIVATED, COMPROMISED}), True

    def __init__(
        self, purpose: str, states: frozenset[State], is_of_archived: bool = False
    ) -> None:
        self.states = states
        self.is_of_archived = is_of_archived

    def is_allowed_in(self, state: State) -> bool:
        return state in self.states


def check_state(state: State, use: Use) -> None:
    """Raises ObjectDestroyed or WrongKeyLifecycleState where the state does not allow the use.

    Activate, Revoke and Destroy change the state, so `next_state` decides about them.
    """
    if state in use.states or use in {Use.ACTIVATE, Use.REVOKE, Use.DESTROY}:
        return
    if state in DESTROYED_STATES:
        raise ObjectDestroyed(f"the object is {format_state(state)}, its key material is gone")
    raise WrongKeyLifecycleState(f"the object is {format_state(state)}")
