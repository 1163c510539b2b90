"""Calls on access rights, and those that ask who one is and what one has (docs/http.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from ..errors import UnexpectedAnswer
from ..exchanges import Exchange, call_json
from .arguments import as_list

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Grant:
    """What one user may do with an object. user: ``group:NAME`` for its members, ``*`` for everybody."""

    user: str
    operations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnedObject:
    """One of the caller's objects.

    attributes: {KMIP's name: value} of the descriptive ones.
    uses, last_used: how often it was used, and when last, as far as the audit shows.
    """

    unique_identifier: str
    state: str
    attributes: dict[str, Any] = field(default_factory=dict)
    is_wrapped: bool = False
    uses: int = 0
    last_used: datetime | None = None


@dataclass(frozen=True, slots=True)
class ObtainedObject:
    """Another user's object, and what the caller may do with it.

    granted_to: the names to which these rights were granted: the caller's, a group's, ``*``.
    """

    unique_identifier: str
    owner: str
    state: str
    operations: tuple[str, ...]
    is_wrapped: bool = False
    granted_to: tuple[str, ...] = ()


def grant(key: str, user: str, operations: Sequence[str]) -> Exchange[None]:
    """Give a user rights on an object of the caller's. operations: "decrypt" and so on."""
    return call_json("POST", "/access/grant", _nothing, _members(key, user, operations))


def withdraw(key: str, user: str, operations: Sequence[str]) -> Exchange[None]:
    """Take rights on an object of the caller's from a user."""
    return call_json("POST", "/access/revoke", _nothing, _members(key, user, operations))


def list_grants(key: str) -> Exchange[list[Grant]]:
    """Who else may do what with an object of the caller's."""
    return call_json(
        "GET",
        f"/access/list/{quote(key, safe='')}",
        _list_of(lambda item: Grant(item["user_id"], tuple(item["operations"]))),
    )


def list_owned() -> Exchange[list[OwnedObject]]:
    """The caller's own objects, the newest first, destroyed ones too."""
    return call_json(
        "GET",
        "/access/owned",
        _list_of(
            lambda item: OwnedObject(
                item["object_id"],
                item["state"],
                dict(item["attributes"]),
                item["is_wrapped"],
                item.get("uses", 0),  # an older server does not tell
                _read_time(item.get("last_used")),
            )
        ),
    )


def list_obtained() -> Exchange[list[ObtainedObject]]:
    """The objects of others on which the caller has rights."""
    return call_json(
        "GET",
        "/access/obtained",
        _list_of(
            lambda item: ObtainedObject(
                item["object_id"],
                item["owner_id"],
                item["state"],
                tuple(item["operations"]),
                item["is_wrapped"],
                tuple(item.get("granted_to", ())),  # older servers do not tell
            )
        ),
    )


def whoami() -> Exchange[dict[str, Any]]:
    """The user in the token, and what this user may do here (docs/http.md)."""
    return call_json("GET", "/whoami", _read_object)


def server_version() -> Exchange[str]:
    """The server's name and version; needs no token."""
    return call_json("GET", "/version", _read_text)


def _members(key: str, user: str, operations: Sequence[str]) -> dict[str, Any]:
    return {
        "unique_identifier": key,
        "user_id": user,
        "operation_types": as_list("operations", operations),
    }


def _nothing(document: Any) -> None:
    _read_object(document)


def _read_object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise UnexpectedAnswer("the server's answer is no JSON object")
    return document


def _read_text(document: Any) -> str:
    if not isinstance(document, str):
        raise UnexpectedAnswer("the server's answer is no JSON string")
    return document


def _read_time(text: str | None) -> datetime | None:
    """The time in a text. Raises ValueError and TypeError."""
    return None if text is None else datetime.fromisoformat(text)


def _list_of(read: Callable[[Any], T]) -> Callable[[Any], list[T]]:
    def read_all(document: Any) -> list[T]:
        try:
            if isinstance(document, list):
                return [read(item) for item in document]
        except (KeyError, TypeError, ValueError):
            pass  # refused below
        raise UnexpectedAnswer("the server's answer is no list of what was asked for")

    return read_all
