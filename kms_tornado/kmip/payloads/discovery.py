"""Locate, Query and Discover Versions: questions about objects and about the server (KMIP 2.1 §6.1)."""

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
from ..schema import Custom, EnumerationNumber, NotSent, Tag, is_repeated, normalise_partial, tag_of
from ..structures import RandomNumberGenerator
from ..ttlv import ItemType, Node, children_of, structure
from ..versions import ProtocolVersion


@dataclass(frozen=True, slots=True)
class DateRange:
    """tag: of the attribute. earliest, latest: seconds since the Unix epoch, both inclusive."""

    tag: str
    earliest: int
    latest: int


@dataclass(frozen=True, slots=True)
class LocateCriteria:
    """The attributes by which Locate finds objects.

    attributes: as they stand in Attributes; a structure has only those fields that the search compares.
    """

    attributes: tuple[Node, ...] = ()
    date_ranges: tuple[DateRange, ...] = ()


def _read_criteria(node: Node) -> LocateCriteria:
    """Read criteria, where a date that is given twice is a range (§6.1.24); elsewhere it is an error."""
    nodes_by_tag: dict[str, list[Node]] = {}
    for child in children_of(normalise_partial(Attributes, node)):
        nodes_by_tag.setdefault(child.tag, []).append(child)
    ranges = []
    for tag, nodes in list(nodes_by_tag.items()):
        if len(nodes) == 1 or tag in _REPEATED_TAGS:
            continue
        if nodes[0].type is not ItemType.DATE_TIME or len(nodes) > 2:
            raise InvalidField(f"{tag} is given too often in {node.tag}")
        earliest, latest = sorted(date.value for date in nodes if isinstance(date.value, int))
        ranges.append(DateRange(tag, earliest, latest))
        del nodes_by_tag[tag]
    attributes = tuple(child for nodes in nodes_by_tag.values() for child in nodes)
    return LocateCriteria(attributes, tuple(ranges))


_REPEATED_TAGS = frozenset(
    tag_of(Attributes, field.name)
    for field in fields(Attributes)
    if is_repeated(Attributes, field.name)
)


def _write_criteria(tag: str, criteria: LocateCriteria) -> Node:
    dates = (
        Node(date_range.tag, ItemType.DATE_TIME, date)
        for date_range in criteria.date_ranges
        for date in (date_range.earliest, date_range.latest)
    )
    return structure(tag, *criteria.attributes, *dates)


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
    """located_items: the number of all matches, which may be more than unique_identifiers has; None: not determined.

    placeholder: what the ID placeholder means from then on.
    """

    located_items: int | None = None
    unique_identifiers: Annotated[tuple[str, ...], Tag("UniqueIdentifier")] = ()
    placeholder: Annotated[str | None, NotSent()] = None


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
    """protocol_versions: those that the client speaks, in order of preference; () for all of the server's."""

    protocol_versions: Annotated[tuple[ProtocolVersion, ...], Tag("ProtocolVersion")] = ()


@dataclass(frozen=True, slots=True)
class DiscoverVersionsResponse:
    protocol_versions: Annotated[tuple[ProtocolVersion, ...], Tag("ProtocolVersion")] = ()
