"""Who may do what with an object. What may not be done reads as if the object were not there."""

from __future__ import annotations

from ..errors import ItemNotFound
from ..kmip.enums import Operation
from .managed_object import ManagedObject


def may(principal: str, operation: Operation, target: ManagedObject) -> bool:
    """The owner may do everything, nobody else anything."""
    return target.owner == principal


def not_found(identifier: str) -> ItemNotFound:
    """The one answer for what is not there and what is not the caller's."""
    shown = identifier if len(identifier) <= 100 else identifier[:100] + "…"
    return ItemNotFound(f"no object to be used for this operation: {shown}")
