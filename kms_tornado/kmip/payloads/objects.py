"""The operations that create objects, receive them and return them (KMIP 2.1 §6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from ..attribute_index import Retired
from ..attributes import Attributes
from ..enums import DerivationMethod, KeyFormatType, KeyWrapType, ObjectType
from ..objects import KeyWrappingSpecification, ObjectField
from ..schema import EnumerationNumber, NotSent, Sparse, Tag
from ..structures import DerivationParameters, ProtectionStorageMasks


@dataclass(frozen=True, slots=True)
class CreateRequest:
    object_type: ObjectType
    attributes: Attributes
    protection_storage_masks: ProtectionStorageMasks | None = None


@dataclass(frozen=True, slots=True)
class CreateResponse:
    object_type: ObjectType
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class CreateKeyPairRequest:
    """common_attributes: those of both keys."""

    common_attributes: Attributes = field(default_factory=Attributes)
    private_key_attributes: Attributes = field(default_factory=Attributes)
    public_key_attributes: Attributes = field(default_factory=Attributes)
    common_protection_storage_masks: ProtectionStorageMasks | None = None
    private_protection_storage_masks: ProtectionStorageMasks | None = None
    public_protection_storage_masks: ProtectionStorageMasks | None = None


@dataclass(frozen=True, slots=True)
class CreateKeyPairResponse:
    private_key_unique_identifier: str
    public_key_unique_identifier: str


@dataclass(frozen=True, slots=True)
class DeriveKeyRequest:
    """unique_identifiers: of the objects to derive from; () for the ID placeholder."""

    object_type: ObjectType
    unique_identifiers: Annotated[tuple[str, ...], Tag("UniqueIdentifier")] = ()
    derivation_method: DerivationMethod = field(kw_only=True)
    derivation_parameters: DerivationParameters = field(kw_only=True)
    attributes: Attributes = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class DeriveKeyResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class RegisterRequest:
    object_type: ObjectType
    attributes: Attributes
    object: ObjectField
    protection_storage_masks: ProtectionStorageMasks | None = None


@dataclass(frozen=True, slots=True)
class RegisterResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """unique_identifier: "" lets the server choose one.

    docs/dialects.md, "Identifiers, tags and links".
    """

    unique_identifier: str
    object_type: ObjectType
    replace_existing: bool | None = None
    key_wrap_type: KeyWrapType | None = None
    attributes: Attributes = field(default_factory=Attributes)
    object: ObjectField | None = None


@dataclass(frozen=True, slots=True)
class ImportResponse:
    unique_identifier: str


@dataclass(frozen=True)
class GetRequest(Sparse):
    unique_identifier: str | None = None
    key_format_type: KeyFormatType | None = None
    key_wrap_type: KeyWrapType | None = None
    key_wrapping_specification: KeyWrappingSpecification | None = None
    key_compression_type: EnumerationNumber | None = None


@dataclass(frozen=True, slots=True)
class GetResponse:
    object_type: ObjectType
    unique_identifier: str
    object: ObjectField


@dataclass(frozen=True)
class ExportRequest(Sparse):
    unique_identifier: str | None = None
    key_format_type: KeyFormatType | None = None
    key_wrap_type: KeyWrapType | None = None
    key_wrapping_specification: KeyWrappingSpecification | None = None
    key_compression_type: EnumerationNumber | None = None


@dataclass(frozen=True, slots=True)
class ExportResponse:
    """object: None where it was destroyed. retired_indices: as in GetAttributesResponse."""

    object_type: ObjectType
    unique_identifier: str
    attributes: Attributes
    object: ObjectField | None = None
    retired_indices: Annotated[Retired, NotSent()] = ()
