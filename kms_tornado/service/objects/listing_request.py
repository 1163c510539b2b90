"""ListingRequest: what `GET /objects` asks for, from the parameters of its query."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ...domain.managed_object import ManagedObject
from ...errors import KMSError
from ...kmip.enums import ObjectType, State
from ...kmip.tables import ENUMERATIONS
from ...operations.common.object_attributes import select_user_tags
from ...user_names import find_grantee_fault

#: The most objects in one answer.
MAX_OBJECTS = 500
_OBJECTS = 50
#: The longest text to search for, in characters.
MAX_TEXT_LENGTH = 200

_PARAMETERS = ("of", "state", "type", "text", "grantee", "attention", "limit", "cursor")
_OF = ("owned", "obtained")


class BadListingRequest(KMSError):
    """A parameter is unknown, or has an impossible value. ``str()`` tells the caller which, and what is possible."""


@dataclass(frozen=True, slots=True)
class ListingRequest:
    """The objects that are asked for.

    is_owned: whether these are the caller's own objects, or those of others.
    text: a text to search for, in lower case.
    grantee: only objects on which this user or group has rights, by name or as everyone; empty for any.
    needs_attention: only objects with a reason for attention.
    cursor: where the previous answer ended; empty for the first one.
    """

    is_owned: bool = True
    states: frozenset[State] = frozenset(State)
    object_types: frozenset[ObjectType] = frozenset(ObjectType)
    text: str = ""
    grantee: str = ""
    needs_attention: bool = False
    limit: int = _OBJECTS
    cursor: str = ""

    @property
    def asks_for_attributes(self) -> bool:
        """Whether the request compares attributes, and so finds only objects whose attributes the caller may read."""
        return self.object_types != frozenset(ObjectType)

    def matches(self, target: ManagedObject, *, may_read: bool) -> bool:
        """Whether the object, in its current state, is asked for.

        may_read: whether the caller may read its attributes; if not, they are not compared.
        """
        if target.state not in self.states:
            return False
        if self.asks_for_attributes and not (may_read and target.object_type in self.object_types):
            return False
        return not self.text or any(
            self.text in text.lower() for text in _list_texts(target, may_read=may_read)
        )


def _list_texts(target: ManagedObject, *, may_read: bool) -> list[str]:
    """The texts by which people know the object."""
    texts: list[str] = [target.uid, target.owner]
    if may_read:
        texts += (name.name_value for name in target.attributes.names)
        texts += select_user_tags(target.tags)
    return texts


def parse_listing_request(parameters: Mapping[str, Sequence[str]]) -> ListingRequest:
    """parameters: name → its values. Raises BadListingRequest, which repeats no value."""
    for name, values in parameters.items():
        if name not in _PARAMETERS:  # an unknown one may be meant to limit what is told
            raise BadListingRequest(f"there are only the parameters {', '.join(_PARAMETERS)}")
        if len(values) > 1:
            raise BadListingRequest(f"{name}: give it once")
    fields = {name: values[0] for name, values in parameters.items()}
    is_owned = _choose(fields, "of", _OF, "owned") == "owned"
    needs_attention = _choose(fields, "attention", ("true", "false"), "false") == "true"
    if (needs_attention or "grantee" in fields) and not is_owned:
        raise BadListingRequest(
            "attention and grantee: only with of=owned, as owners alone are told"
        )
    return ListingRequest(
        is_owned=is_owned,
        states=frozenset(map(State, _read_names(fields, "state", "State"))),
        object_types=frozenset(map(ObjectType, _read_names(fields, "type", "ObjectType"))),
        text=_read_text(fields),
        grantee=_read_grantee(fields),
        needs_attention=needs_attention,
        limit=_read_limit(fields),
        cursor=fields.get("cursor", ""),
    )


def refuse_parameters(parameters: Collection[str]) -> None:
    """Refuse a request with parameters, for a path that takes none. Raises BadListingRequest."""
    if parameters:
        raise BadListingRequest("there are no parameters here")


def _choose(fields: Mapping[str, str], name: str, choices: Sequence[str], default: str) -> str:
    value = fields.get(name, default)
    if value not in choices:
        raise BadListingRequest(f"{name}: {' or '.join(choices)}")
    return value


def _read_names(fields: Mapping[str, str], name: str, enumeration: str) -> list[int]:
    """The numbers of the names, which are separated by commas; all numbers where the parameter is absent."""
    numbers = {text: number for number, text in ENUMERATIONS[enumeration].cosmian.items()}
    if name not in fields:
        return [*numbers.values()]
    names = fields[name].split(",")
    if not all(one in numbers for one in names):
        raise BadListingRequest(f"{name}: some of {', '.join(numbers)}, with commas between them")
    return [numbers[one] for one in names]


def _read_text(fields: Mapping[str, str]) -> str:
    text = fields.get("text", "")
    if len(text) > MAX_TEXT_LENGTH:
        raise BadListingRequest(f"text: up to {MAX_TEXT_LENGTH} characters")
    return text.lower()


def _read_grantee(fields: Mapping[str, str]) -> str:
    if "grantee" not in fields:
        return ""
    if find_grantee_fault(fields["grantee"]):
        raise BadListingRequest("grantee: a user, group:NAME or *, as in grants")
    return fields["grantee"]


def _read_limit(fields: Mapping[str, str]) -> int:
    value = fields.get("limit", str(_OBJECTS))
    if not re.fullmatch(r"\d{1,4}", value, re.ASCII) or not 1 <= int(value) <= MAX_OBJECTS:
        raise BadListingRequest(f"limit: 1 to {MAX_OBJECTS}")
    return int(value)
