"""Searches for objects, as values: by tags, and by the criteria of Locate (KMIP 2.1 §6.1.28). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from ..errors import InvalidField, MissingData
from ..kmip.attributes import Attributes, is_tag_attribute, parse_search_tags
from ..kmip.enums import ObjectGroupMember, Operation, State
from ..kmip.payloads import DateRange, LocateCriteria
from ..kmip.schema import from_node
from ..kmip.structures import VendorAttribute
from ..kmip.ttlv import ItemType, Node, children_of
from .computed_attributes import PROTECTION_STORAGE_MASK
from .lifecycle import DESTROYED_STATES
from .managed_object import UniqueIdentifier
from .storage import StorageStatus

#: "If a Date attribute is set to its largest possible value, then it is equivalent to an undefined
#: attribute."
_UNDEFINED_DATE = 2**63 - 1

#: Values that one search may name; each field of a structure counts. Each becomes a subquery of the
#: statement, and the time to write the statement grows with the square of their number: a thousand
#: would keep the server busy for good.
MAX_SOUGHT_VALUES = 32


@dataclass(frozen=True, slots=True)
class ObjectFilter:
    """The conditions that an object must meet to be found, every one of them.

    attributes: nodes as they stand in Attributes, without tags, State and date ranges. A structure
    matches every structure that has the same values in the fields that it names; a usage mask, every
    mask that includes its bits; Usage Limits, all that are at least as large. They stay nodes because
    no class can hold them: a structure may lack fields that its class requires (a Link with its type
    alone), and the value of a vendor attribute may be any tree of items.
    states: None means every state except the destroyed ones.
    archived: whether the objects that are not destroyed are archived; None means either.
    """

    tags: frozenset[str] = frozenset()
    states: frozenset[State] | None = None
    attributes: tuple[Node, ...] = ()
    ranges: tuple[DateRange, ...] = ()
    archived: bool | None = False


@dataclass(frozen=True, slots=True)
class TagSearch:
    """The objects with all of the tags: the principal's own, or those granted to it by name; newest first.

    What was granted to one of the principal's groups was granted by name: the owner named the group.

    rights: granted operations any of which is enough, two at most (`domain.access.sufficient_rights`).
    Without rights, the principal's own objects are searched; with rights, those of other owners alone.
    What is granted to everybody is never found by its tags, which anybody could have chosen.
    states: None means every state except the destroyed ones.
    now: seconds since the Unix epoch. states are compared with the state at this moment
    (`domain.dates.state_at`); with None, with the stored state. The objects that are found carry the
    stored state either way.
    other_than: an owner whose objects are passed over.
    archived: as for `ObjectFilter`.
    """

    tags: frozenset[str]
    principal: str
    rights: Collection[Operation] = ()
    states: frozenset[State] | None = None
    now: int | None = None
    other_than: str | None = None
    groups: frozenset[str] = frozenset()
    archived: bool | None = None


@dataclass(frozen=True, slots=True)
class LocateSearch:
    """A page of the matching objects that the principal owns or has any right on.

    Nearest first (`Standing`), and the newest first among those that stand alike. Of other owners'
    objects, the search compares only what the principal could find out anyway: attributes, the state and
    the type where it may read attributes; tags where the object was granted to it by name, since a list
    of tags finds the object, too.
    readers: the rights any of which lets others read an object's attributes, two at most
    (`domain.access.sufficient_rights`).
    offset, maximum: in objects; negative numbers count as 0.
    now: as for `TagSearch`.
    """

    filter: ObjectFilter
    principal: str
    offset: int
    maximum: int
    now: int | None = None
    readers: Collection[Operation] = ()
    groups: frozenset[str] = frozenset()


class Standing(IntEnum):
    """How a principal comes to find an object, in order of nearness."""

    OWN = 0
    GRANTED_BY_NAME = 1  # to the principal, or to one of its groups
    GRANTED_TO_EVERYONE = 2


class LocatedObject(NamedTuple):
    uid: UniqueIdentifier
    standing: Standing


class LocatedPage(NamedTuple):
    """total: the number of all matches, of which objects are one page; None where they are too many to be counted.

    addressable: the standing of the matches among which a later operation may find its object; None if it
    may not find one. The principal's own objects come before granted ones, and what several owners granted
    by name is of no use: anybody can give an object any Name, and grant it to anybody.
    """

    total: int | None
    objects: Sequence[LocatedObject]
    addressable: Standing | None = None

    @property
    def uids(self) -> tuple[UniqueIdentifier, ...]:
        return tuple([located.uid for located in self.objects])


def choose_placeholder(page: LocatedPage) -> UniqueIdentifier | None:
    """The object that a later operation means if it names none: the only addressable one on the page.

    None where there are several, because the next operation must fail rather than work on a wrong object.
    """
    uids = [located.uid for located in page.objects if located.standing is page.addressable]
    return uids[0] if len(uids) == 1 else None


def build_filter(
    criteria: LocateCriteria, storage: int | None = None, member: ObjectGroupMember | None = None
) -> ObjectFilter:
    """The filter of a Locate request.

    storage: a mask of StorageStatus.
    member: the fresh member of a group, or the default one; the caller then takes the first object that is found.
    Raises InvalidField, MissingData and InvalidAttributeValue for criteria that would otherwise have to be ignored.
    """
    if sum(map(_count_values, criteria.attributes)) > MAX_SOUGHT_VALUES:
        raise InvalidField(f"Locate looks for at most {MAX_SOUGHT_VALUES} values at once")
    tags: frozenset[str] = frozenset()
    states = None
    attributes = []
    fits_none = False
    for node in criteria.attributes:
        if node.value == _UNDEFINED_DATE:
            continue
        if node.tag == "ProtectionStorageMask":  # the same of all objects
            assert isinstance(node.value, int)
            fits_none |= bool(node.value & ~PROTECTION_STORAGE_MASK)
            continue
        if node.tag == "ShortUniqueIdentifier":
            raise InvalidField(
                "Locate does not look for a ShortUniqueIdentifier, the SHA-256 of the UniqueIdentifier: look for that"
            )
        if node.tag == "State":
            assert isinstance(node.value, int)
            states = frozenset({State(node.value)})
        elif node.tag == "Attribute" and (vendor := _parse_tag_attribute(node)) is not None:
            tags |= parse_search_tags(Attributes(vendor_attributes=(vendor,)))
        elif node.type is ItemType.STRUCTURE and not children_of(node):
            raise InvalidField(f"{node.tag} has no field to look for")
        else:
            attributes.append(node)
    if member is not None:
        if all(node.tag != "ObjectGroup" for node in attributes):
            raise InvalidField("ObjectGroupMember goes with an ObjectGroup in Attributes")
        if member is ObjectGroupMember.GROUP_MEMBER_FRESH:
            attributes.append(Node("Fresh", ItemType.BOOLEAN, True))
    statuses = _parse_storage(storage)
    return ObjectFilter(
        tags,
        frozenset() if fits_none else _restrict_to_storage(states, statuses),
        tuple(attributes),
        criteria.date_ranges,
        _choose_archived(statuses),
    )


def _count_values(node: Node) -> int:
    if node.tag == "AttributeValue":  # compared as one, whatever it holds
        return 1
    return sum(map(_count_values, children_of(node))) or 1


def _parse_tag_attribute(node: Node) -> VendorAttribute | None:
    """The node as the attribute that holds the tags; None for any other vendor attribute.

    Raises MissingData without VendorIdentification and AttributeName, which tell the two apart.
    """
    fields = {field.tag: field for field in children_of(node)}
    if not {"VendorIdentification", "AttributeName"} <= set(fields):
        raise MissingData("a vendor attribute is sought by VendorIdentification and AttributeName")
    blank = Node("AttributeValue", ItemType.BYTE_STRING, b"[]")
    attribute = from_node(
        VendorAttribute,
        node._replace(value=tuple({"AttributeValue": blank, **fields}.values())),
    )
    if not is_tag_attribute(attribute):
        return None
    if "AttributeValue" not in fields:
        raise MissingData("tags are sought by an AttributeValue")
    return attribute


def _parse_storage(storage: int | None) -> StorageStatus | None:
    """Raises InvalidField for a mask without bits, and for bits that mean nothing."""
    if storage is None:
        return None
    if not 0 < storage <= sum(StorageStatus):
        raise InvalidField("StorageStatusMask has bits that mean nothing")
    return StorageStatus(storage)


def _restrict_to_storage(
    states: frozenset[State] | None, storage: StorageStatus | None
) -> frozenset[State] | None:
    """Destroyed objects are found only if they are asked for, by state or by storage (§6.1.28)."""
    if storage is None:
        return states
    stored = frozenset(_states_in(storage))
    if states is None:
        # What is not destroyed is what is searched anyway.
        return None if stored == frozenset(State) - DESTROYED_STATES else stored
    return stored & states


def _states_in(storage: StorageStatus) -> Iterable[State]:
    if storage & (StorageStatus.ONLINE | StorageStatus.ARCHIVAL):
        yield from frozenset(State) - DESTROYED_STATES
    if StorageStatus.DESTROYED in storage:
        yield from DESTROYED_STATES


def _choose_archived(storage: StorageStatus | None) -> bool | None:
    """`ObjectFilter.archived`: archived objects are found only if storage asks for them (§6.1.28)."""
    if storage is None:
        return False
    is_online, is_archival = StorageStatus.ONLINE in storage, StorageStatus.ARCHIVAL in storage
    return None if is_online is is_archival else is_archival
