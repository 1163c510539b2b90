"""Who may do what with an object. What may not be done reads as if the object were not there."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence

from ..errors import InvalidField, ItemNotFound
from ..kmip.enums import Operation
from ..kmip.tables import ENUMERATIONS
from .managed_object import ManagedObject

#: The user who stands for every authenticated user.
EVERYONE = "*"

# A name of the users' issuer may stand in front of a user claim of 255 characters.
MAX_USER_LENGTH = 2048

_NAMES = ENUMERATIONS["Operation"]
#: Where clients write another name than KMIP's with underscores.
_SHOWN = {Operation.RE_KEY: "rekey", Operation.RE_KEY_KEY_PAIR: "rekey_key_pair"}


def is_owner(principal: str, target: ManagedObject) -> bool:
    """The owner may do everything, and alone grants, withdraws and replaces."""
    return target.owner == principal


def sufficient_rights(
    covered_by_get: Container[Operation],
) -> Mapping[Operation, tuple[Operation, ...]]:
    """Operation → the granted rights any of which lets somebody who is not the owner do it.

    covered_by_get: what holding the key material makes possible anyway; nothing that changes the object.
    """
    return {
        operation: (operation, Operation.GET) if operation in covered_by_get else (operation,)
        for operation in Operation
    }


def parse_operation_name(name: str) -> Operation:
    """``get_attributes`` in any letter case. Raises InvalidField."""
    number = _NAMES.number(name) if re.fullmatch(r"[A-Za-z0-9_]{1,40}", name) else None
    if number is None:
        raise InvalidField("operation_types names an operation that KMIP does not have")
    return Operation(number)


def format_operation_names(operations: frozenset[Operation]) -> Sequence[str]:
    """In the order of the alphabet, as clients write them."""
    return sorted(_SHOWN.get(each, each.name.lower()) for each in operations)


def check_grantee(user: str) -> None:
    """Raises InvalidField where no verified token could name such a user."""
    if not 1 <= len(user) <= MAX_USER_LENGTH:
        raise InvalidField(f"user_id has 1 to {MAX_USER_LENGTH} characters")
    if re.search(r"[\x00-\x1f\x7f-\x9f]", user):
        raise InvalidField("user_id may not have control characters")


def item_not_found(identifier: str) -> ItemNotFound:
    """The one answer for what is not there and what is not the caller's."""
    shown = identifier if len(identifier) <= 100 else identifier[:100] + "…"
    return ItemNotFound(f"no object to be used for this operation: {shown}")
