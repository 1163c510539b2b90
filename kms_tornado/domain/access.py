"""Who may do what with a managed object.

A caller without the right gets the same answer as if the object did not exist.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Mapping, Sequence

from ..errors import InvalidField, ItemNotFound, ObjectAlreadyExists
from ..kmip.enums import Operation
from ..kmip.suggestions import map_loosely, suggest_name
from ..kmip.tables import ENUMERATIONS
from ..user_names import EVERYONE, GROUP_PREFIX, find_grantee_fault, find_user_fault
from .managed_object import ManagedObject

_OPERATION_NAMES = ENUMERATIONS["Operation"]
#: Operations that clients do not spell as KMIP's name with underscores.
_CLIENT_SPELLINGS = {Operation.RE_KEY: "rekey", Operation.RE_KEY_KEY_PAIR: "rekey_key_pair"}


def is_owner(principal: str, target: ManagedObject) -> bool:
    """Whether the principal owns the object.

    Its owner may do everything; only the owner may grant, withdraw and replace.
    """
    return target.owner == principal


def may_create_objects(principal: str, privileged_users: Collection[str]) -> bool:
    """Whether the principal may create objects. privileged_users: those who may; where it is empty, everybody may."""
    return not privileged_users or principal in privileged_users


def sufficient_rights(
    covered_by_get: Container[Operation],
) -> Mapping[Operation, tuple[Operation, ...]]:
    """{operation: the rights any one of which lets a caller who is not the owner perform it}

    covered_by_get: operations that a holder of the key material could perform without the server; none
    of them changes the object.
    """
    return {
        operation: (operation, Operation.GET) if operation in covered_by_get else (operation,)
        for operation in Operation
    }


def parse_operation_name(name: str) -> Operation:
    """The operation of a name such as ``get_attributes``, in any letter case. Raises InvalidField."""
    number = _OPERATION_NAMES.number(name) if re.fullmatch(r"[A-Za-z0-9_]{1,40}", name) else None
    if number is None:
        # The name is not repeated, as it may be anything.
        meant = _suggest_operation(name)
        raise InvalidField(f"operation_types names an operation that KMIP does not have{meant}")
    return Operation(number)


def format_operation_names(operations: frozenset[Operation]) -> Sequence[str]:
    """In alphabetical order, as clients write them."""
    return sorted(
        _CLIENT_SPELLINGS.get(operation, operation.name.lower()) for operation in operations
    )


def _suggest_operation(misspelt: str) -> str:
    names = format_operation_names(frozenset(Operation))
    return suggest_name(misspelt, map_loosely(names))


def check_grantee(user: str) -> None:
    """Raises InvalidField for a text that cannot be a grantee: a user, a group or EVERYONE."""
    if fault := find_grantee_fault(user):
        raise InvalidField(f"user_id {fault}")


def check_new_grantee(user: str, *, has_groups: bool) -> None:
    """Raises InvalidField for a grantee that nobody here could be. Its existing rights can still be withdrawn.

    has_groups: whether tokens say to which groups a user belongs.
    """
    if not user.startswith(GROUP_PREFIX):
        if user != EVERYONE and (fault := find_user_fault(user)):
            raise InvalidField(f"user_id {fault}")
    elif not has_groups:
        raise InvalidField("user_id is a group, and this server reads groups from no claim")


def item_not_found(identifier: str) -> ItemNotFound:
    """The same error for an object that does not exist and for one that the caller may not use."""
    shown = identifier if len(identifier) <= 100 else identifier[:100] + "…"
    return ItemNotFound(f"no object to be used for this operation: {shown}")


def identifier_taken() -> ObjectAlreadyExists:
    """The same error for an identifier in use and for that of a removed object, which remains its owner's."""
    return ObjectAlreadyExists("the unique identifier is taken")
