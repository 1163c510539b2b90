"""The payload of each supported operation, request and response, declared (KMIP 2.1 §6.1).

A request's unique_identifier is None where the client left it out, which in a batch means the ID
placeholder; what to make of it is for the operation to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from ..errors import InvalidField
from .attributes import Attributes
from .enums import (
    KeyCompressionType,
    KeyFormatType,
    KeyWrapType,
    ObjectGroupMember,
    ObjectType,
    Operation,
    QueryFunction,
    RevocationReasonCode,
)
from .objects import KeyWrappingSpecification, ObjectField
from .schema import Custom, DateTime, Declared, EnumerationNumber, Tag, from_node
from .structures import CryptographicParameters, RevocationReason
from .tables import TAG_NAMES, TAG_NUMBERS
from .ttlv import ItemType, Node, structure

# --- objects come and go ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CreateRequest:
    object_type: ObjectType
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class CreateResponse:
    object_type: ObjectType
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """unique_identifier: "" means that the server chooses (KMIP.md §7)."""

    unique_identifier: str
    object_type: ObjectType
    replace_existing: bool | None = None
    key_wrap_type: KeyWrapType | None = None
    attributes: Attributes = field(default_factory=Attributes)
    object: ObjectField | None = None


@dataclass(frozen=True, slots=True)
class ImportResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class GetRequest:
    unique_identifier: str | None = None
    key_format_type: KeyFormatType | None = None
    key_wrap_type: KeyWrapType | None = None
    key_wrapping_specification: KeyWrappingSpecification | None = None
    key_compression_type: KeyCompressionType | None = None


@dataclass(frozen=True, slots=True)
class GetResponse:
    object_type: ObjectType
    unique_identifier: str
    object: ObjectField


@dataclass(frozen=True, slots=True)
class ExportRequest:
    unique_identifier: str | None = None
    key_format_type: KeyFormatType | None = None
    key_wrap_type: KeyWrapType | None = None
    key_wrapping_specification: KeyWrappingSpecification | None = None
    key_compression_type: KeyCompressionType | None = None


@dataclass(frozen=True, slots=True)
class ExportResponse:
    """object: None once it is destroyed."""

    object_type: ObjectType
    unique_identifier: str
    attributes: Attributes
    object: ObjectField | None = None


@dataclass(frozen=True, slots=True)
class RevokeRequest:
    unique_identifier: str | None = None
    revocation_reason: RevocationReason | None = None
    compromise_occurrence_date: DateTime | None = None

    @property
    def reason(self) -> RevocationReasonCode | None:
        """None where the client gave no reason, or a text alone."""
        given = self.revocation_reason
        return given.revocation_reason_code if given else None

    @property
    def message(self) -> str | None:
        given = self.revocation_reason
        return given.revocation_message if given else None


@dataclass(frozen=True, slots=True)
class RevokeResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class DestroyRequest:
    """remove: Cosmian's extension, forget the object altogether (KMIP.md §8)."""

    unique_identifier: str | None = None
    remove: bool = False


@dataclass(frozen=True, slots=True)
class DestroyResponse:
    unique_identifier: str


# --- questions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AttributeReference:
    """An attribute by name: its tag ("CryptographicLength"), or a vendor's own name."""

    attribute_name: str
    vendor_identification: str | None = None


@dataclass(frozen=True, slots=True)
class _VendorReference:
    vendor_identification: str
    attribute_name: str


def _read_reference(node: Node) -> AttributeReference:
    if node.type is not ItemType.ENUMERATION:
        vendor = from_node(_VendorReference, node)
        return AttributeReference(vendor.attribute_name, vendor.vendor_identification)
    name = TAG_NAMES.get(node.value) if isinstance(node.value, int) else None
    if name is None:
        raise InvalidField("AttributeReference names no tag")
    return AttributeReference(name)


def _write_reference(tag: str, reference: AttributeReference) -> Node:
    name, vendor = reference.attribute_name, reference.vendor_identification
    if vendor is None:
        return Node(tag, ItemType.ENUMERATION, TAG_NUMBERS[name])
    return structure(
        tag,
        Node("VendorIdentification", ItemType.TEXT_STRING, vendor),
        Node("AttributeName", ItemType.TEXT_STRING, name),
    )


@dataclass(frozen=True, slots=True)
class GetAttributesRequest:
    """attribute_references: () asks for all."""

    unique_identifier: str | None = None
    attribute_references: Annotated[
        tuple[AttributeReference, ...],
        Tag("AttributeReference"),
        Custom(_read_reference, _write_reference),
    ] = ()


@dataclass(frozen=True, slots=True)
class GetAttributesResponse:
    unique_identifier: str
    attributes: Attributes


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


# --- cryptography -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EncryptRequest:
    unique_identifier: str | None = None
    data: bytes | None = field(default=None, repr=False)
    cryptographic_parameters: CryptographicParameters | None = None
    iv_counter_nonce: bytes | None = None
    authenticated_encryption_additional_data: bytes | None = field(default=None, repr=False)
    correlation_value: bytes | None = None
    init_indicator: bool | None = None
    final_indicator: bool | None = None


@dataclass(frozen=True, slots=True)
class EncryptResponse:
    unique_identifier: str
    data: bytes | None = field(default=None, repr=False)
    iv_counter_nonce: bytes | None = None
    authenticated_encryption_tag: bytes | None = None
    correlation_value: bytes | None = None


@dataclass(frozen=True, slots=True)
class DecryptRequest:
    unique_identifier: str | None = None
    data: bytes | None = field(default=None, repr=False)
    cryptographic_parameters: CryptographicParameters | None = None
    iv_counter_nonce: bytes | None = None
    authenticated_encryption_additional_data: bytes | None = field(default=None, repr=False)
    authenticated_encryption_tag: bytes | None = None
    correlation_value: bytes | None = None
    init_indicator: bool | None = None
    final_indicator: bool | None = None


@dataclass(frozen=True, slots=True)
class DecryptResponse:
    unique_identifier: str
    data: bytes | None = field(default=None, repr=False)
    correlation_value: bytes | None = None


#: Operation → (request, response). What is not listed is not offered.
PAYLOADS: Mapping[Operation, tuple[type[Declared], type[Declared]]] = {
    Operation.CREATE: (CreateRequest, CreateResponse),
    Operation.LOCATE: (LocateRequest, LocateResponse),
    Operation.GET: (GetRequest, GetResponse),
    Operation.GET_ATTRIBUTES: (GetAttributesRequest, GetAttributesResponse),
    Operation.REVOKE: (RevokeRequest, RevokeResponse),
    Operation.DESTROY: (DestroyRequest, DestroyResponse),
    Operation.QUERY: (QueryRequest, QueryResponse),
    Operation.DISCOVER_VERSIONS: (DiscoverVersionsRequest, DiscoverVersionsResponse),
    Operation.ENCRYPT: (EncryptRequest, EncryptResponse),
    Operation.DECRYPT: (DecryptRequest, DecryptResponse),
    Operation.IMPORT: (ImportRequest, ImportResponse),
    Operation.EXPORT: (ExportRequest, ExportResponse),
}
