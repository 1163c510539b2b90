"""Where a claim stands: under its exact name, or else at a path with dots or a JSON pointer (RFC 6901).

The exact name is tried first, because names of claims may contain dots and slashes
(``https://kms.example.com/roles``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ...errors import ConfigurationError

# The names come from the configuration, so there are few.
_REMEMBERED_PATHS = 256


def check_claim_path(name: str, what: str) -> None:
    """Refuse a name that can be neither a claim's name nor a JSON pointer, since no token could satisfy it.

    what: the words with which the ConfigurationError starts.
    """
    if not name:
        raise ConfigurationError(f"{what}: a name is needed")
    if name.startswith("/") and re.search(r"~(?![01])", name):
        raise ConfigurationError(f"{what}: in a JSON pointer, ~ is written ~0, and / in a name ~1")


def find_claim(claims: Mapping[str, Any], name: str) -> Any:
    """The value of the claim; None where there is none.

    ``realm_access.roles`` is the member ``roles`` of the claim ``realm_access``, unless a claim has this exact name.
    ``/realm_access/roles`` means the same; its parts may contain dots.
    """
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in _split_path(name):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and name.startswith("/"):
            value = _find_item(value, part)
        else:
            return None
    return None if value is claims else value


def find_outermost(claims: Mapping[str, Any], name: str) -> str:
    """The name of the top-level claim in which `find_claim` looks."""
    return name if name in claims else (_split_path(name) or (name,))[0]


@lru_cache(_REMEMBERED_PATHS)
def _split_path(name: str) -> tuple[str, ...]:
    """The names of the members to follow; () where the text is only the name of a claim."""
    if name.startswith("/"):
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in name[1:].split("/"))
    return tuple(name.split(".")) if "." in name else ()


def _find_item(items: list[Any], index: str) -> Any:
    """The item of a list at an index, which has no leading zeros (RFC 6901 §4)."""
    if re.fullmatch(r"0|[1-9][0-9]{0,8}", index, re.ASCII) and int(index) < len(items):
        return items[int(index)]
    return None
