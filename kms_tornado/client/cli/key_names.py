"""How people name keys: by identifier, by tags, or by Name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from .output import Refused

if TYPE_CHECKING:
    from .session import Session

P = TypeVar("P")
T = TypeVar("T")

#: What the client's methods take: an identifier, or tags that all have to match.
Key = str | tuple[str, ...]

#: As servers and this client make identifiers.
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def use_key(
    session: Session, name: str | None, tags: Sequence[str], action: Callable[[Key], T]
) -> T:
    """Do something with the named key, and return the result.

    A UUID is tried as an identifier, which saves a request. Any other text is first looked up as a Name (`find_named`).
    """
    key = _stated_key(name, tags)
    return use_named(session, key, action) if isinstance(key, str) else action(key)


def use_named(session: Session, name: str, action: Callable[[str], T]) -> T:
    """As `use_key`, for actions that cannot name a key by tags."""
    from ...errors import ItemNotFound

    if not _UUID.fullmatch(name):
        return action(find_named(session, name))
    try:
        return action(name)
    except ItemNotFound:
        identifier = find_named(session, name)
        if identifier == name:
            raise
    return action(identifier)


def key_finder(
    session: Session, name: str | None, tags: Sequence[str], action: Callable[[str, P], T]
) -> Callable[[P], T]:
    """A finder for several actions in a row: the first one finds the key, and its answer contains the identifier."""
    _stated_key(name, tags)
    uids: list[str] = []

    def act(argument: P) -> T:
        if uids:
            return action(uids[0], argument)
        answer: Any = use_key(session, name, tags, lambda key: action(_identify(key), argument))
        uids.append(answer.unique_identifier)
        return cast(T, answer)

    return act


def use_half(
    session: Session,
    name: str | None,
    tags: Sequence[str],
    action: Callable[[Key], T],
    *,
    is_public: bool,
) -> T:
    """As `use_key`, for actions of one half of a pair. If the other half was named, this one is found by its link.

    In a pair made by kmsctl, the private key has the Name, and people call both keys by it.
    """
    from ...errors import InvalidField

    try:
        return use_key(session, name, tags, action)
    except InvalidField:
        other = _find_other_half(session, name, tags, is_public=is_public)
        if other is None:
            raise
    return action(other)


def _find_other_half(
    session: Session, name: str | None, tags: Sequence[str], *, is_public: bool
) -> str | None:
    """The identifier of the half that is meant; None where the wrong one was not named. Raises Refused without a link."""
    from ...errors import KMSError
    from ...kmip.enums import LinkType, ObjectType
    from ...kmip.payloads import AttributeReference

    references = [AttributeReference("ObjectType"), AttributeReference("Link")]
    try:
        attributes = use_key(
            session, name, tags, lambda key: session.client.get_attributes(key, references)
        )
    except KMSError:
        return None
    halves = (ObjectType.PRIVATE_KEY, "a private key", "the public one", LinkType.PUBLIC_KEY_LINK)
    if not is_public:
        halves = (
            ObjectType.PUBLIC_KEY,
            "a public key",
            "the private one",
            LinkType.PRIVATE_KEY_LINK,
        )
    wrong_type, wrong_half, right_half, link_type = halves
    if attributes.object_type != wrong_type:
        return None
    for link in attributes.links:
        if link.link_type is link_type:
            return str(link.linked_object_identifier)
    raise Refused(f"{name or ', '.join(tags)} is {wrong_half}, and this takes {right_half}")


def _identify(key: Key) -> str:
    """The text that stands for tags: KMIP has no field for them, so they take the place of the identifier."""
    return key if isinstance(key, str) else json.dumps(key)


def resolve_key(session: Session, name: str | None, tags: Sequence[str]) -> str:
    """The identifier of the named key. This takes one request, where `use_key` needs none."""

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
        for tag in tags:
            _refuse_empty(tag, "tag")
        return tuple(tags)
    raise click.UsageError("no key is named: give its identifier or Name, or --tag")


def _refuse_empty(text: str, kind: str) -> None:
    """Refuse an empty text. Even if an object has the empty Name, the shell has replaced a variable with nothing."""
    if not text:
        raise click.UsageError(f"the {kind} of a key is empty: is a variable of the shell not set?")


def find_named(session: Session, name: str) -> str:
    """The identifier of the object that a text names; the text itself where it is nobody's Name.

    Whoever creates an object chooses its identifier and its Name, and may grant rights on it to everybody. A stranger's
    object must not be used in place of the caller's key because its identifier is that key's Name, or its Name that
    key's identifier. So the caller's own object is meant; another owner's object is meant only if the text fits no
    second one. Raises click.UsageError where it fits several.
    """
    _refuse_empty(name, "name")
    uids = session.client.locate(name=name)  # the caller's own first
    if not uids or (_is_identifier(session, name) and _is_owned(session, name)):
        return name
    candidates = [*takewhile(lambda one: _is_owned(session, one), uids)]
    if not candidates:
        obtained = (granted.unique_identifier for granted in session.client.list_obtained())
        candidates = [*dict.fromkeys([*uids, *(one for one in obtained if one == name)])]
    if len(candidates) > 1:
        raise click.UsageError(
            f"{len(candidates)} objects have the Name {name!r}: give one of the identifiers {', '.join(candidates)}"
        )
    return candidates[0]


def _is_identifier(session: Session, text: str) -> bool:
    """Whether an object of which the caller may know has this identifier.

    The caller's own objects are asked for before the owner of another one: a Name that is nobody's identifier would
    otherwise leave a refusal in the audit each time.
    """
    from ...kmip.attributes import Attributes

    return text in session.client.locate(Attributes(unique_identifier=text))


def _is_owned(session: Session, identifier: str) -> bool:
    """Whether the caller owns the object: nobody else may list its rights."""
    from ...errors import ItemNotFound

    try:
        session.client.list_grants(identifier)
    except ItemNotFound:
        return False
    return True
