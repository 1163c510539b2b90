"""Locate, Query and Discover Versions: questions about objects and server (KMIP 2.1 §6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from ..attributes import Attributes
from ..enums import ObjectGroupMember, ObjectType, Operation, QueryFunction
from ..schema import EnumerationNumber, Tag


@dataclass(frozen=True, slots=True)
class LocateRequest:
    attributes: Attributes = field(default_factory=Attributes)
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
    quantum_safe_capability: bool | None = None


@dataclass(frozen=True, slots=True)
class QueryResponse:
    operations: Annotated[tuple[Operation, ...], Tag("Operation")] = ()
    object_types: Annotated[tuple[ObjectType, ...], Tag("ObjectType")] = ()
    vendor_identification: str | None = None
    server_information: ServerInformation | None = None
    application_namespaces: Annotated[tuple[str, ...], Tag("ApplicationNamespace")] = ()
    profile_information: tuple[ProfileInformation, ...] = ()
    capability_information: tuple[CapabilityInformation, ...] = ()


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
