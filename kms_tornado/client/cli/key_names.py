"""How people name keys: by identifier, by tags, or by Name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

if TYPE_CHECKING:
    from .session import Session

P = TypeVar("P")
T = TypeVar("T")

#: What the client's methods take: an identifier, or tags that all have to match.
Key = str | tuple[str, ...]


def use_key(
    session: Session, name: str | None, tags: Sequence[str], action: Callable[[Key], T]
) -> T:
    """Do something with the key that was named, and return what it returned.

    A name is tried as an identifier, which costs no request of its own. Where the server knows no such
    object, it is looked up as a Name, and the action is called once more.
    """
    key = _stated_key(name, tags)
    return use_named(session, key, action) if isinstance(key, str) else action(key)


def use_named(session: Session, name: str, action: Callable[[str], T]) -> T:
    """As `use_key`, for what cannot be done by tags."""
    from ...errors import ItemNotFound

    try:
        return action(name)
    except ItemNotFound:
        identifier = find_by_name(session, name)
        if identifier is None:
            raise
    return action(identifier)


def key_finder(
    session: Session, name: str | None, tags: Sequence[str], action: Callable[[str, P], T]
) -> Callable[[P], T]:
    """For actions that follow one another: the key is found by the first, whose answer has the identifier."""
    _stated_key(name, tags)
    found: list[str] = []

    def act(argument: P) -> T:
        if found:
            return action(found[0], argument)
        answer: Any = use_key(session, name, tags, lambda key: action(_identify(key), argument))
        found.append(answer.unique_identifier)
        return cast(T, answer)

    return act


def _identify(key: Key) -> str:
    """KMIP has no field for tags: they stand in the place of the identifier."""
    return key if isinstance(key, str) else json.dumps(key)


def resolve_key(session: Session, name: str | None, tags: Sequence[str]) -> str:
    """The identifier of the key that was named; one request, where `use_key` needs none."""

    from ...kmip.payloads.attributes import AttributeReference, GetAttributesRequest

    def ask(key: Key) -> str:
        request = GetAttributesRequest(_identify(key), (AttributeReference("UniqueIdentifier"),))
        identifier: str = session.client.perform(request).unique_identifier
        return identifier

    return use_key(session, name, tags, ask)


def _stated_key(name: str | None, tags: Sequence[str]) -> Key:
    if name is not None and tags:
        raise click.UsageError(
            "a key is named by its identifier or Name, or by --tag: give one of the two"
        )
    if name is not None:
        return name
    if tags:
        return tuple(tags)
    raise click.UsageError("no key is named: give its identifier or Name, or --tag")


def find_by_name(session: Session, name: str) -> str | None:
    """The identifier of the one object with this Name; None where there is none."""
    found = session.client.locate(name=name)
    if len(found) > 1:
        raise click.UsageError(
            f"{len(found)} objects have the Name {name!r}: give one of the identifiers {', '.join(found)}"
        )
    return found[0] if found else None
