"""What the calls have in common: from arguments that people write to values of KMIP."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from enum import IntEnum
from typing import TypeVar

from ...kmip.attributes import Attributes, with_user_tags
from ...kmip.structures import Name
from ...kmip.tables import ENUMERATIONS

E = TypeVar("E", bound=IntEnum)

#: An identifier, or tags: the caller's object that has all of them (docs/dialects.md,
#: "Identifiers, tags and links").
Key = str | Sequence[str]


def identify(key: Key) -> str:
    """The identifier, or the tags in the form that can take its place.

    Raises ValueError where there are no tags, and TypeError for what is neither.
    """
    if isinstance(key, str):
        return key
    given: object = key  # an application need not be checked by types
    if isinstance(given, bytes) or not isinstance(given, Sequence):
        raise TypeError(f"a key is an identifier or a list of tags, not {type(key).__name__}")
    if not key:
        raise ValueError(
            "an empty list of tags would mean every object: give an identifier or a tag"
        )
    return json.dumps(list(key), ensure_ascii=False)


def as_list(subject: str, values: Sequence[str]) -> list[str]:
    """The values as a list. A str is refused, since as a sequence it would mean its letters. Raises TypeError."""
    if isinstance(values, str):
        raise TypeError(f"{subject} are a list: write [{values!r}]")
    return list(values)


def check_bytes(**arguments: object) -> None:
    """Raise TypeError for the first argument that is neither bytes nor None. Its value is not shown: it may be secret."""
    for name, value in arguments.items():
        if value is not None and not isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError(
                f"{name} takes bytes, not {type(value).__name__}: a text is encoded first, text.encode()"
            )


def new_identifier() -> str:
    """A random UUID, by which a repeated request is recognised."""
    return str(uuid.uuid4())


def find_value(enumeration: type[E], value: E | str) -> E:
    """The member with this name, in any spelling that the server takes. Raises ValueError."""
    if not isinstance(value, str):
        return enumeration(value)
    number = ENUMERATIONS[enumeration.__name__.removesuffix("Code")].number(value)
    if number is None:
        raise ValueError(f"{value!r} is no {enumeration.__name__}")
    return enumeration(number)


def describe(
    attributes: Attributes | None,
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    unique_identifier: str | None = None,
) -> Attributes:
    """The attributes, together with those that have an argument of their own. Raises TypeError for tags in one str."""
    described = attributes or Attributes()
    if name is not None:
        described = described.replace(names=(*described.names, Name(name)))
    if tags:
        described = with_user_tags(described, as_list("tags", tags))
    if unique_identifier is not None:
        described = described.replace(unique_identifier=unique_identifier)
    return described
