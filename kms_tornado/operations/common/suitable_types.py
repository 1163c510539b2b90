"""Which types of objects suit an operation."""

from __future__ import annotations

from ...domain.managed_object import ManagedObject
from ...kmip.enums import ObjectType

#: The object types that suit an operation; None: all of them.
SuitableTypes = ObjectType | frozenset[ObjectType] | None


def has_type(target: ManagedObject, types: SuitableTypes) -> bool:
    return types is None or target.object_type in (
        (types,) if isinstance(types, ObjectType) else types
    )


def format_types(types: SuitableTypes) -> str:
    """``Symmetric Key or Secret Data``."""
    listed = () if types is None else (types,) if isinstance(types, ObjectType) else sorted(types)
    return " or ".join(object_type.name.replace("_", " ").title() for object_type in listed)
