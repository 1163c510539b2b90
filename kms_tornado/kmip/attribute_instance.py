"""One value of one attribute (KMIP 2.1 §4): an instance, where the attribute may have several.

The operations on attributes work on these: New Attribute and Current Attribute are structures that hold
exactly one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import InvalidField
from .attributes import Attributes
from .schema import is_repeated, read_field, tag_of, write_field
from .ttlv import ItemType, Node


@dataclass(frozen=True, slots=True)
class AttributeInstance:
    """One value of one attribute.

    field: its name in Attributes ("names"). value: of one instance, so a Name and not a tuple of Names.
    """

    field: str
    value: Any

    @property
    def tag(self) -> str:
        """``Name``; ``Attribute`` for a vendor attribute."""
        return tag_of(Attributes, self.field)

    @property
    def attributes(self) -> Attributes:
        """Attributes of which only this one is set."""
        values: dict[str, Any] = {}
        is_multi_instance = is_repeated(Attributes, self.field)
        values[self.field] = (self.value,) if is_multi_instance else self.value
        return Attributes(**values)


def read_instance(node: Node) -> AttributeInstance:
    """The attribute of a structure that holds one. Raises InvalidField for none, and for more than one."""
    if not isinstance(node.value, tuple):
        raise InvalidField(f"{node.tag} must be a Structure")
    if len(node.value) != 1:
        raise InvalidField(f"{node.tag} must hold one attribute")
    return AttributeInstance(*read_field(Attributes, node.value[0], node.tag))


def write_instance(tag: str, instance: AttributeInstance) -> Node:
    """The inverse of `read_instance`."""
    return Node(tag, ItemType.STRUCTURE, (write_field(Attributes, instance.field, instance.value),))
