"""The gate between a message and the declarations: what a version lacks passes in neither direction.

A request that contains such a thing fails, with an explanation: a server of that version would not know it either. From
an answer it is removed, together with the parts around it that make no sense without it.
"""

# What is left out of an answer, and how much with it.
#
# An attribute, a tag or a field that the version lacks is left out alone: to that version, the structure around
# it is complete. A bit is taken out of its mask. A value is different. The field exists in that version
# and may be required there, so:
#
#   - a value with a stand-in is replaced by it (a result reason always has one);
#   - else its field is left out, if the field is optional;
#   - else the structure around it is, if that is optional in the structure around it, and so on: a
#     Link of a type that the client does not know is no Link;
#   - a payload that is left with nothing to say fails instead, before anything is committed;
#   - so does a wrapped key whose KeyWrappingData would lack what the unwrapping party needs.
#
# The value of a vendor attribute is its owner's: it is shown whole or, with its attribute, not at all.

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import FeatureNotSupported, InvalidField, OperationNotSupported
from .attributes import Attributes
from .required_fields import ATTRIBUTE_SETS, Required, collect_required
from .schema import Declared
from .tables import ENUMERATIONS, OPERATION_TAGS
from .ttlv import TYPE_NAMES, ItemType, Node, Value, children_of, structure
from .unwrapping_needs import find_lost_need
from .versions import ProtocolVersion, Vocabulary

_ENUMERATION, _INTEGER = ItemType.ENUMERATION, ItemType.INTEGER


