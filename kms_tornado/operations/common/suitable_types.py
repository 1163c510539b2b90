"""Which types of objects suit an operation."""

from __future__ import annotations

from ...domain.managed_object import ManagedObject
from ...kmip.enums import ObjectType
from ...kmip.tables import format_name

#: The object types that suit an operation; None: all of them.
SuitableTypes = ObjectType | frozenset[ObjectType] | None


def has_type(target: ManagedObject, types: SuitableTypes) -> bool:
    return types is None or target.object_type in (
        (types,) if isinstance(types, ObjectType) else types
    )


def format_types(types: SuitableTypes) -> str:
    """``SymmetricKey, PublicKey or Certificate``."""
    listed = () if types is None else (types,) if isinstance(types, ObjectType) else sorted(types)
    *others, last = map(format_name, listed)
    return f"{', '.join(others)} or {last}" if others else last
