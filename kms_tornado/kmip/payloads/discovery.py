"""Locate, Query and Discover Versions: questions about objects and server (KMIP 2.1 §6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Annotated

from ...errors import InvalidField
from ..attributes import Attributes
from ..enums import (
    ClientRegistrationMethod,
    DestroyAction,
    ObjectGroupMember,
    ObjectType,
    Operation,
    QueryFunction,
    RNGMode,
    ShreddingAlgorithm,
    UnwrapMode,
)
from ..schema import Custom, EnumerationNumber, Tag, is_repeated, normalise_partial, tag_of
from ..structures import RandomNumberGenerator
from ..ttlv import ItemType, Node, children_of, structure
from ..versions import ProtocolVersion


@dataclass(frozen=True, slots=True)
class DateRange:
    """tag: of the attribute. Both ends belong to it; seconds since the Unix epoch."""

    tag: str
    earliest: int
    latest: int


@dataclass(frozen=True, slots=True)
class LocateCriteria:
    """What an object must have to be found.

    attributes: as they stand in an object's Attributes, structures with no more fields than matter.
    """

    attributes: tuple[Node, ...] = ()
    date_ranges: tuple[DateRange, ...] = ()


def _read_criteria(node: Node) -> LocateCriteria:
    """A date that is given twice is a range (§6.1.24), which to any other operation is a mistake."""
    given: dict[str, list[Node]] = {}
    for child in children_of(normalise_partial(Attributes, node)):
        given.setdefault(child.tag, []).append(child)
    ranges = []
    for tag, nodes in list(given.items()):
        if len(nodes) == 1 or tag in _REPEATED:
            continue
        if nodes[0].type is not ItemType.DATE_TIME or len(nodes) > 2:
            raise InvalidField(f"{tag} is given too often in {node.tag}")
        earliest, latest = sorted(
            each.value for each in given.pop(tag) if isinstance(each.value, int)
        )
        ranges.append(DateRange(tag, earliest, latest))
    return LocateCriteria(tuple(each for nodes in given.values() for each in nodes), tuple(ranges))


_REPEATED = frozenset(
    tag_of(Attributes, each.name)
    for each in fields(Attributes)
    if is_repeated(Attributes, each.name)
)


def _write_criteria(tag: str, criteria: LocateCriteria) -> Node:
    ends = (
        Node(each.tag, ItemType.DATE_TIME, date)
        for each in criteria.date_ranges
        for date in (each.earliest, each.latest)
    )
    return structure(tag, *criteria.attributes, *ends)


@dataclass(frozen=True, slots=True)
class LocateRequest:
    criteria: Annotated[
        LocateCriteria, Tag("Attributes"), Custom(_read_criteria, _write_criteria)
    ] = field(default_factory=LocateCriteria)
    maximum_items: int | None = None
    offset_items: int | None = None
    storage_status_mask: int | None = None
    object_group_member: ObjectGroupMember | None = None


@dataclass(frozen=True, slots=True)
class LocateResponse:
    """located_items: how many match, of which unique_identifiers may be a page."""

    located_items: int | None = None
    unique_identifiers: Annotated[tuple[str, ...], Tag("UniqueIdentifier")] = ()


@dataclass(frozen=True, slots=True)
class QueryRequest:
    functions: Annotated[tuple[QueryFunction, ...], Tag("QueryFunction")]


@dataclass(frozen=True, slots=True)
class ServerInformation:
    server_name: str | None = None
    server_serial_number: str | None = None
    server_version: str | None = None
    server_load: str | None = None
    product_name: str | None = None
    build_level: str | None = None
    build_date: str | None = None
    cluster_info: str | None = None


@dataclass(frozen=True, slots=True)
class ProfileInformation:
    profile_name: EnumerationNumber
    server_uri: str | None = None
    server_port: int | None = None


@dataclass(frozen=True, slots=True)
class CapabilityInformation:
    streaming_capability: bool | None = None
    asynchronous_capability: bool | None = None
    attestation_capability: bool | None = None
    batch_undo_capability: bool | None = None
    batch_continue_capability: bool | None = None
    unwrap_mode: UnwrapMode | None = None
    destroy_action: DestroyAction | None = None
    shredding_algorithm: ShreddingAlgorithm | None = None
    rng_mode: RNGMode | None = None
    quantum_safe_capability: bool | None = None


@dataclass(frozen=True, slots=True)
class QueryResponse:
    operations: Annotated[tuple[Operation, ...], Tag("Operation")] = ()
    object_types: Annotated[tuple[ObjectType, ...], Tag("ObjectType")] = ()
    vendor_identification: str | None = None
    server_information: ServerInformation | None = None
    application_namespaces: Annotated[tuple[str, ...], Tag("ApplicationNamespace")] = ()
    attestation_types: Annotated[tuple[EnumerationNumber, ...], Tag("AttestationType")] = ()
    rng_parameters: Annotated[tuple[RandomNumberGenerator, ...], Tag("RNGParameters")] = ()
    profile_information: tuple[ProfileInformation, ...] = ()
    capability_information: tuple[CapabilityInformation, ...] = ()
    client_registration_methods: Annotated[
        tuple[ClientRegistrationMethod, ...], Tag("ClientRegistrationMethod")
    ] = ()
    protection_storage_masks: Annotated[tuple[int, ...], Tag("ProtectionStorageMask")] = ()


@dataclass(frozen=True, slots=True)
class DiscoverVersionsRequest:
    """protocol_versions: those that the client speaks, best first; () asks for all."""

    protocol_versions: Annotated[tuple[ProtocolVersion, ...], Tag("ProtocolVersion")] = ()


@dataclass(frozen=True, slots=True)
class DiscoverVersionsResponse:
    protocol_versions: Annotated[tuple[ProtocolVersion, ...], Tag("ProtocolVersion")] = ()