class _CannotLeaveOutError(Exception):
    """The structure that is being written requires something for which the version has no value."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node


@dataclass(frozen=True, slots=True, eq=False)
class VersionGate:
    """What a message of one version must not contain.

    absent: what the version lacks, and no answer contains.
    refused: the same for requests, except for what they may contain early.
    stand_ins: (tag, value) → the value that an answer has instead.
    watched: all tags under which anything is absent. Most leaves of most messages have another tag, and are not looked
    at.
    """

    version: ProtocolVersion
    absent: Vocabulary
    refused: Vocabulary
    stand_ins: Mapping[tuple[str, int], int]
    watched: frozenset[str]

    # --- requests -------------------------------------------------------------------------------

    def check_item(self, item: Node, payload: Node) -> None:
        """Check a batch item of a request. payload: its own, or for KMIP 1, its translation to KMIP 2.

        Raises OperationNotSupported and InvalidField.
        """
        operation = _operation_of(item)
        if ("Operation", operation) in self.refused.values:
            name = OPERATION_TAGS[operation]
            raise OperationNotSupported(f"KMIP {self.version} has no operation {name}{_WAY_OUT}")
        for child in children_of(item):
            self._check_child("BatchItem", child)
        self.check(OPERATION_TAGS.get(operation, payload.tag), payload)

    def check(self, name: str, node: Node) -> None:
        """Raises InvalidField for anything that the version lacks.

        name: of the structure, as in `Vocabulary.fields`.
        """
        watched, absent_types = self.watched, self.absent.item_types
        for child in children_of(node):
            tag, item_type, value = child
            if tag in watched or item_type in absent_types:
                self._check_child(name, child)
            if isinstance(value, tuple):
                self.check(tag, child)

    def _is_watched(self, node: Node) -> bool:
        return node.tag in self.watched or node.type in self.absent.item_types

    def _check_child(self, name: str, child: Node) -> None:
        tag, item_type, value = child
        refused = self.refused
        if name in ATTRIBUTE_SETS and tag in refused.attributes:
            lacking = f"attribute {tag}"
        elif tag in refused.tags or (name, tag) in refused.fields:
            lacking = f"{tag} in {name}"
        elif item_type in refused.item_types:
            lacking = f"item of type {TYPE_NAMES[item_type]}, as {tag} is"
        elif item_type is _ENUMERATION and (tag, value) in refused.values:
            lacking = f"{tag} {_name_value(child)}"
        elif item_type is _INTEGER and (too_new := _sum_bits(tag, value, refused)):
            lacking = f"bit 0x{too_new:X} in {tag}"
        elif (name, tag) == ("KeyWrappingSpecification", "AttributeName") and (
            isinstance(value, str) and value.replace(" ", "") in refused.attributes
        ):
            lacking = f"attribute {value}"
        else:
            return
        raise InvalidField(f"KMIP {self.version} has no {lacking}{_WAY_OUT}")

    # --- answers --------------------------------------------------------------------------------

    def restrict(self, name: str, node: Node) -> Node:
        """The structure without the parts that the version lacks. name: as for `check`."""
        return self._restrict(name, node, {})

    def restrict_attribute(self, attribute: Node) -> Node | None:
        """An attribute, as it stands in Attributes; None where the version lacks it or its value."""
        if not isinstance(attribute.value, tuple) and not self._is_watched(attribute):
            return attribute
        whole = structure("Attributes", attribute)
        shown = children_of(self._restrict("Attributes", whole, _REQUIRED_OF_ATTRIBUTES))
        return shown[0] if shown else None

    def restrict_payload(self, operation: int, payload: Node, cls: type[Declared]) -> Node:
        """As `restrict`, for the payload of an answer. The class declares which fields are required.

        Raises FeatureNotSupported where the version has no value for something that is required.
        """
        name = f"{OPERATION_TAGS[operation]}Response"
        try:
            return self._restrict(name, payload, collect_required(cls, name))
        except _CannotLeaveOutError as exc:
            value = f"{exc.node.tag} {_name_value(exc.node)}".rstrip()
            raise FeatureNotSupported(
                f"KMIP {self.version} has no {value}, which the answer cannot do without: "
                "ask in a newer version"
            ) from None

    def replace_reason(self, item: Node) -> Node:
        """The batch item of an answer, with a result reason that the version has."""
        children = children_of(item)
        if not any(child.tag == "ResultReason" for child in children):
            return item
        operation = OPERATION_TAGS.get(_operation_of(item), "")
        return item._replace(
            value=tuple(
                self._replace_reason_of(operation, child) if child.tag == "ResultReason" else child
                for child in children
            )
        )

    def _replace_reason_of(self, operation: str, reason: Node) -> Node:
        """The reason, which may have another stand-in in the answer of this operation than in all others."""
        assert isinstance(reason.value, int)
        stand_in = self.stand_ins.get((operation, reason.value))
        return self._restrict_leaf(reason) if stand_in is None else reason._replace(value=stand_in)

    def _restrict(self, name: str, node: Node, required: Required) -> Node:
        """The structure without the parts that the version lacks. Raises _CannotLeaveOutError."""
        watched, absent_types = self.watched, self.absent.item_types
        children = children_of(node)
        shown = [
            child
            if not isinstance(value, tuple) and tag not in watched and item_type not in absent_types
            else self._restrict_field(name, child, required)
            for child in children
            for tag, item_type, value in (child,)
        ]
        if all(map(operator.is_, shown, children)):
            return node
        return node._replace(value=tuple([child for child in shown if child is not None]))

    def _restrict_field(self, name: str, child: Node, required: Required) -> Node | None:
        """The part that is shown of a field of the structure with this name; None where the field is left out."""
        absent, tag = self.absent, child.tag
        if (
            tag in absent.tags
            or (name, tag) in absent.fields
            or (tag in absent.attributes and name in ATTRIBUTE_SETS)
        ):
            return None
        try:
            shown = self._restrict_child(child, required)
        except _CannotLeaveOutError:
            if tag in required.get(name, ()) or tag == "KeyWrappingData":
                raise
            return None
        if tag == "KeyWrappingData" and (lost := find_lost_need(child, shown)) is not None:
            raise _CannotLeaveOutError(lost)
        return shown

    def _restrict_child(self, child: Node, required: Required) -> Node:
        if child.tag == "AttributeValue":
            self._check_whole(child)
            return child
        if isinstance(child.value, tuple):
            return self._restrict(child.tag, child, required)
        return self._restrict_leaf(child)

    def _restrict_leaf(self, leaf: Node) -> Node:
        tag, item_type, value = leaf
        absent = self.absent
        if item_type in absent.item_types:
            raise _CannotLeaveOutError(leaf)
        if not isinstance(value, int):
            return leaf
        if item_type is _ENUMERATION and (tag, value) in absent.values:
            stand_in = self.stand_ins.get((tag, value))
            if stand_in is None:
                raise _CannotLeaveOutError(leaf)
            return leaf._replace(value=stand_in)
        if item_type is _INTEGER:
            too_new = _sum_bits(tag, value, absent)
            return leaf._replace(value=value & ~too_new) if too_new else leaf
        return leaf

    def _check_whole(self, node: Node) -> None:
        """Raises _CannotLeaveOutError where any part of it would be left out or changed."""
        if node.tag in self.absent.tags or (
            not isinstance(node.value, tuple) and self._restrict_leaf(node) != node
        ):
            raise _CannotLeaveOutError(node)
        for child in children_of(node):
            self._check_whole(child)


_REQUIRED_OF_ATTRIBUTES = collect_required(Attributes, "Attributes")

_WAY_OUT = ": leave it out, or send the message in a newer version"


def _operation_of(item: Node) -> int:
    """The operation's number; 0 where the item has none that could be looked up."""
    for child in children_of(item):
        if child.tag == "Operation" and isinstance(child.value, int):
            return child.value
    return 0


def _sum_bits(tag: str, value: Value, words: Vocabulary) -> int:
    """Those bits of an Integer that are among the words; 0 where it is not a mask."""
    if not isinstance(value, int):
        return 0
    return sum(bit for mask, bit in words.bits if mask == tag and value & bit)


def _name_value(node: Node) -> str:
    enumeration = ENUMERATIONS.get(node.tag)
    names = enumeration.oasis if enumeration and node.type is _ENUMERATION else {}
    return names.get(node.value, "") if isinstance(node.value, int) else ""
