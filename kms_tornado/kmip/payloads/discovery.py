"""Locate, Query and Discover Versions: questions about objects and server (KMIP 2.1 §6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
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
from ..schema import Custom, EnumerationNumber, Tag, from_node, read_field, to_node, write_field
from ..structures import RandomNumberGenerator
from ..ttlv import ItemType, Node, children_of


@dataclass(frozen=True, slots=True)
class DateRange:
    """field: of Attributes, "activation_date". Both ends belong to it; seconds since the Unix epoch."""

    field: str
    earliest: int
    latest: int


@dataclass(frozen=True, slots=True)
class Sought:
    """What an object must have to be found."""

    attributes: Attributes = field(default_factory=Attributes)
    date_ranges: tuple[DateRange, ...] = ()


def _read_sought(node: Node) -> Sought:
    """A date that is given twice is a range (§6.1.32), which to any other operation is a mistake."""
    if not isinstance(node.value, tuple):
        raise InvalidField(f"{node.tag} must be a Structure")
    dates: dict[str, list[Node]] = {}
    for child in node.value:
        if child.type is ItemType.DATE_TIME:
            dates.setdefault(child.tag, []).append(child)
    twice = {tag: pair for tag, pair in dates.items() if len(pair) == 2}
    rest = tuple(child for child in node.value if child.tag not in twice)
    return Sought(
        from_node(Attributes, node._replace(value=rest)),
        tuple(_range(pair, node.tag) for pair in twice.values()),
    )


def _range(pair: list[Node], parent: str) -> DateRange:
    (name, one), (_, other) = (read_field(Attributes, each, parent) for each in pair)
    return DateRange(name, min(one, other), max(one, other))


def _write_sought(tag: str, sought: Sought) -> Node:
    written = to_node(sought.attributes, tag)
    ends = tuple(
        write_field(Attributes, each.field, date)
        for each in sought.date_ranges
        for date in (each.earliest, each.latest)
    )
    return written._replace(value=(*children_of(written), *ends))


@dataclass(frozen=True, slots=True)
class LocateRequest:
    sought: Annotated[Sought, Tag("Attributes"), Custom(_read_sought, _write_sought)] = field(
        default_factory=Sought
    )
    maximum_items: int | None = None
    offset_items: int | None = None
    storage_status_mask: int | None = None
    object_group_member: ObjectGroupMember | None = None

    @property
    def attributes(self) -> Attributes:
        return self.sought.attributes

    @property
    def date_ranges(self) -> tuple[DateRange, ...]:
        return self.sought.date_ranges


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
class ProtocolVersion:
    protocol_version_major: int
    protocol_version_minor: int


@dataclass(frozen=True, slots=True)
class DiscoverVersionsRequest:
    """protocol_versions: those that the client speaks, best first; () asks for all."""

    protocol_versions: Annotated[tuple[ProtocolVersion, ...], Tag("ProtocolVersion")] = ()


@dataclass(frozen=True, slots=True)
class DiscoverVersionsResponse:
    protocol_versions: Annotated[tuple[ProtocolVersion, ...], Tag("ProtocolVersion")] = ()
