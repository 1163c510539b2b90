"""Which of several objects a list of tags means."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from ...domain.dates import state_at
from ...domain.lifecycle import DESTROYED_STATES, Use
from ...domain.managed_object import ManagedObject
from ...domain.search import TagSearch
from ...domain.storage import is_archived
from ...errors import InvalidField, ItemNotFound
from ...kmip.enums import State
from ...store.interface.objects import Objects


async def choose_by_tags(
    store: Objects,
    granted: TagSearch,
    use: Use,
    suits: Callable[[ManagedObject], bool],
    *,
    now: int,
) -> ManagedObject | None:
    """The best usable object with all the tags.

    If there is none, an unusable one, so that the refusal gives the reason.
    granted: the search for objects that others granted to the caller.
    suits: whether the operation accepts an object that is in a state which allows the use.
    now: whole seconds since the Unix epoch.

    Anybody may put any tags on a key and grant it to others, who would then encrypt with it. So if the caller owns an
    object with the tags, that one is the answer; even a destroyed one ends the search. Objects that are granted to
    everybody are ignored, and where several owners granted one with the tags, the request is refused.
    Raises ItemNotFound, InvalidField.
    """
    own = TagSearch(granted.tags, granted.principal, now=now)
    best = await _find_best(store, own, use, suits, now)
    if best is not None:
        return best
    if await store.find_tagged(dataclasses.replace(own, states=DESTROYED_STATES)):
        raise ItemNotFound("your only objects with these tags are destroyed")
    best = await _find_best(store, granted, use, suits, now)
    if best is not None and await store.find_tagged(
        dataclasses.replace(granted, other_than=best.owner)
    ):
        raise InvalidField(
            "several users granted you objects with these tags: name one by its unique identifier"
        )
    return best


async def _find_best(
    store: Objects,
    search: TagSearch,
    use: Use,
    suits: Callable[[ManagedObject], bool],
    now: int,
) -> ManagedObject | None:
    """The best usable object that the search finds, else an unusable one; destroyed ones are ignored.

    The store is searched for one group of states after the other, not for all at once: a search returns the newest
    hundred objects, and a hundred revoked or archived keys must not hide the Active one.
    """
    unusable = None
    for states, archived in _by_preference(use):
        tagged = await store.find_tagged(
            dataclasses.replace(search, states=states, archived=archived)
        )
        for candidate in tagged:
            if _has_state(candidate, use, now) and suits(candidate):
                return candidate
            unusable = unusable or candidate
    return unusable


def _has_state(candidate: ManagedObject, use: Use, now: int) -> bool:
    return use.is_allowed_in(state_at(candidate, now)) and (
        use.is_of_archived or not is_archived(candidate)
    )


def _by_preference(use: Use) -> Sequence[tuple[frozenset[State], bool | None]]:
    """(states, whether archived), in this order: Active if the use allows it, the other states that do, the rest.

    None of them includes destroyed states.
    """
    alive = frozenset(State) - DESTROYED_STATES
    active = frozenset({State.ACTIVE})
    suitable = frozenset(filter(use.is_allowed_in, alive))
    if use is Use.RECOVER:
        groups: Sequence[tuple[frozenset[State], bool | None]] = ((alive, True), (alive, None))
    elif use.is_of_archived:
        groups = ((suitable & active, None), (suitable - active, None), (alive - suitable, None))
    else:
        groups = ((suitable & active, False), (suitable - active, False), (alive, None))
    return [group for group in groups if group[0]]
